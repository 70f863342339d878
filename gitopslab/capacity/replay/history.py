"""What was recorded of a cluster's Workloads, as jobs that can be replayed, once or with chance.

How long a job runs is not recorded where it still runs, or was pushed out. It is drawn then from how long
others of its queue and priority class ran, with those that are not over counted as open (Kaplan and Meier).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np

from gitopslab.capacity.replay.model import Job
from gitopslab.metrics.definitions import Definition
from gitopslab.metrics.survival import survive
from gitopslab.window import Window

Row = Mapping[str, Any]

RUN_TIME = Definition(
    "workload_run_time",
    "Workloads",
    "its pods were ready, or it was admitted where nobody saw that",
    "it was finished, or deleted while it ran",
    "Kueue, execution time of the last admission, without its start",
)


@dataclass(frozen=True)
class Recorded:
    """A Workload as recorded.

    Attributes:
        job: As it is replayed; `run_seconds` is what is known at least where it is not known.
        is_run_known: Whether it is known how long it ran.
        wait_seconds: How long it waited for its first quota; None if it did not get any.
        preempted_count: How often it was preempted in the window.
        ended_at: When it was over, in seconds since the window's beginning; None if it was not.
    """

    job: Job
    is_run_known: bool
    wait_seconds: float | None
    preempted_count: int
    ended_at: float | None


@dataclass(frozen=True)
class History:
    """What was recorded of a window.

    Attributes:
        window: The window; seconds of jobs count from its beginning.
        recorded: Workloads, in order of creation.
        missing_request_count: Workloads left out because nobody knows what they ask for.
        missing_queue_count: Workloads left out because their ClusterQueue is not known, or is not there.
    """

    window: Window
    recorded: tuple[Recorded, ...]
    missing_request_count: int
    missing_queue_count: int

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return (self.window.until - self.window.since).total_seconds()

    def as_recorded(self, *, seed: int) -> list[Job]:
        """Return the jobs with the run times that they had; those that are not known are drawn."""
        drawn = self.drawn(seed=seed, replication=0)
        return [
            each.job if each.is_run_known else job for each, job in zip(self.recorded, drawn, strict=True)
        ]

    def drawn(self, *, seed: int, replication: int) -> list[Job]:
        """Return the jobs, each with a run time drawn from those of its queue and priority class."""
        chance = np.random.default_rng((seed, replication))
        shares = chance.random(len(self.recorded))
        jobs = [each.job for each in self.recorded]
        for members in self._classes().values():
            drawn = _drawn([self.recorded[place] for place in members], shares[members])
            for place, seconds in zip(members, drawn, strict=True):
                jobs[place] = replace(jobs[place], run_seconds=seconds)
        return jobs

    def _classes(self) -> dict[tuple[str, str], list[int]]:
        classes: dict[tuple[str, str], list[int]] = defaultdict(list)
        for place, each in enumerate(self.recorded):
            classes[each.job.queue, each.job.kind].append(place)
        return classes


def history(
    window: Window, workloads: Iterable[Row], requests: Iterable[Row], resources: Mapping[str, frozenset[str]]
) -> History:
    """Return what was recorded.

    Args:
        window: The window.
        workloads: Rows of `workloads_to_replay`.
        requests: Rows of `workload_requests_as_of`.
        resources: Resources that each queue counts; what it does not count is not asked of it.
    """
    asked: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for row in requests:
        asked[row["uid"]][row["resource"]] = row["amount"]
    found: list[Recorded] = []
    missing_request = missing_queue = 0
    for row in workloads:
        counted = resources.get(row["cluster_queue"] or "")
        if counted is None:
            missing_queue += 1
        elif not (wanted := {name: each for name, each in asked[row["uid"]].items() if name in counted}):
            missing_request += 1
        else:
            found.append(_recorded(row, wanted, window.since))
    return History(window, tuple(found), missing_request, missing_queue)


def _recorded(row: Row, requests: Mapping[str, Decimal], since: datetime) -> Recorded:
    def seconds(time: datetime | None) -> float | None:
        return None if time is None else (time - since).total_seconds()

    run_seconds = row["run_seconds"]
    job = Job(
        name=row["workload"],
        queue=row["cluster_queue"],
        priority=row["priority"],
        requests=requests,
        created_at=seconds(row["created_at"]) or 0.0,
        run_seconds=run_seconds if run_seconds is not None else row["ran_seconds"] or 0.0,
        start_seconds=row["start_seconds"] or 0.0,
        kind=row["priority_class"] or "",
        failed_starts=row["unready_count"],
        leaves_at=seconds(row["left_at"]),
        held_since=seconds(row["held_since"]),
        gate=f"{row['cluster_queue']}/{row['benchmark_run_id']}" if row["benchmark_run_id"] else "",
    )
    return Recorded(
        job,
        run_seconds is not None,
        row["wait_seconds"],
        row["preempted_count"],
        seconds(row["ended_at"]),
    )


def _drawn(recorded: Sequence[Recorded], shares: np.ndarray) -> list[float]:
    """Return a run time for each of one class; of one that the window found running, more than it had run."""
    known = [each.job.run_seconds for each in recorded if each.is_run_known]
    still = [each.job.run_seconds for each in recorded if not each.is_run_known]
    curve = survive(known, still, RUN_TIME)
    least = np.array([_ran_before(each.job) for each in recorded])
    steps = np.array([*curve.seconds, max(known + still)])
    passed = np.searchsorted(curve.seconds, least, side="right")
    still_open = np.array([1.0, *curve.still_open])
    drawn = steps[np.searchsorted(-still_open[1:], -shares * still_open[passed])]
    found: list[float] = np.maximum(drawn, least).tolist()
    return found


def _ran_before(job: Job) -> float:
    return 0.0 if job.held_since is None else max(0.0, -job.held_since - job.start_seconds)
