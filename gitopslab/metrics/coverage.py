"""What the data can and cannot show, in sentences that stand beside the numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gitopslab.metrics.retention import history_limits
from gitopslab.window import Window

# Up to here, that nothing was seen may well be because nothing happened.
_STALE = timedelta(days=1)

RowDicts = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Coverage:
    """How far the numbers of a report can be trusted.

    Attributes:
        is_watched: Whether the Applications of the environment were watched rather than looked at.
        limits: What is missing or may be, a sentence each; empty when nothing is.
        losses: How often landed data was not whole, by the way it happened; only what happened.
    """

    is_watched: bool
    limits: tuple[str, ...]
    losses: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        if not self.limits:
            return "Applications were watched, and nothing is known to be missing."
        return " ".join(self.limits)


def coverage(
    edges: RowDicts, resources: RowDicts, losses: RowDicts, clusters: Sequence[str], window: Window
) -> Coverage:
    """Return what limits a report about `window`.

    Args:
        edges: Rows of queries/marts/history_edges.sql for the environment.
        resources: Rows of queries/facts/resource_coverages.sql.
        losses: Rows of queries/marts/losses.sql.
        clusters: The clusters the environment's Applications were read from.
        window: The window the report is about.
    """
    applications = [
        row for row in resources if row["resource"] == "applications" and row["cluster"] in clusters
    ]
    is_watched = bool(applications) and all(row["is_watched"] for row in applications)
    history = history_limits(edges, window) if edges else ["No sync and no promotion is known at all."]
    limits = [*history, *_looks(applications, window, is_watched=is_watched)]
    happened = tuple((str(row["loss"]), int(row["loss_count"])) for row in losses if row["loss_count"])
    return Coverage(is_watched, tuple(limits), happened)


def _looks(applications: RowDicts, window: Window, *, is_watched: bool) -> list[str]:
    if not applications:
        return ["No Application of it was ever looked at."]
    said = []
    if not is_watched:
        looks = sum(row["look_count"] for row in applications)
        times = "once" if looks == 1 else f"{looks:,} times"
        said.append(
            f"Applications were looked at {times} and not watched: failed syncs and retries are lower bounds."
        )
    if gaps := sum(row["gap_count"] for row in applications):
        said.append(f"The watch of Applications has {gaps:,} gaps.")
    said += [
        f"Applications of {row['cluster']} were last seen {row['last_observed_at']:%Y-%m-%d %H:%M} UTC,"
        " and what came later is not here."
        for row in sorted(applications, key=lambda row: (row["last_observed_at"], row["cluster"]))
        if row["last_observed_at"] < window.until - _STALE
    ]
    return said
