"""Rows of the warehouse become readings of layers, and admitted instances a bundle."""

from decimal import Decimal

from gitopslab.capacity import bundle, inputs
from gitopslab.capacity.bundle import Bundle
from gitopslab.capacity.concurrency import evaluate
from gitopslab.capacity.layers import platform_layers, real_layers
from gitopslab.world.capacity.layout import POD_BUNDLE, bundle_requests, ryzen

GIBIBYTE = 1 << 30

LAUNCH = {
    "benchmark_run_id": "run",
    "cluster_queue": "benchmark-fast",
    "capacity_mode": "kueue",
    "requested_concurrency": 50,
    "selected_instance_count": 60,
    "runtime_slot_count": 192,
    "dapr_workflow_capacity": None,
    "parent_workflow_capacity": None,
    "agent_turn_limit": None,
    "global_limit": None,
    "sandbox_limit": None,
    "model_request_limit": None,
    "schedulable_sandbox_count": None,
    "quota_slot_count": 42,
    "borrowing_slot_count": 63,
    "schedulable_slot_count": 42,
    "node_count": 2,
    "nodes_available_cpu_cores": 40.0,
    "nodes_available_memory_bytes": 99 * GIBIBYTE,
    "nodes_available_ephemeral_storage_bytes": None,
    "instance_cpu_cores": 0.55,
    "instance_memory_bytes": 2 * GIBIBYTE,
    "instance_ephemeral_storage_bytes": None,
    "instance_pod_count": 3,
    "disk_pressure_node_count": 0,
    "is_hard_pressure": False,
    "is_parent_under_pressure": False,
    "is_agent_host_under_pressure": None,
    "pressure_factor": 0.5,
    "pressure_reasons": '["psi_memory_pressure"]',
    "is_cluster_queue_active": True,
}


def asked(instance: str, pod_set: str, resource: str, total: str, pods: int = 1, **rest) -> dict:
    return {
        "cluster_uid": "dev",
        "benchmark_run_id": "run",
        "benchmark_instance_id": instance,
        "agent_app_id": f"app-{instance}",
        "uid": f"w-{instance}",
        "pod_set": pod_set,
        "pod_count": pods,
        "resource": resource,
        "request_total": Decimal(total),
        **rest,
    }


def quota(queue: str, nominal: int, reserved: int = 0, **rest) -> dict:
    return {
        "cluster_queue": queue,
        "cohort": "team",
        "stop_policy": "None",
        "is_active": True,
        "resource_group_number": 1,
        "flavor_number": 1,
        "flavor": "on",
        "resource": "cpu",
        "nominal_quota": Decimal(nominal),
        "borrowing_limit": None,
        "is_borrowing_limit_readable": True,
        "lending_limit": None,
        "is_lending_limit_readable": True,
        "reserved_total": Decimal(reserved),
        **rest,
    }


def test_the_bundle_is_what_most_instances_were_admitted_with_and_says_how_many():
    rows = [
        asked(name, pod_set, "cpu", cpu)
        for name, host in (("a", "0.3"), ("b", "0.3"), ("c", "0.9"))
        for pod_set, cpu in (("sandbox", "0.15"), ("host", host))
    ]
    found = bundle.fit(rows)
    assert found.request == {"cpu": Decimal("0.45"), "pods": 2}
    assert (found.n, round(found.share, 2), found.medians["cpu"]) == (3, 0.67, Decimal("0.45"))
    assert str(found) == "450m CPU, 2 pods: 67% of 3 admitted instances are exactly so."


def test_a_pod_set_of_two_pods_is_two_pods_and_pods_are_not_counted_twice():
    rows = [asked("a", "main", "cpu", "0.6", pods=2), asked("a", "main", "pods", "2", pods=2)]
    assert bundle.fit(rows).pods == ({"cpu": Decimal("0.3")}, {"cpu": Decimal("0.3")})


def test_workloads_of_one_attempt_are_one_instance_and_those_of_another_are_not():
    parts = [asked("a", "main", "cpu", "1", uid="sandbox"), asked("a", "main", "cpu", "2", uid="host")]
    again = [asked("a", "main", "cpu", "3", uid="retry", agent_app_id="app-again")]
    assert bundle.fit(parts).request["cpu"] == 3
    assert bundle.fit(parts + again).n == 2


def test_where_nothing_was_admitted_there_is_no_bundle():
    assert bundle.fit([]) is None


def test_the_admitted_bundle_of_may_is_an_eighth_lighter_in_memory_than_the_modelled_one():
    rows = [
        asked("a", shape.role, resource, str(amount))
        for shape in POD_BUNDLE
        for resource, amount in shape.requests.items()
    ]
    modelled = {"cpu": Decimal("0.55"), "memory": Decimal(2 * GIBIBYTE), "pods": Decimal(3)}
    assert bundle.fit(rows).request == bundle_requests(POD_BUNDLE)
    assert bundle.compare(modelled, bundle.fit(rows)) == (
        "An instance is modelled with 550m CPU and admitted with 450m CPU (-18.2%).",
        "An instance is modelled with 2,048 MiB of memory and admitted with 1,792 MiB of memory (-12.5%).",
        "An instance is modelled with 3 pods and admitted with 2 pods (-33.3%).",
    )


def test_the_application_tells_the_less_of_quota_and_nodes_and_both_are_split():
    quota_bound = inputs.platform_readings(LAUNCH)
    node_bound = inputs.platform_readings(LAUNCH | {"schedulable_slot_count": 2})
    unsplit = inputs.platform_readings(LAUNCH | {"quota_slot_count": None})
    assert (quota_bound["queue_quota"].value, quota_bound["live_nodes"].value) == (42, 49)
    assert (node_bound["queue_quota"].value, node_bound["live_nodes"].value) == (42, 2)
    assert (unsplit["queue_and_nodes"].value, "live_nodes" in unsplit) == (42, False)


def test_ryzens_3_that_became_2_were_bound_by_nodes_says_the_row():
    row = LAUNCH | {"requested_concurrency": 3, "quota_slot_count": 8, "schedulable_slot_count": 2}
    found = evaluate(platform_layers(inputs.platform_readings(row), inputs.mode(row)))
    assert (found.effective, found.reason) == (2, "kueue_capacity")
    assert [str(layer) for layer in found.binding] == [
        "live_nodes 2 (measured, run run, schedulable_slot_count)"
    ]


def test_the_platform_gets_42_halved_by_pressure_and_really_there_is_room_for_more():
    cohorts = inputs.cohorts_of([quota("benchmark-fast", 20), quota("warm", 10, reserved=3)], [])
    fitted = bundle.fit([asked("a", "host", "cpu", "0.5")])
    platform = evaluate(
        platform_layers(inputs.platform_readings(LAUNCH), inputs.mode(LAUNCH)), inputs.pressure(LAUNCH)
    )
    real = evaluate(real_layers(inputs.real_readings(LAUNCH, cohorts, fitted)))
    values = {layer.name: (layer.value, layer.tag) for layer in real.layers}
    assert (platform.deterministic, platform.effective) == (42, 21)
    assert values["kueue_nominal"] == (40, "calibrated")
    assert values["kueue_available"] == (54, "calibrated")
    assert values["node_fit"] == (80, "calibrated")
    assert (real.effective, real.requested) == (50, 50)


def test_without_a_bundle_the_modelled_one_is_an_assumption():
    cohorts = inputs.cohorts_of([quota("benchmark-fast", 11)], [])
    found = inputs.real_readings(
        LAUNCH | {"instance_memory_bytes": None, "instance_pod_count": None}, cohorts, None
    )
    assert (found["kueue_available"].value, found["kueue_available"].tag) == (20, "assumed")


def test_a_queue_that_nobody_saw_has_no_slots_to_tell_of():
    found = inputs.real_readings(LAUNCH, inputs.cohorts_of([], []), None)
    assert "kueue_available" not in found


def test_a_limit_that_is_unreadable_lets_nothing_be_borrowed():
    rows = [quota("fast", 4, is_borrowing_limit_readable=False), quota("warm", 6)]
    found = inputs.cohorts_of(rows, []).slots("fast", {"cpu": Decimal(1)})
    assert found.available == 4


def test_a_cohort_object_without_quota_still_has_its_parent():
    parts = {"resource": None, "nominal_quota": None, "borrowing_limit": None, "lending_limit": None}
    cohorts = inputs.cohorts_of(
        [quota("fast", 1), quota("other", 8, cohort="root")],
        [{"cohort": "team", "parent_cohort": "root", "flavor": None, **parts}],
    )
    assert cohorts.slots("fast", {"cpu": Decimal(1)}).available == 9


def test_dapr_under_pressure_lets_no_run_start_and_is_a_reason():
    found = inputs.pressure(LAUNCH | {"is_parent_under_pressure": True, "pressure_reasons": "[]"})
    assert (found.reasons, found.is_hard) == (("dapr_runtime_pressure",), True)
    assert inputs.pressure(LAUNCH | {"is_agent_host_under_pressure": True}).is_hard


def test_hard_pressure_is_disk_pressure_or_a_queue_that_is_stopped_too():
    assert not inputs.pressure(LAUNCH).is_hard
    assert inputs.pressure(LAUNCH | {"disk_pressure_node_count": 1}).is_hard
    assert inputs.pressure(LAUNCH | {"is_cluster_queue_active": False}).is_hard
    unknown = inputs.pressure(LAUNCH | {"pressure_factor": None, "pressure_reasons": None})
    assert (unknown.factor, unknown.reasons) == (1.0, ())


def test_ryzens_queue_promises_nine_instances():
    [group] = ryzen().queue("benchmark-fast").cluster_queue.resource_groups
    assert group[0].quotas["memory"].nominal // bundle_requests(POD_BUNDLE)["memory"] == 9


def room(node: str, resource: str, amount: str | None, **rest) -> dict:
    left = None if amount is None else Decimal(amount)
    known = {"node": node, "resource": resource, "room": left, "takes_pods": True, "pod_count": 7}
    return known | {"labels": {"pool": "bench"}} | rest


FLAVORS = [{"flavor": "spot", "node_labels": {"pool": "bench"}}, {"flavor": "other", "node_labels": {}}]


def test_room_is_that_of_nodes_which_the_queues_flavors_stand_for_and_which_take_pods():
    rows = [
        room("a", "cpu", "4"),
        room("a", "pods", "90"),
        room("cordoned", "cpu", "9", takes_pods=False),
        room("elsewhere", "cpu", "9", labels={"pool": "web"}),
        room("unlabelled", "cpu", "9", labels=None),
    ]
    cohorts = inputs.cohorts_of([quota("fast", 10)], [])
    flavor = next(iter(cohorts.queue("fast").resource_groups[0])).flavor
    flavors = [each | {"flavor": flavor} for each in FLAVORS[:1]]

    assert inputs.rooms_of(rows, flavors, cohorts, "fast") == inputs.Rooms(
        ({"cpu": Decimal(4), "pods": Decimal(90)},), pod_count=7
    )
    assert inputs.rooms_of(rows, flavors, cohorts, "unknown") is None
    assert inputs.rooms_of([*rows, room("b", "cpu", None)], flavors, cohorts, "fast") is None


def test_each_pod_fits_on_one_node_by_what_pods_left_there_and_counts_as_one_itself():
    found = Bundle(({"cpu": Decimal(2)}, {"cpu": Decimal(1)}), n=7, share=1.0, medians={})
    cohorts = inputs.cohorts_of([quota("fast", 100)], [])
    nodes = ({"cpu": Decimal(4), "pods": Decimal(9)}, {"cpu": Decimal(3), "pods": Decimal(9)})
    two_nodes = inputs.Rooms(nodes, pod_count=12)
    crowded = inputs.Rooms(({"cpu": Decimal(400), "pods": Decimal(5)},), pod_count=105)

    reading = inputs.real_readings(LAUNCH, cohorts, found, two_nodes)["node_fit"]
    assert (reading.value, reading.tag) == (2, "measured")
    assert reading.source == (
        "allocatable less what 12 Pods on 2 nodes ask for, bundle of 7 admitted instances"
    )
    assert inputs.real_readings(LAUNCH, cohorts, found, crowded)["node_fit"].value == 2
    assert inputs.real_readings(LAUNCH, cohorts, None, two_nodes)["node_fit"].tag == "assumed"
    assert inputs.real_readings(LAUNCH, cohorts, found)["node_fit"].tag == "calibrated"
