"""How long things take when some are not over yet: Kaplan and Meier's estimate of the duration.

Leaving open things out makes the slow ones invisible; counting them as if they ended now makes
everything quick. Kaplan and Meier (1958, "Nonparametric estimation from incomplete observations")
use what is known of them: that they took longer than they have lasted.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from gitopslab.metrics.definitions import Definition
from gitopslab.metrics.durations import (
    FEWEST,
    QUANTILES,
    Bootstrap,
    DurationSummary,
    Estimate,
    summarize,
)


@dataclass(frozen=True)
class Survival:
    """What is known of a duration with open things counted.

    Attributes:
        definition: What was measured.
        ended_count: Things that are over: their duration is known.
        open_count: Things that still last: only that they take longer than this is known.
        level: Level of the intervals, such as 0.95.
        quantiles: Estimates by quantile; None where too many are open to say. An interval's end is None
            where it cannot be bounded.
        seconds: When the curve steps, ascending.
        still_open: Share that takes longer than each of `seconds`.
        low: Lower end of the pointwise interval of `still_open`, on the log-log scale.
        high: Upper end of it.
        longest: How long the longest of all things took, or has lasted: the curve is known up to there.
    """

    definition: Definition
    ended_count: int
    open_count: int
    level: float
    quantiles: dict[float, Estimate | None]
    seconds: tuple[float, ...]
    still_open: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    longest: float = 0.0

    def __str__(self) -> str:
        subject = self.definition.subject
        if not self.ended_count + self.open_count:
            return f"There are no {subject}."
        counted = f"{self.ended_count + self.open_count:,} {subject}, {self.open_count:,} of them still open"
        half = self.quantiles[0.5]
        if half is None:
            return f"{counted}: too many are open to say how long half of them take."
        return f"{counted}: half take at most {half}."


def survive(
    ended: Iterable[float], still_open: Iterable[float], definition: Definition, *, level: float = 0.95
) -> Survival:
    """Return Kaplan and Meier's estimate with pointwise intervals (Greenwood's, on the log-log scale).

    A quantile's interval is where the curve's interval crosses it (Brookmeyer and Crowley 1982).

    Args:
        ended: Seconds that ended things took.
        still_open: Seconds that open things have lasted.
        definition: What was measured.
        level: Level of the intervals.
    """
    known = np.array(sorted(ended), dtype=float)
    censored = np.array(sorted(still_open), dtype=float)
    if not len(known):
        return Survival(definition, 0, len(censored), level, dict.fromkeys(QUANTILES), (), (), (), ())
    curve = stats.ecdf(stats.CensoredData(uncensored=known, right=censored)).sf
    is_step = np.isin(curve.quantiles, known)
    steps, shares = curve.quantiles[is_step], curve.probabilities[is_step]
    with warnings.catch_warnings(action="ignore"), np.errstate(divide="ignore", invalid="ignore"):
        interval = curve.confidence_interval(level, method="log-log")
    # Where nothing or everything is over, the log-log interval is not defined: the share itself stands there.
    low = _filled(interval.low.probabilities[is_step], shares)
    high = _filled(interval.high.probabilities[is_step], shares)
    quantiles: dict[float, Estimate | None] = {}
    for quantile in QUANTILES:
        value = _reaches(steps, shares, 1 - quantile)
        quantiles[quantile] = (
            None
            if value is None
            else Estimate(value, _reaches(steps, low, 1 - quantile), _reaches(steps, high, 1 - quantile))
        )
    return Survival(
        definition=definition,
        ended_count=len(known),
        open_count=len(censored),
        level=level,
        quantiles=quantiles,
        seconds=tuple(steps.tolist()),
        still_open=tuple(shares.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        longest=float(max([*known[-1:], *censored[-1:]])),
    )


def summarize_with_open(
    seconds: Iterable[float | None],
    still_open: Iterable[float],
    definition: Definition,
    bootstrap: Bootstrap,
    *,
    level: float = 0.95,
) -> DurationSummary:
    """Return quantiles of what is over, with what is still open counted for as long as it has lasted.

    Without anything open they are the plain quantiles, with bootstrap intervals.

    Args:
        seconds: Durations of what is over; None and NaN are not known.
        still_open: Seconds that open things have lasted.
        definition: What was measured.
        bootstrap: How intervals are made where nothing is open.
        level: Level of the intervals.
    """
    given, waiting = list(seconds), list(still_open)
    plain = summarize(given, definition, seed=bootstrap.seed, samples=bootstrap.samples, level=level)
    if not waiting:
        return plain
    if plain.n < FEWEST:
        return replace(plain, open_count=len(waiting))
    known = [value for value in given if value is not None and not np.isnan(value)]
    quantiles = survive(known, waiting, definition, level=level).quantiles
    return replace(plain, quantiles=quantiles, open_count=len(waiting))


def _filled(ends: np.ndarray, shares: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(ends), shares, ends)


def _reaches(steps: np.ndarray, shares: np.ndarray, share: float) -> float | None:
    """Return when the curve is at `share` or below for the first time, if it gets there."""
    at = np.nonzero(shares <= share + 1e-12)[0]
    return float(steps[at[0]]) if len(at) else None
