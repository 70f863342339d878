"""Raise, hold or lower: what limits allow, one step at a time, and what stops or takes back a step."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import floor


class Action(StrEnum):
    """What is recommended."""

    RAISE = "raise"
    HOLD = "hold"
    LOWER = "lower"
    WITHHELD = "withheld"


@dataclass(frozen=True)
class Limit:
    """Something that bounds concurrency.

    Attributes:
        name: What it is.
        value: Sessions at once.
        why: What that rests on, a sentence without a full stop.
        is_shown: Whether more is known to do harm or not to be had, and not merely not known to be safe.
    """

    name: str
    value: int
    why: str
    is_shown: bool = False

    def __str__(self) -> str:
        return f"{self.name[:1].upper()}{self.name[1:]} allows {self.value:,}: {self.why}"


@dataclass(frozen=True)
class Guard:
    """What ends a step.

    Attributes:
        stop_condition: When to go no further, and look.
        rollback_trigger: When to go back at once.
    """

    stop_condition: str
    rollback_trigger: str


@dataclass(frozen=True)
class Decision:
    """What to do about concurrency.

    Attributes:
        action: What is recommended.
        asked: What was asked for.
        current: What was carried so far.
        to: What to set now; as `current` where nothing is to change.
        step: How much more is tried at once at most.
        supported: What every limit allows; None where no limit is known.
        binding: The limit that allows the least.
        is_supported: Whether what was asked for is, in as many steps as it takes.
        reasons: Why, a sentence each.
        guard: What ends the step.
    """

    action: Action
    asked: int
    current: int
    to: int
    step: int
    supported: int | None
    binding: Limit | None
    is_supported: bool
    reasons: tuple[str, ...]
    guard: Guard

    def __str__(self) -> str:
        what = {
            Action.RAISE: f"Raise from {self.current:,} to {self.to:,} at once",
            Action.HOLD: f"Hold at {self.to:,} at once",
            Action.LOWER: f"Lower from {self.current:,} to {self.to:,} at once",
            Action.WITHHELD: "No recommendation is given",
        }[self.action]
        if self.action is Action.WITHHELD:
            return f"{what} for {self.asked:,} at once: {_first(self.reasons)}"
        if self.to == self.asked and self.is_supported:
            return f"{what}: that is what was asked for, and nothing known speaks against it."
        if self.is_supported:
            return f"{what}: {self.asked:,} is supported, {self.step:,} more at a time."
        return f"{what}: {self.asked:,} is not supported{self._because()}."

    def _because(self) -> str:
        if self.binding is not None and self.binding.value < self.asked:
            return f", as {self.binding.name} allows {self.binding.value:,}"
        return f": {self.reasons[0].rstrip('.')}" if self.reasons else ""


def decide(  # noqa: PLR0913 - each is one of the things that a decision weighs
    asked: int,
    current: int,
    limits: Sequence[Limit],
    *,
    blockers: Sequence[str] = (),
    withheld: Sequence[str] = (),
    step_share: float = 0.2,
    guard: Guard,
) -> Decision:
    """Return what to do.

    A raise goes to the least limit, and no further than one step. Concurrency is lowered for a limit that is
    shown, or where fewer were asked for; what is merely not known to be safe holds it where it is.

    Args:
        asked: Sessions at once that were asked for.
        current: What was carried so far.
        limits: Everything that bounds concurrency.
        blockers: Why nothing may be raised now, a sentence each.
        withheld: Why nothing can be said, a sentence each.
        step_share: The share of `current` that a step is.
        guard: What ends the step.
    """
    step = max(1, floor(current * step_share))
    binding = min(limits, key=lambda limit: limit.value, default=None)
    supported = binding.value if binding else None
    allowed = asked if supported is None else min(asked, supported)
    harmful = min((limit for limit in limits if limit.is_shown), key=lambda limit: limit.value, default=None)
    is_supported = not withheld and allowed == asked and not (asked > current and blockers)
    reasons = [*withheld]
    if binding is not None and binding.value < asked:
        reasons += [
            f"{each}." for each in sorted(limits, key=lambda limit: limit.value) if each.value < asked
        ]
    if asked > current:
        reasons += blockers
    action, to = Action.HOLD, current
    if withheld:
        action = Action.WITHHELD
    elif harmful is not None and harmful.value < current:
        action, to = Action.LOWER, max(1, min(asked, harmful.value))
    elif asked < current:
        action, to = Action.LOWER, asked
    elif allowed > current and not blockers:
        action, to = Action.RAISE, min(allowed, current + step)
    return Decision(
        action=action,
        asked=asked,
        current=current,
        to=to,
        step=step,
        supported=supported,
        binding=binding,
        is_supported=is_supported,
        reasons=tuple(dict.fromkeys(reasons)),
        guard=guard,
    )


def _first(reasons: Sequence[str]) -> str:
    return reasons[0] if reasons else "Nothing known allows it."
