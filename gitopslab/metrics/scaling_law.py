"""Throughput against concurrency: the universal scalability law, its knee, and how far it may be trusted.

Gunther (2007), "Guerrilla Capacity Planning": with N at once, throughput is

    X(N) = rate / (1 + contention (N - 1) + coherence N (N - 1)) N

`contention` is the share of the work that is done one after another, `coherence` what each pair costs the
other. Without coherence it is Amdahl's law, which never falls; without both it is a straight line. A law that
was fitted below its knee says little of where the knee is, so what lies beyond what was observed is refused.
"""

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from scipy import stats

from gitopslab.metrics.definitions import Definition

SCALING_LAW = Definition(
    "scaling_law",
    "sessions an hour",
    "a window of steady concurrency",
    "its end; throughput is completions by hours",
    "Gunther, universal scalability law with three parameters; knee at sqrt((1 - contention) / coherence)",
)

EXTRAPOLATION_LIMIT = 1.2
"""A law says nothing of more than this times the largest concurrency observed."""

UNIVERSAL = "universal scalability law"
AMDAHL = "Amdahl's law"
LINEAR = "a straight line"


@dataclass(frozen=True)
class ScalingLaw:
    """A universal scalability law.

    Attributes:
        rate: Completions an hour of a single session.
        contention: Share of the work that cannot be done side by side (sigma).
        coherence: What every pair of sessions costs (kappa).
    """

    rate: float
    contention: float
    coherence: float

    @property
    def knee(self) -> float:
        """The concurrency at which throughput is highest; infinite without coherence."""
        return sqrt(max(0.0, 1 - self.contention) / self.coherence) if self.coherence else inf

    def throughput(self, concurrency: float) -> float:
        """Return completions an hour with so many at once."""
        return float(throughputs(np.array([self.rate, self.contention, self.coherence]), concurrency))


@dataclass(frozen=True)
class Interval:
    """An estimate with the interval that holds it at the level asked for; None: that end is not known."""

    estimate: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.low is None:
            return (
                f"{self.estimate:.3g}"
                if self.high is None
                else f"{self.estimate:.3g} (up to {self.high:.3g})"
            )
        end = "or more" if self.high is None else f"to {self.high:.3g}"
        return f"{self.estimate:.3g} ({self.low:.3g} {end})"


@dataclass(frozen=True)
class BeyondObserved:
    """The answer where a law would be stretched too far.

    Attributes:
        concurrency: What was asked for.
        largest_observed: The largest concurrency that there is a window of.
    """

    concurrency: float
    largest_observed: float

    def __str__(self) -> str:
        limit = EXTRAPOLATION_LIMIT * self.largest_observed
        return (
            f"No throughput is predicted for {self.concurrency:.3g} at once: the largest observed is"
            f" {self.largest_observed:.3g}, and nothing is said beyond {limit:.3g}."
        )


@dataclass(frozen=True, eq=False)
class ScalingFit:
    """A scaling law fitted to what was observed, and how sure it is.

    Attributes:
        law: The universal law that fits best.
        best: The name of the law that Akaike's criterion prefers.
        criteria: Akaike's criterion, corrected for few observations, by name of the law; the least is best.
        resampled: Parameters (rate, contention, coherence) of each resample, a row each.
        n: Windows, or sessions where the law was fitted to those.
        run_count: Runs that they are from.
        largest_observed: The largest concurrency observed.
        level: Level of the intervals.
        residual_p_value: How often chance makes residuals look as much like a curve that the law misses;
            None where that was not tested.
        unit: What `n` counts.
        definition: What was measured.
    """

    law: ScalingLaw
    best: str
    criteria: dict[str, float]
    resampled: np.ndarray
    n: int
    run_count: int
    largest_observed: float
    level: float
    residual_p_value: float | None = None
    unit: str = "steady windows"
    definition: Definition = SCALING_LAW

    @property
    def contention(self) -> Interval:
        """Sigma, with its interval."""
        return self._interval(self.law.contention, self.resampled[:, 1])

    @property
    def coherence(self) -> Interval:
        """Kappa, with its interval."""
        return self._interval(self.law.coherence, self.resampled[:, 2])

    @property
    def knee(self) -> Interval | None:
        """Where throughput is highest; None where that is beyond what may be said.

        An end of the interval is None where it lies beyond what may be said.
        """
        found = self.knee_of_universal_law
        return found if self.best == UNIVERSAL and found.estimate <= self._limit else None

    @property
    def knee_of_universal_law(self) -> Interval:
        """The knee if the universal law holds, whichever law is preferred; its estimate may be infinite."""
        with np.errstate(divide="ignore"):
            knees = np.sqrt(np.clip(1 - self.resampled[:, 1], 0, None) / self.resampled[:, 2])
        low, high = (float(np.quantile(knees, q, method="inverted_cdf")) for q in self._tails)
        limit = self._limit
        return Interval(self.law.knee, low if low <= limit else None, high if high <= limit else None)

    def predict(self, concurrency: float) -> Interval | BeyondObserved:
        """Return completions an hour with so many at once, or that it is too far from what was observed."""
        if concurrency > self._limit:
            return BeyondObserved(concurrency, self.largest_observed)
        return self._interval(self.law.throughput(concurrency), throughputs(self.resampled.T, concurrency))

    def __str__(self) -> str:
        counted = (
            f"{self.n:,} {self.unit} of {self.run_count:,} runs, at most {self.largest_observed:.3g} at once"
        )
        misfit = self.residual_p_value is not None and self.residual_p_value < 1 - self.level
        doubt = " The law misses a pattern in them." if misfit else ""
        return f"{self._knee_in_words()} ({counted}).{doubt}"

    @property
    def _tails(self) -> tuple[float, float]:
        """Where intervals end among resamples: wider for few runs (Hesterberg 2015)."""
        freedom = self.run_count - 1
        score = sqrt(self.run_count / freedom) * stats.t.ppf((1 - self.level) / 2, freedom)
        tail = float(stats.norm.cdf(score))
        return tail, 1 - tail

    @property
    def _limit(self) -> float:
        return EXTRAPOLATION_LIMIT * self.largest_observed

    def _knee_in_words(self) -> str:
        knee = self.knee
        if knee is None:
            low = self.knee_of_universal_law.low
            from_here = "" if low is None else f"; if there is one, it is at {low:.3g} or more"
            return (
                f"No knee of throughput within what was observed: {self.best} fits best"
                f"{from_here}, {self.level:.0%} sure"
            )
        since = "not known" if knee.low is None else f"{knee.low:.3g}"
        until = f"more than {self._limit:.3g}" if knee.high is None else f"{knee.high:.3g}"
        return (
            f"Throughput is highest with {knee.estimate:.3g} at once, {self.level:.0%} interval {since} to"
            f" {until}; there it is {self.law.throughput(knee.estimate):.3g} an hour"
        )

    def _interval(self, estimate: float, resampled: np.ndarray) -> Interval:
        low, high = np.quantile(resampled, self._tails).tolist()
        return Interval(estimate, low, high)


def throughputs(parameters: np.ndarray, concurrency: "np.ndarray | float") -> np.ndarray:
    """Return completions an hour by rate, contention and coherence (each a number, or one a resample)."""
    rate, contention, coherence = parameters
    others = np.maximum(0.0, np.asarray(concurrency) - 1)
    slowdown = 1 + contention * others + coherence * concurrency * others
    found: np.ndarray = rate * concurrency / slowdown
    return found
