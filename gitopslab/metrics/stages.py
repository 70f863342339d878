"""Where the time of a change goes: the stages it passes, whose seconds add up to its lead time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gitopslab.metrics.definitions import STAGE_DURATION
from gitopslab.metrics.durations import FEWEST, Bootstrap, DurationSummary, human, summarize

if TYPE_CHECKING:
    import pandas as pd

# Two standard errors or so hold the share at the level that the intervals of durations have.
_Z = 1.96
# A stage that takes this share of a change's time is its story.
_MOST_OF_IT = 0.6


@dataclass(frozen=True)
class Stage:
    """A part of the way from a main branch to a healthy environment.

    Attributes:
        column: Its seconds in queries/marts/changes_in_window.sql.
        name: What stands in figures and tables.
        doing: What the change does in it, as a sentence goes on after "2 h".
        is_working: Whether something worked on the change, rather than the change waited for it.
    """

    column: str
    name: str
    doing: str
    is_working: bool


STAGES = (
    Stage("build_wait_seconds", "wait for build", "waiting for its build", is_working=False),
    Stage("build_seconds", "build", "in its build", is_working=True),
    Stage("pin_wait_seconds", "wait for pin", "waiting for its pin", is_working=False),
    Stage("hydrate_wait_seconds", "wait for hydration", "waiting for hydration", is_working=False),
    Stage("promote_wait_seconds", "wait for promotion", "waiting for promotion", is_working=False),
    Stage("sync_wait_seconds", "wait for sync", "waiting for its sync", is_working=False),
    Stage("sync_seconds", "sync", "in its sync", is_working=True),
    Stage("health_seconds", "becoming healthy", "becoming healthy", is_working=True),
)
COLUMNS = [stage.column for stage in STAGES]


TYPICAL = "typical"
SLOWEST = "slowest"


@dataclass(frozen=True)
class StageMeans:
    """How long each stage took on average, in some of the changes to an environment.

    Attributes:
        environment: The environment.
        changes: Which changes: `typical` (the fifth in the middle, by lead time) or `slowest` (the last
            tenth); of few changes as many more that they are 8.
        n: How many they are.
        seconds: Mean seconds by name of the stage, in order; they sum to `total_seconds`.
        total_seconds: Mean lead time of these changes.
    """

    environment: str
    changes: str
    n: int
    seconds: dict[str, float]
    total_seconds: float

    @property
    def longest(self) -> tuple[Stage, float]:
        """The stage that takes most of it, and its share."""
        stage = max(STAGES, key=lambda stage: self.seconds[stage.name])
        return stage, self.seconds[stage.name] / self.total_seconds if self.total_seconds else 0.0

    def __str__(self) -> str:
        stage, share = self.longest
        of = f"the {self.n:,} changes in the middle" if self.changes == TYPICAL else f"the {self.n:,} slowest"
        return (
            f"{self.environment}: of the {human(self.total_seconds)} that {of} took on average,"
            f" {share:.0%} went by {stage.doing}."
        )


@dataclass(frozen=True)
class StageDuration:
    """How long one stage took changes to an environment.

    Attributes:
        environment: The environment.
        stage: Name of the stage.
        is_working: Whether something worked on the change in it.
        duration: Its seconds; changes that it took no time are counted.
        share: Its part of all the lead time of these changes; None for fewer than 8.
    """

    environment: str
    stage: str
    is_working: bool
    duration: DurationSummary
    share: float | None


@dataclass(frozen=True)
class Working:
    """How much of the time something worked on the changes to an environment, rather than they waited.

    Attributes:
        environment: The environment.
        n: How many changes were delivered there.
        share: Working seconds of all of them, of all their lead times; None for fewer than 8.
        low: Lower end of its 95% interval (delta method).
        high: Upper end of it.
    """

    environment: str
    n: int
    share: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.share is None or self.low is None or self.high is None:
            return f"{self.environment}: {self.n:,} delivered, too few to say how much of it was work."
        return (
            f"{self.environment}: {self.share:.1%} of all time was work"
            f" (95% interval {self.low:.1%} to {self.high:.1%}, {self.n:,} changes), the rest waiting."
        )


def stage_means(changes: "pd.DataFrame", environment: str) -> list[StageMeans]:
    """Return the stages of typical changes and, where they are others, of the slowest; none for fewer than 8.

    Medians of stages do not add up to the median of the whole; means of the same changes do.

    Args:
        changes: Changes of one environment.
        environment: Its name.
    """
    timed = changes[changes["lead_seconds"].notna()].sort_values(["lead_seconds", "sha"], kind="stable")
    n = len(timed)
    if n < FEWEST:
        return []
    middle, last = max(FEWEST, n // 5), max(FEWEST, n // 10)
    start = (n - middle) // 2
    parts = [(TYPICAL, timed.iloc[start : start + middle])]
    if n >= 2 * FEWEST:
        parts.append((SLOWEST, timed.iloc[n - last :]))
    return [_means(environment, name, part) for name, part in parts]


def stage_durations(changes: "pd.DataFrame", environment: str, bootstrap: Bootstrap) -> list[StageDuration]:
    """Return how long each stage took, in order; stages that took no change any time are left out.

    Args:
        changes: Changes of one environment.
        environment: Its name.
        bootstrap: How intervals are made.
    """
    timed = changes[changes["lead_seconds"].notna()]
    total = float(timed["lead_seconds"].sum())
    found = []
    for stage in STAGES:
        seconds = timed[stage.column]
        if not seconds.any():
            continue
        duration = summarize(seconds.tolist(), STAGE_DURATION, seed=bootstrap.seed, samples=bootstrap.samples)
        share = float(seconds.sum()) / total if len(timed) >= FEWEST else None
        found.append(StageDuration(environment, stage.name, stage.is_working, duration, share))
    return found


def working(changes: "pd.DataFrame", environment: str) -> Working:
    """Return how much of the lead time of one environment's changes was work."""
    timed = changes[changes["lead_seconds"].notna()]
    n, total = len(timed), float(timed["lead_seconds"].sum())
    if n < FEWEST or not total:
        return Working(environment, n, None, None, None)
    worked = timed[[stage.column for stage in STAGES if stage.is_working]].sum(axis=1)
    share = float(worked.sum()) / total
    residuals = worked - share * timed["lead_seconds"]
    error = _Z * float(np.sqrt(n / (n - 1) * (residuals**2).sum())) / total
    return Working(environment, n, share, max(0.0, share - error), min(1.0, share + error))


def story(seconds: Mapping[Any, float]) -> str:
    """Return where the time of one change went, longest first: `2 d 4 h waiting for its pin, …`.

    Args:
        seconds: Seconds by column of the stages.
    """
    total = sum(seconds[stage.column] for stage in STAGES)
    if not total:
        return ""
    longest = sorted(STAGES, key=lambda stage: -seconds[stage.column])
    told = longest[:1] if seconds[longest[0].column] >= _MOST_OF_IT * total else longest[:2]
    return ", ".join(f"{human(seconds[stage.column])} {stage.doing}" for stage in told)


def _means(environment: str, name: str, changes: "pd.DataFrame") -> StageMeans:
    means = [float(changes[stage.column].mean()) for stage in STAGES]
    seconds = {stage.name: mean for stage, mean in zip(STAGES, means, strict=True)}
    return StageMeans(environment, name, len(changes), seconds, sum(means))
