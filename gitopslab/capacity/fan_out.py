"""What becomes of a run's concurrency: evaluators at once, and instances that the coordinator starts at once.

Source: workflow-builder, `evaluation-capacity.ts`, and swebench-coordinator, `concurrency.py`.
"""

from dataclasses import dataclass
from math import ceil, floor

from gitopslab.capacity.pressure import Pressure

_MOST_EVALUATORS = 128
_DEADLINE_GRACE_SECONDS = 300


@dataclass(frozen=True)
class EvaluationConcurrency:
    """How many evaluators a run gets.

    Attributes:
        requested: What it asked for.
        effective: What it gets; never 0, even where its queue can admit nothing.
        reason: Why no more, in the application's words; None where it gets what it asked for, or has no more
            instances.
    """

    requested: int
    effective: int
    reason: str | None


def evaluation_concurrency(
    requested: int,
    instance_count: int,
    slot_count: int | None,
    pressure: Pressure,
    *,
    is_queue_active: bool = True,
) -> EvaluationConcurrency:
    """Return how many evaluators a run gets.

    Args:
        requested: Evaluators asked for.
        instance_count: Instances of the run.
        slot_count: Evaluators that the queue's quota has room for; None is unknown.
        pressure: On the cluster.
        is_queue_active: Whether the evaluators' queue admits anything.
    """
    asked = min(max(1, min(requested, _MOST_EVALUATORS)), instance_count)
    effective, reason = asked, None
    if not is_queue_active:
        effective, reason = 1, "kueue_cluster_queue_inactive"
    elif slot_count is not None and slot_count < asked:
        effective, reason = max(1, slot_count), "kueue_eval_capacity"
    if pressure.is_hard:
        effective, reason = 1, "cluster_pressure"
    elif pressure.factor < 1:
        effective, reason = max(1, floor(effective * pressure.factor)), "cluster_pressure"
    return EvaluationConcurrency(requested, max(1, min(effective, instance_count)), reason)


def coordinator_fan_out(*limits: int | None) -> int:
    """Return how many instances the coordinator starts at once.

    It takes the least of the positive values among the run's concurrency, the effective concurrency, the
    limit of active instances (none in kueue mode) and its own limit. An effective concurrency of 0 is not
    positive and is passed over: only the launch keeps a paused run from starting. Nothing known is 1.
    """
    return min((limit for limit in limits if limit is not None and limit > 0), default=1)


def wave_count(instance_count: int, concurrency: int) -> int:
    """Return in how many waves a run's instances start, where all take the same time."""
    return ceil(instance_count / max(1, concurrency))


def longest_instance_seconds(timeout_seconds: float, instance_count: int, concurrency: int) -> float:
    """Return how long instances may take before the run times out.

    The deadline is one for the inference of all instances: the run's timeout and 300 s, however many waves.
    """
    return (timeout_seconds + _DEADLINE_GRACE_SECONDS) / max(1, wave_count(instance_count, concurrency))
