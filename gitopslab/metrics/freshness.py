"""Whether what a recommendation rests on is recent, and of one piece: else it is withheld.

A curve that was fitted to last quarter's platform says nothing of today's, however narrow its interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitopslab.metrics.change_points import ChangePoint
from gitopslab.metrics.durations import human


@dataclass(frozen=True)
class Input:
    """Something that a recommendation rests on.

    Attributes:
        name: What it is, as a sentence begins: "leases", "steady windows of kimi-k2.6".
        first_at: The first time that it tells of; None: it tells of nothing.
        last_at: The last time that it tells of.
        changes: When it changed for good (`change_points`); a change within it means that two platforms are
            pooled, so what lies before the last one is to be left out.
    """

    name: str
    first_at: datetime | None
    last_at: datetime | None
    changes: tuple[ChangePoint, ...] = ()


@dataclass(frozen=True)
class Freshness:
    """Whether a recommendation may be given.

    Attributes:
        reasons: Why it may not, one sentence each; empty if it may.
        as_of: The time that ages are counted to.
        oldest_seconds: The age of the input that is oldest; None without inputs that tell of anything.
    """

    reasons: tuple[str, ...]
    as_of: datetime
    oldest_seconds: float | None

    @property
    def is_withheld(self) -> bool:
        """Whether no recommendation may be given."""
        return bool(self.reasons)

    def __str__(self) -> str:
        if self.reasons:
            return f"No recommendation is given. {' '.join(self.reasons)}"
        if self.oldest_seconds is None:
            return "A recommendation would rest on nothing."
        return f"The oldest input is {human(self.oldest_seconds)} old, and none changed for good within."


def freshness(inputs: Sequence[Input], *, as_of: datetime, limit: timedelta) -> Freshness:
    """Return whether inputs are recent and of one piece.

    Args:
        inputs: What the recommendation rests on; none at all is a reason to withhold it.
        as_of: Now, as the report has it.
        limit: The greatest age: of the last time that an input tells of.
    """
    reasons = [] if inputs else ["It would rest on nothing."]
    for each in inputs:
        reasons += _reasons(each, as_of, limit)
    ages = [(as_of - each.last_at).total_seconds() for each in inputs if each.last_at is not None]
    return Freshness(tuple(reasons), as_of, max(ages, default=None))


def _reasons(each: Input, as_of: datetime, limit: timedelta) -> list[str]:
    if each.first_at is None or each.last_at is None:
        return [f"{_capital(each.name)}: nothing is known of them."]
    found = []
    age = as_of - each.last_at
    if age > limit:
        found.append(
            f"{_capital(each.name)} end at {each.last_at:%Y-%m-%d %H:%M} UTC,"
            f" {human(age.total_seconds())} ago; at most {human(limit.total_seconds())} is allowed."
        )
    if age < timedelta(0):
        found.append(
            f"{_capital(each.name)} end at {each.last_at:%Y-%m-%d %H:%M} UTC, after the report's now."
        )
    within = [change for change in each.changes if each.first_at < change.at <= as_of]
    if within:
        last = max(within, key=lambda change: change.at)
        found.append(
            f"{_capital(each.name)} changed for good at {last.at:%Y-%m-%d %H:%M} UTC, by"
            f" {last.ratio:.2g} times (p = {last.p_value:.3f}): use what came after it only."
        )
    return found


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
