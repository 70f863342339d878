"""Before and after a change, over replications that share their chance, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from gitopslab.capacity.replay import outcome
from gitopslab.capacity.replay.change import Change, before_and_after, changed_pace, changed_plane, gates
from gitopslab.capacity.replay.engine import replay
from gitopslab.capacity.replay.history import History
from gitopslab.capacity.replay.model import Gate, Job, Pace, Plane
from gitopslab.capacity.replay.outcome import ALL, MEASURES, Key, Measure, borrowed_measure, use_measure
from gitopslab.metrics.durations import human

LEVEL = 0.95
_DRAINING = 2.0
"""A replay may last so many windows, for what arrived late to end."""


@dataclass(frozen=True)
class Mean:
    """A mean over replications, with the interval that holds it at the level of `LEVEL` (Student's t).

    Attributes:
        n: Replications; of one alone there is no interval.
    """

    n: int
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Row:
    """A measure of a queue before and after; `difference` is of pairs with the same chance."""

    queue: str
    measure: Measure
    before: Mean
    after: Mean
    difference: Mean

    @property
    def is_clear(self) -> bool:
        """Whether the difference's interval leaves out 0, and it is large enough to mean something."""
        low, high = self.difference.low, self.difference.high
        is_apart = low is not None and high is not None and (low > 0 or high < 0)
        return is_apart and abs(self.difference.mean) >= self.measure.least


@dataclass(frozen=True)
class Check:
    """What was recorded beside what the replay makes of the same arrivals and run times.

    Attributes:
        n: Workloads that were created in the window and got quota, in the record and in the replay.
        recorded_seconds: Their mean wait as recorded.
        replayed_seconds: Their mean wait in the replay.
        recorded_preemptions: Preemptions in the window as recorded.
        replayed_preemptions: Preemptions in the replay.
    """

    n: int
    recorded_seconds: float
    replayed_seconds: float
    recorded_preemptions: int
    replayed_preemptions: int

    def __str__(self) -> str:
        if not self.n:
            return "No Workload got quota in the window, so the replay cannot be held to the record."
        return (
            f"Replayed as recorded, {self.n:,} Workloads wait {human(self.replayed_seconds)} on average"
            f" (recorded: {human(self.recorded_seconds)}), with {self.replayed_preemptions:,} preemptions"
            f" (recorded: {self.recorded_preemptions:,})."
        )


@dataclass(frozen=True)
class Comparison:
    """A change and what it would do.

    Attributes:
        name: What the change is called.
        replications: How many pairs of replays.
        seed: The same seed makes the same comparison.
        workload_count: Workloads that were replayed.
        left_out_count: Workloads that could not be: their request or queue is not known.
        rows: By queue and measure.
        check: The replay beside the record.
    """

    name: str
    replications: int
    seed: int
    workload_count: int
    left_out_count: int
    rows: tuple[Row, ...]
    check: Check

    def row(self, queue: str, measure: str) -> Row | None:
        """Return one row, if there is one."""
        return next((row for row in self.rows if (row.queue, row.measure.name) == (queue, measure)), None)

    @property
    def unchanged_queues(self) -> list[str]:
        """Queues of which nothing is different enough to mean something."""
        changed = {row.queue for row in self.rows if abs(row.difference.mean) >= row.measure.least}
        return sorted({row.queue for row in self.rows} - changed - {ALL})

    def __str__(self) -> str:
        waits = self.row(ALL, "wait_mean_seconds")
        if waits is None:
            return f"{self.name}: no Workload was created in the window, so there is nothing to replay."
        changed = [row for row in self.rows if row.is_clear and row.queue != ALL]
        sentence = (
            f"{self.name}: the mean wait goes from {human(waits.before.mean)} to {human(waits.after.mean)}"
            f" ({_interval(waits.difference)}), over {self.replications} replications of"
            f" {self.workload_count:,} Workloads"
        )
        if not changed:
            return f"{sentence}; no queue differs clearly in anything."
        queues = sorted({row.queue for row in changed})
        return f"{sentence}; {', '.join(queues)} {'differs' if len(queues) == 1 else 'differ'} clearly."


def compare(  # noqa: PLR0913 - each is a part of the question
    plane: Plane,
    history: History,
    change: Change,
    *,
    pace: Pace,
    replications: int,
    seed: int,
    where: str = "change",
) -> Comparison:
    """Return what would have been different in the window, had the change been there.

    What differs among replications is how long jobs run, and when arrivals that a change adds come; both
    sides of a pair have the same of each.

    Args:
        plane: Queues as they are.
        history: What was recorded.
        change: The change.
        pace: How quickly Kueue works.
        replications: How many pairs.
        seed: Of all chance.
        where: The change's file, for messages.

    Raises:
        UsageError: The change names what is not there.
    """
    after_plane, after_pace = changed_plane(plane, change, where), changed_pace(pace, change)
    before_gates, after_gates = gates(history, change)
    pairs: list[tuple[dict[Key, float], dict[Key, float]]] = []
    for replication in range(1, replications + 1):
        drawn = history.drawn(seed=seed, replication=replication)
        before, after = before_and_after(
            drawn, change, after_gates, history.seconds, chance(seed, replication)
        )
        pairs.append(
            (
                _figures(plane, before, pace, before_gates, history.seconds),
                _figures(after_plane, after, after_pace, _with_copies(after, after_gates), history.seconds),
            )
        )
    return Comparison(
        change.name,
        replications,
        seed,
        len(history.recorded),
        history.missing_request_count + history.missing_queue_count,
        _rows(pairs),
        check(plane, history, pace, seed=seed),
    )


def check(plane: Plane, history: History, pace: Pace, *, seed: int) -> Check:
    """Return how the replay of what was recorded compares with the record."""
    jobs = history.as_recorded(seed=seed)
    found = replay(plane, jobs, pace, until=_DRAINING * history.seconds)
    waits = [
        (each.wait_seconds, passage.first_reserved_at - passage.created_at)
        for each, passage in zip(history.recorded, found.passages, strict=True)
        if each.wait_seconds is not None
        and each.job.created_at >= 0
        and passage is not None
        and passage.first_reserved_at is not None
    ]
    recorded, replayed = (np.mean(side) if waits else 0.0 for side in zip(*waits or [(0, 0)], strict=True))
    return Check(
        len(waits),
        float(recorded),
        float(replayed),
        sum(each.preempted_count for each in history.recorded),
        sum(0 <= each.at < history.seconds for each in found.preemptions),
    )


def chance(seed: int, replication: int) -> np.random.Generator:
    """Return the chance by which arrivals are added or left out; run times have their own."""
    return np.random.default_rng((seed, replication, 1))


def _figures(
    plane: Plane, jobs: list[Job], pace: Pace, run_gates: Mapping[str, Gate], seconds: float
) -> dict[Key, float]:
    until = _DRAINING * seconds
    found = replay(plane, jobs, pace, gates=run_gates, measured_until=seconds, until=until)
    return outcome.measured(jobs, found, seconds=seconds, until=until)


def _with_copies(jobs: list[Job], run_gates: Mapping[str, Gate]) -> dict[str, Gate]:
    """Return the gates with those of runs that come again, which are as wide as the run's own."""
    found = dict(run_gates)
    for job in jobs:
        if " again " in job.gate and (own := run_gates.get(job.gate.rpartition(" again ")[0])):
            found[job.gate] = own
    return found


def _rows(pairs: Sequence[tuple[dict[Key, float], dict[Key, float]]]) -> tuple[Row, ...]:
    queues = dict.fromkeys(queue for side in pairs[0] for queue, _ in side) if pairs else {}
    found = []
    for queue in queues:
        for measure in (*MEASURES, *_uses(pairs, queue)):
            key = (queue, measure.name)
            both = [(before[key], after[key]) for before, after in pairs if key in before and key in after]
            if both:
                before, after = (np.array(side) for side in zip(*both, strict=True))
                found.append(Row(queue, measure, mean_of(before), mean_of(after), mean_of(after - before)))
    return tuple(found)


def _uses(pairs: Sequence[tuple[dict[Key, float], dict[Key, float]]], queue: str) -> list[Measure]:
    """Return use of the queue's resources, the one that is used most first."""
    resources: dict[str, float] = {}
    for side in (side for pair in pairs for side in pair):
        for (name, measure), value in side.items():
            resource = measure.removesuffix("_use_ratio")
            if name == queue and resource != measure:
                resources[resource] = max(resources.get(resource, 0.0), value)
    ordered = sorted(resources, key=lambda resource: (-resources[resource], resource))
    return [each(resource) for resource in ordered for each in (use_measure, borrowed_measure)]


def mean_of(values: np.ndarray) -> Mean:
    """Return the mean of independent values with Student's interval."""
    n, mean = len(values), float(values.mean())
    if n == 1:
        return Mean(n, mean, None, None)
    margin = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * values.std(ddof=1) / sqrt(n))
    return Mean(n, mean, mean - margin, mean + margin)


def _interval(difference: Mean) -> str:
    if difference.low is None or difference.high is None:
        return f"{_signed(difference.mean)}, without an interval: one replication"
    return f"{LEVEL:.0%} interval of the difference {_signed(difference.low)} to {_signed(difference.high)}"


def _signed(seconds: float) -> str:
    return human(seconds) if seconds <= 0 else f"+{human(seconds)}"
