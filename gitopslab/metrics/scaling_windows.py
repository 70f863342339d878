"""The scaling law from steady windows: how many sessions were completed at each level of concurrency."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log

import numpy as np
from scipy import optimize

from gitopslab.metrics.durations import Bootstrap
from gitopslab.metrics.run_resampling import run_weights
from gitopslab.metrics.scaling_law import AMDAHL, LINEAR, UNIVERSAL, ScalingFit, ScalingLaw, throughputs
from gitopslab.metrics.steady_state import SteadyWindow

_FREE = {UNIVERSAL: 3, AMDAHL: 2, LINEAR: 1}
# A curve of three parameters needs a level below, one above, and one that tells them from a line.
_FEWEST_LEVELS = 3
_FEWEST_WINDOWS = 6
_FEWEST_RUNS = 3
# Levels closer than this share are one level.
_SAME_LEVEL = 0.1
_PERMUTATIONS = 999


@dataclass(frozen=True)
class TooFewWindows:
    """The answer where windows do not bear a curve.

    Attributes:
        window_count: How many there are.
        level_count: How many levels of concurrency, a tenth apart.
        run_count: How many runs.
    """

    window_count: int
    level_count: int
    run_count: int

    def __str__(self) -> str:
        return (
            f"No scaling law: {self.window_count:,} steady windows at {self.level_count:,} levels of"
            f" concurrency in {self.run_count:,} runs; it takes {_FEWEST_WINDOWS} at {_FEWEST_LEVELS} in"
            f" {_FEWEST_RUNS}."
        )


@dataclass(frozen=True, eq=False)
class _Completions:
    """What windows saw.

    Attributes:
        at_once: Concurrency of each.
        hours: How long each lasted.
        count: Sessions completed in each.
    """

    at_once: np.ndarray
    hours: np.ndarray
    count: np.ndarray

    def expected(self, parameters: np.ndarray) -> np.ndarray:
        """Return the completions that a law expects."""
        found: np.ndarray = np.maximum(throughputs(parameters, self.at_once) * self.hours, 1e-9)
        return found

    def residuals(self, parameters: np.ndarray) -> np.ndarray:
        """Return how many times the root of what is expected each window is off."""
        expected = self.expected(parameters)
        found: np.ndarray = (self.count - expected) / np.sqrt(expected)
        return found


def fit_scaling_law(
    windows: Sequence[SteadyWindow], bootstrap: Bootstrap, *, level: float = 0.9
) -> ScalingFit | TooFewWindows:
    """Return the law that fits throughput in steady windows, with intervals from resampled runs.

    Least squares of completions, of which a window has as much scatter as their square root: so long
    windows weigh as much more as they know more.

    Args:
        windows: Of one population: one model, one queue, no change point within.
        bootstrap: How runs are resampled; 500 take about a second.
        level: Level of the intervals.
    """
    runs = [window.run for window in windows]
    seen = _Completions(
        at_once=np.array([window.concurrency for window in windows]),
        hours=np.array([window.hours for window in windows]),
        count=np.array([window.completed_count for window in windows], dtype=float),
    )
    levels = _level_count(seen.at_once)
    if len(windows) < _FEWEST_WINDOWS or levels < _FEWEST_LEVELS or len(set(runs)) < _FEWEST_RUNS:
        return TooFewWindows(len(windows), levels, len(set(runs)))
    sure = np.ones(len(windows))
    start = np.array([float(np.median(seen.count / seen.hours / seen.at_once)), 0.01, 0.0001])
    fitted = {name: _fit(seen, sure, start, free) for name, free in _FREE.items()}
    criteria = {
        name: _criterion(seen.residuals(parameters), _FREE[name]) for name, parameters in fitted.items()
    }
    universal = fitted[UNIVERSAL]
    resampled = [_fit(seen, weights, universal, _FREE[UNIVERSAL]) for weights in run_weights(runs, bootstrap)]
    by_concurrency = seen.residuals(universal)[np.argsort(seen.at_once, kind="stable")]
    return ScalingFit(
        law=ScalingLaw(*universal.tolist()),
        best=min(criteria, key=lambda name: (criteria[name], _FREE[name])),
        criteria=criteria,
        resampled=np.array(resampled),
        n=len(windows),
        run_count=len(set(runs)),
        largest_observed=float(seen.at_once.max()),
        level=level,
        residual_p_value=_pattern(by_concurrency, bootstrap.seed),
    )


def _fit(seen: _Completions, weights: np.ndarray, start: np.ndarray, free: int) -> np.ndarray:
    """Return the parameters that fit best; those after the first `free` are 0."""
    kept = weights > 0
    part = _Completions(seen.at_once[kept], seen.hours[kept], seen.count[kept])
    root = np.sqrt(weights[kept])
    others = np.maximum(0.0, part.at_once - 1)
    largest = max(1.0, float(part.at_once.max()))
    # In units in which all three are around 1: the optimizer's steps are.
    scale = np.array([start[0], 1 / largest, 1 / largest**2])

    def whole(scaled: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.concatenate([scaled, np.zeros(3 - free)]) * scale
        return found

    def residuals(scaled: np.ndarray) -> np.ndarray:
        found: np.ndarray = root * part.residuals(whole(scaled))
        return found

    def jacobian(scaled: np.ndarray) -> np.ndarray:
        parameters = whole(scaled)
        expected = part.expected(parameters)
        slowdown = 1 + parameters[1] * others + parameters[2] * part.at_once * others
        shares = np.column_stack(
            [np.full_like(others, 1 / parameters[0]), -others / slowdown, -part.at_once * others / slowdown]
        )
        by_share = -root * (part.count + expected) / (2 * np.sqrt(expected))
        found: np.ndarray = by_share[:, None] * (shares * scale)[:, :free]
        return found

    bounds = (np.array([1e-6, 0, 0])[:free], np.array([inf, largest, inf])[:free])
    first = np.clip((start / scale)[:free], bounds[0] + 1e-6, bounds[1] - 1e-6)
    return whole(optimize.least_squares(residuals, first, jacobian, bounds=bounds, xtol=1e-6, ftol=1e-6).x)


def _criterion(residuals: np.ndarray, free: int) -> float:
    """Return Akaike's criterion of a least squares fit, corrected for few observations (Hurvich and Tsai)."""
    n, k = len(residuals), free + 1
    correction = 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else inf
    return n * log(max(float(np.mean(residuals**2)), 1e-12)) + 2 * k + correction


def _level_count(at_once: np.ndarray) -> int:
    """Return how many levels there are, a tenth apart."""
    count, last = 0, -inf
    for level in sorted(at_once.tolist()):
        if level > last * (1 + _SAME_LEVEL) or not count:
            count, last = count + 1, level
    return count


def _pattern(residuals: np.ndarray, seed: int) -> float:
    """Return how often shuffled residuals, in order of concurrency, are as like their neighbours."""
    observed = float(residuals[1:] @ residuals[:-1])
    shuffled = np.random.default_rng(seed).permuted(np.tile(residuals, (_PERMUTATIONS, 1)), axis=1)
    as_much = np.count_nonzero((shuffled[:, 1:] * shuffled[:, :-1]).sum(axis=1) >= observed)
    return float((as_much + 1) / (_PERMUTATIONS + 1))
