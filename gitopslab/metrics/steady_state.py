"""Windows in which concurrency hardly changed, and the throughput there was in them.

What a level of concurrency carries shows only while it lasts: when a run starts, its sessions begin together
and so end together; when it drains, only the slow ones are left. Both are cut off.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from gitopslab.metrics.definitions import Definition
from gitopslab.metrics.durations import human
from gitopslab.metrics.in_flight import InFlight, epoch_seconds, in_flight

if TYPE_CHECKING:
    import pandas as pd

STEADY_THROUGHPUT = Definition(
    "steady_throughput",
    "sessions",
    "concurrency had stayed within a tenth of a level for the median duration of a session",
    "it left that level, since the run drained or another one came; at least as long again",
    "operational analysis (Denning and Buzen 1978): completions in the window by its length",
)


@dataclass(frozen=True)
class Steadiness:
    """What makes a window steady.

    Attributes:
        tolerance: How far concurrency may be from the middle of its level, as a share of it; two numbers
            that follow each other are always one level.
        fewest: Completions without which a window says nothing.
        settling_seconds: What is cut off after a level was reached, and how long a window lasts at least, as
            sessions that began together end in waves; None: the median duration of a session.
    """

    tolerance: float = 0.1
    fewest: int = 5
    settling_seconds: float | None = None


@dataclass(frozen=True)
class SteadyWindow:
    """A stretch of time at one level of concurrency.

    Attributes:
        run: The run with most sessions that ended in it, by which windows are resampled.
        since: Its beginning, start-up cut off.
        until: Its end.
        concurrency: Mean number of sessions in flight.
        first_concurrency: At its beginning.
        last_concurrency: At its end.
        started_count: Sessions that started in it.
        completed_count: Sessions that were completed in it.
        mean_seconds: How long those that ended in it, completed or not, had taken on average.
        ended_count: How many those are.
    """

    run: str
    since: datetime
    until: datetime
    concurrency: float
    first_concurrency: int
    last_concurrency: int
    started_count: int
    completed_count: int
    mean_seconds: float
    ended_count: int

    @property
    def hours(self) -> float:
        """How long it lasted."""
        return (self.until - self.since).total_seconds() / 3600

    @property
    def throughput(self) -> float:
        """Completions an hour."""
        return self.completed_count / self.hours

    def __str__(self) -> str:
        return (
            f"{self.since:%Y-%m-%d %H:%M} UTC, {human(self.hours * 3600)}: {self.concurrency:.3g} sessions at"
            f" once, {self.completed_count:,} completed, {self.throughput:.3g} an hour"
        )


def steady_windows(sessions: "pd.DataFrame", steadiness: Steadiness = Steadiness()) -> list[SteadyWindow]:
    """Return the windows of constant concurrency, in order of time.

    Args:
        sessions: A row a session that shares what limits it (one model, one queue): `run`, `started_at`,
            `ended_at` (NULL: in flight still) and `is_completed` (it did what it was to do: an eviction or a
            failure ends a session and completes nothing).
        steadiness: What makes a window steady.
    """
    rows = sessions.assign(
        start=epoch_seconds(sessions["started_at"]), end=epoch_seconds(sessions["ended_at"])
    )
    rows = rows[rows["start"].notna()]
    if rows.empty:
        return []
    flight = in_flight(rows["start"].to_numpy(), rows["end"].to_numpy())
    over = rows[rows["end"].notna()].sort_values(["end", "start"])
    took = (over["end"] - over["start"]).to_numpy()
    settling = steadiness.settling_seconds
    if settling is None:
        settling = float(np.median(took)) if len(took) else 0.0
    found = (
        _window(rows, over, flight, since + settling, until)
        for since, until in _stretches(flight, steadiness.tolerance)
        if until - since > 2 * settling
    )
    return [window for window in found if window and window.completed_count >= steadiness.fewest]


def _stretches(flight: InFlight, tolerance: float) -> Iterator[tuple[float, float]]:
    """Yield the stretches in which the number in flight stays in one band, as long as each can be."""
    times, counts = flight.at.tolist(), flight.count.tolist()
    start, low, high = 0, counts[0], counts[0]
    for place in range(1, len(counts)):
        lowest, highest = min(low, counts[place]), max(high, counts[place])
        # What is left after the last end is idle, and no level.
        if not lowest or highest - lowest > max(1.0, tolerance * (highest + lowest)):
            if low:
                yield times[start], times[place]
            start, lowest, highest = place, counts[place], counts[place]
        low, high = lowest, highest
    if low:
        yield times[start], times[-1]


def _window(
    rows: "pd.DataFrame", over: "pd.DataFrame", flight: InFlight, since: float, until: float
) -> SteadyWindow | None:
    first, last = np.searchsorted(over["end"].to_numpy(), [since, until], side="right")
    ended = over.iloc[first:last]
    if ended.empty:
        return None
    starts = rows["start"].to_numpy()
    edges = np.array([since, until])
    begin, end = (flight.count[flight.place(edges[:1])[0]], flight.count[flight.place_before(edges[1:])[0]])
    runs = Counter(ended["run"].astype(str))
    return SteadyWindow(
        run=min(runs, key=lambda run: (-runs[run], run)),
        since=datetime.fromtimestamp(since, UTC),
        until=datetime.fromtimestamp(until, UTC),
        concurrency=float(flight.mean(edges[:1], edges[1:])[0]),
        first_concurrency=int(begin),
        last_concurrency=int(end),
        started_count=int(np.count_nonzero((starts > since) & (starts <= until))),
        completed_count=int(ended["is_completed"].astype(bool).sum()),
        mean_seconds=float((ended["end"] - ended["start"]).mean()),
        ended_count=len(ended),
    )
