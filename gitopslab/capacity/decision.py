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
        beyond: What more than that meets, a clause; empty: only that the limit ends there.
        likely: Where harm begins by the best estimate; None where there is none.
    """

    name: str
    value: int
    why: str
    is_shown: bool = False
    beyond: str = ""
    likely: float | None = None

    @property
    def clause(self) -> str:
        """Why no more, in a clause."""
        return self.beyond or f"no more than {self.value:,} go by {self.name}"

    def __str__(self) -> str:
        return f"At most {self.value:,} by {self.name}: {self.why}"


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
        against: The limit that speaks against what was asked for, or what runs: one that is shown before
            others; None where none does.
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
    against: Limit | None
    is_supported: bool
    reasons: tuple[str, ...]
    guard: Guard

    def __str__(self) -> str:
        return f"{self.order}. {self._answer()}"

    @property
    def order(self) -> str:
        """What to do, without a full stop: the first thing that a reader wants to know."""
        if self.action is Action.WITHHELD:
            return f"No recommendation for {self.asked:,} at once"
        if self.action is Action.HOLD:
            return f"Hold at {self.to:,}" + (" for now" if self._is_blocked else "")
        move = f"{self.action.value.capitalize()} from {self.current:,} to {self.to:,}"
        if self.action is Action.RAISE and self.to < self.asked:
            return move + (
                ", and no further" if self.to == self.supported else ", and look before the next step"
            )
        if self.action is Action.LOWER:
            return move + (", as asked" if self.to == self.asked else f": {self._why_not}")
        return move

    def _answer(self) -> str:
        """Return what comes of what was asked for, and why."""
        if self.action is Action.WITHHELD:
            return _first(self.reasons)
        if self.is_supported and self.to == self.asked:
            return "Nothing known speaks against it."
        if self.is_supported:
            return f"All {self.asked:,} at once are supported, in steps of {self.step:,}."
        if self.against is None:
            return f"{self.asked:,} at once has to wait: {_first(self.reasons)}"
        verdict = "is not supported" if self.against.is_shown else "is not shown to be safe"
        is_said = self.action is Action.LOWER and self.to != self.asked
        return f"{self.asked:,} at once {verdict}" + ("." if is_said else f": {self._why_not}.")

    @property
    def _why_not(self) -> str:
        return self.against.clause if self.against else "nothing is known of more"

    @property
    def _is_blocked(self) -> bool:
        """Whether limits would let more run, and a gate does not."""
        allowed = self.asked if self.supported is None else min(self.asked, self.supported)
        return allowed > self.current


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
    against = harmful if harmful is not None and harmful.value < max(asked, current) else None
    if against is None and binding is not None and binding.value < asked:
        against = binding
    action, to = Action.HOLD, current
    if withheld:
        action = Action.WITHHELD
    elif harmful is not None and harmful.value < current:
        action, to = Action.LOWER, max(1, min(asked, harmful.value))
    elif asked < current:
        action, to = Action.LOWER, asked
    elif allowed > current and not blockers:
        action, to = Action.RAISE, min(allowed, current + step)
    if action is Action.HOLD and binding is not None and binding.value < current:
        reasons.append(_why_it_stays(current, binding))
    return Decision(
        action=action,
        asked=asked,
        current=current,
        to=to,
        step=step,
        supported=supported,
        binding=binding,
        against=against,
        is_supported=is_supported,
        reasons=tuple(dict.fromkeys(reasons)),
        guard=guard,
    )


def _why_it_stays(current: int, binding: Limit) -> str:
    carried = f"{current:,} at once was carried"
    if binding.likely is None or binding.likely >= current:
        return f"{carried}, and nothing shows that it does harm: it may stay."
    return (
        f"{carried}. By the best estimate harm begins at {binding.likely:.3g} already, which is not sure"
        f" enough to lower it; {max(1, floor(binding.likely)):,} is the careful choice."
    )


def _first(reasons: Sequence[str]) -> str:
    return reasons[0] if reasons else "Nothing known allows it."
