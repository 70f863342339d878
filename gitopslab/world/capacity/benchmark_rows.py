"""A benchmark run as the application's database has it, in the application's own words."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from gitopslab.world.capacity.benchmark import Run
from gitopslab.world.capacity.models import Model, Task, base_commit
from gitopslab.world.capacity.runs import Bench, Instance, RunPlan, nanoid
from gitopslab.world.control_plane import parent_runtime
from gitopslab.world.emit.rows import (
    BenchmarkInstance,
    BenchmarkRun,
    BenchmarkRunInstance,
    BenchmarkSuite,
    InstanceScore,
)
from gitopslab.world.random import hexadecimal

_SUITE_ID = "bsuite_swebench_verified"
_STATUSES = (
    "queued",
    "inferencing",
    "inferred",
    "evaluating",
    "resolved",
    "failed",
    "error",
    "timeout",
    "cancelled",
)
_TOOLS = ("bash", "edit_file", "read_file", "grep")
FRESH_TOKENS, CACHED_TOKENS, WRITTEN_TOKENS = 3_200, 14_500, 420
"""Tokens of a turn: sent, sent and read from the cache, and answered."""

_DOLLARS_PER_MILLION = {"deepseek-v4-pro": (0.435, 0.87, 0.003625), "kimi-k2.6": (0.6, 2.5, 0.15)}
_DEFAULT_DOLLARS = (3.0, 15.0, 0.3)
"""What the application takes for a model whose price it does not know: input, output, cached."""


def suite_rows(tasks: tuple[Task, ...], at: float) -> Iterator[BenchmarkSuite | BenchmarkInstance]:
    """Yield the suite and its instances."""
    yield BenchmarkSuite(
        id=_SUITE_ID,
        slug="SWE-bench_Verified",
        name="SWE-bench Verified",
        dataset_name="princeton-nlp/SWE-bench_Verified",
        default_instance_limit=500,
        created_at=at,
        updated_at=at,
    )
    for task in tasks:
        yield BenchmarkInstance(
            id=_task_id(task),
            suite_id=_SUITE_ID,
            instance_id=task.instance_id,
            repo=task.repository,
            base_commit=base_commit(task),
            test_metadata={
                "FAIL_TO_PASS": list(task.tests[:1]),
                "PASS_TO_PASS": list(task.tests[1:]),
                "version": "4.2",
                "environment_setup_commit": hexadecimal(40, "setup", task.repository),
            },
            metadata={"difficulty": task.difficulty_label},
            created_at=at,
            updated_at=at,
        )


def run_rows(bench: Bench, run: Run) -> Iterator[BenchmarkRun | BenchmarkRunInstance | InstanceScore]:
    """Yield a run and its instances as they are now, and a score of each patch that was evaluated."""
    yield _run_row(bench, run)
    for instance in run.instances:
        row = _instance_row(bench, run, instance)
        yield row
        if instance.evaluated_at is not None and row.patch_files_overlap_gold is not None:
            yield InstanceScore(
                id=nanoid("score", row.id),
                run_instance_id=row.id,
                scorer_name="patch_files_overlap_gold",
                score=float(row.patch_files_overlap_gold),
                created_at=instance.evaluated_at,
                updated_at=instance.evaluated_at,
            )


def _run_row(bench: Bench, run: Run) -> BenchmarkRun:
    plan, concurrency = run.plan, run.launch.concurrency
    return BenchmarkRun(
        id=plan.run_id,
        project_id=nanoid("project", bench.cluster),
        user_id=nanoid("user", "benchmarks"),
        suite_id=_SUITE_ID,
        agent_id=nanoid("agent", plan.model.name),
        agent_version=1,
        agent_runtime="dapr-agent-py",
        agent_runtime_app_id="agent-runtime-pool-coding",
        status=run.status,
        model_name_or_path=plan.model.name,
        model_config_label=plan.model.label,
        selected_instance_ids=[task.instance_id for task in plan.tasks],
        concurrency=concurrency.effective,
        evaluation_concurrency=run.launch.evaluation.effective,
        timeout_seconds=int(plan.timeout_seconds),
        max_turns=plan.max_turns,
        coordinator_execution_id=f"swebench-run-{plan.run_id}",
        summary=_summary(run),
        tags=list(plan.tags),
        error=run.error,
        cancel_requested_at=run.cancel_requested_at,
        started_at=run.started_at,
        completed_at=run.completed_at,
        created_at=run.created_at,
        updated_at=run.updated_at,
    )


def _summary(run: Run) -> dict[str, Any]:
    counts = Counter(instance.status for instance in run.instances)
    total, launch = len(run.instances), run.launch
    return {
        "total": total,
        "resolvedRate": counts["resolved"] / total,
        **{status: counts[status] for status in _STATUSES},
        "capacity": {
            **_capacity(run),
            "requestedEvaluationConcurrency": launch.evaluation.requested,
            "effectiveEvaluationConcurrency": launch.evaluation.effective,
            "evaluationConcurrencyReason": launch.evaluation.reason,
            "evaluatorCapacity": {
                "requestedEvaluationConcurrency": launch.evaluation.requested,
                "effectiveEvaluationConcurrency": launch.evaluation.effective,
                "reason": launch.evaluation.reason,
                "clusterQueueName": run.plan.evaluation_queue,
                "error": None,
            },
        },
        "execution": {"backend": "dapr-kueue", "class": run.plan.queue},
    }


def _capacity(run: Run) -> dict[str, Any]:
    launch, concurrency = run.launch, run.launch.concurrency
    request = launch.modelled_request
    looked = launch.quota_slots is not None
    return {
        "capacityMode": launch.mode,
        "requestedConcurrency": concurrency.requested,
        "deterministicConcurrency": concurrency.deterministic,
        "pressureAdjustedConcurrency": concurrency.pressure_adjusted,
        "effectiveConcurrency": concurrency.effective,
        "runtimeClass": "coding",
        "runtimeReplicas": 16,
        "perSidecarWorkflowLimit": 12,
        "runtimeSlots": 192,
        "slotsPerReplica": 12,
        "capacityLimiters": list(concurrency.limiters),
        "primaryLimiter": concurrency.limiters[0] if concurrency.limiters else None,
        "capReason": concurrency.reason,
        **parent_runtime(),
        "maxActiveInferenceInstances": None if launch.mode == "kueue" else run.plan.configured_limit,
        "sandboxCapacity": {
            "sampledAt": _iso(run.created_at),
            "nodeCount": launch.node_count,
            "availableCpuMilli": int(launch.node_room["cpu"] * 1000),
            "availableMemoryBytes": int(launch.node_room["memory"]),
            "availableEphemeralStorageBytes": int(launch.node_room["ephemeral-storage"]),
            "kueueClusterQueueName": run.plan.queue if looked else None,
            "kueueClusterQueueActive": True if looked else None,
            "kueueInstanceRequestMode": "host-worker-composite",
            "kueueInstanceRequestCpuMilli": int(request["cpu"] * 1000),
            "kueueInstanceRequestMemoryBytes": int(request["memory"]),
            "kueueInstanceRequestEphemeralStorageBytes": int(request["ephemeral-storage"]),
            "kueueInstancePodCount": int(request["pods"]),
            "kueueInstancePodCountScope": "modeled_composite_budget",
            "kueueAvailableInstanceSlots": launch.quota_slots,
            "kueueBorrowAvailableInstanceSlots": launch.borrowing_slots,
            "schedulableKueueInstanceCapacity": _schedulable(launch.quota_slots, launch.node_slots),
        },
        "clusterPressure": {
            "hardBlock": launch.pressure.is_hard,
            "reductionFactor": launch.pressure.factor,
            "reasons": list(launch.pressure.reasons),
        },
    }


def _schedulable(quota_slots: int | None, node_slots: int) -> int | None:
    return None if quota_slots is None else min(quota_slots, node_slots)


def _instance_row(bench: Bench, run: Run, instance: Instance) -> BenchmarkRunInstance:
    plan, task = run.plan, instance.task
    attempt = (plan.run_id, task.instance_id, str(instance.attempts))
    is_started = instance.started_at is not None
    has_worked = instance.session_count_mean is not None
    patch = task.patch if instance.has_patch else ("" if instance.is_inferred else None)
    encoded = (patch or "").encode()
    host = instance.workload.job.name if instance.workload else None
    return BenchmarkRunInstance(
        id=nanoid("run-instance", plan.run_id, task.instance_id),
        run_id=plan.run_id,
        benchmark_instance_id=_task_id(task),
        instance_id=task.instance_id,
        status=instance.status,
        inference_status=instance.inference_status,
        evaluation_status=instance.evaluation_status,
        session_id=nanoid("session", *attempt) if is_started else None,
        workflow_execution_id=nanoid("execution", *attempt) if is_started else None,
        dapr_instance_id=f"{bench.cluster}-{nanoid('dapr', *attempt)}" if is_started else None,
        sandbox_name=f"{host}-sandbox" if host else None,
        model_patch=patch,
        patch_sha256=hashlib.sha256(encoded).hexdigest() if encoded else None,
        patch_bytes=None if patch is None else len(encoded),
        usage=_usage(plan.model, instance) if has_worked else {},
        timings=_timings(instance) if has_worked else {},
        error=instance.inference_error,
        inference_error=instance.inference_error,
        harness_result=_harness_result(plan, instance),
        patch_added_lines=2 if encoded else None,
        patch_removed_lines=1 if encoded else None,
        patch_files_touched=1 if encoded else None,
        patch_files_overlap_gold=int(bool(instance.is_correct)) if encoded else None,
        patch_well_formed=True if encoded else None,
        turn_count=instance.turns if has_worked else None,
        tool_call_count=_tool_calls(instance) if has_worked else None,
        termination_reason=instance.termination_reason,
        ttft_first_ms=1400 + len(task.instance_id) * 20 if has_worked else None,
        tool_histogram=_histogram(instance) if has_worked else None,
        started_at=instance.started_at,
        inference_completed_at=instance.completed_at,
        evaluated_at=instance.evaluated_at,
        created_at=run.created_at,
        updated_at=max(instance.updated_at, run.created_at),
    )


def _usage(model: Model, instance: Instance) -> dict[str, Any]:
    return {
        "input_tokens": FRESH_TOKENS * instance.turns,
        "output_tokens": WRITTEN_TOKENS * instance.turns,
        "cache_read_input_tokens": CACHED_TOKENS * instance.turns,
        "cache_creation_input_tokens": 0,
        "llm_call_count": instance.turns,
        "model": model.name,
        "cost_usd": round(turn_cost(model) * instance.turns, 6),
    }


def turn_cost(model: Model) -> float:
    """Return what a turn costs in USD, at the prices that the application knows."""
    fresh, written, cached = _DOLLARS_PER_MILLION.get(model.name, _DEFAULT_DOLLARS)
    return (FRESH_TOKENS * fresh + WRITTEN_TOKENS * written + CACHED_TOKENS * cached) / 1_000_000


def _timings(instance: Instance) -> dict[str, Any]:
    solve, turns = round(instance.solve_seconds * 1000), instance.turns
    language, tools = round(solve * 0.7), round(solve * 0.3)
    inference = round((instance.inference_seconds or 0) * 1000)
    profile, checkout = round(instance.setup_seconds * 1000), round(instance.checkout_seconds * 1000)
    return {
        "instrumentation_version": 1,
        "llm_count": turns,
        "llm_duration_ms": language,
        "llm_duration_p50_ms": language // turns,
        "tool_count": _tool_calls(instance),
        "tool_duration_ms": tools,
        "tool_duration_p50_ms": tools // max(1, _tool_calls(instance)),
        "inference_duration_ms": inference,
        "workspace_profile_duration_ms": profile,
        "sandbox_startup_ms": profile,
        "checkout_repo_duration_ms": checkout,
        "repo_checkout_ms": checkout,
        "solve_duration_ms": solve,
        "agent_solve_ms": solve,
    }


def _harness_result(plan: RunPlan, instance: Instance) -> dict[str, Any] | None:
    if instance.evaluated_at is None:
        return None
    if not instance.has_patch:
        return {
            "resolved": False,
            "status": "empty_patch",
            "message": "empty patch",
            "patch_is_None": False,
            "patch_exists": False,
            "patch_successfully_applied": False,
        }
    result: dict[str, Any] = {
        "patch_is_None": False,
        "patch_exists": True,
        "patch_successfully_applied": True,
        "resolved": bool(instance.is_resolved),
    }
    if plan.evaluator_fault == "environment":
        return result
    fixed, kept = list(instance.task.tests[:1]), list(instance.task.tests[1:])
    passed = {"success": fixed, "failure": []} if instance.is_resolved else {"success": [], "failure": fixed}
    statuses = {"FAIL_TO_PASS": passed, "PASS_TO_PASS": {"success": kept, "failure": []}}
    return result | {"tests_status": statuses}


def _tool_calls(instance: Instance) -> int:
    """Return how many tools a session called: one a turn, but for the last where it said that it is done."""
    return instance.turns - (instance.termination_reason == "end_turn")


def _histogram(instance: Instance) -> dict[str, int]:
    calls = _tool_calls(instance)
    parts = [calls // 2, calls // 5, calls // 5]
    return dict(zip(_TOOLS, [*parts, calls - sum(parts)], strict=True))


def _task_id(task: Task) -> str:
    return f"binst_{task.instance_id}"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
