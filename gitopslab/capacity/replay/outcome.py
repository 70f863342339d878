"""What a replay means for those who wait: waits, use, preemptions and how long it all takes, by queue."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gitopslab.capacity.replay.engine import Passage, Replay
from gitopslab.capacity.replay.model import Job

Key = tuple[str, str]
"""A queue, or `all` for the whole cluster, and what is measured of it."""

ALL = "all"


@dataclass(frozen=True)
class Measure:
    """Something that is measured of a queue.

    Attributes:
        name: With its unit.
        unit: s, h, ratio or count.
        least: A smaller difference means nothing to anybody.
    """

    name: str
    unit: str
    least: float


MEASURES = (
    Measure("wait_mean_seconds", "s", 1.0),
    Measure("wait_half_seconds", "s", 1.0),
    Measure("wait_nine_in_ten_seconds", "s", 1.0),
    Measure("waiting_count", "count", 0.5),
    Measure("run_makespan_seconds", "s", 1.0),
    Measure("makespan_seconds", "s", 1.0),
    Measure("preempted_count", "count", 0.5),
    Measure("lost_hours", "h", 0.05),
)
"""In the order in which they are shown."""


def use_measure(resource: str) -> Measure:
    """Return the measure of a resource's mean use in the window, as a share of the queue's own quota."""
    return Measure(f"{resource}_use_ratio", "ratio", 0.001)


def borrowed_measure(resource: str) -> Measure:
    """Return the measure of what of a resource's use was borrowed."""
    return Measure(f"{resource}_borrowed_ratio", "ratio", 0.001)


def measured(jobs: Sequence[Job], found: Replay, *, seconds: float, until: float) -> dict[Key, float]:
    """Return what a replay comes to, by queue and for all of them.

    Waits run from a job's creation to its first reservation. They are those of jobs that were created in the
    window, with what still waits counted for as long as it has waited: `waiting_count` says how many. The
    makespan runs from the window's beginning to the end of the last job; `run_makespan_seconds` is the mean,
    over benchmark runs, of the time from the first creation in the queue to the last end.

    Args:
        jobs: As they were replayed.
        found: The replay.
        seconds: Length of the window.
        until: When the replay stopped.
    """
    names = sorted({job.queue for job in jobs} | {use.queue for use in found.uses})
    both = [(job, passage) for job, passage in zip(jobs, found.passages, strict=True) if passage is not None]
    figures: dict[Key, float] = {}
    for name in (*names, ALL):
        here = [(job, passage) for job, passage in both if name in {job.queue, ALL}]
        passed = _passed([passage for _, passage in here], seconds, until)
        runs = _runs(here) if name != ALL else {}
        figures |= {(name, measure): value for measure, value in (passed | runs).items()}
    return figures | _used(found)


def _passed(passages: Sequence[Passage], seconds: float, until: float) -> dict[str, float]:
    arrived = [each for each in passages if 0 <= each.created_at < seconds]
    waits = np.array([_wait(each, until) for each in arrived])
    ends = [each.ended_at for each in passages if each.ended_at is not None]
    waiting = sum(each.first_reserved_at is None and each.left_at is None for each in arrived)
    figures = {
        "waiting_count": float(waiting),
        "preempted_count": float(sum(each.preempted_count for each in passages)),
        "lost_hours": sum(each.lost_seconds for each in passages) / 3_600,
        "makespan_seconds": max(ends, default=0.0),
    }
    if len(waits):
        half, most = np.quantile(waits, (0.5, 0.9))
        figures |= {
            "wait_mean_seconds": float(waits.mean()),
            "wait_half_seconds": float(half),
            "wait_nine_in_ten_seconds": float(most),
        }
    return figures


def _wait(passage: Passage, until: float) -> float:
    for end in (passage.first_reserved_at, passage.left_at):
        if end is not None:
            return max(0.0, end - passage.created_at)
    return until - passage.created_at


def _runs(jobs: Sequence[tuple[Job, Passage]]) -> dict[str, float]:
    """Return how long benchmark runs took on average; nothing where there is none that ended."""
    spans: dict[str, tuple[float, float]] = {}
    for job, passage in jobs:
        if job.gate and passage.ended_at is not None:
            first, last = spans.get(job.gate, (passage.created_at, passage.ended_at))
            spans[job.gate] = min(first, passage.created_at), max(last, passage.ended_at)
    if not spans:
        return {}
    return {"run_makespan_seconds": sum(last - first for first, last in spans.values()) / len(spans)}


def _used(found: Replay) -> dict[Key, float]:
    """Return use of each queue and resource, of all its flavors together."""
    total: dict[tuple[str, str], tuple[float, float, float]] = {}
    for use in found.uses:
        nominal, used, borrowed = total.get((use.queue, use.resource), (0.0, 0.0, 0.0))
        total[use.queue, use.resource] = nominal + use.nominal, used + use.used, borrowed + use.borrowed
    figures: dict[Key, float] = {}
    for (queue, resource), (nominal, used, borrowed) in total.items():
        if nominal:
            figures[queue, use_measure(resource).name] = used / nominal
        if used:
            figures[queue, borrowed_measure(resource).name] = borrowed / used
    return figures
