"""Tables of the truth about capacity: quota held, what really bounded a run, and how good answers were."""

import pyarrow as pa

from gitopslab.world.capacity.benchmark import Run
from gitopslab.world.capacity.kueue import Stay
from gitopslab.world.capacity.runs import Instance
from gitopslab.world.clock import moment
from gitopslab.world.truth import Truth, TruthTable, Value

Row = dict[str, Value]

_TIME = pa.timestamp("us", tz="UTC")

WORKLOAD = TruthTable(
    "workload",
    "One time in which a Workload held quota.",
    (
        ("cluster", pa.string()),
        ("uid", pa.string()),
        ("namespace", pa.string()),
        ("workload", pa.string()),
        ("cluster_queue", pa.string()),
        ("flavor", pa.string()),
        ("priority", pa.int64()),
        ("benchmark_run_id", pa.string()),
        ("benchmark_instance_id", pa.string()),
        ("episode", pa.int64()),  # 1 for its first stay
        ("cpu_cores", pa.float64()),
        ("memory_bytes", pa.float64()),
        ("created_at", _TIME),
        ("queued_at", _TIME),  # creation, or when it was last requeued
        ("reserved_at", _TIME),
        ("admitted_at", _TIME),  # NULL: its admission checks did not pass
        ("running_at", _TIME),  # NULL: its pods did not run
        ("evicted_at", _TIME),  # NULL: it was not evicted
        ("eviction_reason", pa.string()),
        ("released_at", _TIME),
        ("reason", pa.string()),  # Succeeded, Failed, Deleted, Open, or the reason of its eviction
    ),
)

CAPACITY_LAYER = TruthTable(
    "capacity_layer",
    "One bound on the concurrency of one benchmark run, as it really was at its launch.",
    (
        ("cluster", pa.string()),
        ("benchmark_run_id", pa.string()),
        ("at", _TIME),
        ("layer", pa.string()),
        ("value", pa.float64()),
        ("is_binding", pa.bool_()),  # the smallest of those that can hold a run back
    ),
)

INSTANCE_QUALITY = TruthTable(
    "instance_quality",
    "One instance of one benchmark run: how likely it was to be resolved, and what came of it.",
    (
        ("benchmark_run_id", pa.string()),
        ("benchmark_instance_id", pa.string()),
        ("model", pa.string()),
        ("difficulty", pa.float64()),
        ("probability_alone", pa.float64()),  # with no other session active
        ("session_count_mean", pa.float64()),  # active sessions of the model meanwhile; NULL: it never worked
        ("probability", pa.float64()),  # with those
        ("flaky_ratio", pa.float64()),
        ("has_patch", pa.bool_()),
        ("is_correct", pa.bool_()),  # of the patch; NULL: not decided before the end
        ("is_resolved", pa.bool_()),  # as the evaluation said
        ("infrastructure_failure", pa.string()),  # NULL: none
        ("attempt_count", pa.int64()),
        ("inference_seconds", pa.float64()),
    ),
)


class CapacityTruth:
    """Writes the truth about one cluster's capacity.

    Args:
        truth: Where it goes.
        cluster: Name of the cluster.
    """

    def __init__(self, truth: Truth, cluster: str) -> None:
        self._truth, self._cluster = truth, cluster
        for table in (WORKLOAD, CAPACITY_LAYER, INSTANCE_QUALITY):
            truth.open(table)

    def stay(self, stay: Stay) -> None:
        """Note a stay in quota."""
        workload = stay.workload
        labels = workload.job.labels
        row: Row = {
            "cluster": self._cluster,
            "uid": workload.uid,
            "namespace": workload.job.namespace,
            "workload": workload.job.name,
            "cluster_queue": workload.cluster_queue,
            "flavor": workload.flavor,
            "priority": workload.priority,
            "benchmark_run_id": labels.get("benchmark-run-id"),
            "benchmark_instance_id": labels.get("benchmark-instance-id"),
            "episode": workload.episode,
            "cpu_cores": float(workload.requests.get("cpu", 0)),
            "memory_bytes": float(workload.requests.get("memory", 0)),
            "created_at": moment(workload.created_at),
            "queued_at": moment(workload.queue_started_at),
            "reserved_at": moment(workload.reserved_at),
            "admitted_at": moment(workload.admitted_at) if workload.admitted_at else None,
            "running_at": moment(workload.running_at) if workload.running_at else None,
            "evicted_at": moment(workload.evicted_at) if workload.evicted_at else None,
            "eviction_reason": workload.eviction_reason or None,
            "released_at": None if stay.released_at is None else moment(stay.released_at),
            "reason": stay.reason,
        }
        self._truth.add(WORKLOAD, row)

    def layers(self, run: Run, at: float) -> None:
        """Note what bounds a run that is launched."""
        layers = run.launch.layers | {"effective": run.launch.concurrency.effective}
        for layer, value in layers.items():
            row: Row = {
                "cluster": self._cluster,
                "benchmark_run_id": run.plan.run_id,
                "at": moment(at),
                "layer": layer,
                "value": float(value),
                "is_binding": layer == run.launch.binding,
            }
            self._truth.add(CAPACITY_LAYER, row)

    def quality(self, run: Run, instance: Instance) -> None:
        """Note how good the answer to one instance could be, and was."""
        model, task, sessions = run.plan.model, instance.task, instance.session_count_mean
        row: Row = {
            "benchmark_run_id": run.plan.run_id,
            "benchmark_instance_id": task.instance_id,
            "model": model.name,
            "difficulty": task.difficulty,
            "probability_alone": task.probability(model),
            "session_count_mean": sessions,
            "probability": None if sessions is None else task.probability(model, sessions),
            "flaky_ratio": task.flaky_ratio,
            "has_patch": instance.has_patch,
            "is_correct": instance.is_correct,
            "is_resolved": instance.is_resolved,
            "infrastructure_failure": instance.failure or None,
            "attempt_count": instance.attempts,
            "inference_seconds": instance.inference_seconds,
        }
        self._truth.add(INSTANCE_QUALITY, row)
