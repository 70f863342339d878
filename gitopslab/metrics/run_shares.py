"""Shares of things that come from runs: what is so of one of a run is more likely so of the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

_LEVEL = 0.95


@dataclass(frozen=True)
class RunShare:
    """How many of a number of things are so, and how far those of one run are alike.

    Attributes:
        yes_count: They are.
        n: All that are known to be so or not.
        run_count: Runs that they come from.
        effective_count: As many independent things would tell as much; never more than `n`. A single run
            cannot tell how runs differ, so for it this is `n`, which is too many.
    """

    yes_count: int
    n: int
    run_count: int
    effective_count: float

    @property
    def ratio(self) -> float:
        """The share; NaN of nothing."""
        return self.yes_count / self.n if self.n else float("nan")

    @property
    def variance(self) -> float:
        """The variance of the share of as many as are effective; shrunk to the middle, so never 0."""
        shrunk = (self.ratio * self.effective_count + 1) / (self.effective_count + 2)
        return shrunk * (1 - shrunk) / self.effective_count

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval, of as many as are effective; (0, 1) of nothing.

        How much runs differ is known only as well as their number allows, so few count for less (Korn and
        Graubard 1998, "Confidence Intervals for Proportions with Small Expected Number of Positive Counts").
        """
        if not self.n:
            return 0.0, 1.0
        z = float(stats.norm.ppf(0.5 + _LEVEL / 2))
        n = self.effective_count
        if self.run_count > 1:
            n *= (z / float(stats.t.ppf(0.5 + _LEVEL / 2, self.run_count - 1))) ** 2
        middle = (self.ratio + z * z / (2 * n)) / (1 + z * z / n)
        half = z * np.sqrt(self.ratio * (1 - self.ratio) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, float(middle - half)), min(1.0, float(middle + half))

    def __str__(self) -> str:
        if not self.n:
            return "none"
        low, high = self.interval
        return f"{self.ratio:.1%} ({self.yes_count:,} of {self.n:,}; {low:.1%} to {high:.1%})"


def run_share(is_so: Sequence[bool], runs: Sequence[str]) -> RunShare:
    """Return the share with the variance of clustered things (as Miller 2024, "Adding Error Bars to Evals").

    Args:
        is_so: Whether each thing is so.
        runs: The run of each.
    """
    values = np.asarray(is_so, dtype=float)
    n = len(values)
    names, place = np.unique(np.asarray(runs, dtype=str), return_inverse=True)
    ratio = float(values.mean()) if n else 0.0
    alone = ratio * (1 - ratio) / n if n else 0.0
    effective = float(n)
    if len(names) > 1 and alone:
        totals = np.bincount(place, weights=values - ratio)
        clustered = float((totals**2).sum()) / n**2 * len(names) / (len(names) - 1)
        effective = max(1.0, n * min(1.0, alone / clustered)) if clustered else float(n)
    return RunShare(int(values.sum()), n, len(names), effective)
