from datetime import UTC, datetime

import pandas as pd
import pytest

from gitopslab.errors import UsageError
from gitopslab.metrics import coverage, delivery
from gitopslab.window import Window

WINDOW = Window(datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 11, tzinfo=UTC))
SYNCS = ["environment", "is_deployment", "is_rollback", "sync_seconds"]
OPERATIONS = ["environment", "is_dry_run", "outcome", "retry_count"]
PROMOTIONS = ["environment", "pull_request_seconds", "dry_to_merge_seconds", "is_manual"]


def rows(syncs=(), operations=(), promotions=()) -> delivery.WindowRows:
    return delivery.WindowRows(
        pd.DataFrame(syncs, columns=SYNCS),
        pd.DataFrame(operations, columns=OPERATIONS),
        pd.DataFrame(promotions, columns=PROMOTIONS),
    )


def delivered(*, is_watched: bool = True, **given) -> list[delivery.Delivery]:
    return delivery.by_environment(rows(**given), WINDOW, delivery.Bootstrap(seed=1), is_watched=is_watched)


def test_a_deployment_brings_something_else_than_before():
    [dev] = delivered(
        syncs=[
            ("dev", True, False, 1.0),
            ("dev", False, False, 1.0),
            ("dev", None, False, 1.0),
            ("dev", True, True, 1.0),
        ]
    )

    assert str(dev.deployments) == (
        "2 deployments in 10 days: 0.2 a day; 1 sync brought the same revisions again;"
        " 1 deployment went back to older revisions; of 1 sync nobody knows what ran before."
    )


def test_environments_are_told_apart_and_never_pooled():
    found = delivered(syncs=[("dev", True, False, 1.0), ("staging", True, False, 100.0)])

    assert [(each.environment, each.sync_duration.quantiles[0.5].seconds) for each in found] == [
        ("dev", 1),
        ("staging", 100),
    ]
    assert delivery.headline(found, WINDOW).startswith(
        "2 deployments to 2 environments in 10 days, 0 promotions merged"
    )


def test_failures_are_lower_bounds_unless_everything_was_watched():
    operations = [
        ("dev", False, "succeeded", 0),
        ("dev", False, "failed", 5),
        ("dev", False, "running", 1),
        ("dev", True, "failed", 0),
    ]

    assert str(delivered(operations=operations)[0].operations) == (
        "1 of 2 sync operations failed and 2 needed more than one attempt; 1 were not seen in their end."
    )
    assert str(delivered(operations=operations, is_watched=False)[0].operations).startswith("At least 1 of 2")


def test_a_promotion_without_its_times_is_counted_and_in_no_quantile():
    [dev] = delivered(promotions=[("dev", None, 60.0, False), ("dev", 5.0, None, True)])

    assert (dev.commit_to_promoted.n, dev.commit_to_promoted.unknown_count) == (1, 1)
    assert dev.manual_promotion_count == 1


def test_an_environment_that_is_not_there_is_refused_and_not_empty():
    with pytest.raises(UsageError, match="no environment 'prod'; there are: dev, staging"):
        delivery.known_environment("prod", ["staging", "dev"])
    delivery.known_environment("", [])


def test_nothing_is_said_so():
    assert delivered() == []
    assert delivery.sentences([]) == "Nothing was delivered."
    assert delivery.headline([], WINDOW) == "Nothing was delivered in 10 days."


def test_names_from_outside_are_no_markdown():
    [odd] = delivered(syncs=[("<b>[x](y)", True, False, 1.0)])

    assert delivery.sentences([odd], "deployments").startswith(r"- \<b\>\[x\](y): 1 deployment")


RESOURCE = {
    "cluster": "dev",
    "resource": "applications",
    "is_watched": True,
    "look_count": 3,
    "gap_count": 0,
    "last_observed_at": WINDOW.until,
}
EDGE = {"source": "Argo CD history", "environment": "dev", "known_since": WINDOW.since, "forgotten_count": 0}


def covered(edge=(), resource=(), losses=()) -> coverage.Coverage:
    return coverage.coverage([EDGE | dict(edge)], [RESOURCE | dict(resource)], losses, ["dev"], WINDOW)


def test_a_window_that_was_watched_and_lacks_nothing_known_has_no_limits():
    assert str(covered()) == "Applications were watched, and nothing is known to be missing."


@pytest.mark.parametrize(
    ("edge", "resource", "said"),
    [
        ({"forgotten_count": 14}, {}, "Argo CD forgot 14 syncs of dev before anybody looked."),
        (
            {"known_since": datetime(2026, 5, 3, 9, tzinfo=UTC), "forgotten_count": None},
            {},
            "Syncs of dev before 2026-05-03 09:00 UTC are lost: Argo CD keeps the last ten successful ones",
        ),
        (
            {},
            {"is_watched": False},
            "looked at 3 times and not watched: failed syncs and retries are lower bounds.",
        ),
        ({}, {"is_watched": False, "look_count": 1}, "looked at once and not watched"),
        ({}, {"gap_count": 2}, "The watch of Applications has 2 gaps."),
        (
            {},
            {"last_observed_at": datetime(2026, 5, 8, tzinfo=UTC)},
            "Applications were last seen 2026-05-08 00:00 UTC; what came later is not here.",
        ),
        ({}, {"cluster": "other"}, "No Application of it was ever looked at."),
    ],
)
def test_what_is_missing_is_said(edge, resource, said):
    assert said in str(covered(edge, resource))


def test_a_history_that_is_numbered_from_its_start_is_whole_however_young():
    assert covered({"known_since": datetime(2026, 5, 9, tzinfo=UTC)}).limits == ()


def test_only_losses_that_happened_are_listed():
    assert covered(losses=[{"loss": "a", "loss_count": 0}, {"loss": "b", "loss_count": 2}]).losses == (
        ("b", 2),
    )
