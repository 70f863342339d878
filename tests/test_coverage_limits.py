"""What limits a report about a window is said beside its numbers."""

from datetime import UTC, datetime

import pytest

from gitopslab.metrics import coverage
from gitopslab.window import Window

WINDOW = Window(datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 11, tzinfo=UTC))
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
            "Applications of dev were last seen 2026-05-08 00:00 UTC, and what came later is not here.",
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
