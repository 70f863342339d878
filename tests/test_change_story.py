"""The story of a change: what counts, what only holds it too, and what is not known, in sentences."""

from datetime import UTC, datetime, timedelta

from gitopslab.metrics.change_story import stories

CAME_IN = datetime(2026, 5, 1, 12, tzinfo=UTC)
PLACE = {"repository": "app", "sha": "a" * 40, "service": "api", "environment": "dev"}


def after(minutes: float) -> datetime:
    return CAME_IN + timedelta(minutes=minutes)


def change(**more) -> dict:
    row = dict.fromkeys(
        (
            "lane",
            "class_reason",
            "lead_seconds",
            "open_seconds",
            "waits_for",
            "healthy_earliest_at",
            "healthy_at",
        )
    )
    known = {"kind": "code", "committed_at": CAME_IN, "class": "in_flight", "is_superseded": False}
    return PLACE | row | known | {"confidence": 1.0} | more


def link(stage: str, minutes: float | None = None, **more) -> dict:
    told = ("from_text", "to_text", "rule", "evidence", "passed_by", "alternatives", "began_at", "confidence")
    is_there = minutes is not None
    row = dict.fromkeys(told) | {"stage": stage, "is_carried": False, "is_chosen": is_there}
    at = {"happened_at": after(minutes) if is_there else None, "passed_by": "x" if is_there else None}
    return PLACE | row | at | more


def test_steps_that_do_not_count_are_told_and_measure_nothing():
    [story] = stories(
        [change(waits_for="hydrate")],
        [link("pin", 2, is_chosen=False), link("pin", 5, began_at=after(4)), link("hydrate")],
    )

    assert [(step.stage, step.after_seconds, step.took_seconds) for step in story.steps] == [
        ("commit", None, None),
        ("pin", None, None),
        ("pin", 300.0, 60.0),
    ]
    assert story.unknown == (
        "It has not passed hydrate: no landed commit of the environment's proposed branch holds it.",
    )


def test_clocks_that_disagree_show_as_a_negative_time():
    [story] = stories([change()], [link("build", -1)])

    assert story.steps[1].after_seconds == -60.0


def test_a_link_that_is_not_sure_says_what_others_say():
    [story] = stories(
        [change()], [link("pin", 1, confidence=0.6, rule="digest", alternatives="digest=a1 tag=a2")]
    )

    assert story.unknown == (
        "The link of pin is of confidence 0.6, by digest; other rules say otherwise: digest=a1 tag=a2.",
    )


def test_health_between_two_looks_is_told_as_a_stretch():
    [story] = stories(
        [
            change(
                **{"class": "delivered"},
                lead_seconds=600.0,
                healthy_earliest_at=after(8),
                healthy_at=after(10),
            )
        ],
        [link("sync", 7), link("healthy", 10)],
    )

    assert str(story) == "api in dev: delivered, 10 min from commit to healthy, confidence 1."
    assert [sentence.partition(":00: ")[0] for sentence in story.unknown] == [
        "It was healthy at some time from 2026-05-01 12:08:00 to 2026-05-01 12:10"
    ]


def test_a_stage_of_which_only_some_applications_have_steps_does_not_count():
    [story] = stories([change(waits_for="sync")], [link("sync", 7, is_chosen=False)])

    assert story.unknown == (
        "Its steps of sync do not count: Applications of the service are missing, or it was taken back.",
    )


def test_an_environment_that_nobody_looked_at_since_is_said_with_the_time_of_the_last_look():
    [story] = stories([change(**{"class": "unobserved"}, environment_observed_until=after(-90))], [])

    assert str(story) == (
        "api in dev: unobserved, dev was last looked at on 2026-05-01 10:30:00, before the change came in."
    )
