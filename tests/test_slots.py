"""Slots in quota and on nodes, as the platform reckons them and as Kueue and the scheduler have them."""

from decimal import Decimal

import pytest

from gitopslab.capacity.cohort_tree import Quota
from gitopslab.capacity.cohorts import ClusterQueue, Cohort, Cohorts, FlavorQuota
from gitopslab.capacity.slots import fit_count, packed_fit, platform_quota_slots, pooled_fit
from gitopslab.world.capacity import layout
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


def slots(queue: layout.QueueLayout, used: dict, request: dict, **rest) -> int | None:
    return platform_quota_slots([each.quotas for each in queue.flavors], used, request, **rest)


def flavor(name: str, cpu: int, **limits) -> FlavorQuota:
    return FlavorQuota(name, {"cpu": Quota(Decimal(cpu), **limits)})


def cpu(amount: int) -> dict[str, Decimal]:
    return {"cpu": Decimal(amount)}


def test_the_two_bundles_fit_48_and_42_times_into_the_quota_of_may():
    queue = layout.dev().queue("benchmark-fast")
    two, three = bundle_requests(POD_BUNDLE), bundle_requests(COMPOSITE_BUNDLE)
    assert [slots(queue, {}, two), slots(queue, {}, three)] == [48, 42]
    assert slots(queue, {}, two, with_borrowing=True) == 72
    assert slots(queue, {}, three, with_borrowing=True) == 63


def test_the_document_says_41_for_it_forgets_memory_and_34_fit():
    queue = layout.dev(RAMP_QUOTA, NOTHING).queue("benchmark-fast")
    two, three = bundle_requests(POD_BUNDLE), bundle_requests(COMPOSITE_BUNDLE)
    forgetful = {resource: amount for resource, amount in two.items() if resource != "memory"}
    assert [slots(queue, {}, request) for request in (two, three, forgetful)] == [34, 30, 41]


def test_the_composite_of_three_pods_asks_for_550m_2048mi_and_7208mi():
    assert bundle_requests(COMPOSITE_BUNDLE) == amounts("550m", "2048Mi", "7208Mi", 3)


def test_pods_bound_the_slots_of_a_quota_that_has_enough_of_all_else():
    room, request = amounts("84", "160Gi", "1536Gi", 384), amounts("600m", "1536Mi", "9Gi", 3)
    assert [int(room[key] // request[key]) for key in room] == [140, 106, 170, 128]
    assert fit_count(room, request) == 106


def test_a_node_with_less_memory_than_the_quota_bounds_at_2_instead_of_3():
    request = {"memory": amounts("", "1536Mi", "")["memory"]}
    room = {"memory": amounts("", "8Gi", "")["memory"] - amounts("", "5000Mi", "")["memory"]}
    assert (fit_count({"memory": Decimal(5 << 30)}, request), pooled_fit([room], request)) == (3, 2)


def test_what_is_used_is_not_there_and_never_counts_below_nothing():
    queue = layout.dev().queue("benchmark-fast")
    request = bundle_requests(POD_BUNDLE)
    assert slots(queue, {"memory": Decimal(80 << 30)}, request) == 2
    assert slots(queue, {"memory": Decimal(126 << 30)}, request) == 0
    assert BENCHMARK_BORROWING["memory"] == 42 << 30


def test_what_no_quota_names_is_unknown_and_not_nothing():
    assert fit_count({"memory": Decimal(1)}, cpu(1)) is None


def test_the_platform_lets_a_pod_lie_across_flavors_and_kueue_does_not():
    queue = ClusterQueue("fast", ((flavor("on", 5), flavor("spot", 5)),))
    assert platform_quota_slots([each.quotas for each in queue.resource_groups[0]], {}, cpu(4)) == 2
    assert platform_quota_slots([each.quotas for each in queue.resource_groups[0]], {}, cpu(10)) == 1
    cohorts = Cohorts([queue])
    assert cohorts.slots("fast", cpu(4)).by_flavor == {"on": 1, "spot": 1}
    assert [cohorts.slots("fast", cpu(each)).available for each in (4, 5, 6, 10)] == [2, 2, 0, 0]


def test_groups_of_resources_choose_their_flavors_apart():
    disk = FlavorQuota("disk", {"ephemeral-storage": Quota(Decimal(30))})
    queue = ClusterQueue("fast", ((flavor("on", 5), flavor("spot", 5)), (disk,)))
    request = cpu(2) | {"ephemeral-storage": Decimal(10)}
    assert Cohorts([queue]).slots("fast", request).available == 3


def test_a_missing_borrowing_limit_is_no_limit_though_the_platform_takes_it_for_none():
    fast = ClusterQueue("fast", ((flavor("on", 4),),), "team")
    warm = ClusterQueue("warm", ((flavor("on", 6),),), "team")
    cohorts = Cohorts([fast, warm])
    cohorts.take("warm", "on", cpu(1))
    found = cohorts.slots("fast", cpu(2))
    assert (found.nominal, found.available, found.potential) == (2, 4, 5)
    assert platform_quota_slots([fast.resource_groups[0][0].quotas], {}, cpu(2), with_borrowing=True) == 2


def test_a_stopped_queue_admits_nothing_and_lends_all_the_same():
    held = ClusterQueue("held", ((flavor("on", 6),),), "team", stop_policy="Hold")
    fast = ClusterQueue("fast", ((flavor("on", 4),),), "team")
    cohorts = Cohorts([held, fast])
    assert (cohorts.slots("held", cpu(1)).available, cohorts.slots("fast", cpu(1)).available) == (0, 10)


def test_quota_of_a_cohort_above_is_shared_by_the_queues_below():
    fast = ClusterQueue("fast", ((flavor("on", 1),),), "left")
    cohorts = Cohorts([fast], [Cohort("left", "root"), Cohort("root", flavors=(flavor("on", 8),))])
    assert cohorts.slots("fast", cpu(3)).available == 3


def test_a_resource_without_quota_is_never_admitted_but_pods_are_only_counted_where_there_is_some():
    cohorts = Cohorts([ClusterQueue("fast", ((flavor("on", 4),),))])
    assert cohorts.slots("fast", cpu(1) | {"pods": Decimal(2)}).available == 4
    found = cohorts.slots("fast", cpu(1) | {"nvidia.com/gpu": Decimal(1)})
    assert (found.available, found.uncovered) == (0, ("nvidia.com/gpu",))


def test_queues_are_related_under_one_root_and_not_beside_it():
    left, right = (ClusterQueue(name, ((flavor("on", 1),),), name) for name in ("left", "right"))
    alone = ClusterQueue("alone", ((flavor("on", 1),),))
    cohorts = Cohorts([left, right, alone], [Cohort("left", "root"), Cohort("right", "root")])
    assert cohorts.are_related("left", "right")
    assert not cohorts.are_related("left", "alone")


def test_nodes_pooled_hold_more_than_nodes_apart():
    rooms = [amounts("4", "3Gi", "50Gi", 20)] * 2
    pod = amounts("1", "2Gi", "1Gi", 1)
    assert (pooled_fit(rooms, pod), packed_fit(rooms, [pod])) == (3, 2)


def test_pods_of_one_instance_may_lie_on_two_nodes():
    rooms = [amounts("1", "4Gi", "50Gi", 20)] * 2
    assert packed_fit(rooms, [amounts("1", "1Gi", "1Gi", 1)] * 2) == 1


def test_packing_stops_where_it_is_told_to():
    assert packed_fit([amounts("64", "64Gi", "64Gi", 110)], [amounts("1", "1Gi", "1Gi", 1)], most=5) == 5


@pytest.mark.parametrize("pressure", [False, True])
def test_a_node_under_disk_pressure_takes_no_pods(pressure):
    pool = NodePool((layout.NodeLayout("worker", 2, amounts("4", "4Gi", "50Gi", 20), NOTHING),))
    pool.nodes[0].has_disk_pressure = pressure
    assert pool.true_fit([amounts("1", "2Gi", "1Gi", 1)], {}, most=10) == (2 if pressure else 4)
    assert "2 Insufficient memory" in pool.why_unschedulable(amounts("1", "8Gi", "1Gi", 1), {}) or pressure
