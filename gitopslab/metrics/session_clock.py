"""The scaling law from how long each session took, whatever concurrency did meanwhile: a second opinion.

Steady windows are rare where runs are short. But a session that had others around it tells how much they
slowed it, if it is known how much work it had. Its clock is taken to run slower by

    slowdown(N) = 1 + contention (N - 1) + coherence N (N - 1)

while N are in flight, so that the work it had is the integral of 1 / slowdown(N(t)) over its life. Work is
taken to be lognormal. That is an accelerated failure time model with a covariate that changes with time (Cox
and Oakes 1984, "Analysis of Survival Data", chapter 8), fitted by maximum likelihood. It needs no window:
start-up and drain tell as much as the rest, and a long session that outlived the others misleads nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

from gitopslab.metrics.definitions import Definition
from gitopslab.metrics.durations import Bootstrap
from gitopslab.metrics.in_flight import InFlight, epoch_seconds, in_flight
from gitopslab.metrics.run_resampling import run_weights
from gitopslab.metrics.scaling_law import AMDAHL, LINEAR, UNIVERSAL, ScalingFit, ScalingLaw

if TYPE_CHECKING:
    import pandas as pd

SESSION_CLOCK = Definition(
    "session_clock",
    "sessions an hour",
    "a session began to work",
    "it was completed; its work is the time in between, at the speed that concurrency left it",
    "Cox and Oakes 1984: accelerated failure time with a covariate of time; the universal scalability law",
)

_FEWEST = 30
_FEWEST_RUNS = 3
_FREE = {UNIVERSAL: 2, AMDAHL: 1, LINEAR: 0}
_LEAST_VARIANCE = 1e-6
"""Of the logarithm of work: clocks do not tell sessions apart by less than a thousandth."""


@dataclass(frozen=True)
class TooFewSessions:
    """The answer where sessions do not bear a curve.

    Attributes:
        session_count: How many were completed.
        run_count: In how many runs.
    """

    session_count: int
    run_count: int

    def __str__(self) -> str:
        return (
            f"No scaling law: {self.session_count:,} sessions were completed in {self.run_count:,} runs;"
            f" it takes {_FEWEST} in {_FEWEST_RUNS}."
        )


@dataclass(frozen=True, eq=False)
class _Lives:
    """Sessions that are over on the step function of all of them.

    Attributes:
        flight: Sessions in flight.
        first: The step that each began with.
        last: The step that each ended at.
        at_end: How many were in flight just before it ended, itself too.
        work_units: What its work is proportional to, as far as is known; 1 otherwise.
        is_completed: Whether it did what it was to do.
        is_fitted: Whether its time tells of the law: it was completed, and its work is known.
    """

    flight: InFlight
    first: np.ndarray
    last: np.ndarray
    at_end: np.ndarray
    work_units: np.ndarray
    is_completed: np.ndarray
    is_fitted: np.ndarray

    def between(self, weight: np.ndarray) -> np.ndarray:
        """Return the integral of `weight`, which holds with each step, over each session's life."""
        up_to = np.concatenate([[0.0], np.cumsum(weight * self.flight.seconds)])
        found: np.ndarray = up_to[self.last] - up_to[self.first]
        return found


def fit_session_clock(
    sessions: "pd.DataFrame", bootstrap: Bootstrap, *, level: float = 0.9
) -> ScalingFit | TooFewSessions:
    """Return the scaling law that explains how long sessions took, with intervals from resampled runs.

    Sessions that ended without being completed are not fitted. They count as in flight while they were, and
    the time they took is lost: a rate is of completions by the time of all.

    Args:
        sessions: As for `steady_windows`: `run`, `started_at`, `ended_at`, `is_completed`; and `work_units`,
            if it is known what a session's work is proportional to, such as its turns.
        bootstrap: How runs are resampled.
        level: Level of the intervals.
    """
    lives, runs = _lives(sessions)
    n, run_count = int(lives.is_fitted.sum()), len(set(runs[lives.is_fitted]))
    if n < _FEWEST or run_count < _FEWEST_RUNS:
        return TooFewSessions(n, run_count)
    sure = np.ones(len(runs))
    fitted = {name: _fit(lives, sure, free, np.full(2, 0.1)) for name, free in _FREE.items()}
    # Akaike's, corrected: location and spread of the work are parameters, too.
    criteria = {
        name: 2 * loss + 2 * k + 2 * k * (k + 1) / (n - k - 1)
        for name, (_, loss) in fitted.items()
        for k in [_FREE[name] + 2]
    }
    universal, _ = fitted[UNIVERSAL]
    resampled = []
    for weights in _resamples(lives, runs, bootstrap):
        slowing, _ = _fit(lives, weights, _FREE[UNIVERSAL], universal)
        resampled.append(_parameters(lives, weights, slowing))
    return ScalingFit(
        law=ScalingLaw(*_parameters(lives, sure, universal)),
        best=min(criteria, key=lambda name: (criteria[name], _FREE[name])),
        criteria=criteria,
        resampled=np.array(resampled),
        n=n,
        run_count=run_count,
        largest_observed=float(lives.at_end.max()),
        level=level,
        unit="completed sessions",
        definition=SESSION_CLOCK,
    )


def _lives(sessions: "pd.DataFrame") -> tuple[_Lives, np.ndarray]:
    rows = sessions.assign(
        start=epoch_seconds(sessions["started_at"]), end=epoch_seconds(sessions["ended_at"])
    )
    rows = rows[rows["start"].notna()]
    flight = in_flight(rows["start"].to_numpy(), rows["end"].to_numpy())
    over = rows[rows["end"] > rows["start"]]
    start, end = over["start"].to_numpy(), over["end"].to_numpy()
    units = over["work_units"].to_numpy(dtype=float) if "work_units" in over else np.ones(len(over))
    is_completed = over["is_completed"].to_numpy(dtype=bool)
    lives = _Lives(
        flight=flight,
        first=flight.place(start),
        last=flight.place(end),
        at_end=flight.count[flight.place_before(end)].astype(float),
        work_units=np.where(units > 0, units, 1.0),
        is_completed=is_completed,
        is_fitted=is_completed & (units > 0),
    )
    return lives, over["run"].to_numpy(dtype=str)


def _resamples(lives: _Lives, runs: np.ndarray, bootstrap: Bootstrap) -> Iterator[np.ndarray]:
    """Yield weights of resamples; what has no session to be fitted is left out."""
    for weights in run_weights(runs.tolist(), bootstrap):
        if weights @ lives.is_fitted:
            yield weights


def _fit(lives: _Lives, weights: np.ndarray, free: int, start: np.ndarray) -> tuple[np.ndarray, float]:
    """Return what slows sessions, in units of `_scale`, and the negative log-likelihood, up to a constant."""

    def loss(scaled: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = _loss(lives, weights, np.concatenate([scaled, np.zeros(2 - free)]))
        return value, gradient[:free]

    if not free:
        return np.zeros(2), loss(np.zeros(0))[0]
    found = optimize.minimize(loss, start[:free], jac=True, method="L-BFGS-B", bounds=[(0, inf)] * free)
    return np.concatenate([found.x, np.zeros(2 - free)]), float(found.fun)


def _scale(lives: _Lives) -> np.ndarray:
    """Return the contention and the coherence that double the time at the largest concurrency."""
    others = max(1.0, float(lives.at_end.max()) - 1)
    return np.array([1 / others, 1 / (others * (others + 1))])


def _loss(lives: _Lives, weights: np.ndarray, scaled: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the negative log-likelihood with work's location and spread at their best, and its gradient."""
    slowing = scaled * _scale(lives)
    counts = np.maximum(1.0, lives.flight.count.astype(float))
    per_step = np.stack([counts - 1, counts * (counts - 1)])
    at_end = np.stack([lives.at_end - 1, lives.at_end * (lives.at_end - 1)])
    slowdown, last_slowdown = 1 + slowing @ per_step, 1 + slowing @ at_end
    work = lives.between(1 / slowdown)
    change = np.stack([lives.between(-factor / slowdown**2) for factor in per_step]) / work
    logs = np.log(work / lives.work_units)
    weights = weights * lives.is_fitted
    total = weights.sum()
    centred = logs - weights @ logs / total
    variance = weights @ centred**2 / total + _LEAST_VARIANCE
    value = total / 2 * np.log(variance) + weights @ (np.log(work) + np.log(last_slowdown))
    gradient = (change * (weights * centred)).sum(axis=1) / variance
    gradient += change @ weights + (at_end / last_slowdown) @ weights
    return float(value), gradient * _scale(lives)


def _parameters(lives: _Lives, weights: np.ndarray, scaled: np.ndarray) -> tuple[float, float, float]:
    """Return completions an hour of a session alone, contention and coherence."""
    contention, coherence = (scaled * _scale(lives)).tolist()
    counts = np.maximum(1.0, lives.flight.count.astype(float))
    work = lives.between(1 / (1 + contention * (counts - 1) + coherence * counts * (counts - 1)))
    return 3600 * float(weights @ lives.is_completed / (weights @ work)), contention, coherence
