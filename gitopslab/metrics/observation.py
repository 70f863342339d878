"""How one kind of a cluster, or a part of another source, was seen in a window."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple, Self

from gitopslab.metrics.durations import human
from gitopslab.window import Window

RowDict = Mapping[str, Any]

WATCHED = "watched"
BROKEN = "watched with breaks"
LISTED = "polled"
READ = "read"
RECORDED = "files of a watch"
FILED = "from files"
REFUSED = "refused"
UNREACHABLE = "unreachable"
NOT_SERVED = "not served"
OUTSIDE = "seen at other times only"
UNSEEN = "never looked at"

EVERY_KIND = "every kind"

_LOOKS = {"list": LISTED, "read": READ, "file": FILED}
_FAILURES = {"refused": REFUSED, "unreachable": UNREACHABLE, "not_served": NOT_SERVED}
UNKNOWN = (REFUSED, UNREACHABLE, OUTSIDE, UNSEEN)

# A CRD's group is a domain name; these groups without a dot are Kubernetes' own, all others name a system.
_UNDOTTED = {"", "apps", "autoscaling", "batch", "extensions", "policy"}

# A watch notes itself every quarter of an hour, so the last of it may not be noted yet; gaps always are.
_UNNOTED_SECONDS = 1_200.0


class Kind(NamedTuple):
    """A kind of a cluster, or a part of another system: the name of its row."""

    cluster: str
    api_group: str
    resource: str

    @classmethod
    def of(cls, row: RowDict) -> Self:
        """Return the kind that a row of coverage is about."""
        return cls(row["cluster"], row["api_group"], row["resource"])

    @property
    def is_kubernetes(self) -> bool:
        """Whether it is served by an API server, rather than read from git, a database and the like."""
        return "." in self.api_group or self.api_group in _UNDOTTED

    @property
    def name(self) -> str:
        """Plural and group, as kubectl takes them; system and what of it, such as `git commits`."""
        if not self.is_kubernetes:
            return f"{self.api_group} {self.resource}"
        if not self.resource:
            return EVERY_KIND
        return f"{self.resource}.{self.api_group}" if self.api_group else self.resource


@dataclass(frozen=True)
class Observation:
    """How one kind of a cluster was seen in a window.

    Attributes:
        kind: Which.
        state: The best that can be said of it; one of this module's words.
        look_count: How often it was listed, read, or came in files, whatever its state.
        longest_pause_seconds: The longest time between two looks; None for fewer than two.
        missing_seconds: How long of the window nobody watched; None for what was not watched at all.
        break_count: Gaps that were noted in the watch.
        object_count: Objects ever seen.
        version_count: Versions of them ever seen.
        last_observed_at: When it was last seen, ever; None for never.
        message: Why it was refused or not reached.
    """

    kind: Kind
    state: str
    look_count: int
    longest_pause_seconds: float | None
    missing_seconds: float | None
    break_count: int
    object_count: int
    version_count: int
    last_observed_at: datetime | None
    message: str

    def __str__(self) -> str:
        if self.state == BROKEN:
            breaks = "" if not self.break_count else f", {_count(self.break_count, 'break')}"
            return f"watched but for {human(self.missing_seconds or 0)}{breaks}"
        apart = f", up to {human(self.longest_pause_seconds)} apart" if self.longest_pause_seconds else ""
        if self.state in {LISTED, READ}:
            return f"{self.state} {_times(self.look_count)}{apart}"
        if self.state == OUTSIDE and self.last_observed_at:
            return f"not since {self.last_observed_at:%Y-%m-%d}"
        return self.state


def observation(kind: Kind, stretches: Sequence[RowDict], ever: RowDict, window: Window) -> Observation:
    """Return how `kind` was seen in `window`.

    Args:
        kind: Which.
        stretches: Rows of queries/marts/coverage_stretches_in_window.sql about it.
        ever: Its row of queries/facts/resource_coverages.sql; empty where there is none.
        window: The time that is asked about.
    """
    looks = [row for row in stretches if row["state"] in _LOOKS]
    gaps = [row for row in stretches if row["state"] == "gap"]
    is_watched = any(row["state"] == "watch" for row in stretches)
    missing = window.days * 86_400 - _watched_seconds(stretches) if is_watched else None
    failed = max((row for row in stretches if row["state"] in _FAILURES), key=_ends, default=None)
    return Observation(
        kind=kind,
        state=_state(stretches, failed, ever, is_whole=not gaps and (missing or 0) <= _UNNOTED_SECONDS),
        look_count=sum(row["look_count"] for row in looks),
        longest_pause_seconds=_longest_pause(looks),
        missing_seconds=missing,
        break_count=len(gaps),
        object_count=ever.get("object_count", 0),
        version_count=ever.get("version_count", 0),
        last_observed_at=ever.get("last_observed_at"),
        message=(failed or {}).get("message") or "",
    )


def _longest_pause(looks: Sequence[RowDict]) -> float | None:
    """Return the longest time between two looks, be they of one stretch or of two."""
    ordered = sorted(looks, key=lambda row: (row["since"], row["until"]))
    within = [float(row["longest_pause_seconds"]) for row in ordered]
    between = [(after["since"] - before["until"]).total_seconds() for before, after in pairwise(ordered)]
    return max((pause for pause in (*within, *between) if pause > 0), default=None)


def _state(stretches: Sequence[RowDict], failed: RowDict | None, ever: RowDict, *, is_whole: bool) -> str:
    """Return the one word: a watch outweighs looks, and looks outweigh failures that came before them."""
    if any(row["state"] == "watch" for row in stretches):
        return WATCHED if is_whole else BROKEN
    looked = max((row for row in stretches if row["state"] in _LOOKS), key=_ends, default=None)
    if looked is not None and (failed is None or _ends(looked) >= _ends(failed)):
        is_recorded = (
            looked["state"] == "file" and 0 < ever.get("watched_version_count", 0) == ever["version_count"]
        )
        return RECORDED if is_recorded else _LOOKS[looked["state"]]
    if failed is not None:
        return _FAILURES[failed["state"]]
    return OUTSIDE if ever else UNSEEN


def _ends(row: RowDict) -> datetime:
    until: datetime = row["until"]
    return until


def _watched_seconds(stretches: Sequence[RowDict]) -> float:
    """Return how long a watch was on and no gap was noted."""
    turns = sorted(
        turn
        for row in stretches
        if row["state"] in {"watch", "gap"}
        for turn in ((row["since"], row["state"], 1), (row["until"], row["state"], -1))
    )
    open_counts = Counter[str]()
    seconds, before = 0.0, None
    for at, state, step in turns:
        if before is not None and open_counts["watch"] and not open_counts["gap"]:
            seconds += (at - before).total_seconds()
        open_counts[state] += step
        before = at
    return seconds


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
