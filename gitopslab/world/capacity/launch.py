"""What a benchmark run gets at its launch: what the application reckons, and what was really there."""

from dataclasses import dataclass, replace

from gitopslab.capacity.concurrency import Envelope, evaluate
from gitopslab.capacity.fan_out import EvaluationConcurrency, evaluation_concurrency
from gitopslab.capacity.layers import Mode, Reading, platform_layers
from gitopslab.capacity.pressure import Pressure
from gitopslab.capacity.slots import Amounts, add_up, platform_quota_slots
from gitopslab.world.capacity.layout import COMPOSITE_BUNDLE, EVALUATOR, bundle_requests
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
        node_count: Nodes that it sees to take pods.
        node_room: What those have left together.
        layers: What really bounded the run, by name.
        evaluation: Evaluators that it gets.
    """

    concurrency: Envelope
    pressure: Pressure
    mode: Mode
    modelled_request: Amounts
    quota_slots: int | None
    borrowing_slots: int | None
    node_slots: int
    node_count: int
    node_room: Amounts
    layers: dict[str, float]
    evaluation: EvaluationConcurrency

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
    rooms = [node.rooms for node in kueue.pool.nodes if node.is_eligible]
    flavors, used = [each.quotas for each in queue.layout.flavors], queue.used()
    node_slots = kueue.pool.pooled_fit(modelled)
    quota = platform_quota_slots(flavors, used, modelled) or 0
    mode: Mode = "kueue" if plan.uses_kueue_limits else "manual"
    known = {
        "requested": plan.requested,
        "selected": len(plan.tasks),
        "runtime_slots": _RUNTIME_SLOTS,
        "sidecar_workflows": _RUNTIME_SLOTS,
        "global_limit": plan.configured_limit,
    }
    if plan.uses_kueue_limits and queue.is_active:
        known |= {"queue_quota": quota, "live_nodes": node_slots}
    elif plan.uses_kueue_limits:
        pressure = Pressure((*pressure.reasons, "kueue_capacity"), pressure.factor, is_hard=True)
    readings = {name: Reading(value, "the application") for name, value in known.items()}
    return Launch(
        concurrency=evaluate(platform_layers(readings, mode), pressure),
        pressure=pressure,
        mode=mode,
        modelled_request=modelled,
        quota_slots=quota if plan.uses_kueue_limits else None,
        borrowing_slots=platform_quota_slots(flavors, used, modelled, with_borrowing=True)
        if plan.uses_kueue_limits
        else None,
        node_slots=node_slots,
        node_count=len(rooms),
        node_room=add_up(rooms),
        layers=_layers(bench, plan),
        evaluation=_evaluation(bench, plan, pressure),
    )


def clamp_evaluation(bench: Bench, plan: RunPlan, before: Launch) -> Launch:
    """Return `before` with the evaluators that a run gets now."""
    return replace(before, evaluation=_evaluation(bench, plan, before.pressure))


def _evaluation(bench: Bench, plan: RunPlan, pressure: Pressure) -> EvaluationConcurrency:
    queue = bench.kueue.queues[plan.evaluation_queue]
    asked = {key: amount for key, amount in bundle_requests(EVALUATOR).items() if key != "ephemeral-storage"}
    slots = platform_quota_slots((each.quotas for each in queue.layout.flavors), queue.used(), asked)
    return evaluation_concurrency(plan.requested_evaluations, len(plan.tasks), slots, pressure)


def _layers(bench: Bench, plan: RunPlan) -> dict[str, float]:
    """Return what really bounds a run: by the cohort tree, by every node, and by what its pods request."""
    kueue = bench.kueue
    counted = kueue.quotas.resources(plan.queue)
    request = {key: amount for key, amount in bundle_requests(plan.bundle).items() if key in counted}
    pods = [shape.requests for shape in plan.bundle for _ in range(shape.count)]
    slots = kueue.quotas.cohorts.slots(plan.queue, request)
    return {
        "requested": plan.requested,
        "selected": len(plan.tasks),
        "kueue_available": slots.available,
        "kueue_nominal": slots.nominal,
        "kueue_potential": slots.potential,
        "node_fit": max(
            kueue.pool.true_fit(pods, kueue.layout.flavors[each.flavor], _MOST_INSTANCES)
            for each in kueue.queues[plan.queue].layout.flavors
        ),
        "throughput_knee": plan.model.contention.throughput_knee,
        "quality_knee": plan.model.contention.quality_knee,
    }
