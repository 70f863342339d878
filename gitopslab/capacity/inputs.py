"""From rows of the warehouse to the readings that layers take, each with the row it is from."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from gitopslab.capacity.bundle import Bundle
from gitopslab.capacity.cohort_tree import Quota
from gitopslab.capacity.cohorts import ClusterQueue, Cohort, Cohorts, FlavorQuota
from gitopslab.capacity.layers import Mode, Reading, Tag
from gitopslab.capacity.pressure import Pressure
from gitopslab.capacity.slots import Amounts, fit_count, packed_fit

Row = Mapping[str, Any]

_COLUMNS = {
    "requested": "requested_concurrency",
    "selected": "selected_instance_count",
    "runtime_slots": "runtime_slot_count",
    "sidecar_workflows": "dapr_workflow_capacity",
    "parent_workflows": "parent_workflow_capacity",
    "agent_turns": "agent_turn_limit",
    "global_limit": "global_limit",
    "sandbox_limit": "sandbox_limit",
    "schedulable_sandboxes": "schedulable_sandbox_count",
    "queue_quota": "quota_slot_count",
    "queue_quota_borrowing": "borrowing_slot_count",
    "model_requests": "model_request_limit",
}
"""Layers that the application says itself, by the column of `launch_capacity_as_of`."""

_DAPR_PRESSURES = {
    "is_parent_under_pressure": "dapr_runtime_pressure",
    "is_agent_host_under_pressure": "agent_host_pressure",
}
"""The application's words for Dapr under pressure, by the column of `launch_capacity_as_of` that tells."""

_RESOURCES = {"cpu": "cpu_cores", "memory": "memory_bytes", "ephemeral-storage": "ephemeral_storage_bytes"}


@dataclass(frozen=True)
class Rooms:
    """What is left on nodes.

    Attributes:
        nodes: What each has left.
        pod_count: Pods whose requests were taken off.
    """

    nodes: tuple[Amounts, ...]
    pod_count: int


def mode(launch: Row) -> Mode:
    """Return how the application reckoned at a launch; what is unknown is manual."""
    found = launch["capacity_mode"]
    return found if found in {"kueue", "auto"} else "manual"


def pressure(launch: Row) -> Pressure:
    """Return the pressure that the application saw at a launch; a factor that is unknown cuts nothing."""
    factor = launch["pressure_factor"]
    dapr = [reason for column, reason in _DAPR_PRESSURES.items() if launch[column]]
    is_hard = any(
        (
            launch["is_hard_pressure"],
            (launch["disk_pressure_node_count"] or 0) > 0,
            launch["is_cluster_queue_active"] is False,
            dapr,
        )
    )
    reasons = msgspec.json.decode(launch["pressure_reasons"] or "[]", type=list[str])
    return Pressure(
        tuple(dict.fromkeys([*reasons, *dapr])), 1.0 if factor is None else factor, is_hard=is_hard
    )


def modelled_request(launch: Row) -> dict[str, Decimal]:
    """Return what the application takes an instance to ask for, as far as it says."""
    request = _amounts(launch, "instance_")
    pods = launch["instance_pod_count"]
    return request if pods is None else request | {"pods": Decimal(pods)}


def platform_readings(launch: Row) -> dict[str, Reading]:
    """Return what the application read at a launch.

    It tells only the less of quota and nodes: the nodes' part is known where it is the less, and else
    reckoned again from the room that it saw.
    """
    source = f"run {launch['benchmark_run_id']}"
    found = {
        name: Reading(launch[column], f"{source}, {column}")
        for name, column in _COLUMNS.items()
        if launch[column] is not None
    }
    quota, both = launch["quota_slot_count"], launch["schedulable_slot_count"]
    if both is not None:
        nodes = fit_count(_amounts(launch, "nodes_available_"), _amounts(launch, "instance_"))
        name = "queue_and_nodes" if quota is None else "live_nodes"
        if name == "queue_and_nodes" or both < quota:
            found[name] = Reading(both, f"{source}, schedulable_slot_count")
        elif nodes is not None:
            found[name] = Reading(nodes, f"{source}, room on {launch['node_count']} nodes together")
    return found


def real_readings(
    launch: Row, cohorts: Cohorts, bundle: Bundle | None, rooms: Rooms | None = None
) -> dict[str, Reading]:
    """Return what really bounds a run: what the application says, but for quota and nodes.

    Args:
        launch: A row of `launch_capacity_as_of`.
        cohorts: Of the cluster at that time, from `cohorts_of`.
        bundle: What instances ask for; None takes the application's model, as an assumption.
        rooms: What Pods left on each node then, from `rooms_of`; None takes what the application saw on all
            nodes together, spread evenly.
    """
    request = bundle.request if bundle else modelled_request(launch)
    tag: Tag = "calibrated" if bundle else "assumed"
    what = f"bundle of {bundle.n} admitted instances" if bundle else "modelled bundle"
    found = platform_readings(launch)
    queue = launch["cluster_queue"]
    if queue in cohorts and request:
        slots = cohorts.slots(queue, request)
        source = f"cohort tree of {queue}, {what}"
        found |= {
            "kueue_nominal": Reading(slots.nominal, source, tag),
            "kueue_potential": Reading(slots.potential, source, tag),
            "kueue_available": Reading(slots.available, source, tag),
        }
    return found | _node_fit(launch, bundle.pods if bundle else (request,), rooms, what, tag)


def _node_fit(
    launch: Row, pods: Sequence[Amounts], rooms: Rooms | None, what: str, tag: Tag
) -> dict[str, Reading]:
    """Return how many instances fit on nodes: measured where Pods tell what is left of each."""
    if rooms and any(pods):
        asked = [{"pods": Decimal(1), **pod} for pod in pods]
        how: Tag = "measured" if tag == "calibrated" else tag
        source = (
            f"allocatable less what {rooms.pod_count:,} Pods on {len(rooms.nodes):,} nodes ask for, {what}"
        )
        return {"node_fit": Reading(_packed(rooms.nodes, asked), source, how)}
    spread = _spread_evenly(_amounts(launch, "nodes_available_"), launch["node_count"])
    if not spread or not any(pods):
        return {}
    source = f"room of {len(spread)} nodes taken as spread evenly, {what}"
    return {"node_fit": Reading(_packed(spread, pods), source, tag)}


def _packed(rooms: Sequence[Amounts], pods: Sequence[Amounts]) -> int:
    """Return how many instances fit, by the resources that are known of the nodes."""
    return packed_fit(rooms, [_only(rooms[0], pod) for pod in pods])


def rooms_of(
    room_rows: Iterable[Row], flavor_rows: Iterable[Row], cohorts: Cohorts, cluster_queue: str | None
) -> Rooms | None:
    """Return what is left on each node that a queue's flavors stand for; None where it is not known of all.

    Args:
        room_rows: Of `node_rooms_as_of`.
        flavor_rows: Of `resource_flavors_as_of`.
        cohorts: Of the cluster at that time, from `cohorts_of`.
        cluster_queue: The queue.
    """
    if cluster_queue is None or cluster_queue not in cohorts:
        return None
    flavors = {each.flavor for group in cohorts.queue(cluster_queue).resource_groups for each in group}
    labels = [dict(row["node_labels"] or {}) for row in flavor_rows if row["flavor"] in flavors]
    rooms: dict[str, dict[str, Decimal]] = defaultdict(dict)
    counts: dict[str, int] = {}
    for row in room_rows:
        own = dict(row["labels"] or {})
        if row["takes_pods"] and any(each.items() <= own.items() for each in labels):
            if row["room"] is None:
                return None
            rooms[row["node"]][row["resource"]] = row["room"]
            counts[row["node"]] = max(counts.get(row["node"], 0), row["pod_count"])
    return Rooms(tuple(rooms.values()), sum(counts.values())) if rooms else None


def cohorts_of(quota_rows: Iterable[Row], cohort_rows: Iterable[Row]) -> Cohorts:
    """Return the queues and cohorts of a cluster, with what Workloads hold of them.

    A limit that could not be read is taken for 0: nothing is borrowed or lent that may not be.

    Args:
        quota_rows: Of `queue_quotas_as_of`.
        cohort_rows: Of `cohort_quotas_as_of`.

    Raises:
        UsageError: The cohorts form a cycle, which in Kueue stops every queue in it.
    """
    rows = list(quota_rows)
    cohorts = Cohorts(queues_of(rows), cohort_objects_of(cohort_rows))
    for row in rows:
        taken = {row["resource"]: row["reserved_total"] or Decimal(0)}
        cohorts.take(row["cluster_queue"], row["flavor"], taken)
    return cohorts


def queues_of(quota_rows: Iterable[Row]) -> tuple[ClusterQueue, ...]:
    """Return the queues of a cluster from rows of `queue_quotas_as_of`, in the order of the rows."""
    queues: dict[str, list[Row]] = defaultdict(list)
    for row in quota_rows:
        queues[row["cluster_queue"]].append(row)
    return tuple(_queue(name, rows) for name, rows in queues.items())


def cohort_objects_of(cohort_rows: Iterable[Row]) -> tuple[Cohort, ...]:
    """Return the Cohort objects of a cluster from rows of `cohort_quotas_as_of`."""
    declared: dict[str, list[Row]] = defaultdict(list)
    for row in cohort_rows:
        declared[row["cohort"]].append(row)
    return tuple(
        Cohort(name, rows[0]["parent_cohort"], _flavors(row for row in rows if row["flavor"] is not None))
        for name, rows in declared.items()
    )


def _queue(name: str, rows: list[Row]) -> ClusterQueue:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["resource_group_number"]].append(row)
    return ClusterQueue(
        name,
        tuple(_flavors(groups[number]) for number in sorted(groups)),
        cohort=rows[0]["cohort"],
        stop_policy=rows[0]["stop_policy"] or "None",
        is_active=rows[0]["is_active"],
    )


def _flavors(rows: Iterable[Row]) -> tuple[FlavorQuota, ...]:
    quotas: dict[str, dict[str, Quota]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: (row.get("flavor_number") or 0, row["flavor"], row["resource"])):
        quotas[row["flavor"]][row["resource"]] = Quota(
            row["nominal_quota"] or Decimal(0),
            row["borrowing_limit"] if row["is_borrowing_limit_readable"] else Decimal(0),
            row["lending_limit"] if row["is_lending_limit_readable"] else Decimal(0),
        )
    return tuple(FlavorQuota(flavor, each) for flavor, each in quotas.items())


def _amounts(launch: Row, prefix: str) -> dict[str, Decimal]:
    columns = {resource: f"{prefix}{suffix}" for resource, suffix in _RESOURCES.items()}
    return {
        resource: Decimal(str(launch[column]))
        for resource, column in columns.items()
        if launch[column] is not None
    }


def _spread_evenly(total: Amounts, count: int | None) -> list[Amounts]:
    if not count or not total:
        return []
    return [{resource: amount / count for resource, amount in total.items()}] * count


def _only(known: Amounts, pod: Amounts) -> dict[str, Decimal]:
    return {resource: amount for resource, amount in pod.items() if resource in known}
