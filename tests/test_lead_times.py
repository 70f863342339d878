"""How long changes take, by rows whose durations can be added up."""

from datetime import timedelta

import pandas as pd
import pytest

from gitopslab.errors import UsageError
from gitopslab.metrics import lead_time, open_changes, stages
from gitopslab.metrics.durations import Bootstrap
from tests.delivered import START, WINDOW, change, changes, waiting

BOOTSTRAP = Bootstrap(1, 200)
NO_RELEASES = pd.DataFrame({"environment": [], "lead_seconds": [], "open_seconds": []})


def minutes(*lengths: float, **given) -> list[dict]:
    return [change(f"{place:040d}", 60 * length, **given) for place, length in enumerate(lengths)]


def test_environments_are_told_apart_and_never_pooled():
    found = lead_time.by_environment(
        changes(*minutes(*range(1, 10)), *minutes(*range(101, 110), environment="staging")), BOOTSTRAP
    )

    assert [(each.environment, each.duration.quantile(0.5).seconds) for each in found] == [
        ("dev", 5 * 60),
        ("staging", 105 * 60),
    ]
    assert lead_time.headline(found, WINDOW) == (
        "Half of the changes are live and healthy within 5 min in dev (of 9), 1 h 45 min in staging (of 9)."
    )


def test_an_environment_that_most_changes_have_not_reached_has_no_median_in_the_headline():
    open_ones = [waiting(f"{place}", 10_000, environment="staging") for place in range(20)]
    found = lead_time.by_environment(
        changes(*minutes(*range(1, 10)), *minutes(*range(1, 10), environment="staging"), *open_ones),
        BOOTSTRAP,
    )

    assert lead_time.headline(found, WINDOW) == (
        "Half of the changes are live and healthy within 5 min in dev (of 9);"
        " not yet known for staging (20 of 29 still open)."
    )
    assert "20 of 29 changes are still open; too many to say how long half of them take" in str(found[1])
    assert "(of the 9 that arrived, half took 5 min)" in str(found[1])


def test_few_changes_have_no_estimate():
    [dev] = lead_time.by_environment(changes(*minutes(1, 2, 3)), BOOTSTRAP)

    assert dev.duration.quantiles == {}
    assert str(dev) == "dev: 3 changes arrived, too few for an estimate."


def test_no_change_is_said_so():
    assert lead_time.by_environment(changes(), BOOTSTRAP) == []
    assert lead_time.headline([], WINDOW) == "No change came in within 28 d."


def test_an_environment_that_is_not_there_is_refused_and_not_empty():
    with pytest.raises(UsageError, match="no environment 'prod'; there are: dev, staging"):
        lead_time.known_environment("prod", ["staging", "dev"])
    lead_time.known_environment("", [])


def test_the_parts_of_typical_and_slowest_changes_sum_to_their_means():
    rows = [
        change(f"{place:040d}", 100.0 + place, pin_wait_seconds=40.0 + place, build_seconds=60.0)
        for place in range(40)
    ]
    typical, slowest = stages.stage_means(changes(*rows), "dev")

    assert (typical.n, typical.total_seconds) == (8, 119.5)  # places 16 to 23
    assert (typical.seconds["build"], typical.seconds["wait for pin"]) == (60, 59.5)
    assert (slowest.n, slowest.total_seconds) == (8, 135.5)  # places 32 to 39
    assert sum(slowest.seconds.values()) == slowest.total_seconds
    assert str(slowest).endswith("the 8 slowest took on average, 56% went by waiting for its pin.")


def test_work_is_told_from_waiting():
    rows = [
        change(f"{place:040d}", 100.0, pin_wait_seconds=75.0, build_seconds=20.0, sync_seconds=5.0)
        for place in range(8)
    ]
    found = stages.working(changes(*rows), "dev")

    assert (found.share, found.low, found.high) == (0.25, 0.25, 0.25)
    assert stages.working(changes(*rows[:7]), "dev").share is None


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"pin_wait_seconds": 7_200.0, "build_seconds": 60.0}, "2 h waiting for its pin"),
        (
            {"pin_wait_seconds": 60.0, "promote_wait_seconds": 90.0, "build_seconds": 30.0},
            "1 min 30 s waiting for promotion, 1 min waiting for its pin",
        ),
        ({}, ""),
    ],
)
def test_the_story_of_a_change_is_where_its_time_went(parts, said):
    assert stages.story(dict.fromkeys(stages.COLUMNS, 0.0) | parts) == said


def test_the_slowest_of_each_environment_are_listed():
    rows = lead_time.slowest(changes(*minutes(5, 9, 7, 1), *minutes(3, environment="staging")), most=2)

    assert rows["lead_seconds"].tolist() == [540, 420, 180]
    assert rows["story"].tolist()[0] == "9 min waiting for its pin"


def test_definitions_stand_side_by_side_on_the_same_changes():
    at = {name: START + timedelta(minutes=minute) for name, minute in CLOCKS.items()}
    rows = [change(f"{place:040d}", 1_800.0, **at) for place in range(8)]
    halves = {
        summary.definition.definition_id: summary.quantile(0.5) and summary.quantile(0.5).seconds / 60
        for _, summary in lead_time.compared(changes(*rows), NO_RELEASES, BOOTSTRAP)
    }

    assert halves == {
        "change_lead_time": 30,
        "authoring_lead_time": 90,
        "merge_to_deploy": 29,
        "pin_to_live": 18,
        "application_lead_time": None,  # its build ended before its pin, as it always does
    }


CLOCKS = {
    "authored_at": -60,
    "built_at": 10,
    "pinned_at": 12,
    "synced_at": 29,
    "healthy_at": 30,
    "live_at": 30,
}


def test_splits_count_open_changes_and_leave_out_what_is_neither():
    found = lead_time.splits(
        changes(
            *minutes(1, 2),
            waiting("a", 60, service="api"),
            change("b", service="old", **{"class": "reverted"}),
        ),
        "service",
        BOOTSTRAP,
    )

    assert [(each.value, each.duration.n, each.duration.open_count) for each in found] == [
        ("web", 2, 0),
        ("api", 0, 1),
    ]


def test_what_has_waited_longer_than_nineteen_in_twenty_took_is_stuck():
    [pin] = open_changes.waiting(changes(*minutes(*[1] * 20), waiting("a", 30), waiting("b", 90)))

    assert (pin.change_count, pin.stuck_count, pin.oldest_seconds) == (2, 1, 90)
    assert str(pin) == (
        "dev: 2 waiting for their pin, the oldest for 1 min 30 s;"
        " 1 already longer than 19 in 20 that arrived took (1 min)."
    )


def test_where_few_arrived_nobody_can_tell_what_is_stuck():
    [pin] = open_changes.waiting(changes(*minutes(1, 2), waiting("a", 9_000)))

    assert pin.stuck_count is None
    assert str(pin).endswith("too few arrived to tell whether that is long.")


def test_a_curve_goes_on_for_as_long_as_the_oldest_open_change():
    [(_, curve)] = lead_time.curves(changes(*minutes(1, 2), waiting("a", 9_000)))

    assert curve.seconds == (60, 120)
    assert curve.longest == 9_000


def test_releases_have_a_lead_time_of_their_own_in_the_last_environment():
    releases = pd.DataFrame(
        {
            "environment": ["prod"] * 3,
            "lead_seconds": [60.0, None, None],
            "open_seconds": [None, 90.0, None],
        }
    )
    [(environment, found)] = lead_time.compared(changes(), releases, BOOTSTRAP)

    assert (environment, found.definition.definition_id) == ("prod", "promoter_release_lead_time")
    assert (found.few, found.open_count, found.unknown_count) == ((60,), 1, 1)


def test_what_to_keep_in_mind_of_delivered_changes_is_counted():
    [dev] = lead_time.by_environment(
        changes(
            change("a", 60.0, is_superseded=True),
            change("b", 60.0, lead_earliest_seconds=50.0),
            change("c", 60.0, confidence=0.5),
        ),
        BOOTSTRAP,
    )

    assert dev.caveat == (
        "dev: of 3 delivered changes, 1 arrived as part of a later one;"
        " 1 became healthy between two looks, at a time known by its bounds;"
        " 1 came by a link that is not certain."
    )


def test_where_there_is_nothing_to_keep_in_mind_that_is_said():
    [dev] = lead_time.by_environment(changes(change("a", 60.0)), BOOTSTRAP)

    assert dev.caveat == (
        "dev: of 1 delivered change, each arrived by itself, at a known time, by links that are certain."
    )
