"""The application's own test vectors come out, and so do the runs of the platform's history."""

import pytest

from gitopslab.capacity.concurrency import Envelope, evaluate, explain_difference
from gitopslab.capacity.layers import KINDS, Reading, capacity_mode, platform_layers, real_layers
from gitopslab.capacity.pressure import Pressure
from gitopslab.errors import UsageError
from gitopslab.world.capacity.layout import COMPOSITE_BUNDLE, POD_BUNDLE, bundle_requests, ryzen
from gitopslab.world.capacity.nodes import NodePool

SOFT = Pressure(("psi_memory_pressure",), 0.5)
HARD = Pressure(("psi_io_pressure",), 1, is_hard=True)


def readings(**values: int) -> dict[str, Reading]:
    return {name: Reading(value, "a row") for name, value in values.items()}


def runtime(replicas: int, slots: int, sidecar: int | None = None) -> dict[str, int]:
    return {"runtime_slots": replicas * slots, "sidecar_workflows": replicas * (sidecar or slots)}


def platform(mode: str, pressure: Pressure | None = None, **values: int) -> Envelope:
    layers = platform_layers(readings(**values), mode)
    return evaluate(layers, pressure) if pressure else evaluate(layers)


def names(layers: tuple) -> list[str]:
    return [layer.name for layer in layers]


@pytest.mark.parametrize(
    ("mode", "values", "effective", "reason"),
    [
        (
            "manual",
            {"requested": 25, "selected": 25, **runtime(2, 5)},
            10,
            "runtime_capacity+dapr_workflow_capacity",
        ),
        ("manual", {"requested": 10, "selected": 3, **runtime(2, 5)}, 3, "selected_instance_count"),
        ("manual", {"requested": 50, "selected": 50, **runtime(5, 3), "global_limit": 12}, 12, "global_max"),
        (
            "auto",
            {
                "requested": 100,
                "selected": 100,
                **runtime(10, 8),
                "schedulable_sandboxes": 80,
                "total_sandboxes": 96,
            },
            80,
            "runtime_capacity+dapr_workflow_capacity+sandbox_schedulable_capacity",
        ),
        (
            "auto",
            {
                "requested": 100,
                "selected": 100,
                **runtime(10, 8),
                "schedulable_sandboxes": 96,
                "total_sandboxes": 96,
                "global_limit": 72,
            },
            72,
            "global_max",
        ),
        (
            "kueue",
            {
                "requested": 120,
                "selected": 120,
                "schedulable_sandboxes": 80,
                "total_sandboxes": 96,
                "sandbox_limit": 96,
                "global_limit": 96,
            },
            80,
            "sandbox_schedulable_capacity",
        ),
        (
            "kueue",
            {"requested": 200, "selected": 200, "schedulable_sandboxes": 336, "queue_and_nodes": 128},
            128,
            "kueue_capacity",
        ),
        ("kueue", {"requested": 120, "selected": 120}, 120, None),
        ("kueue", {"requested": 120, "selected": 120, "model_requests": 48}, 48, "model_capacity"),
        ("kueue", {"requested": 120, "selected": 120, "model_requests": 24}, 24, "model_capacity"),
        (
            "manual",
            {"requested": 50, "selected": 50, **runtime(8, 12), "parent_workflows": 32},
            32,
            "dapr_parent_capacity",
        ),
        (
            "manual",
            {"requested": 30, "selected": 30, **runtime(4, 5, sidecar=2)},
            8,
            "dapr_workflow_capacity",
        ),
        (
            "manual",
            {"requested": 30, "selected": 30, **runtime(6, 5), "agent_turns": 18},
            18,
            "agent_workflow_capacity",
        ),
        (
            "manual",
            {"requested": 10, "selected": 20, **runtime(6, 5), "schedulable_sandboxes": 0},
            0,
            "sandbox_schedulable_capacity",
        ),
        (
            "manual",
            {
                "requested": 20,
                "selected": 20,
                **runtime(6, 5),
                "sandbox_limit": 8,
                "schedulable_sandboxes": 12,
            },
            8,
            "sandbox_capacity",
        ),
    ],
)
def test_the_applications_own_vectors_come_out(mode, values, effective, reason):
    found = platform(mode, **values)
    assert (found.effective, found.reason) == (effective, reason)


def test_soft_pressure_cuts_and_hard_pressure_lets_nothing_start():
    soft = platform("kueue", SOFT, requested=80, selected=100)
    hard = platform("kueue", HARD, requested=80, selected=100)
    assert (soft.deterministic, soft.effective, soft.reason) == (80, 40, "psi_memory_pressure")
    assert (hard.effective, hard.reason) == (0, "psi_io_pressure")
    assert str(soft).endswith("Pressure (psi_memory_pressure) leaves 40.")


def test_soft_pressure_leaves_one_at_least_but_not_more_than_there_was():
    assert platform("kueue", SOFT, requested=1, selected=1).effective == 1
    assert platform("kueue", SOFT, requested=5, selected=5, queue_quota=0).effective == 0


def test_auto_mode_without_a_configured_limit_takes_the_least_that_it_knows():
    found = platform("auto", requested=100, selected=100, **runtime(10, 8), total_sandboxes=70)
    derived = next(layer for layer in found.layers if layer.name == "derived_limit")
    assert (derived.value, found.effective, found.reason) == (70, 70, None)


def test_manual_mode_without_a_configured_limit_assumes_56():
    found = platform("manual", requested=100, selected=100)
    assert (found.effective, found.reason, found.binding[0].tag) == (56, "global_max", "assumed")


def test_runtime_slots_that_are_not_applied_are_named_where_their_number_is_the_same():
    found = platform("kueue", requested=120, selected=120, runtime_slots=42, queue_quota=42)
    assert found.reason == "runtime_capacity+kueue_capacity"
    assert names(found.binding) == ["queue_quota"]


def test_a_tie_names_every_layer_and_what_comes_next():
    found = platform("kueue", requested=50, selected=60, queue_quota=42, live_nodes=42, model_requests=48)
    assert names(found.binding) == ["queue_quota", "live_nodes"]
    assert names(found.following) == ["model_requests"]
    assert str(found) == (
        "42 of the 50 asked for fit, bound alike by queue_quota 42 (measured, a row) and "
        "live_nodes 42 (measured, a row). Without that, model_requests would allow 48."
    )


def test_layers_without_a_request_are_refused():
    with pytest.raises(UsageError, match="give a reading called 'requested'"):
        evaluate(platform_layers(readings(selected=3), "kueue"))


def test_every_layer_has_a_name_of_its_own():
    assert len({kind.name for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize(
    ("backend", "configured", "mode"),
    [("Dapr_Kueue", "auto", "kueue"), ("host", "", "kueue"), ("", "Dynamic", "auto"), ("dapr", "", "manual")],
)
def test_the_backend_decides_the_mode_before_the_variable(backend, configured, mode):
    assert capacity_mode(backend, configured) == mode


def test_ryzen_gets_2_of_3_by_its_node_and_not_by_its_quota():
    pool = NodePool(ryzen().nodes)
    nodes = pool.pooled_fit(bundle_requests(COMPOSITE_BUNDLE))
    found = platform("kueue", requested=3, selected=3, queue_quota=8, live_nodes=nodes)
    assert (found.effective, found.reason, names(found.binding)) == (2, "kueue_capacity", ["live_nodes"])
    pods = [shape.requests for shape in POD_BUNDLE]
    assert pool.true_fit(pods, {}, most=10) == 2


def test_no_more_distinct_instances_run_than_have_their_exact_image():
    known = readings(requested=200, selected=500, exact_ready=161, kueue_available=300)
    found = evaluate(real_layers(known))
    assert (found.effective, names(found.binding)) == (161, ["exact_ready"])
    assert platform("kueue", requested=200, selected=500, exact_ready=161).effective == 200


def test_42_that_the_platform_models_are_48_that_are_admitted():
    modelled = platform("kueue", requested=50, selected=50, queue_quota=42, live_nodes=82)
    admitted = evaluate(real_layers(readings(requested=50, selected=50, kueue_available=48, node_fit=96)))
    assert (modelled.effective, modelled.reason, admitted.effective) == (42, "kueue_capacity", 48)
    quota, nodes = explain_difference(modelled, admitted)
    assert quota == (
        "The platform sees room for 42 in the queue, and there is room for 48: "
        "it does not count what can be borrowed, or reckons with a larger bundle than what is admitted."
    )
    assert nodes.startswith("The platform sees room for 82 in the nodes, and there is room for 96:")


def test_differences_name_layers_that_only_one_of_both_knows_and_pressure():
    modelled = platform("manual", SOFT, requested=90, selected=90)
    really = evaluate(real_layers(readings(requested=90, selected=90, kueue_available=72)))
    assert explain_difference(modelled, really) == (
        "The platform is bound by global_limit (56), which holds back no run in truth.",
        "The platform does not look at kueue_available, which really binds at 72.",
        "Pressure cuts the platform's 56 to 28.",
    )


def test_there_is_nothing_to_explain_where_both_agree():
    known = readings(requested=50, selected=20, queue_quota=48, kueue_available=48)
    assert explain_difference(evaluate(platform_layers(known, "kueue")), evaluate(real_layers(known))) == ()
