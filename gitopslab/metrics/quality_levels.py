"""What came of instances by level of concurrency, and which levels are shown to be as good as low ones."""

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from scipy import stats

from gitopslab.metrics.instance_outcomes import Outcome
from gitopslab.metrics.run_shares import RunShare, run_share

if TYPE_CHECKING:
    import pandas as pd

ANSWERED = (Outcome.RESOLVED, Outcome.UNRESOLVED)
"""Outcomes in which the model had its say."""
FAILED = (Outcome.INFRASTRUCTURE, Outcome.TIMEOUT, Outcome.STALLED)
"""Outcomes in which the platform did not let it."""

_MOST_LEVELS = 8
_FEWEST = 30
"""A level of fewer instances is taken together with the next."""


@dataclass(frozen=True)
class QualityLevel:
    """What came of the instances at one level of concurrency.

    Attributes:
        low: The lowest mean concurrency of an instance in it.
        high: The highest.
        resolved: Of those that the model answered.
        infrastructure: Failures of the infrastructure, of all that ended.
        timeout: Those whose time was over, of all that ended.
        stalled: Those that stopped making progress, of all that ended.
        ambiguous_count: Ended, and nobody can tell how; they are in no share but in what ended.
    """

    low: float
    high: float
    resolved: RunShare
    infrastructure: RunShare
    timeout: RunShare
    stalled: RunShare
    ambiguous_count: int

    def __str__(self) -> str:
        unclear = f"; {self.ambiguous_count:,} ambiguous" if self.ambiguous_count else ""
        return (
            f"{self.low:.3g} to {self.high:.3g} at once: resolved {self.resolved}; failed by infrastructure"
            f" {self.infrastructure}, by time {self.timeout}, stalled {self.stalled}{unclear}"
        )


@dataclass(frozen=True)
class Ladder:
    """How far up levels are shown to resolve no less than the lowest, or shown to resolve less.

    Attributes:
        margin: The share of what the lowest level resolves that may be lost.
        alpha: How often a level that is worse by just the margin passes.
        not_worse_to: Up to this concurrency each level passes the test of non-inferiority, taken in order and
            stopped at the first that does not, which keeps `alpha` for all of them; None: not one does.
        worse_from: From here a level resolves less than the lowest (Holm's correction); None: not shown.
    """

    margin: float
    alpha: float
    not_worse_to: float | None
    worse_from: float | None

    def __str__(self) -> str:
        lost = f"to lose less than {self.margin:.0%} of what low concurrency resolves"
        held = (
            f"No level is shown {lost}"
            if self.not_worse_to is None
            else f"Levels up to {self.not_worse_to:.3g} at once are shown {lost}"
        )
        worse = (
            "none to resolve less"
            if self.worse_from is None
            else f"from {self.worse_from:.3g} on they resolve less"
        )
        return f"{held}; {worse} (one-sided tests at {self.alpha:.0%}, corrected for their number)."


def quality_levels(instances: "pd.DataFrame") -> list[QualityLevel]:
    """Return levels of concurrency with about as many instances each, ascending.

    Args:
        instances: Ended instances: `run`, `concurrency` (mean of the sessions in flight while it was) and
            `outcome`.
    """
    if instances.empty:
        return []
    rounded = instances["concurrency"].round()
    counts = rounded.value_counts().sort_index()
    wanted = max(_FEWEST, len(instances) / _MOST_LEVELS)
    # A level begins where those before it have enough; the last one takes what is left over.
    level = ((counts.cumsum() - counts) // wanted).clip(upper=max(0.0, len(instances) // wanted - 1))
    return [_level(part) for _, part in instances.groupby(rounded.map(level), sort=True)]


def ladder(levels: list[QualityLevel], *, margin: float = 0.1, alpha: float = 0.05) -> Ladder:
    """Return how far up levels are shown not to be worse than the lowest by more than `margin`."""
    known = [level for level in levels if level.resolved.n]
    lowest = known[0].resolved if known else None
    if lowest is None:
        return Ladder(margin, alpha, None, None)
    above = known[1:]
    not_worse_to = None
    for level in above:
        if _p_value(level.resolved, lowest, 1 - margin) > alpha:
            break
        not_worse_to = level.high
    worse = sorted((1 - _p_value(level.resolved, lowest, 1.0), level.low) for level in above)
    shown = []
    for place, (p_value, low) in enumerate(worse):
        if p_value > alpha / (len(worse) - place):
            break
        shown.append(low)
    return Ladder(margin, alpha, not_worse_to, min(shown, default=None))


def _p_value(share: RunShare, lowest: RunShare, kept: float) -> float:
    """Return how often chance shows this much more than `kept` of the lowest, where it is no more."""
    spread = sqrt(share.variance + kept**2 * lowest.variance)
    return float(stats.norm.sf((share.ratio - kept * lowest.ratio) / spread))


def _level(part: "pd.DataFrame") -> QualityLevel:
    answered = part[part["outcome"].isin(ANSWERED)]

    def of_all(outcome: Outcome) -> RunShare:
        return run_share(part["outcome"].eq(outcome).tolist(), part["run"].tolist())

    return QualityLevel(
        low=float(part["concurrency"].min()),
        high=float(part["concurrency"].max()),
        resolved=run_share(answered["outcome"].eq(Outcome.RESOLVED).tolist(), answered["run"].tolist()),
        infrastructure=of_all(Outcome.INFRASTRUCTURE),
        timeout=of_all(Outcome.TIMEOUT),
        stalled=of_all(Outcome.STALLED),
        ambiguous_count=int(part["outcome"].eq(Outcome.AMBIGUOUS).sum()),
    )
