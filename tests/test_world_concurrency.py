from decimal import Decimal

import pytest

from gitopslab.world.capacity import layout
from gitopslab.world.capacity.concurrency import (
    Limits,
    Pressure,
    effective_concurrency,
    evaluation_concurrency,
    queue_slots,
)
from gitopslab.world.capacity.layout import (
    BENCHMARK_BORROWING,
    COMPOSITE_BUNDLE,
    NOTHING,
    POD_BUNDLE,
    RAMP_QUOTA,
    amounts,
    bundle_requests,
)
from gitopslab.world.capacity.nodes import NodePool

FREE = Pressure()


def slots_of(replicas: int, each: int) -> dict[str, float]:
    return {"runtime_slots": replicas * each, "dapr_slots": replicas * each}


@pytest.mark.parametrize(
    ("requested", "selected", "limits", "effective", "reason"),
    [
        (25, 25, Limits(mode="manual"), 10, "runtime_capacity+dapr_workflow_capacity"),
        (10, 3, Limits(mode="manual"), 3, "selected_instance_count"),
        (50, 50, Limits(mode="manual", **slots_of(5, 3), configured=12), 12, "global_max"),
        (
            100,
            100,
            Limits(mode="auto", **slots_of(10, 8), schedulable_sandboxes=80, all_sandboxes=96),
            80,
            "runtime_capacity+dapr_workflow_capacity+sandbox_schedulable_capacity",
        ),
        (100, 100, Limits(mode="auto", **slots_of(10, 8), configured=72), 72, "global_max"),
        (
            120,
            120,
            Limits(**slots_of(16, 12), schedulable_sandboxes=80, sandboxes=96, configured=96),
            80,
            "sandbox_schedulable_capacity",
        ),
        (200, 200, Limits(**slots_of(16, 12), schedulable_instances=128), 128, "kueue_capacity"),
        (120, 120, Limits(), 120, None),
        (120, 120, Limits(model_requests=48), 48, "model_capacity"),
        (50, 50, Limits(mode="manual", **slots_of(8, 12), parent=32), 32, "dapr_parent_capacity"),
        (30, 30, Limits(mode="manual", **slots_of(6, 5), agent_turns=18), 18, "agent_workflow_capacity"),
        (10, 10, Limits(mode="manual", schedulable_sandboxes=0), 0, "sandbox_schedulable_capacity"),
        (20, 20, Limits(mode="manual", sandboxes=8, schedulable_sandboxes=12), 8, "sandbox_capacity"),
    ],
)
def test_the_smallest_layer_decides_and_is_named(requested, selected, limits, effective, reason):
    found = effective_concurrency(requested, selected, limits)
    assert (found.effective, found.reason) == (effective, reason)


def test_soft_pressure_cuts_and_hard_pressure_lets_nothing_start():
    soft = effective_concurrency(80, 100, Limits(), Pressure(("psi_memory_pressure",), 0.5))
    hard = effective_concurrency(80, 100, Limits(), Pressure(("psi_io_pressure",), 1, is_hard=True))
    assert (soft.deterministic, soft.effective, soft.reason) == (80, 40, "psi_memory_pressure")
    assert (hard.effective, hard.reason) == (0, "psi_io_pressure")


def test_the_two_bundles_fit_48_and_42_times_into_the_quota_of_may():
    queue = layout.dev().queue("benchmark-fast")
    two, three = bundle_requests(POD_BUNDLE), bundle_requests(COMPOSITE_BUNDLE)
    assert [queue_slots(queue, {}, two), queue_slots(queue, {}, three)] == [48, 42]
    assert queue_slots(queue, {}, two, with_borrowing=True) == 72
    assert queue_slots(queue, {}, three, with_borrowing=True) == 63


def test_the_smaller_quota_holds_34_and_30_and_41_where_memory_is_forgotten():
    queue = layout.dev(RAMP_QUOTA, NOTHING).queue("benchmark-fast")
    two, three = bundle_requests(POD_BUNDLE), bundle_requests(COMPOSITE_BUNDLE)
    forgetful = {resource: amount for resource, amount in two.items() if resource != "memory"}
    assert [queue_slots(queue, {}, request) for request in (two, three, forgetful)] == [34, 30, 41]


def test_what_is_used_is_not_there_and_never_counts_below_nothing():
    queue = layout.dev().queue("benchmark-fast")
    request = bundle_requests(POD_BUNDLE)
    assert queue_slots(queue, {"memory": Decimal(80 << 30)}, request) == 2
    assert queue_slots(queue, {"memory": Decimal(126 << 30)}, request) == 0
    assert BENCHMARK_BORROWING["memory"] == 42 << 30


@pytest.mark.parametrize(
    ("requested", "instances", "slots", "pressure", "wanted"),
    [
        (24, 25, 9, FREE, (9, "kueue_eval_capacity")),
        (24, 10, 30, FREE, (10, "")),
        (24, 25, 0, FREE, (1, "kueue_eval_capacity")),
        (24, 25, 30, Pressure(("cluster_pressure",), 0.5), (12, "cluster_pressure")),
        (24, 25, 30, Pressure(("disk_pressure",), 1, is_hard=True), (1, "cluster_pressure")),
        (500, 400, 400, FREE, (128, "")),
    ],
)
def test_evaluators_are_clamped_and_never_none(requested, instances, slots, pressure, wanted):
    assert evaluation_concurrency(requested, instances, slots, pressure) == wanted


def test_nodes_pooled_hold_more_than_nodes_apart():
    node = layout.NodeLayout("worker", 2, amounts("4", "3Gi", "50Gi", 20), amounts("0", "0", "0", 0))
    pool, pod = NodePool((node,)), amounts("1", "2Gi", "1Gi", 1)
    assert (pool.pooled_fit(pod), pool.true_fit([pod], {}, most=10)) == (3, 2)
    assert pool.nodes[0].requested["memory"] == 0


def test_a_node_under_disk_pressure_takes_no_pods():
    node = layout.NodeLayout("worker", 2, amounts("4", "4Gi", "50Gi", 20), amounts("0", "0", "0", 0))
    pool, pod = NodePool((node,)), amounts("1", "2Gi", "1Gi", 1)
    pool.nodes[0].has_disk_pressure = True
    assert pool.true_fit([pod], {}, most=10) == 2
    assert "1 Insufficient memory" in pool.why_unschedulable(amounts("1", "8Gi", "1Gi", 1), {})
