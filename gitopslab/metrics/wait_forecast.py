"""How long a job that queues now will wait: an interval, and how often such intervals were right.

A forecast knows what was over when it was made, and nothing later. Its centre is what the last comparable
jobs waited for each job ahead of them. How far its ends are from that is steered by what became of earlier
forecasts: a wait outside moves its end away, one inside moves both a little closer (quantile tracking:
Gibbs and Candès 2021, "Adaptive conformal inference under distribution shift"; Angelopoulos, Candès and
Tibshirani 2023, "Conformal PID control"). So in the long run as many waits lie inside as is said, whatever
the queue does; a queue that nobody can foretell gets wide intervals.
"""

import heapq
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from statistics import median
from typing import TYPE_CHECKING

from gitopslab.metrics.durations import FEWEST, human
from gitopslab.metrics.ratios import Share
from gitopslab.metrics.waits import AT_ONCE_SECONDS

if TYPE_CHECKING:
    import pandas as pd

_COMPARABLE = 5
"""So many last waits make the centre: a queue's state outlives a few jobs, not a day."""
_REMEMBERED = 200
_STEP = 0.3
"""How far a miss moves an end, on the logarithm: by a third."""
_START = 3.0
"""Where ends start, before anything is known of the queue: 20 times the centre, and a twentieth of it."""
_FURTHEST = 6.0


@dataclass(frozen=True)
class QueuedJob:
    """A job when it queues.

    Attributes:
        cluster: Its cluster.
        cluster_queue: Its queue.
        priority: Its priority; None where it has none.
        ahead_count: How many wait before it.
    """

    cluster: str
    cluster_queue: str
    priority: int | None
    ahead_count: int


@dataclass(frozen=True)
class WaitForecast:
    """How long a job is expected to wait for quota.

    Attributes:
        job: The job.
        level: Share of waits that lie inside such intervals.
        at_once_share: Share of comparable jobs that had quota within 5 s; None for fewer than 8.
        low_seconds: If it has to wait: at least this.
        middle_seconds: What comparable jobs waited.
        high_seconds: At most this.
    """

    job: QueuedJob
    level: float
    at_once_share: float | None
    low_seconds: float
    middle_seconds: float
    high_seconds: float

    def __str__(self) -> str:
        job, share = self.job, self.at_once_share
        at_once = "has" if share is None else f"gets quota at once in {share:.0%} of cases; if not, it has"
        return (
            f"A job that queues in {job.cluster_queue} on {job.cluster} behind {job.ahead_count:,} others"
            f" {at_once} to wait {human(self.low_seconds)} to {human(self.high_seconds)}"
            f" ({self.level:.0%} interval)."
        )


@dataclass(frozen=True)
class WaitCalibration:
    """How forecasts did, each made from what was known before it.

    Attributes:
        level: Share of waits that should lie inside.
        inside: Whether they did, of jobs that had to wait; unknown are those that left the queue, or still
            wait, with the interval's end not yet reached.
        at_once_expected_count: How many were expected to have quota within 5 s, of those with a forecast.
        at_once_count: How many of them had.
        middle_width: In the middle, how many times its low end an interval's high end is; None without any.
    """

    level: float
    inside: Share
    at_once_expected_count: float
    at_once_count: int
    middle_width: float | None

    def __str__(self) -> str:
        if self.inside.ratio is None or self.middle_width is None:
            return (
                f"Only {self.inside.known_count:,} forecasts can be judged, too few to say how good they are."
            )
        return (
            f"Of jobs that had to wait, {self.inside.short} waited inside the {self.level:.0%} interval"
            f" forecast ({self.inside.detail}); in the middle its high end is {self.middle_width:,.0f} times"
            f" its low end. Quota at once was expected for {self.at_once_expected_count:,.0f}, and"
            f" {self.at_once_count:,} had it."
        )


@dataclass
class WaitForecaster:
    """Forecasts waits from those it was told of, in the order in which they came to be known.

    Attributes:
        level: Share of waits that intervals should hold.
    """

    level: float = 0.8
    _waits: dict[tuple[str, ...], deque[float]] = field(default_factory=dict)
    _at_once: dict[tuple[str, ...], deque[bool]] = field(default_factory=dict)
    _below: float = _START
    _above: float = _START

    def forecast(self, job: QueuedJob) -> WaitForecast | None:
        """Return how long `job` will wait if it has to; None where no comparable wait is known."""
        waits = next((self._waits[key] for key in _keys(job) if key in self._waits), None)
        if waits is None:
            return None
        centre = median(waits) + math.log1p(job.ahead_count)
        low, middle, high = (
            math.exp(value) for value in (centre - self._below, centre, centre + self._above)
        )
        return WaitForecast(
            job=job,
            level=self.level,
            at_once_share=self.at_once_share(job),
            low_seconds=max(AT_ONCE_SECONDS, low),
            middle_seconds=max(AT_ONCE_SECONDS, middle),
            high_seconds=max(AT_ONCE_SECONDS, high),
        )

    def at_once_share(self, job: QueuedJob) -> float | None:
        """Return the share of comparable jobs that had quota within 5 s; None for fewer than 8."""
        for key in _keys(job):
            seen = self._at_once.get(key, ())
            if len(seen) >= FEWEST:
                return sum(seen) / len(seen)
        return None

    def learn_at_once(self, job: QueuedJob, *, was_at_once: bool) -> None:
        """Learn whether a job had quota within 5 s."""
        for key in _keys(job):
            self._at_once.setdefault(key, deque(maxlen=_REMEMBERED)).append(was_at_once)

    def learn(self, job: QueuedJob, seconds: float) -> None:
        """Learn how long a job waited that had to."""
        for_each_ahead = math.log(seconds) - math.log1p(job.ahead_count)
        for key in _keys(job):
            self._waits.setdefault(key, deque(maxlen=_COMPARABLE)).append(for_each_ahead)

    def judge(self, *, was_below: bool, was_above: bool) -> None:
        """Learn on which side of its interval a wait came out; neither is inside."""
        self._below = self._steered(self._below, is_outside=was_below)
        self._above = self._steered(self._above, is_outside=was_above)

    def _steered(self, distance: float, *, is_outside: bool) -> float:
        moved = distance + _STEP * (is_outside - (1 - self.level) / 2)
        return min(max(moved, 0.0), _FURTHEST)


def replay(waits: "pd.DataFrame", *, level: float = 0.8) -> tuple[WaitForecaster, WaitCalibration]:
    """Return a forecaster that learnt from `waits`, and how it did on them while it learnt.

    It is told everything in the order in which it came to be known. A job is forecast when 5 s are over and
    it still waits; that it waits longer than was said is known when it does.

    Args:
        waits: Rows of queries/marts/waits_in_window.sql.
        level: Share of waits that intervals should hold.
    """
    past = _Replay(list(_pasts(waits)), WaitForecaster(level))
    past.run()
    return past.forecaster, past.calibration()


class _Kind(IntEnum):
    """What happens at a moment; of one moment, in this order."""

    OVER = 0
    SHOWN = 1
    EXCEEDED = 2


@dataclass(frozen=True)
class _Past:
    """A job that queued, and how long it waited: `is_over` when it got quota, else for that long at least."""

    job: QueuedJob
    queued_at: float
    seconds: float
    is_over: bool

    @property
    def was_at_once(self) -> bool:
        return self.is_over and self.seconds <= AT_ONCE_SECONDS


@dataclass
class _Replay:
    """The past again, moment by moment."""

    pasts: list[_Past]
    forecaster: WaitForecaster
    _moments: list[tuple[float, _Kind, int]] = field(default_factory=list)
    _said: dict[int, WaitForecast] = field(default_factory=dict)
    _inside_count: int = 0
    _outside_count: int = 0
    _expected_count: float = 0.0
    _at_once_count: int = 0

    def run(self) -> None:
        for number, past in enumerate(self.pasts):
            if past.is_over or past.seconds > AT_ONCE_SECONDS:
                self._add(past.queued_at + AT_ONCE_SECONDS, _Kind.SHOWN, number)
        happens = {_Kind.OVER: self._over, _Kind.SHOWN: self._shown, _Kind.EXCEEDED: self._exceeded}
        while self._moments:
            _, kind, number = heapq.heappop(self._moments)
            happens[kind](number, self.pasts[number])

    def calibration(self) -> WaitCalibration:
        judged_count = self._inside_count + self._outside_count
        widths = [said.high_seconds / said.low_seconds for said in self._said.values()]
        return WaitCalibration(
            level=self.forecaster.level,
            inside=Share(self._inside_count, self._outside_count, len(self._said) - judged_count),
            at_once_expected_count=self._expected_count,
            at_once_count=self._at_once_count,
            middle_width=median(widths) if widths else None,
        )

    def _add(self, at: float, kind: _Kind, number: int) -> None:
        heapq.heappush(self._moments, (at, kind, number))

    def _shown(self, number: int, past: _Past) -> None:
        share = self.forecaster.at_once_share(past.job)
        if share is not None:
            self._expected_count += share
            self._at_once_count += past.was_at_once
        self.forecaster.learn_at_once(past.job, was_at_once=past.was_at_once)
        if past.was_at_once:
            return
        if past.is_over:
            self._add(past.queued_at + past.seconds, _Kind.OVER, number)
        if (forecast := self.forecaster.forecast(past.job)) is not None:
            self._said[number] = forecast
            if past.seconds > forecast.high_seconds:
                self._add(past.queued_at + forecast.high_seconds, _Kind.EXCEEDED, number)

    def _exceeded(self, _: int, __: _Past) -> None:
        self._outside_count += 1
        self.forecaster.judge(was_below=False, was_above=True)

    def _over(self, number: int, past: _Past) -> None:
        self.forecaster.learn(past.job, past.seconds)
        said = self._said.get(number)
        if said is None or past.seconds > said.high_seconds:
            return
        was_below = past.seconds < said.low_seconds
        self._outside_count += was_below
        self._inside_count += not was_below
        self.forecaster.judge(was_below=was_below, was_above=False)


def _pasts(waits: "pd.DataFrame") -> Iterator[_Past]:
    ordered = waits.sort_values(["queued_at", "uid", "attempt_number"], kind="stable").assign(
        is_over=waits["wait_seconds"].notna(),
        seconds=waits["wait_seconds"].astype(float).fillna(waits["open_seconds"].astype(float)).fillna(0.0),
        has_priority=waits["priority"].notna(),
    )
    for row in ordered.to_dict("records"):
        job = QueuedJob(
            row["cluster"],
            row["cluster_queue"],
            int(row["priority"]) if row["has_priority"] else None,
            int(row["ahead_count"]),
        )
        yield _Past(job, row["queued_at"].timestamp(), row["seconds"], row["is_over"])


def _keys(job: QueuedJob) -> tuple[tuple[str, ...], ...]:
    """Return whom a job is compared with: its queue and priority, else its queue, else all."""
    queue = (job.cluster, job.cluster_queue)
    return (*queue, str(job.priority)), queue, ()
