"""How the lead time goes with time: estimates of equal stretches, and when it changed for good."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from gitopslab.metrics.change_points import ChangePoint, change_points
from gitopslab.metrics.durations import Bootstrap, DurationSummary, human
from gitopslab.metrics.lead_time import duration, environments
from gitopslab.window import Window

if TYPE_CHECKING:
    import pandas as pd

_STRETCHES = (1, 7, 28, 91)
_MOST_STRETCHES = 16
_LEVEL = 0.01
# Of thousands of changes a difference of seconds is sure, and says nothing to anybody.
_LEAST_RATIO = 1.25
# What changed the lead time was in place before it, or is told as a little later by other clocks.
_BEFORE = timedelta(days=2)
_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class TrendPoint:
    """The change lead time of what came in in a stretch of the window.

    Attributes:
        environment: The environment.
        since: Its beginning.
        until: Its end.
        duration: The change lead time, with open changes counted.
    """

    environment: str
    since: datetime
    until: datetime
    duration: DurationSummary

    @property
    def middle(self) -> datetime:
        """Where a figure draws it."""
        return self.since + (self.until - self.since) / 2


@dataclass(frozen=True)
class PlatformChange:
    """A change of the platform's configuration that arrived.

    Attributes:
        at: When it was healthy.
        environment: Where.
        service: What it changed.
        sha: The commit.
        subject: What its author says of it.
    """

    at: datetime
    environment: str
    service: str
    sha: str
    subject: str

    def __str__(self) -> str:
        what = f"{self.service} in {self.environment} ({self.sha[:12]}: {self.subject})"
        return f"{what}, arrived {self.at:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class Shift:
    """A time from which on changes to an environment took longer, or less long, than before.

    Attributes:
        environment: The environment.
        change: When, and the medians before and after, in seconds.
        nearest: The platform change that arrived last before it, at most two days; which proves nothing.
        nearest_every_days: How many days pass from one such change to the next, for comparison.
    """

    environment: str
    change: ChangePoint
    nearest: PlatformChange | None
    nearest_every_days: float | None

    def __str__(self) -> str:
        before, after = human(self.change.before), human(self.change.after)
        said = (
            f"{self.environment}: from {self.change.at:%Y-%m-%d %H:%M} UTC on half took {after},"
            f" and {before} before (p = {self.change.p_value:.3f})"
        )
        if self.nearest is None or self.nearest_every_days is None:
            return f"{said}; no configuration change arrived in the two days before."
        return (
            f"{said}; the nearest configuration change, {self.nearest}. One arrives every"
            f" {human(self.nearest_every_days * 86_400)}, so that may be chance."
        )


def trend(changes: "pd.DataFrame", window: Window, bootstrap: Bootstrap) -> list[TrendPoint]:
    """Return the change lead time by environment and day, week, four weeks or quarter of the window.

    Args:
        changes: Rows of queries/marts/changes_in_window.sql.
        window: The window; its stretches count from its beginning.
        bootstrap: How intervals are made.
    """
    length = timedelta(
        days=next((days for days in _STRETCHES if window.days / days <= _MOST_STRETCHES), _STRETCHES[-1])
    )
    found = []
    for environment, part in environments(changes):
        places = (part["committed_at"] - window.since) // length
        for place, rows in part.groupby(places, sort=True):
            since = window.since + int(place) * length
            summary = duration(rows, bootstrap)
            if summary.n or summary.open_count:
                found.append(TrendPoint(environment, since, min(since + length, window.until), summary))
    return found


def shifts(changes: "pd.DataFrame", platform: "pd.DataFrame", window: Window, seed: int) -> list[Shift]:
    """Return when the lead time of delivered changes changed for good, by a quarter or more, by environment.

    Changes that arrive together are taken as if each were for itself, so that a p-value is rather too small.

    Args:
        changes: Rows of queries/marts/changes_in_window.sql.
        platform: Rows of the same of every environment: configuration changes are taken from them.
        window: The window.
        seed: Of the permutations.
    """
    arrived = platform_changes(platform)
    every = window.days / len(arrived) if arrived else None
    found = []
    for environment, part in environments(changes):
        timed = part[part["lead_seconds"] > 0]
        times = timed["committed_at"].dt.to_pydatetime().tolist()
        # What took long takes long by factors: logarithms compare them, and are turned back.
        values = np.log(timed["lead_seconds"].to_numpy()).tolist()
        for change in change_points(times, values, seed=seed, level=_LEVEL):
            if abs(change.after - change.before) < np.log(_LEAST_RATIO):
                continue
            seconds = ChangePoint(
                change.at, float(np.exp(change.before)), float(np.exp(change.after)), change.p_value
            )
            found.append(Shift(environment, seconds, _nearest(arrived, change.at), every))
    return found


def platform_changes(changes: "pd.DataFrame") -> list[PlatformChange]:
    """Return the configuration changes that arrived, in order of time."""
    rows = changes[changes["kind"].eq("config") & changes["healthy_at"].notna()]
    ordered = rows.sort_values(["healthy_at", "environment", "service", "sha"], kind="stable")
    return [
        PlatformChange(row["healthy_at"], row["environment"], row["service"], row["sha"], row["subject"])
        for row in ordered.to_dict("records")
    ]


def _nearest(arrived: Sequence[PlatformChange], at: datetime) -> PlatformChange | None:
    near = [change for change in arrived if at - _BEFORE <= change.at <= at + _AFTER]
    return near[-1] if near else None
