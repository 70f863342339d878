"""When a series changed for good: change points by energy statistics.

The method is E-divisive: Matteson and James (2014), "A nonparametric approach for multiple change
point analysis of multivariate data". It assumes no distribution, finds any number of changes, and
tests each by permutation, so that noise alone is reported at the level asked for, no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

_MOST_POINTS = 600
"""Longer series are taken in blocks, whose medians are compared: the cost grows with the square."""


@dataclass(frozen=True)
class ChangePoint:
    """A time from which on a series differs from before.

    Attributes:
        at: The time of the first point after the change.
        before: Median from the change before (or the start) to this one.
        after: Median from this one to the next (or the end).
        p_value: How often a series without a change there would look as much like one.
    """

    at: datetime
    before: float
    after: float
    p_value: float

    @property
    def ratio(self) -> float:
        """How many times the value before the value after is."""
        return self.after / self.before if self.before else float("inf")


def change_points(  # noqa: PLR0913 - each is a choice that the reader of a result may ask for
    times: Sequence[datetime],
    values: Sequence[float],
    *,
    seed: int,
    fewest: int = 8,
    level: float = 0.05,
    permutations: int = 199,
) -> list[ChangePoint]:
    """Return the changes of `values`, in order of time.

    Args:
        times: When each value was; they need not be in order.
        values: As many; only their differences count, so take logarithms of what is skewed.
        seed: Of the permutations: the same seed and values give the same changes.
        fewest: Points that there must be on either side of a change.
        level: A change is kept while its p-value is at most this; the search of a part ends at the
            first that is not.
        permutations: How many times a part is shuffled to test its best change.
    """
    order = sorted(range(len(times)), key=lambda place: (times[place], place))
    series = np.array([values[place] for place in order], dtype=float)
    starts = np.arange(0, len(series), max(1, -(-len(series) // _MOST_POINTS)))
    blocks = np.array([np.median(part) for part in np.split(series, starts[1:])]) if len(series) else series
    distances = np.abs(blocks[:, None] - blocks[None, :])
    generator = np.random.default_rng(seed)
    found: dict[int, float] = {}
    waiting = [(0, len(blocks))]
    while waiting:
        start, end = waiting.pop()
        part = distances[start:end, start:end]
        best, statistic = _best_split(part, fewest)
        if best is None:
            continue
        p_value = _p_value(part, statistic, fewest, permutations, generator)
        if p_value <= level:
            found[start + best] = p_value
            waiting += [(start, start + best), (start + best, end)]
    edges = [0, *sorted(found), len(blocks)]
    return [
        ChangePoint(
            at=times[order[starts[edge]]],
            before=float(np.median(blocks[edges[place] : edge])),
            after=float(np.median(blocks[edge : edges[place + 2]])),
            p_value=found[edge],
        )
        for place, edge in enumerate(edges[1:-1])
    ]


def _best_split(distances: np.ndarray, fewest: int) -> tuple[int | None, float]:
    """Return where the two sides differ most, and the energy statistic there."""
    n = len(distances)
    if n < 2 * fewest:
        return None, 0.0
    sums = distances.cumsum(axis=0).cumsum(axis=1)
    left = np.arange(fewest, n - fewest + 1)
    right = n - left
    within_left = sums[left - 1, left - 1]
    across = sums[left - 1, n - 1] - within_left
    within_right = sums[n - 1, n - 1] - within_left - 2 * across
    energy = 2 * across / (left * right) - within_left / left**2 - within_right / right**2
    statistics = left * right / n * energy
    best = int(np.argmax(statistics))
    return int(left[best]), float(statistics[best])


def _p_value(
    distances: np.ndarray, statistic: float, fewest: int, permutations: int, generator: np.random.Generator
) -> float:
    exceeded = 0
    for _ in range(permutations):
        shuffled = generator.permutation(len(distances))
        _, other = _best_split(distances[np.ix_(shuffled, shuffled)], fewest)
        exceeded += other >= statistic
    return (exceeded + 1) / (permutations + 1)
