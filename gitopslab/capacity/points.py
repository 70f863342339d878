"""Eleven things that a planner needs before a raise, each with what was found, or why it is not known."""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp
from typing import Any

from gitopslab.capacity.decision import Action
from gitopslab.capacity.expectation import Prediction
from gitopslab.capacity.gates import Status
from gitopslab.capacity.plan import Plan
from gitopslab.capacity.second_opinion import SecondOpinion
from gitopslab.metrics.durations import human
from gitopslab.metrics.quality_knee import Knee
from gitopslab.metrics.scaling_law import ScalingFit
from gitopslab.metrics.waits import QueueWaits

Answer = tuple[bool, str]


@dataclass(frozen=True)
class Point:
    """One of the things to know before a raise.

    Attributes:
        name: What it is.
        is_known: Whether it is.
        says: What was found, or why it is not known.
    """

    name: str
    is_known: bool
    says: str


def points(plan: Plan) -> tuple[Point, ...]:
    """Return all eleven, in their order."""
    return tuple(Point(name, *answer(plan)) for name, answer in _POINTS)


def _curve(plan: Plan) -> Answer:
    fit = plan.law
    return (True, str(fit)) if fit else (False, f"{plan.scaling} {plan.clock}")


def _second_opinion(plan: Plan) -> Answer:
    laws = [fit for fit in (plan.scaling, plan.clock) if isinstance(fit, ScalingFit)]
    said = [str(plan.opinion)] if plan.opinion else []
    if len(laws) > 1:
        first, second = (fit.law.throughput(plan.decision.to) for fit in laws)
        said.append(f"Steady windows and sessions' own times are {abs(first / second - 1):.0%} apart there.")
    return bool(plan.opinion or plan.balance.windows), " ".join([*said, str(plan.balance)])


def _quality(plan: Plan) -> Answer:
    return isinstance(plan.quality.answers, Knee), str(plan.quality)


def _binding(plan: Plan) -> Answer:
    binding = plan.decision.binding
    if binding is None:
        return False, "No limit is known."
    real = plan.evidence.real
    capacity = [f"By capacity alone: {real}"] if real else []
    return True, " ".join([f"{binding}.", *capacity, *plan.differences])


def _waits(plan: Plan) -> Answer:
    said = dict.fromkeys(_waited(each) for each in (plan.now, plan.asked))
    forecast = f" {plan.forecast} {plan.calibration}" if plan.forecast else ""
    return bool(plan.asked.wait_seconds), f"{' '.join(said)}{forecast}"


def _waited(prediction: Prediction) -> str:
    if not prediction.wait_seconds:
        return (
            f"Too few jobs had about {prediction.concurrency:,} sessions around them to say how long"
            " they wait; the second opinion, or `gitopslab whatif`, replays it."
        )
    half, most, nearly_all = (human(seconds) for seconds in prediction.wait_seconds.values())
    return (
        f"With about {prediction.concurrency:,} sessions around them, half waited at most {half} for quota,"
        f" nine in ten {most}, 99 in 100 {nearly_all}."
    )


def _cost(plan: Plan) -> Answer:
    """Return what the dearest and the cheapest level cost, and what the last step up buys."""
    known = [level for level in plan.costs.levels if level.cost is not None and level.resolved_count]
    if not known:
        return False, "No cost of a resolved task is known."
    ordered = sorted(known, key=lambda level: level.cost.estimate if level.cost else 0.0)
    said = dict.fromkeys((ordered[0], ordered[-1]))
    return True, " ".join(str(each) for each in (*said, *plan.costs.steps[-1:]))


def _others(plan: Plan) -> Answer:
    if plan.evidence.launch is None or plan.evidence.waits.empty:
        return False, "No Workload was seen to queue there."
    return True, (
        f"{plan.preemptor_count:,} Workloads of other queues lost their quota to this queue in the window,"
        f" and {plan.victim_count:,} of its own lost theirs."
    )


def _recent(plan: Plan) -> Answer:
    changes = "".join(
        f" Sessions took {exp(change.after - change.before):.2g} times as long from"
        f" {change.at:%Y-%m-%d %H:%M} UTC on (p = {change.p_value:.3f});"
        " only what came after the last change counts."
        for change in plan.changes
    )
    return not plan.freshness.is_withheld, f"{plan.freshness}{changes}"


def _assumptions(plan: Plan) -> Answer:
    layers = plan.evidence.real.layers if plan.evidence.real else ()
    tags = {
        tag: [each.name for each in layers if each.tag == tag]
        for tag in ("measured", "calibrated", "assumed")
    }
    said = "; ".join(f"{tag}: {', '.join(names)}" for tag, names in tags.items() if names)
    unknown = [gate.gate for gate in plan.gates if gate.status is Status.UNKNOWN]
    return bool(
        said
    ), f"{said or 'Nothing is known of layers'}. Unknown gates: {', '.join(unknown) or 'none'}."


def _step(plan: Plan) -> Answer:
    decision = plan.decision
    if decision.action is Action.WITHHELD:
        return False, "No step is recommended while what it would rest on is not known."
    return True, (
        f"{decision.order}; a step is at most {decision.step:,} more at a time."
        f" {decision.guard.stop_condition} {decision.guard.rollback_trigger}"
    )


def _after(plan: Plan) -> Answer:
    if not plan.outcomes:
        return False, "No prediction has been logged that is over; `gitopslab plan --log` logs one."
    return True, " ".join(str(each) for each in plan.outcomes[:3])


_POINTS: tuple[tuple[str, Callable[[Plan], Answer]], ...] = (
    ("throughput curve", _curve),
    ("second opinion", _second_opinion),
    ("quality guard", _quality),
    ("binding constraint", _binding),
    ("waits now and then", _waits),
    ("cost of a resolved task", _cost),
    ("effects on other queues", _others),
    ("changes and freshness", _recent),
    ("assumptions", _assumptions),
    ("step, stop and rollback", _step),
    ("predicted against actual", _after),
)


def findings_of(plan: Plan) -> dict[str, Any]:
    """Return everything that a plan found, for a program: plain dataclasses, and no rows."""
    return {
        "decision": plan.decision,
        "question": plan.evidence.question.concurrency,
        "cluster": plan.evidence.question.cluster,
        "model": plan.evidence.question.model,
        "window": plan.evidence.question.window,
        "gates": plan.gates,
        "limits": plan.limits,
        "layers": plan.evidence.real.layers if plan.evidence.real else (),
        "points": points(plan),
        "now": plan.now,
        "step": plan.step,
        "asked": plan.asked,
        "throughput_knee": plan.law.knee if plan.law else None,
        "second_opinion": _replayed(plan.opinion),
        "quality": plan.quality,
        "changes": plan.changes,
        "waits": [_told(each) for each in plan.waits],
        "forecast": plan.forecast,
        "calibration": plan.calibration,
        "costs": {"levels": plan.costs.levels, "steps": plan.costs.steps},
        "freshness": plan.freshness,
        "predictions": plan.outcomes,
        "differences": plan.differences,
    }


def _replayed(opinion: SecondOpinion | None) -> dict[str, Any] | None:
    """Return what a replay says of the queue in question, without all other queues."""
    if opinion is None:
        return None
    compared = opinion.comparison
    return {
        "concurrency": opinion.concurrency,
        "cluster_queue": opinion.cluster_queue,
        "replications": compared.replications,
        "workload_count": compared.workload_count,
        "left_out_count": compared.left_out_count,
        "rows": [row for row in compared.rows if row.queue == opinion.cluster_queue],
        "check": compared.check,
        "slowdown": opinion.slowdown,
    }


def _told(waits: QueueWaits) -> dict[str, Any]:
    return {
        "cluster_queue": waits.cluster_queue,
        "cluster": waits.cluster,
        "priority": waits.priority,
        "attempt_count": waits.attempt_count,
        "waiting_count": waits.waiting_count,
        "quantiles": waits.survival.quantiles,
    }
