"""How many instances the platform lets a benchmark run have at once, as the application computes it.

This is what the application believes: it adds up flavors, pools the room of all nodes and takes a missing
borrowing limit for none. What is really possible is in the truth.

Source: workflow-builder, src/lib/server/benchmarks/{runtime,sandbox,evaluation}-capacity.ts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import floor, inf
from typing import Literal

from gitopslab.world.capacity.layout import Amounts, QueueLayout

Mode = Literal["manual", "auto", "kueue"]
_MANUAL_GLOBAL = 56


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the platform knows of its own limits; inf is unknown, or none.

    Attributes:
        runtime_slots: Replicas of the agent runtime times the slots of each.
        dapr_slots: Replicas times the workflows that a sidecar takes.
        runtime_sessions: Sessions that the runtime's pool allows.
        parent: Workflows that the parent orchestrator takes.
        configured: The configured limit of inferences of all runs.
        agent_turns: Active turns of agent workflows.
        sandboxes: The configured limit of sandboxes.
        all_sandboxes: Sandboxes that would fit on nodes with nothing else there.
        schedulable_sandboxes: Sandboxes that fit now.
        schedulable_instances: Whole instances that fit now, by nodes and by Kueue's quota.
        model_requests: Requests that the model takes at once.
    """

    mode: Mode = "kueue"
    runtime_slots: float = 10
    dapr_slots: float = 10
    runtime_sessions: float = inf
    parent: float = inf
    configured: float = inf
    agent_turns: float = inf
    sandboxes: float = inf
    all_sandboxes: float = inf
    schedulable_sandboxes: float = inf
    schedulable_instances: float = inf
    model_requests: float = inf


@dataclass(frozen=True)
class Pressure:
    """Why a launch is held back.

    Attributes:
        reasons: In the application's words.
        factor: By which the number is cut.
        is_hard: Whether nothing may start at all.
    """

    reasons: tuple[str, ...] = ()
    factor: float = 1.0
    is_hard: bool = False


@dataclass(frozen=True)
class Concurrency:
    """What a run gets.

    Attributes:
        effective: Instances at once; 0 is legal, and lets no run start.
        limiters: What it was cut by; one that was not applied may be listed, if its number is the same.
    """

    requested: int
    deterministic: int
    pressure_adjusted: int
    effective: int
    limiters: tuple[str, ...]

    @property
    def reason(self) -> str | None:
        """The limiters in one word, as the application stores them."""
        return "+".join(self.limiters) or None


def effective_concurrency(
    requested: int, selected: int, limits: Limits, pressure: Pressure | None = None
) -> Concurrency:
    """Return how many of `selected` instances may run at once where `requested` were asked for."""
    pressure, selected = pressure or Pressure(), max(1, selected)
    runtime_most = min(limits.runtime_slots, limits.dapr_slots, limits.runtime_sessions)
    is_kueue = limits.mode == "kueue"
    has_instances = is_kueue and limits.schedulable_instances != inf
    schedulable = limits.schedulable_instances if has_instances else limits.schedulable_sandboxes
    overall = _overall(limits, runtime_most)
    lowest = min(
        requested,
        selected,
        inf if is_kueue else runtime_most,
        limits.parent,
        overall,
        limits.agent_turns,
        limits.sandboxes,
        schedulable,
        limits.model_requests,
    )
    deterministic = max(0, int(lowest))
    caps = {
        "selected_instance_count": selected,
        "runtime_capacity": limits.runtime_slots,
        "dapr_parent_capacity": limits.parent,
        "dapr_workflow_capacity": limits.dapr_slots,
        "global_max": inf if limits.mode == "auto" and limits.configured == inf else overall,
        "agent_workflow_capacity": limits.agent_turns,
        "sandbox_capacity": limits.sandboxes,
        "kueue_capacity" if has_instances else "sandbox_schedulable_capacity": schedulable,
        "model_capacity": limits.model_requests,
    }
    limiters = [name for name, cap in caps.items() if requested > cap and deterministic == max(0, cap)]
    limiters += [reason for reason in pressure.reasons if reason not in limiters]
    adjusted = 0 if pressure.is_hard else max(1, floor(deterministic * pressure.factor))
    return Concurrency(requested, deterministic, adjusted, min(deterministic, adjusted), tuple(limiters))


def _overall(limits: Limits, runtime_most: float) -> float:
    if limits.mode == "kueue":
        return inf
    if limits.configured != inf:
        return limits.configured
    if limits.mode == "manual":
        return _MANUAL_GLOBAL
    total = limits.schedulable_sandboxes if limits.all_sandboxes == inf else limits.all_sandboxes
    return min(runtime_most, limits.agent_turns, limits.sandboxes, total, limits.model_requests)


def queue_slots(
    layout: QueueLayout, used: Mapping[str, Decimal], request: Amounts, *, with_borrowing: bool = False
) -> int:
    """Return how often `request` fits into what a queue has left, reckoned as the application does.

    Flavors are added up as if one pod could lie across them; `with_borrowing` adds the borrowing limits,
    a missing one as 0.
    """
    left: dict[str, Decimal] = {}
    for flavor in layout.flavors:
        for resource, quota in flavor.quotas.items():
            extra = (quota.borrowing_limit or Decimal(0)) if with_borrowing else Decimal(0)
            left[resource] = left.get(resource, Decimal(0)) + quota.nominal + extra
    return min(
        int(max(Decimal(0), left[resource] - used.get(resource, Decimal(0))) // amount)
        for resource, amount in request.items()
        if amount and resource in left
    )


def evaluation_concurrency(requested: int, instances: int, slots: int, pressure: Pressure) -> tuple[int, str]:
    """Return how many evaluators a run gets, never 0, and why no more; empty where that is what it asked."""
    asked = min(max(1, min(requested, 128)), instances)
    effective, reason = asked, ""
    if slots < asked:
        effective, reason = max(1, slots), "kueue_eval_capacity"
    if pressure.is_hard:
        effective, reason = 1, "cluster_pressure"
    elif pressure.factor < 1:
        effective, reason = max(1, floor(effective * pressure.factor)), "cluster_pressure"
    return max(1, min(effective, instances)), reason
