"""What a benchmark run gets at its launch: what the application reckons, and what was really there."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from math import inf

from gitopslab.capacity.cohort_tree import CohortTree
from gitopslab.world.capacity.concurrency import (
    Concurrency,
    Limits,
    Pressure,
    effective_concurrency,
    evaluation_concurrency,
    queue_slots,
)
from gitopslab.world.capacity.layout import COMPOSITE_BUNDLE, EVALUATOR, Amounts, bundle_requests
from gitopslab.world.capacity.runs import Bench, RunPlan

_RUNTIME_SLOTS = 192
"""16 replicas of the coding runtime with 12 slots each."""


@dataclass(frozen=True)
class Launch:
    """A run's concurrency, and what it was computed from.

    Attributes:
        concurrency: Of inference, as the application computes it.
        pressure: What it knew of pressure.
        mode: How it computed.
        modelled_request: What it takes an instance to request.
        quota_slots: Instances that it sees room for in the queue's own quota; None: it did not look.
        borrowing_slots: The same with borrowing; None: it did not look.
        node_slots: Instances that it sees room for on the nodes.
        layers: What really bounded the run, by name.
        evaluation_requested: Evaluators asked for.
        evaluation_effective: Evaluators it gets.
        evaluation_reason: Why no more; empty where it gets what it asked for.
    """

    concurrency: Concurrency
    pressure: Pressure
    mode: str
    modelled_request: Amounts
    quota_slots: int | None
    borrowing_slots: int | None
    node_slots: int
    layers: dict[str, float]
    evaluation_requested: int
    evaluation_effective: int
    evaluation_reason: str

    @property
    def binding(self) -> str:
        """The smallest of the layers that hold a run back."""
        return min((name for name in self.layers if name not in _KNEES), key=lambda name: self.layers[name])


_MOST_INSTANCES = 512
"""Beyond this the room on nodes is not measured."""

_KNEES = frozenset({"throughput_knee", "quality_knee", "kueue_nominal", "kueue_potential"})
"""Layers that are worth knowing, and hold nobody back."""


def measure(bench: Bench, plan: RunPlan, pressure: Pressure) -> Launch:
    """Return what a run would get now."""
    kueue = bench.kueue
    queue = kueue.queues[plan.queue]
    modelled = bundle_requests(COMPOSITE_BUNDLE)
    used, node_slots = queue.used(), kueue.pool.pooled_fit(modelled)
    quota = queue_slots(queue.layout, used, modelled)
    borrowing = queue_slots(queue.layout, used, modelled, with_borrowing=True)
    limits = Limits(
        mode="manual",
        runtime_slots=_RUNTIME_SLOTS,
        dapr_slots=_RUNTIME_SLOTS,
        configured=plan.configured_limit,
    )
    if plan.uses_kueue_limits:
        slots = min(node_slots, quota)
        limits = replace(limits, mode="kueue", schedulable_instances=slots if queue.is_active else inf)
        if not queue.is_active:
            pressure = Pressure((*pressure.reasons, "kueue_capacity"), pressure.factor, is_hard=True)
    selected = len(plan.tasks)
    evaluation = _evaluation(bench, plan, pressure)
    return Launch(
        concurrency=effective_concurrency(plan.requested, selected, limits, pressure),
        pressure=pressure,
        mode=limits.mode,
        modelled_request=modelled,
        quota_slots=quota if plan.uses_kueue_limits else None,
        borrowing_slots=borrowing if plan.uses_kueue_limits else None,
        node_slots=node_slots,
        layers=_layers(bench, plan),
        evaluation_requested=evaluation[0],
        evaluation_effective=evaluation[1],
        evaluation_reason=evaluation[2],
    )


def clamp_evaluation(bench: Bench, plan: RunPlan, before: Launch) -> Launch:
    """Return `before` with the evaluators that a run gets now."""
    requested, effective, reason = _evaluation(bench, plan, before.pressure)
    return replace(
        before,
        evaluation_requested=requested,
        evaluation_effective=effective,
        evaluation_reason=reason,
    )


def _evaluation(bench: Bench, plan: RunPlan, pressure: Pressure) -> tuple[int, int, str]:
    queue = bench.kueue.queues[plan.evaluation_queue]
    asked = {key: amount for key, amount in bundle_requests(EVALUATOR).items() if key != "ephemeral-storage"}
    slots = queue_slots(queue.layout, queue.used(), asked)
    instances = len(plan.tasks)
    effective, reason = evaluation_concurrency(plan.requested_evaluations, instances, slots, pressure)
    return plan.requested_evaluations, effective, reason


def _layers(bench: Bench, plan: RunPlan) -> dict[str, float]:
    """Return what really bounds a run: by the cohort tree, by every node, and by what its pods request."""
    kueue = bench.kueue
    queue = kueue.queues[plan.queue].layout
    counted = kueue.quotas.resources(plan.queue)
    request = {key: amount for key, amount in bundle_requests(plan.bundle).items() if key in counted}
    pods = [shape.requests for shape in plan.bundle for _ in range(shape.count)]
    flavors = [flavor.flavor for flavor in queue.flavors]

    def slots(measure: Callable[[CohortTree, str], Decimal]) -> float:
        """Return the slots of the best flavor, for flavors are alternatives."""
        return max(
            min(
                int(measure(kueue.quotas.tree(flavor, resource), plan.queue) // amount)
                for resource, amount in request.items()
                if amount > Decimal(0)
            )
            for flavor in flavors
        )

    return {
        "requested": plan.requested,
        "selected": len(plan.tasks),
        "kueue_available": slots(CohortTree.available),
        "kueue_nominal": slots(CohortTree.nominal),
        "kueue_potential": slots(CohortTree.potential),
        "node_fit": max(
            kueue.pool.true_fit(pods, kueue.layout.flavors[name], _MOST_INSTANCES) for name in flavors
        ),
        "throughput_knee": plan.model.contention.throughput_knee,
        "quality_knee": plan.model.contention.quality_knee,
    }
