"""How long things take: quantiles with intervals, and the sentence that says so."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gitopslab.metrics.definitions import Definition

_QUANTILES = (0.5, 0.75, 0.9, 0.95)
_FEWEST_FOR_INTERVAL = 5


@dataclass(frozen=True)
class Estimate:
    """A quantile in seconds, with the interval that holds it at the level asked for.

    `low` and `high` are None where there are too few durations to say (fewer than 5).
    """

    seconds: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return human(self.seconds)
        return f"{human(self.seconds)} ({human(self.low)} to {human(self.high)})"


@dataclass(frozen=True)
class DurationSummary:
    """What a number of durations come to.

    Attributes:
        definition: What was measured.
        n: How many durations there are.
        unknown_count: How many things were seen whose duration is not known; they are in no quantile.
        level: Level of the intervals, such as 0.95.
        quantiles: Estimates by quantile (0.5, 0.75, 0.9, 0.95); empty for no duration.
    """

    definition: Definition
    n: int
    unknown_count: int
    level: float
    quantiles: dict[float, Estimate]

    def __str__(self) -> str:
        subject = self.definition.subject
        without = f" Of {self.unknown_count:,} more the duration is not known." if self.unknown_count else ""
        if not self.n:
            return f"No duration of {subject} is known.{without}"
        half, most = self.quantiles[0.5], self.quantiles[0.9]
        interval = (
            f", {self.level:.0%} interval {human(half.low)} to {human(half.high)}"
            if half.low is not None and half.high is not None
            else ""
        )
        count = f"{self.n:,} {subject}" if self.n != 1 else f"1 of the {subject}"
        return (
            f"{count}: half took at most {human(half.seconds)}{interval}; "
            f"nine in ten at most {human(most.seconds)}.{without}"
        )


def summarize(
    seconds: Iterable[float | None],
    definition: Definition,
    *,
    seed: int,
    samples: int = 2_000,
    level: float = 0.95,
) -> DurationSummary:
    """Return quantiles of `seconds`, with bootstrap percentile intervals.

    Args:
        seconds: Durations; None and NaN are things whose duration is not known.
        definition: What was measured.
        seed: Of the bootstrap: the same seed and durations give the same intervals.
        samples: Resamples drawn.
        level: Level of the intervals.
    """
    given = np.array([np.nan if value is None else value for value in seconds], dtype=float)
    known = np.sort(given[~np.isnan(given)])
    unknown_count = int(len(given) - len(known))
    if not len(known):
        return DurationSummary(definition, 0, unknown_count, level, {})
    values = np.quantile(known, _QUANTILES)
    lows: list[float | None] = [None] * len(_QUANTILES)
    highs = list(lows)
    if len(known) >= _FEWEST_FOR_INTERVAL:
        drawn = _resampled(known, np.random.default_rng(seed), samples)
        tail = (1 - level) / 2
        lows, highs = (np.quantile(drawn, q, axis=0).tolist() for q in (tail, 1 - tail))
    quantiles = {
        q: Estimate(float(value), low, high)
        for q, value, low, high in zip(_QUANTILES, values, lows, highs, strict=True)
    }
    return DurationSummary(definition, len(known), unknown_count, level, quantiles)


def human(seconds: float) -> str:
    """Return a duration as people say it, in its two largest units: `4 s`, `3 min 20 s`, `2 d 4 h`."""
    if seconds < 0:
        return f"-{human(-seconds)}"
    if seconds < 10 and seconds != round(seconds):  # noqa: PLR2004 - below ten seconds a tenth says something
        return f"{seconds:.1f} s"
    left = round(seconds)
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count:,} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def _resampled(known: np.ndarray, generator: np.random.Generator, samples: int) -> np.ndarray:
    """Return the quantiles of `samples` resamples of the sorted durations, a row each.

    The order statistics of a uniform resample are drawn directly (a Beta variate each), so that a
    resample of a million durations costs as much as one of ten.
    """
    n = len(known)
    columns = []
    for quantile in _QUANTILES:
        rank = quantile * (n - 1) + 1
        uniform = generator.beta(rank, n + 1 - rank, size=samples)
        columns.append(known[np.minimum((uniform * n).astype(int), n - 1)])
    return np.column_stack(columns)
