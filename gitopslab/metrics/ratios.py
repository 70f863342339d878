"""Shares of things that are, are not, or are not yet known to be something; and rates of events."""

from dataclasses import dataclass

from scipy import stats

from gitopslab.metrics.durations import FEWEST

_LEVEL = 0.95


@dataclass(frozen=True)
class Share:
    """How many of a number of things are so.

    Attributes:
        yes_count: They are.
        no_count: They are not.
        unknown_count: Nobody can tell yet; they are in no share, and in both bounds.
    """

    yes_count: int
    no_count: int
    unknown_count: int

    @property
    def known_count(self) -> int:
        """How many are known to be so or not."""
        return self.yes_count + self.no_count

    @property
    def ratio(self) -> float | None:
        """The share of those that are known; None for fewer than 8 of them."""
        return self.yes_count / self.known_count if self.known_count >= FEWEST else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95% interval of the share; None for fewer than 8 that are known."""
        if self.known_count < FEWEST:
            return None
        interval = stats.binomtest(self.yes_count, self.known_count).proportion_ci(_LEVEL, method="wilson")
        return float(interval.low), float(interval.high)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The share if none, and if all of what is not known turned out to be so; None for nothing at all."""
        total = self.known_count + self.unknown_count
        return (self.yes_count / total, (self.yes_count + self.unknown_count) / total) if total else None

    @property
    def short(self) -> str:
        """The share, or the counts where they are too few for one."""
        return f"{self.yes_count:,} of {self.known_count:,}" if self.ratio is None else f"{self.ratio:.1%}"

    @property
    def detail(self) -> str:
        """Counts, interval, and bounds where some are not yet known."""
        parts = []
        if self.interval is not None:
            low, high = self.interval
            parts.append(f"{self.yes_count:,} of {self.known_count:,}; 95% interval {low:.1%} to {high:.1%}")
        if self.unknown_count and self.bounds is not None:
            low, high = self.bounds
            parts.append(f"{self.unknown_count:,} not yet known: between {low:.1%} and {high:.1%}")
        return "; ".join(parts)

    def __str__(self) -> str:
        return f"{self.short} ({self.detail})" if self.detail else self.short


@dataclass(frozen=True)
class Rate:
    """How often something happened.

    Attributes:
        count: How many times.
        days: In how many days.
    """

    count: int
    days: float

    @property
    def per_day(self) -> float:
        """Times a day."""
        return self.count / self.days

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95% interval of a Poisson rate (Garwood 1936), times a day."""
        tail = (1 - _LEVEL) / 2
        low = float(stats.chi2.ppf(tail, 2 * self.count)) / 2 if self.count else 0.0
        high = float(stats.chi2.ppf(1 - tail, 2 * self.count + 2)) / 2
        return low / self.days, high / self.days

    @property
    def short(self) -> str:
        """The rate, or the count where it is too small for one."""
        return f"{self.count:,}" if self.count < FEWEST else f"{self.per_day:.2g} a day"

    @property
    def detail(self) -> str:
        """Count and interval."""
        if self.count < FEWEST:
            return f"in {self.days:.4g} days"
        low, high = self.interval
        return f"{self.count:,} in {self.days:.4g} days; 95% interval {low:.2g} to {high:.2g}"

    def __str__(self) -> str:
        return f"{self.short} ({self.detail})"
