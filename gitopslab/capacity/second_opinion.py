"""A second opinion on a concurrency: what was recorded, replayed with so many at once.

The replay knows quota, cohorts, priorities and preemption, and lets jobs run for as long as jobs ran; the law
knows how sessions slow each other down, and nothing of queues. Where both agree, neither alone is trusted.
"""

from dataclasses import dataclass

from gitopslab.capacity.replay import Pace
from gitopslab.capacity.replay.change import Change, QueueChange
from gitopslab.capacity.replay.comparison import Comparison, compare
from gitopslab.capacity.replay.recording import Recording
from gitopslab.metrics.definitions import Definition
from gitopslab.metrics.durations import human
from gitopslab.metrics.scaling_law import ScalingFit

REPLAYED_RUN = Definition(
    "replayed_run",
    "benchmark runs",
    "its first Workload was created",
    "its last one ended, in a replay of the window with so many of a run's jobs at a time",
    "discrete-event simulation of Kueue's queues (Law 2015); run times as recorded",
)

_MOST_REPLICATIONS = 10
_MOST_WORKLOADS = 10_000
"""So many Workloads in all replications together: a plan does not take long."""


@dataclass(frozen=True)
class SecondOpinion:
    """What a replay says of a concurrency.

    Attributes:
        concurrency: Jobs of one run at a time.
        cluster_queue: Whose.
        comparison: The window with and without that.
        slowdown: How many times as long a session takes there as at what is carried, by the law; None where
            no law is known.
    """

    concurrency: int
    cluster_queue: str
    comparison: Comparison
    slowdown: float | None

    def __str__(self) -> str:
        found = self.comparison
        how = f"{found.workload_count:,} Workloads, {found.replications:,} times"
        at_once = f"{self.concurrency:,} of a run's jobs at a time"
        replayed = f"Replayed with {at_once} ({how}): {self._measured()}."
        apart = (
            ""
            if self.slowdown is None
            else " The replay lets sessions take as long as they did; by the law each takes"
            f" {self.slowdown:.2f} times as long there."
        )
        return f"{replayed} {found.check}{apart}"

    def _measured(self) -> str:
        parts = [
            f"{what} {human(row.after.mean)} on average ({human(row.before.mean)} as it was)"
            for name, what in (
                ("run_makespan_seconds", "runs take"),
                ("wait_mean_seconds", f"jobs of {self.cluster_queue} wait"),
            )
            if (row := self.comparison.row(self.cluster_queue, name)) is not None
        ]
        if (lost := self.comparison.row("all", "preempted_count")) is not None:
            parts.append(f"{lost.after.mean:,.3g} jobs are preempted ({lost.before.mean:,.3g} as it was)")
        return ", ".join(parts)


def second_opinion(  # noqa: PLR0913 - each is a part of the question
    recorded: Recording | None,
    cluster_queue: str,
    concurrency: int,
    current: int,
    law: ScalingFit | None,
    *,
    seed: int,
) -> SecondOpinion | None:
    """Return what a replay says; None where no run of the queue was recorded.

    Args:
        recorded: The cluster's queues and Workloads; None where none are known.
        cluster_queue: The queue of benchmark runs.
        concurrency: What was asked for.
        current: What is carried.
        law: How sessions slow each other down.
        seed: The same seed makes the same figures.
    """
    if recorded is None or not any(
        each.job.queue == cluster_queue and each.job.gate for each in recorded.history.recorded
    ):
        return None
    wanted = Change(
        name=f"{concurrency:,} at once", queues={cluster_queue: QueueChange(concurrency=concurrency)}
    )
    affordable = _MOST_WORKLOADS // len(recorded.history.recorded)
    comparison = compare(
        recorded.plane,
        recorded.history,
        wanted,
        pace=Pace(),
        replications=max(1, min(_MOST_REPLICATIONS, affordable)),
        seed=seed,
    )
    return SecondOpinion(concurrency, cluster_queue, comparison, _slowdown(law, concurrency, current))


def _slowdown(law: ScalingFit | None, concurrency: int, current: int) -> float | None:
    if law is None or current < 1 or concurrency == current:
        return None
    at_once = (concurrency, current)
    there, here = (each / law.law.throughput(each) for each in at_once)
    return there / here
