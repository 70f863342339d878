"""Changes that are still on their way: what they wait for, and which of them are stuck."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitopslab.metrics.durations import FEWEST, human
from gitopslab.metrics.lead_time import IN_FLIGHT, environments

if TYPE_CHECKING:
    import pandas as pd

_STUCK_BEYOND = 0.95
_WORDS = {
    "build": "their build",
    "pin": "their pin",
    "hydrate": "hydration",
    "promote": "promotion",
    "sync": "their sync",
    "healthy": "their pods to be healthy",
}


@dataclass(frozen=True)
class Waiting:
    """Open changes to an environment that wait for the same stage.

    Attributes:
        environment: The environment.
        waits_for: The first stage they have not passed.
        change_count: How many they are.
        oldest_seconds: How long the oldest has been open.
        stuck_count: How many have been open for longer than 19 in 20 that arrived there took; None where
            fewer than 8 arrived, so that nobody can tell.
        stuck_beyond_seconds: That time.
    """

    environment: str
    waits_for: str
    change_count: int
    oldest_seconds: float
    stuck_count: int | None
    stuck_beyond_seconds: float | None

    def __str__(self) -> str:
        awaited = _WORDS.get(self.waits_for, self.waits_for)
        counted = f"{self.environment}: {self.change_count:,} waiting for {awaited}"
        said = f"{counted}, the oldest for {human(self.oldest_seconds)}"
        if self.stuck_count is None or self.stuck_beyond_seconds is None:
            return f"{said}; too few arrived to tell whether that is long."
        return (
            f"{said}; {self.stuck_count:,} already longer than 19 in 20 that arrived took"
            f" ({human(self.stuck_beyond_seconds)})."
        )


def waiting(changes: "pd.DataFrame") -> list[Waiting]:
    """Return the open changes by environment and what they wait for, most first.

    Args:
        changes: Rows of queries/marts/changes_in_window.sql.
    """
    found = []
    for environment, part in environments(changes):
        beyond = _usual(part)
        still_open = part[part["class"].eq(IN_FLIGHT)]
        groups = [
            Waiting(
                environment=environment,
                waits_for=str(stage),
                change_count=len(rows),
                oldest_seconds=float(rows["open_seconds"].max()),
                stuck_count=None if beyond is None else int((rows["open_seconds"] > beyond).sum()),
                stuck_beyond_seconds=beyond,
            )
            for stage, rows in still_open.groupby("waits_for", sort=True)
        ]
        found += sorted(groups, key=lambda each: -each.change_count)
    return found


def oldest(changes: "pd.DataFrame") -> "pd.DataFrame":
    """Return open changes with their `commit`, the longest open first."""
    still_open = changes[changes["class"].eq(IN_FLIGHT)]
    ordered = still_open.sort_values(
        ["open_seconds", "environment", "sha"], ascending=[False, True, True], kind="stable"
    )
    return ordered.assign(commit=ordered["sha"].str[:12])


def _usual(changes: "pd.DataFrame") -> float | None:
    known = changes["lead_seconds"].dropna()
    return float(known.quantile(_STUCK_BEYOND)) if len(known) >= FEWEST else None
