"""How long things take: quantiles with intervals, and the sentence that says so."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gitopslab.metrics.definitions import Definition

QUANTILES = (0.5, 0.75, 0.9, 0.95)
FEWEST = 8
"""Fewer durations than this have no estimate: they are shown one by one."""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: the seed that makes them the same again, and how many resamples."""

    seed: int
    samples: int = 2_000


@dataclass(frozen=True)
class Estimate:
    """A quantile in seconds, with the interval that holds it at the level asked for.

    An end is None where the durations do not bound it: even the longest of them may lie below the quantile.
    """

    seconds: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        return f"{human(self.seconds)} ({self.interval})" if self.interval else human(self.seconds)

    @property
    def interval(self) -> str:
        """The interval in words; empty where neither end is known."""
        if self.low is None:
            return "" if self.high is None else f"up to {human(self.high)}"
        return (
            f"{human(self.low)} or more" if self.high is None else f"{human(self.low)} to {human(self.high)}"
        )


@dataclass(frozen=True)
class DurationSummary:
    """What a number of durations come to.

    Attributes:
        definition: What was measured.
        n: How many durations there are.
        unknown_count: How many things were seen whose duration is not known; they are in no quantile.
        level: Level of the intervals, such as 0.95.
        quantiles: Estimates by quantile (0.5, 0.75, 0.9, 0.95); empty for fewer than 8 durations, and None
            where too many are open to say.
        few: The durations themselves, ascending, where they are fewer than 8.
        open_count: How many are not over yet; the quantiles count them for as long as they have lasted.
    """

    definition: Definition
    n: int
    unknown_count: int
    level: float
    quantiles: dict[float, Estimate | None]
    few: tuple[float, ...] = ()
    open_count: int = 0

    def __str__(self) -> str:
        without = f" Of {self.unknown_count:,} more the duration is not known." if self.unknown_count else ""
        return f"{self._counted()}{without}"

    def quantile(self, share: float) -> Estimate | None:
        """Return the estimate that `share` of them take at most, if there is one."""
        return self.quantiles.get(share)

    def _counted(self) -> str:
        subject = self.definition.subject
        count = f"{self.n + self.open_count:,} {subject}"
        if self.open_count:
            count += f", {self.open_count:,} of them not over yet"
        if not self.n:
            return f"{count}: none is over." if self.open_count else f"No duration of {subject} is known."
        if self.few:
            return f"{count}, too few for an estimate: {', '.join(human(each) for each in self.few)}."
        half, most = self.quantiles[0.5], self.quantiles[0.9]
        if half is None:
            return f"{count}, which is too many to say how long half of them take."
        interval = f", {self.level:.0%} interval {half.interval}" if half.interval else ""
        nine_in_ten = f"; nine in ten at most {human(most.seconds)}" if most else ""
        took = "take" if self.open_count else "took"
        return f"{count}: half {took} at most {human(half.seconds)}{interval}{nine_in_ten}."


def summarize(
    seconds: Iterable[float | None],
    definition: Definition,
    *,
    seed: int,
    samples: int = 2_000,
    level: float = 0.95,
) -> DurationSummary:
    """Return quantiles of `seconds`, with bootstrap percentile intervals.

    An interval's upper end is left out where the longest duration seen is too short to bound it, since a
    resample never holds a longer one.

    Args:
        seconds: The durations; None and NaN are things whose duration is not known.
        definition: What was measured.
        seed: Of the bootstrap: the same seed and durations give the same intervals.
        samples: Resamples drawn.
        level: Level of the intervals.
    """
    given = np.array([np.nan if value is None else value for value in seconds], dtype=float)
    known = np.sort(given[~np.isnan(given)])
    n = len(known)
    if n < FEWEST:
        return DurationSummary(definition, n, len(given) - n, level, {}, few=tuple(known.tolist()))
    tail = (1 - level) / 2
    drawn = _resampled(known, np.random.default_rng(seed), samples)
    lows, highs = (np.quantile(drawn, q, axis=0).tolist() for q in (tail, 1 - tail))
    quantiles: dict[float, Estimate | None] = {
        q: Estimate(float(np.quantile(known, q)), low, high if q**n <= tail else None)
        for q, low, high in zip(QUANTILES, lows, highs, strict=True)
    }
    return DurationSummary(definition, n, len(given) - n, level, quantiles)


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
    for quantile in QUANTILES:
        rank = quantile * (n - 1) + 1
        uniform = generator.beta(rank, n + 1 - rank, size=samples)
        columns.append(known[np.minimum((uniform * n).astype(int), n - 1)])
    return np.column_stack(columns)
