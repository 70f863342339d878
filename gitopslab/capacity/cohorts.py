"""ClusterQueues as Kueue takes them: cohort trees of every flavor and resource, and slots in them.

Source: kueue, pkg/cache/scheduler/resource_node.go and pkg/scheduler/flavorassigner.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from gitopslab.capacity.cohort_tree import CohortTree, Quota
from gitopslab.capacity.slots import Amounts

_NO_STOP = frozenset({"", "None"})


@dataclass(frozen=True)
class FlavorQuota:
    """What a queue or cohort may take of one flavor, by resource."""

    flavor: str
    quotas: Mapping[str, Quota]


@dataclass(frozen=True)
class ClusterQueue:
    """A ClusterQueue.

    Attributes:
        name: Its name.
        resource_groups: Flavors of each group, in the order in which they are tried. Resources of one group
            come from one flavor; groups choose for themselves.
        cohort: The cohort it is in; None is none, and then it borrows nothing.
        stop_policy: `None`, `Hold` or `HoldAndDrain`, in Kueue's words.
        is_active: Whether its condition Active is true.
    """

    name: str
    resource_groups: tuple[tuple[FlavorQuota, ...], ...]
    cohort: str | None = None
    stop_policy: str = "None"
    is_active: bool = True

    @property
    def admits(self) -> bool:
        """Whether it admits anything."""
        return self.is_active and self.stop_policy in _NO_STOP

    @property
    def resources(self) -> frozenset[str]:
        """The resources that it counts."""
        return frozenset(
            resource for group in self.resource_groups for each in group for resource in each.quotas
        )


@dataclass(frozen=True)
class Cohort:
    """A Cohort object: its parent, and quota of its own."""

    name: str
    parent: str | None = None
    flavors: tuple[FlavorQuota, ...] = ()


@dataclass(frozen=True)
class QueueSlots:
    """How many instances a queue has room for.

    Attributes:
        nominal: By its own quota, if it used nothing.
        available: Now, with what it may borrow and what its cohort has left; 0 where the queue is stopped.
        potential: If nobody used anything. Potentials of queues of one cohort must not be added up.
        by_flavor: `available` by flavor; of a queue with several resource groups, of each group.
        uncovered: Resources that are asked for and the queue has no quota of: nothing is ever admitted then.
    """

    nominal: int
    available: int
    potential: int
    by_flavor: Mapping[str, int]
    uncovered: tuple[str, ...] = ()


class Cohorts:
    """Quota and usage of all ClusterQueues of a cluster.

    A stopped queue admits nothing, and what it does not use can be borrowed all the same.

    Args:
        queues: The queues.
        cohorts: Cohort objects; a cohort that only queues name has no parent and no quota.

    Raises:
        UsageError: The cohorts form a cycle.
    """

    def __init__(self, queues: Iterable[ClusterQueue], cohorts: Iterable[Cohort] = ()) -> None:
        self._queues = {queue.name: queue for queue in queues}
        declared = tuple(cohorts)
        self._parents = {cohort.name: cohort.parent for cohort in declared}
        own: dict[tuple[str, str], dict[str, Quota]] = {}
        for queue in self._queues.values():
            for group in queue.resource_groups:
                _gather(own, queue.name, group, queue.cohort)
        shared: dict[tuple[str, str], dict[str, Quota]] = {}
        for cohort in declared:
            _gather(shared, cohort.name, cohort.flavors, cohort.parent)
        bare = {cohort.name: Quota(parent=cohort.parent) for cohort in declared}
        self._trees = {
            key: CohortTree(own.get(key, {}), bare | shared.get(key, {}))
            for key in dict.fromkeys((*own, *shared))
        }

    def __contains__(self, queue: str) -> bool:
        return queue in self._queues

    def queue(self, name: str) -> ClusterQueue:
        """Return the queue of that name."""
        return self._queues[name]

    def tree(self, flavor: str, resource: str) -> CohortTree:
        """Return quota and usage of one flavor and resource."""
        return self._trees[flavor, resource]

    def are_related(self, queue: str, other: str) -> bool:
        """Return whether two queues share quota, being the same or under one root cohort."""
        return self._root(queue) == self._root(other)

    def take(self, queue: str, flavor: str, amounts: Amounts) -> None:
        """Count amounts as taken; negative ones are given back."""
        for resource, amount in amounts.items():
            self._trees[flavor, resource].take(queue, amount)

    def slots(self, queue: str, request: Amounts) -> QueueSlots:
        """Return how many instances that ask for `request` a queue has room for.

        Pods are counted where the queue has quota of them. Each instance takes one flavor of a group, and
        another may take the next: slots of flavors add up, their amounts do not.
        """
        asked = {resource: amount for resource, amount in request.items() if amount > 0}
        found = self._queues[queue]
        uncovered = tuple(sorted(asked.keys() - found.resources - {"pods"}))
        if uncovered:
            return QueueSlots(0, 0, 0, {}, uncovered)
        available = self._by_flavor(found, asked, CohortTree.available)
        return QueueSlots(
            nominal=_least(self._by_flavor(found, asked, CohortTree.nominal)),
            available=_least(available) if found.admits else 0,
            potential=_least(self._by_flavor(found, asked, CohortTree.potential)),
            by_flavor={flavor: count for group in available for flavor, count in group.items()},
        )

    def _by_flavor(
        self, queue: ClusterQueue, request: Amounts, measure: Callable[[CohortTree, str], Decimal]
    ) -> list[dict[str, int]]:
        """Return slots by flavor, of every resource group that is asked for something."""
        return [
            {each.flavor: self._flavor_slots(queue.name, each, request, measure) for each in group}
            for group in queue.resource_groups
            if any(resource in each.quotas for each in group for resource in request)
        ]

    def _flavor_slots(
        self,
        queue: str,
        flavor: FlavorQuota,
        request: Amounts,
        measure: Callable[[CohortTree, str], Decimal],
    ) -> int:
        return min(
            int(measure(self._trees[flavor.flavor, resource], queue) // request[resource])
            for resource in request.keys() & flavor.quotas.keys()
        )

    def _root(self, queue: str) -> tuple[str, str]:
        cohort = self._queues[queue].cohort
        if cohort is None:
            return "queue", queue
        while parent := self._parents.get(cohort):
            cohort = parent
        return "cohort", cohort


def _gather(
    quotas: dict[tuple[str, str], dict[str, Quota]],
    name: str,
    flavors: Iterable[FlavorQuota],
    parent: str | None,
) -> None:
    for each in flavors:
        for resource, quota in each.quotas.items():
            quotas.setdefault((each.flavor, resource), {})[name] = replace(quota, parent=parent)


def _least(groups: list[dict[str, int]]) -> int:
    return min((sum(group.values()) for group in groups), default=0)
