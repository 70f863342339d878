"""How long jobs wait for quota, with those that still wait counted, and the naive number beside it.

Kueue's own histogram counts a wait when it is over, so a queue that admits nobody looks quick. Here the ones
that still wait count for as long as they have waited (Kaplan and Meier), and so do those that left.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitopslab.metrics.definitions import Definition
from gitopslab.metrics.durations import FEWEST, human
from gitopslab.metrics.survival import Survival, survive

if TYPE_CHECKING:
    import pandas as pd

QUEUE_WAIT = Definition(
    "queue_wait",
    "attempts",
    "the Workload was created, or could be considered again after an eviction",
    "its quota was reserved",
    "Kueue, quota_reserved_wait_time_seconds; but from each release, where Kueue's stays at the first",
)

AT_ONCE_SECONDS = 5.0
"""A wait of at most this is none: a scheduler's cycle, and times of whole seconds by two clocks."""


@dataclass(frozen=True)
class QueueWaits:
    """Waits of one ClusterQueue and priority.

    Attributes:
        cluster: The cluster.
        cluster_queue: The queue.
        priority: The priority; None where Workloads have none.
        at_once_count: How many had their quota within 5 s.
        waiting_count: How many still wait.
        left_count: How many left the queue without quota; they count as open.
        missed_count: How many got quota while nobody looked; their waits are in no number.
        survival: The waits, with open ones counted.
        naive_seconds: Half of the waits that are over took at most this, which is what dashboards show; None
            for fewer than 8.
    """

    cluster: str
    cluster_queue: str
    priority: int | None
    at_once_count: int
    waiting_count: int
    left_count: int
    missed_count: int
    survival: Survival
    naive_seconds: float | None

    @property
    def attempt_count(self) -> int:
        """How many queued."""
        return self.survival.ended_count + self.survival.open_count + self.missed_count

    def __str__(self) -> str:
        priority = "" if self.priority is None else f", priority {self.priority:,}"
        said = f"{self.cluster_queue} on {self.cluster}{priority}: {self.attempt_count:,} queued"
        parts = [
            f"{self.at_once_count:,} had quota within {human(AT_ONCE_SECONDS)}",
            f"{self.waiting_count:,} still wait" if self.waiting_count else "",
            f"{self.left_count:,} left without" if self.left_count else "",
            f"of {self.missed_count:,} nobody saw the wait" if self.missed_count else "",
        ]
        return f"{said}; {', '.join(part for part in parts if part)}; {self._took()}."

    def _took(self) -> str:
        if self.naive_seconds is None:
            return "too few got theirs for an estimate"
        half, most = self.survival.quantiles[0.5], self.survival.quantiles[0.9]
        if half is None:
            return "too many are open to say how long half of them wait"
        tail = "too many are open to say what nine in ten do" if most is None else f"nine in ten {most}"
        naive = (
            f" (of those that are over alone: {human(self.naive_seconds)})"
            if self.survival.open_count
            else ""
        )
        return f"half wait at most {half}{naive}, {tail}"


def queue_waits(waits: "pd.DataFrame") -> list[QueueWaits]:
    """Return the waits of each cluster, ClusterQueue and priority, highest priority first.

    Args:
        waits: Rows of queries/marts/waits_in_window.sql.
    """
    found = []
    for (cluster, queue), rows in waits.groupby(["cluster", "cluster_queue"], sort=True):
        priorities = sorted(rows["priority"].dropna().unique(), reverse=True)
        parts = [(int(priority), rows[rows["priority"].eq(priority)]) for priority in priorities]
        without = rows[rows["priority"].isna()]
        found += [_summarize(str(cluster), str(queue), priority, part) for priority, part in parts]
        found += [_summarize(str(cluster), str(queue), None, without)] if len(without) else []
    return found


def _summarize(cluster: str, cluster_queue: str, priority: int | None, rows: "pd.DataFrame") -> QueueWaits:
    known = rows["wait_seconds"].dropna().astype(float).clip(lower=0)
    still_open = rows.loc[rows["wait_seconds"].isna(), "open_seconds"].dropna().astype(float)
    waiting_count = int((rows["is_waiting"].eq(other=True) & rows["open_seconds"].notna()).sum())
    return QueueWaits(
        cluster=cluster,
        cluster_queue=cluster_queue,
        priority=priority,
        at_once_count=int((known <= AT_ONCE_SECONDS).sum()),
        waiting_count=waiting_count,
        left_count=len(still_open) - waiting_count,
        missed_count=len(rows) - len(known) - len(still_open),
        survival=survive(known, still_open, QUEUE_WAIT),
        naive_seconds=float(known.median()) if len(known) >= FEWEST else None,
    )
