"""What a resolved task costs, and what one more costs when more run at once.

Cost is tokens at their prices and resources held for as long as they were, whatever came of the instance. By
Little's law N sessions at once resolve N times the resolved by session-hours, and so cost; so levels of
concurrency are compared by the hour without any window.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gitopslab.metrics.definitions import Definition
from gitopslab.metrics.durations import Bootstrap
from gitopslab.metrics.run_resampling import run_weights
from gitopslab.metrics.scaling_law import Interval

if TYPE_CHECKING:
    import pandas as pd

COST_PER_RESOLVED = Definition(
    "cost_per_resolved",
    "instances",
    "an instance took its first slot",
    "it gave back its last; cost of all instances by the number of resolved ones",
    "cost of all, not of the resolved only; tokens and resource-hours at the prices given",
)
MARGINAL_COST = Definition(
    "marginal_cost_per_resolved",
    "instances",
    "a level of concurrency",
    "the next one; more cost an hour by more resolved an hour",
    "the incremental cost-effectiveness ratio",
)

_FEWEST_RUNS = 3


@dataclass(frozen=True)
class Prices:
    """What things cost, in one currency.

    Attributes:
        currency: What numbers are in.
        per_million_tokens: By kind of token, a column such as `input_token_count`.
        per_hour: By column that holds how much of a resource an instance held, such as `cpu_cores`.
    """

    currency: str = "USD"
    per_million_tokens: Mapping[str, float] = field(default_factory=dict)
    per_hour: Mapping[str, float] = field(default_factory=dict)

    def cost(self, instances: "pd.DataFrame") -> "pd.Series":
        """Return what each instance cost; NaN where a token count, an amount or its hours are not known.

        Args:
            instances: `hours` that its slots were held, and a column for everything that has a price.
        """
        import pandas as pd

        total = pd.Series(0.0, index=instances.index)
        for column, price in self.per_million_tokens.items():
            total += instances[column].astype(float) * price / 1e6
        for column, price in self.per_hour.items():
            total += instances[column].astype(float) * instances["hours"].astype(float) * price
        return total


@dataclass(frozen=True)
class CostPerResolved:
    """What a resolved task costs at one level of concurrency.

    Attributes:
        level: Its name, or its concurrency in words.
        cost: The cost by resolved tasks; infinite where none was; None where no cost is known. An interval
            is known for three runs or more.
        currency: What it is in.
        n: Instances whose cost is known.
        resolved_count: How many of them were resolved.
        unknown_count: Instances whose cost is not known; neither they nor what they resolved is in it.
        run_count: Runs that they are from.
        resolved_per_hour: Resolved tasks an hour at this concurrency.
        cost_per_hour: What the hour costs.
        definition: What was measured.
    """

    level: str
    cost: Interval | None
    currency: str
    n: int
    resolved_count: int
    unknown_count: int
    run_count: int
    resolved_per_hour: float
    cost_per_hour: float
    definition: Definition = COST_PER_RESOLVED

    def __str__(self) -> str:
        unknown = f" Of {self.unknown_count:,} more the cost is not known." if self.unknown_count else ""
        if self.cost is None:
            return f"{self.level}: no cost is known.{unknown}"
        counted = f"{self.resolved_count:,} resolved of {self.n:,} instances in {self.run_count:,} runs"
        if not self.resolved_count:
            return f"{self.level}: nothing was resolved ({counted}).{unknown}"
        return f"{self.level}: {self.cost} {self.currency} a resolved task ({counted}).{unknown}"


@dataclass(frozen=True)
class MarginalCost:
    """What one more resolved task costs at a level of concurrency, beyond those of the level below.

    Attributes:
        below: The lower level.
        above: The higher level.
        cost: More cost an hour by more resolved an hour; None where no more are resolved an hour: then every
            bit of the cost buys nothing. An end of the interval is None where that may be so.
        extra_resolved_per_hour: What the higher level resolves more.
        extra_cost_per_hour: What it costs more.
        currency: What costs are in.
        definition: What was measured.
    """

    below: str
    above: str
    cost: Interval | None
    extra_resolved_per_hour: float
    extra_cost_per_hour: float
    currency: str
    definition: Definition = MARGINAL_COST

    def __str__(self) -> str:
        step = f"From {self.below} to {self.above}"
        if self.cost is None:
            return (
                f"{step} {self.extra_cost_per_hour:+.3g} {self.currency} an hour buys no resolved task"
                f" ({self.extra_resolved_per_hour:+.3g} an hour)."
            )
        return (
            f"{step} one more resolved task costs {self.cost} {self.currency}"
            f" ({self.extra_resolved_per_hour:+.3g} an hour)."
        )


@dataclass(frozen=True, eq=False)
class Costs:
    """What resolved tasks cost, by level of concurrency.

    Attributes:
        levels: Ascending.
        steps: From each level to the next.
    """

    levels: tuple[CostPerResolved, ...]
    steps: tuple[MarginalCost, ...]

    def __str__(self) -> str:
        return " ".join(str(part) for part in (*self.levels, *self.steps)) or "No cost is known."


def costs(
    instances: "pd.DataFrame",
    edges: list[float],
    bootstrap: Bootstrap,
    *,
    currency: str = "USD",
    level: float = 0.9,
) -> Costs:
    """Return costs by level of concurrency, and from each to the next.

    Args:
        instances: Ended instances: `run`, `concurrency` (mean while it was), `hours` that it held slots,
            `cost` (NaN: not known) and `is_resolved`.
        edges: Concurrencies at which one level ends and the next begins, ascending.
        bootstrap: How runs are resampled.
        currency: What `cost` is in.
        level: Level of the intervals.
    """
    rows = instances[instances["concurrency"].notna() & (instances["hours"] > 0)]
    runs = rows["run"].astype(str).tolist()
    drawn = np.vstack([np.ones(len(rows)), run_weights(runs, bootstrap)])
    place = np.searchsorted(edges, rows["concurrency"].to_numpy(dtype=float), side="right")
    parts = [_Part(rows, drawn, place == number) for number in range(len(edges) + 1)]
    parts = [part for part in parts if part.n or part.unknown_count]
    known = [part for part in parts if part.n]
    return Costs(
        levels=tuple(part.cost_per_resolved(currency, level) for part in parts),
        steps=tuple(_step(below, above, currency, level) for below, above in pairwise(known)),
    )


class _Part:
    """Sums of one level of concurrency: first of what was observed, then of each resample."""

    def __init__(self, rows: "pd.DataFrame", drawn: np.ndarray, is_in: np.ndarray) -> None:
        has_cost = rows["cost"].notna().to_numpy()
        part, weights = rows[is_in & has_cost], drawn[:, is_in & has_cost]
        self.n = len(part)
        self.unknown_count = int((is_in & ~has_cost).sum())
        self.run_count = int(part["run"].nunique())
        self.at_once = weights @ part["concurrency"].to_numpy(dtype=float)
        self.resolved = weights @ part["is_resolved"].to_numpy(dtype=float)
        self.cost = weights @ part["cost"].to_numpy(dtype=float)
        hours = weights @ part["hours"].to_numpy(dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            speed = self.at_once / weights.sum(axis=1) / hours
            self.per_resolved = self.cost / self.resolved
        self.resolved_per_hour, self.cost_per_hour = self.resolved * speed, self.cost * speed
        concurrency = rows[is_in]["concurrency"]
        self.name = f"{concurrency.min():.3g} to {concurrency.max():.3g} at once" if len(concurrency) else ""

    def cost_per_resolved(self, currency: str, level: float) -> CostPerResolved:
        """Return what a resolved task costs."""
        return CostPerResolved(
            level=self.name,
            cost=_interval(self.per_resolved, self.run_count, level) if self.n else None,
            currency=currency,
            n=self.n,
            resolved_count=int(self.resolved[0]),
            unknown_count=self.unknown_count,
            run_count=self.run_count,
            resolved_per_hour=float(self.resolved_per_hour[0]),
            cost_per_hour=float(self.cost_per_hour[0]),
        )


def _step(below: _Part, above: _Part, currency: str, level: float) -> MarginalCost:
    resolved = above.resolved_per_hour - below.resolved_per_hour
    cost = above.cost_per_hour - below.cost_per_hour
    with np.errstate(divide="ignore", invalid="ignore"):
        # Where no more is resolved, one more cannot be had for any cost.
        ratio = np.where(resolved > 0, cost / resolved, np.where(np.isnan(resolved), np.nan, np.inf))
    is_bought = resolved[0] > 0
    return MarginalCost(
        below=below.name,
        above=above.name,
        cost=_interval(ratio, min(below.run_count, above.run_count), level) if is_bought else None,
        extra_resolved_per_hour=float(resolved[0]),
        extra_cost_per_hour=float(cost[0]),
        currency=currency,
    )


def _interval(observed_and_resampled: np.ndarray, run_count: int, level: float) -> Interval:
    """Return the interval of what was resampled; an end is None for few runs, or where it is infinite."""
    estimate, resampled = float(observed_and_resampled[0]), observed_and_resampled[1:]
    resampled = resampled[~np.isnan(resampled)]
    if run_count < _FEWEST_RUNS or not len(resampled):
        return Interval(estimate, None, None)
    tail = (1 - level) / 2
    ends = [float(np.quantile(resampled, q, method="inverted_cdf")) for q in (tail, 1 - tail)]
    low, high = (end if np.isfinite(end) else None for end in ends)
    return Interval(estimate, low, high)
