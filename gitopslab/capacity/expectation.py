"""What a number of sessions at once is expected to bring, from what about so many brought before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gitopslab.metrics.in_flight import epoch_seconds, in_flight
from gitopslab.metrics.quality_levels import QualityLevel
from gitopslab.metrics.scaling_law import BeyondObserved, Interval, ScalingFit

if TYPE_CHECKING:
    import pandas as pd

_FEWEST = 30


@dataclass(frozen=True)
class Prediction:
    """What a number of sessions at once is expected to bring.

    Attributes:
        concurrency: Sessions at once.
        throughput: Completed sessions an hour; None beyond what may be said.
        resolved: Share of resolved among answered instances at the level nearest to it.
        wait_seconds: Quantiles of waits for quota while about so many ran (0.5, 0.9, 0.99), open ones counted
            for as long as they waited; empty where too few queued then.
    """

    concurrency: int
    throughput: Interval | None
    resolved: Interval | None
    wait_seconds: dict[float, float]


def expect(
    concurrency: int,
    waits: "pd.DataFrame",
    sessions: "pd.DataFrame",
    law: ScalingFit | None,
    levels: Sequence[QualityLevel],
) -> Prediction:
    """Return what so many sessions at once are expected to bring.

    Args:
        concurrency: Sessions at once.
        waits: Rows of `waits_in_window`.
        sessions: Sessions of the model, for how many were in flight when a job queued.
        law: The law of throughput; None where none is known.
        levels: What came of instances, by level of concurrency.
    """
    throughput = law.predict(concurrency) if law else None
    level = _nearest(levels, concurrency)
    resolved = None
    if level is not None and level.resolved.n:
        resolved = Interval(level.resolved.ratio, *level.resolved.interval)
    return Prediction(
        concurrency=concurrency,
        throughput=None if isinstance(throughput, BeyondObserved) else throughput,
        resolved=resolved,
        wait_seconds=_waits_at(concurrency, waits, sessions),
    )


def _nearest(levels: Sequence[QualityLevel], concurrency: int) -> QualityLevel | None:
    def distance(level: QualityLevel) -> float:
        return max(level.low - concurrency, concurrency - level.high, 0.0)

    return min(levels, key=distance, default=None)


def _waits_at(concurrency: int, waits: "pd.DataFrame", sessions: "pd.DataFrame") -> dict[float, float]:
    """Return quantiles of waits of jobs that had so many sessions around them, give or take a fifth.

    Around a job is what was in flight on average while its session was: a run queues all of its jobs at once,
    before any is in flight. For a job that never began it is what was in flight when its wait was last seen.
    """
    if waits.empty or sessions.empty:
        return {}
    seconds = waits["wait_seconds"].astype(float).fillna(waits["open_seconds"].astype(float)).clip(lower=0)
    around = _session_concurrency(waits, sessions).fillna(_in_flight_after(waits, seconds, sessions))
    near = seconds[around.between(0.8 * concurrency, 1.2 * concurrency)].dropna()
    if len(near) < _FEWEST:
        return {}
    return {q: float(np.quantile(near, q)) for q in (0.5, 0.9, 0.99)}


def _session_concurrency(waits: "pd.DataFrame", sessions: "pd.DataFrame") -> "pd.Series":
    """Return the concurrency of each job's session; labels hold a run's id without `_`, `-` at its ends."""
    import pandas as pd

    keys = ["run", "instance"]
    known = sessions.assign(run=sessions["run"].str.strip("_-")).groupby(keys)["concurrency"].mean()
    asked = waits.assign(run=waits["benchmark_run_id"].str.strip("_-")).set_index(keys).index
    return pd.Series(known.reindex(asked).to_numpy(), index=waits.index)


def _in_flight_after(waits: "pd.DataFrame", seconds: "pd.Series", sessions: "pd.DataFrame") -> "pd.Series":
    import pandas as pd

    flight = in_flight(epoch_seconds(sessions["started_at"]), epoch_seconds(sessions["ended_at"]))
    place = flight.place(epoch_seconds(waits["queued_at"]) + seconds.fillna(0.0).to_numpy())
    return pd.Series(np.where(place >= 0, flight.count[place], 0).astype(float), index=waits.index)
