"""The concurrency up to which answers are as good as they get: quality falls before throughput does.

The share of successes is taken to be level up to some concurrency and to fall exponentially after it. The
knee is where it has lost `margin` of its level: a curve has that place whatever its shape, while the place
where a fall begins is not seen before the fall is. Its interval holds each place that the data does not
reject (profile likelihood), with runs that differ more than chance taken into account. A bootstrap of runs
was tried first: where nothing falls, it found a knee in half of the series.
"""

from dataclasses import dataclass
from math import inf, isinf, log
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from gitopslab.metrics.definitions import Definition
from gitopslab.metrics.instance_outcomes import Outcome
from gitopslab.metrics.quality_levels import ANSWERED, FAILED, Ladder, QualityLevel, ladder, quality_levels
from gitopslab.metrics.scaling_law import EXTRAPOLATION_LIMIT, Interval

if TYPE_CHECKING:
    import pandas as pd

QUALITY_KNEE = Definition(
    "quality_knee",
    "instances",
    "the share of resolved among answered instances at low concurrency",
    "the concurrency at which it has lost a tenth of itself",
    "segmented binomial regression, profile likelihood, dispersion by run (McCullagh and Nelder 1989)",
)
PLATFORM_KNEE = Definition(
    "platform_knee",
    "instances",
    "the share of ended instances that no infrastructure, deadline or stall stopped, at low concurrency",
    "the concurrency at which it has lost a tenth of itself",
    "as the quality knee",
)

_FEWEST = 100
_FEWEST_RUNS = 5
_KNEES, _WIDTHS = 121, 24
# A fall over less than a twentieth of the range is a step that single runs make.
_NARROWEST = 0.05
_STEPS = 12


@dataclass(frozen=True)
class Knee:
    """Where a share of successes has lost its margin.

    Attributes:
        interval: The knee. An infinite estimate, or an end that is None, lies beyond what may be said.
        margin: The share of its level that is lost there.
        ratio: The share of successes at low concurrency.
        n: Instances that it is from.
        run_count: Runs that they are from.
        largest_observed: The largest concurrency observed.
        level: Level of the interval.
        dispersion: How many times as much as chance runs differ; 1 or more.
        definition: What was measured.
    """

    interval: Interval
    margin: float
    ratio: float
    n: int
    run_count: int
    largest_observed: float
    level: float
    dispersion: float
    definition: Definition

    @property
    def is_seen(self) -> bool:
        """Whether the data rejects that there is no knee within what was observed."""
        return self.interval.high is not None

    def __str__(self) -> str:
        counted = (
            f"{self.n:,} {self.definition.subject} of {self.run_count:,} runs, at most"
            f" {self.largest_observed:.3g} at once"
        )
        low = self.interval.low
        if low is None:
            limit = EXTRAPOLATION_LIMIT * self.largest_observed
            return f"Quality holds as far as may be said, to {limit:.3g} at once ({counted})."
        if isinf(self.interval.estimate) or not self.is_seen:
            return (
                f"No knee of quality is seen within what was observed; if a {self.margin:.0%} loss is there,"
                f" it is at {low:.3g} at once or more, {self.level:.0%} sure ({counted})."
            )
        return (
            f"Quality has lost {self.margin:.0%} of its {self.ratio:.0%} at {self.interval.estimate:.3g} at"
            f" once, {self.level:.0%} interval {low:.3g} to {self.interval.high:.3g} ({counted})."
        )


@dataclass(frozen=True)
class TooFewInstances:
    """The answer where instances do not bear a curve.

    Attributes:
        n: How many there are.
        run_count: Runs that they are from.
        is_one_level: Whether all had the same concurrency.
        has_one_outcome: Whether the same came of all.
    """

    n: int
    run_count: int
    is_one_level: bool
    has_one_outcome: bool

    def __str__(self) -> str:
        counted = f"{self.n:,} instances of {self.run_count:,} runs"
        if self.n < _FEWEST or self.run_count < _FEWEST_RUNS:
            return f"No knee of quality: {counted}; it takes {_FEWEST} of {_FEWEST_RUNS}."
        same = "at one level of concurrency" if self.is_one_level else "of which all came to the same"
        return f"No knee of quality: {counted}, {same}."


@dataclass(frozen=True)
class Quality:
    """How good answers are against concurrency.

    Attributes:
        answers: The knee of resolved among answered instances.
        platform: The knee of instances that the platform did not fail.
        levels: What came of instances, by level of concurrency.
        ladder: How far up levels are shown to be as good as the lowest.
        counts: Instances by outcome; what is open or cancelled is in nothing else.
    """

    answers: Knee | TooFewInstances
    platform: Knee | TooFewInstances
    levels: tuple[QualityLevel, ...]
    ladder: Ladder
    counts: dict[str, int]

    @property
    def safe_concurrency(self) -> float | None:
        """The concurrency up to which no loss by the margin is likely; None where too little is known."""
        knees = [knee for knee in (self.answers, self.platform) if isinstance(knee, Knee)]
        lows = [
            EXTRAPOLATION_LIMIT * knee.largest_observed if knee.interval.low is None else knee.interval.low
            for knee in knees
        ]
        return min(lows) if isinstance(self.answers, Knee) else None

    def __str__(self) -> str:
        left = ", ".join(
            f"{count:,} {outcome}"
            for outcome, count in self.counts.items()
            if outcome not in {*ANSWERED, *FAILED} and count
        )
        return f"{self.answers} {self.ladder}" + (f" Not in it: {left}." if left else "")


def quality(instances: "pd.DataFrame", *, margin: float = 0.1, level: float = 0.9) -> Quality:
    """Return how good answers are against concurrency, infrastructure's failures apart from the model's.

    Args:
        instances: Of one model with no change point within: `run`, `concurrency` (mean of the sessions in
            flight while the instance was, see `mean_in_flight`; NULL: never) and `outcome`.
        margin: The share of quality that may be lost.
        level: Level of the intervals.
    """
    counts = instances["outcome"].value_counts()
    placed = instances[instances["concurrency"].notna()]
    ended = placed[~placed["outcome"].isin([Outcome.OPEN, Outcome.CANCELLED])]
    answered = ended[ended["outcome"].isin(ANSWERED)]
    decided = ended[ended["outcome"].isin([*ANSWERED, *FAILED])]
    levels = quality_levels(ended)
    return Quality(
        answers=_knee(answered, [Outcome.RESOLVED], QUALITY_KNEE, margin, level),
        platform=_knee(decided, list(ANSWERED), PLATFORM_KNEE, margin, level),
        levels=tuple(levels),
        ladder=ladder(levels, margin=margin),
        counts={str(outcome): int(count) for outcome, count in sorted(counts.items())},
    )


def _knee(
    rows: "pd.DataFrame", successes: list[Outcome], definition: Definition, margin: float, level: float
) -> Knee | TooFewInstances:
    at_once = np.maximum(1, rows["concurrency"].to_numpy(dtype=float).round())
    is_success = rows["outcome"].isin(successes).to_numpy(dtype=float)
    names, run = np.unique(rows["run"].to_numpy(dtype=str), return_inverse=True)
    steps, place = np.unique(at_once, return_inverse=True)
    has_one_outcome = not 0 < is_success.sum() < len(rows)
    if len(rows) < _FEWEST or len(names) < _FEWEST_RUNS or len(steps) == 1 or has_one_outcome:
        return TooFewInstances(len(rows), len(names), len(steps) == 1, has_one_outcome)
    largest = float(steps.max())
    knees = np.append(np.linspace(steps.min(), EXTRAPOLATION_LIMIT * largest, _KNEES), inf)
    kept = _kept(knees, steps, margin)
    ratios, likelihoods = _fitted(kept, np.bincount(place), np.bincount(place, is_success))
    profile = likelihoods.max(axis=1)
    best = np.unravel_index(int(likelihoods.argmax()), likelihoods.shape)
    expected = (ratios[best] * kept[best])[place]
    # Runs that differ more than chance widen the interval, as a quasi-likelihood does.
    squares = np.bincount(run, is_success - expected) ** 2 / np.bincount(run, expected * (1 - expected))
    freedom = len(names) - 2
    dispersion = max(1.0, float(squares.sum() / freedom))
    deviance = 2 * (profile.max() - profile) / dispersion
    held = knees[deviance <= stats.f.ppf(level, 1, freedom)]
    low, high = float(held.min()), float(held.max())
    return Knee(
        interval=Interval(float(knees[best[0]]), None if isinf(low) else low, None if isinf(high) else high),
        margin=margin,
        ratio=float(ratios[best]),
        n=len(rows),
        run_count=len(names),
        largest_observed=largest,
        level=level,
        dispersion=dispersion,
        definition=definition,
    )


def _kept(knees: np.ndarray, steps: np.ndarray, margin: float) -> np.ndarray:
    """Return the share of quality that is kept: an axis of knees, one of widths of the fall, one of `steps`.

    A fall begins a width before its knee, at the first step or later: what is lost is lost from a level that
    was observed.
    """
    finite = np.where(np.isinf(knees), steps.max(), knees)
    reach = np.maximum(finite - steps.min(), _NARROWEST * steps.max())
    widths = np.geomspace(np.full_like(reach, _NARROWEST * steps.max()), reach, _WIDTHS, axis=1)
    beyond = np.maximum(0.0, steps - (finite[:, None] - widths)[:, :, None])
    falling = np.exp(log(1 - margin) * beyond / widths[:, :, None])
    found: np.ndarray = np.where(np.isinf(knees)[:, None, None], 1.0, falling)
    return found


def _fitted(kept: np.ndarray, n: np.ndarray, successes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ratio at low concurrency that fits each shape best, and its log-likelihood."""
    ratios = (kept @ successes) / (kept**2 @ n)
    for _ in range(_STEPS):
        expected = np.clip(ratios[:, :, None] * kept, 1e-6, 1 - 1e-6)
        weights = kept / (expected * (1 - expected))
        ratios = ratios + (weights * (successes - n * expected)).sum(axis=2) / (weights * kept * n).sum(
            axis=2
        )
    expected = np.clip(ratios[:, :, None] * kept, 1e-6, 1 - 1e-6)
    return ratios, successes @ np.log(expected).transpose(0, 2, 1) + (n - successes) @ np.log1p(
        -expected
    ).transpose(0, 2, 1)
