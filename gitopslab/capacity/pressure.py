"""Pressure on a cluster, and what the platform makes of it: a launch is cut, or nothing may start.

Source: workflow-builder, `cluster-pressure.ts`, `dapr-workflow-capacity.ts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


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
class Rule:
    """When a signal means pressure.

    Attributes:
        signal: What is looked at.
        threshold: From where on it means pressure; 0 is any amount above nothing.
        reason: In the application's words.
        factor: What it cuts a launch to; None lets nothing start.
        variable: The environment variable that sets another threshold; empty if none does.
    """

    signal: str
    threshold: float
    reason: str
    factor: float | None = None
    variable: str = ""

    def applies(self, value: float) -> bool:
        """Return whether `value` means pressure."""
        return value >= self.threshold if self.threshold else value > 0


_VARIABLE = "BENCHMARK_CLUSTER_PRESSURE_"
RULES = (
    Rule("observer_unavailable", 0, "cluster_pressure", 0.5),
    Rule("stale_sample_seconds", 0, "cluster_pressure", 0.5, f"{_VARIABLE}MAX_SAMPLE_AGE_SECONDS"),
    Rule("psi_nodes_missing", 0, "cluster_pressure", 0.5),
    Rule("memory_full_avg60", 5, "psi_memory_pressure", None, f"{_VARIABLE}MEMORY_FULL_BLOCK_AVG60"),
    Rule("memory_some_avg60", 10, "psi_memory_pressure", 0.5, f"{_VARIABLE}MEMORY_SOME_REDUCE_AVG60"),
    Rule("io_full_avg60", 10, "psi_io_pressure", None, f"{_VARIABLE}IO_FULL_BLOCK_AVG60"),
    Rule("cpu_some_avg60", 50, "psi_cpu_pressure", 0.75, f"{_VARIABLE}CPU_SOME_REDUCE_AVG60"),
    Rule("queue_inactive", 0, "kueue_capacity"),
    Rule("disk_pressure_nodes", 0, "disk_pressure"),
    Rule("parent_actor_errors", 0, "dapr_runtime_pressure"),
    Rule("parent_reminder_errors", 0, "dapr_runtime_pressure"),
    Rule(
        "parent_stale_workflow_events",
        25,
        "dapr_runtime_pressure",
        variable="BENCHMARK_DAPR_STALE_WORKFLOW_EVENT_PRESSURE_THRESHOLD",
    ),
    Rule("parent_start_pending_timeouts", 0, "dapr_runtime_pressure"),
    Rule("parent_workers_missing", 0, "dapr_runtime_pressure"),
    Rule("agent_host_unhealthy_pods", 0, "agent_host_pressure"),
    Rule("agent_host_oom_kills", 0, "agent_host_pressure"),
    Rule("agent_host_actor_errors", 0, "agent_host_pressure"),
    Rule("agent_host_reminder_errors", 0, "agent_host_pressure"),
)
"""Every signal, in the order in which the application lists reasons."""

SAMPLE_AGE_LIMIT_SECONDS = 120.0
"""Beyond this a sample is stale; `stale_sample_seconds` is how far it is beyond."""


def assess(signals: Mapping[str, float], rules: tuple[Rule, ...] = RULES) -> Pressure:
    """Return the pressure that signals mean; one that is not known means none.

    Several cut by the smallest factor, not by their product, as the application has it.
    """
    found = [rule for rule in rules if rule.signal in signals and rule.applies(signals[rule.signal])]
    return Pressure(
        reasons=tuple(dict.fromkeys(rule.reason for rule in found)),
        factor=min((rule.factor for rule in found if rule.factor is not None), default=1.0),
        is_hard=any(rule.factor is None for rule in found),
    )
