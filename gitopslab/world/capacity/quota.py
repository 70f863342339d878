"""Quota of all flavors and resources of a cluster: what is taken, and where a request would fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from gitopslab.capacity.cohort_tree import CohortTree
from gitopslab.capacity.cohorts import Cohort, Cohorts
from gitopslab.capacity.slots import Amounts
from gitopslab.world.capacity.layout import QueueLayout
from gitopslab.world.capacity.objects import quantity


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a request would go.

    Attributes:
        flavor: The flavor; resources of one request come from one flavor.
        is_fit: Whether it fits now.
        borrows: Whether it would take more than its queue's own quota.
        short: Resources of which too little is unused.
        is_possible: Whether it would fit if nobody else used anything.
        message: Why it does not fit, in Kueue's words.
    """

    flavor: str
    is_fit: bool
    borrows: bool = False
    short: tuple[str, ...] = ()
    is_possible: bool = True
    message: str = ""


class QuotaBook:
    """Who has taken how much of every quota.

    Args:
        layouts: The queues.
        cohorts: Parent of each cohort.

    Attributes:
        cohorts: Quota and usage themselves.
    """

    def __init__(self, layouts: Sequence[QueueLayout], cohorts: Mapping[str, str | None]) -> None:
        self.cohorts = Cohorts(
            (layout.cluster_queue for layout in layouts),
            (Cohort(name, parent) for name, parent in cohorts.items()),
        )
        self._flavors = {layout.name: tuple(each.flavor for each in layout.flavors) for layout in layouts}

    def resources(self, queue: str) -> frozenset[str]:
        """Return the resources that a queue counts."""
        return self.cohorts.queue(queue).resources

    def are_related(self, queue: str, other: str) -> bool:
        """Return whether two queues share quota, being the same or under one root cohort."""
        return self.cohorts.are_related(queue, other)

    def take(self, queue: str, flavor: str, requests: Amounts) -> None:
        """Count a request as taken."""
        self.cohorts.take(queue, flavor, requests)

    def give_back(self, queue: str, flavor: str, requests: Amounts) -> None:
        """Count a request as taken no more."""
        self.cohorts.take(queue, flavor, {resource: -amount for resource, amount in requests.items()})

    def _tree(self, flavor: str, resource: str) -> CohortTree:
        return self.cohorts.tree(flavor, resource)

    def fits(self, queue: str, flavor: str, requests: Amounts, *, may_borrow: bool = True) -> bool:
        """Return whether a request fits now."""
        for resource, amount in requests.items():
            tree = self._tree(flavor, resource)
            if amount > tree.available(queue):
                return False
            if not may_borrow and tree.usage(queue) + amount > tree.nominal(queue):
                return False
        return True

    def is_borrowing(self, queue: str, flavor: str, resources: Sequence[str]) -> bool:
        """Return whether a queue uses more than its own quota of any of these resources."""
        for resource in resources:
            tree = self._tree(flavor, resource)
            if tree.has(queue) and tree.borrowed(queue) > 0:
                return True
        return False

    def is_under_nominal(self, queue: str, flavor: str, resources: Sequence[str]) -> bool:
        """Return whether a queue has own quota left of each of these resources."""
        return all(
            self._tree(flavor, resource).usage(queue) < self._tree(flavor, resource).nominal(queue)
            for resource in resources
        )

    def assign(self, queue: str, requests: Amounts, pod_set: str) -> Assignment:
        """Return where a request would go: the first flavor that fits it, or the first that could hold it."""
        best: Assignment | None = None
        reasons: list[str] = []
        for flavor in self._flavors[queue]:
            found = self._assign(queue, flavor, requests, reasons)
            if found.is_fit:
                return found
            if best is None or (found.is_possible and not best.is_possible):
                best = found
        if best is None:
            message = f"couldn't assign flavors to pod set {pod_set}: no flavor in ClusterQueue {queue}"
            return Assignment("", is_fit=False, is_possible=False, message=message)
        message = f"couldn't assign flavors to pod set {pod_set}: {', '.join(reasons)}"
        return replace(best, message=message)

    def _assign(self, queue: str, flavor: str, requests: Amounts, reasons: list[str]) -> Assignment:
        short, borrows, is_possible = [], False, True
        for resource, amount in requests.items():
            tree = self._tree(flavor, resource)
            available = tree.available(queue)
            if amount <= available:
                borrows = borrows or tree.usage(queue) + amount > tree.nominal(queue)
                continue
            short.append(resource)
            most = tree.potential(queue)
            if amount > most:
                is_possible = False
                reasons.append(_too_large(resource, flavor, amount, most))
            else:
                reasons.append(_too_little(resource, flavor, amount - available))
        return Assignment(flavor, not short, borrows, tuple(short), is_possible)


def _too_little(resource: str, flavor: str, needed: Decimal) -> str:
    amount = quantity(resource, needed)
    return f"insufficient unused quota for {resource} in flavor {flavor}, {amount} more needed"


def _too_large(resource: str, flavor: str, request: Decimal, most: Decimal) -> str:
    requested, capacity = quantity(resource, request), quantity(resource, most)
    return (
        f"insufficient quota for {resource} in flavor {flavor}, previously considered podsets requests (0) + "
        f"current podset request ({requested}) > maximum capacity ({capacity})"
    )
