"""How often a request fits: into quota as the platform reckons it, and onto nodes, pooled and packed.

Source: workflow-builder, `sandbox-capacity.ts`, for what the platform does; its errors are kept, and said.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from gitopslab.capacity.cohort_tree import Quota

Amounts = Mapping[str, Decimal]
"""An amount of each resource, by the resource's name: CPU in cores, memory in bytes."""

_NONE = Decimal(0)


def fit_count(room: Amounts, request: Amounts) -> int | None:
    """Return how often `request` fits into `room`, by what both name; None if they name nothing in common."""
    counts = [
        int(max(_NONE, room[resource]) // amount)
        for resource, amount in request.items()
        if amount > 0 and resource in room
    ]
    return min(counts, default=None)


def add_up(parts: Iterable[Amounts]) -> dict[str, Decimal]:
    """Return the sum of amounts, by resource."""
    total: dict[str, Decimal] = {}
    for part in parts:
        for resource, amount in part.items():
            total[resource] = total.get(resource, _NONE) + amount
    return total


def platform_quota_slots(
    flavors: Iterable[Mapping[str, Quota]], used: Amounts, request: Amounts, *, with_borrowing: bool = False
) -> int | None:
    """Return how often `request` fits into what a queue has left, reckoned as the platform does.

    Wrong in three ways: flavors are added up as if one pod could lie across them; `with_borrowing` takes a
    missing limit for 0, where Kueue means none; and what other queues of the cohort hold is not looked at.

    Args:
        flavors: Quota by resource, of each flavor of the queue.
        used: What admitted Workloads use, over all flavors; what is borrowed is in it.
        request: What one instance asks for.
        with_borrowing: Whether borrowing limits are added to the quota.
    """
    quota = add_up(
        {
            resource: each.nominal + ((each.borrowing_limit or _NONE) if with_borrowing else _NONE)
            for resource, each in quotas.items()
        }
        for quotas in flavors
    )
    left = {resource: amount - used.get(resource, _NONE) for resource, amount in quota.items()}
    return fit_count(left, request)


def pooled_fit(rooms: Iterable[Amounts], request: Amounts) -> int | None:
    """Return how often `request` fits into what all nodes have left together, as the platform reckons.

    It overstates: a pod does not lie across nodes. Pods are not counted, as the platform does not.
    """
    asked = {resource: amount for resource, amount in request.items() if resource != "pods"}
    return fit_count(add_up(rooms), asked)


def packed_fit(rooms: Iterable[Amounts], pods: Sequence[Amounts], most: int = 1_000) -> int:
    """Return how many instances fit when every pod is placed on one node.

    Pods go where most memory is left, as the default scheduler spreads them. It is one packing of many:
    another could fit more.

    Args:
        rooms: What each node has left; of a resource that is not named, nothing.
        pods: What each pod of an instance asks for.
        most: Where to stop.
    """
    nodes = [dict(room) for room in rooms]
    for count in range(most):
        if not all(_place(pod, nodes) for pod in pods):
            return count
    return most


def _place(pod: Amounts, nodes: list[dict[str, Decimal]]) -> bool:
    fitting = (node for node in nodes if all(node.get(key, _NONE) >= amount for key, amount in pod.items()))
    best = max(fitting, key=lambda node: node.get("memory", _NONE), default=None)
    if best is None:
        return False
    for resource, amount in pod.items():
        best[resource] = best.get(resource, _NONE) - amount
    return True
