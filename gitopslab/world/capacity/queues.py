"""A ClusterQueue: who waits in it, who holds its quota, and the status that Kueue writes of it."""

from collections.abc import Mapping
from decimal import Decimal
from heapq import heapify, heappop, heappush

from gitopslab.capacity.slots import Amounts
from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.capacity import objects
from gitopslab.world.capacity.layout import QueueLayout
from gitopslab.world.capacity.workloads import Phase, Workload

_STATUS_SECONDS = 1.0
"""Kueue gathers changes of a queue for so long before it writes them (constants.UpdatesBatchPeriod)."""

_Usage = dict[tuple[str, str], Decimal]


class Queue:
    """A ClusterQueue and its LocalQueue.

    Args:
        api: The cluster's API server.
        api_version: Of the objects.
        layout: Its quotas and policies.
        flavors: Labels of the nodes of each flavor, by the flavor's name.

    Attributes:
        holding: Workloads that hold its quota, by number.
        is_active: Whether it admits anything.
        pending_count: Workloads that wait in it, those included that are held back for a while.
    """

    def __init__(
        self, api: ApiServer, api_version: str, layout: QueueLayout, flavors: Mapping[str, Mapping[str, str]]
    ) -> None:
        self.layout = layout
        self.holding: dict[int, Workload] = {}
        self.is_active = True
        self.is_blocked = False
        self.pending_count = 0
        self._api = api
        is_older = api_version == objects.OLDER
        self._local_usage = "flavorUsage" if is_older else "flavorsUsage"
        self._heap: list[tuple[tuple[int, float, int], Workload]] = []
        self._parked: list[Workload] = []
        self._hopeless: set[object] = set()
        self._reserved: _Usage = self._nothing()
        self._used: _Usage = self._nothing()
        self._admitted_count = 0
        self._is_dirty = False
        self.item = api.create(objects.cluster_queue(api_version, layout), manager="argocd-controller")
        self.local_item = api.create(objects.local_queue(api_version, layout), manager="argocd-controller")
        self._explain("Ready", "Can admit new workloads", "Can submit new workloads to localQueue")
        if is_older:
            self.local_item["status"]["flavors"] = objects.local_queue_flavors(layout, flavors)
        api.clock.after(_STATUS_SECONDS, self._write)

    def _nothing(self) -> _Usage:
        return {
            (flavor.flavor, resource): Decimal(0)
            for flavor in self.layout.flavors
            for resource in flavor.quotas
        }

    def push(self, workload: Workload) -> None:
        """Let a Workload wait its turn."""
        self.is_blocked = False
        heappush(self._heap, (workload.order, workload))

    def head(self) -> Workload | None:
        """Return the Workload whose turn it is; None if there is none, or it waits for those it preempts."""
        while self._heap and not self.is_blocked:
            order, workload = self._heap[0]
            if workload.phase != Phase.PENDING or order != workload.order:
                heappop(self._heap)
            elif workload.shape in self._hopeless:
                self._parked.append(heappop(self._heap)[1])
            else:
                return None if workload.awaits_preemption else workload
        return None

    def pop(self) -> None:
        """Take the head from its place, for it is admitted."""
        heappop(self._heap)

    def park(self, workload: Workload) -> None:
        """Put the head, which fits nowhere now, aside until quota is freed; those of its shape go with it."""
        if self.layout.strategy == "StrictFIFO":
            self.is_blocked = True
            return
        heappop(self._heap)
        self._parked.append(workload)
        self._hopeless.add(workload.shape)

    def reconsider(self) -> None:
        """Let everybody wait their turn again, for quota was freed."""
        self.is_blocked = False
        self._hopeless.clear()
        for _, workload in self._heap:
            workload.awaits_preemption = False
        self._heap.extend((workload.order, workload) for workload in self._parked)
        self._parked.clear()
        heapify(self._heap)

    def hold(self, workload: Workload) -> None:
        """Count a Workload's quota as reserved."""
        self.holding[workload.number] = workload
        _add(self._reserved, workload.flavor, workload.requests, 1)

    def admit(self, workload: Workload) -> None:
        """Count a Workload as admitted."""
        self._admitted_count += 1
        _add(self._used, workload.flavor, workload.requests, 1)

    def leave(self, workload: Workload) -> None:
        """Count a Workload that held quota no more."""
        del self.holding[workload.number]
        _add(self._reserved, workload.flavor, workload.requests, -1)
        if workload.admitted_at:
            self._admitted_count -= 1
            _add(self._used, workload.flavor, workload.requests, -1)

    def used(self) -> dict[str, Decimal]:
        """Return what admitted Workloads use of each resource, over all flavors."""
        total: dict[str, Decimal] = {}
        for (_, resource), amount in self._used.items():
            total[resource] = total.get(resource, Decimal(0)) + amount
        return total

    def amounts(self, flavor: str, resource: str) -> tuple[Decimal, Decimal]:
        """Return what is reserved and what is used of a flavor and resource."""
        return self._reserved[flavor, resource], self._used[flavor, resource]

    @property
    def parked_count(self) -> int:
        """How many Workloads wait until quota is freed."""
        return len(self._parked)

    @property
    def admitted_count(self) -> int:
        """How many Workloads are admitted and not finished."""
        return self._admitted_count

    def touch(self) -> None:
        """Have the status written soon, for something changed."""
        if not self._is_dirty:
            self._is_dirty = True
            self._api.clock.after(_STATUS_SECONDS, self._write)

    def stop(self, policy: str) -> None:
        """Stop the queue: `Hold` admits nobody, `HoldAndDrain` is to evict everybody too."""
        self._set_policy(policy)
        self.deactivate("Stopped", "Can't admit new workloads: is stopped.")

    def deactivate(self, reason: str, message: str) -> None:
        """Admit nobody, for a reason such as FlavorNotFound."""
        self.is_active = False
        self._explain(reason, message, "Can't submit new workloads to clusterQueue", is_active=False)
        self.touch()

    def resume(self) -> None:
        """Admit again."""
        if self.item["spec"]["stopPolicy"] != "None":
            self._set_policy("None")
        self.is_active = True
        self._explain("Ready", "Can admit new workloads", "Can submit new workloads to localQueue")
        self.touch()

    def change(self, layout: QueueLayout) -> None:
        """Give the queue other quotas, of the same flavors and resources."""
        self.layout = layout
        self.item["spec"]["resourceGroups"] = [objects.resource_group(layout)]
        self._api.update(self.item, manager="argocd-controller")
        self.touch()

    def _set_policy(self, policy: str) -> None:
        self.item["spec"]["stopPolicy"] = policy
        self._api.update(self.item, manager="argocd-controller")

    def _explain(self, reason: str, message: str, local_message: str, *, is_active: bool = True) -> None:
        time = self._api.clock.stamp()
        local_reason = "Ready" if is_active else "ClusterQueueIsInactive"
        for item, why, text in ((self.item, reason, message), (self.local_item, local_reason, local_message)):
            item.setdefault("status", {})
            objects.set_condition(item, "Active", status=is_active, reason=why, message=text, time=time)

    def _write(self) -> None:
        self._is_dirty = False
        counts = {
            "admittedWorkloads": self._admitted_count,
            "pendingWorkloads": self.pending_count,
            "reservingWorkloads": len(self.holding),
        }
        self.item["status"] |= counts | {
            "flavorsReservation": self._amounts(self._reserved, is_local=False),
            "flavorsUsage": self._amounts(self._used, is_local=False),
        }
        self._api.patch_status(self.item, manager="kueue")
        self.local_item["status"] |= counts | {
            "flavorsReservation": self._amounts(self._reserved, is_local=True),
            self._local_usage: self._amounts(self._used, is_local=True),
        }
        self._api.patch_status(self.local_item, manager="kueue")

    def _amounts(self, usage: _Usage, *, is_local: bool) -> list[Object]:
        return [
            {
                "name": flavor.flavor,
                "resources": [
                    _amount(resource, usage[flavor.flavor, resource], None if is_local else quota.nominal)
                    for resource, quota in sorted(flavor.quotas.items())
                ],
            }
            for flavor in self.layout.flavors
        ]


def _amount(resource: str, total: Decimal, nominal: Decimal | None) -> Object:
    written = {"name": resource, "total": objects.quantity(resource, total)}
    if nominal is not None:
        written["borrowed"] = objects.quantity(resource, max(Decimal(0), total - nominal))
    return written


def _add(usage: _Usage, flavor: str, requests: Amounts, sign: int) -> None:
    for resource, amount in requests.items():
        usage[flavor, resource] += sign * amount
