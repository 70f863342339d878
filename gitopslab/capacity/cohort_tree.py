"""How much of one flavor and resource a ClusterQueue may still take, given its place in the cohort tree.

The arithmetic is Kueue's (pkg/cache/scheduler/resource_node.go): what a queue does not lend stays local to
it, the rest is pooled in the cohort above, and what a queue uses beyond its local quota counts there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from gitopslab.errors import UsageError

_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Quota:
    """What one ClusterQueue or Cohort declares for one flavor and resource.

    Attributes:
        nominal: Its own share.
        borrowing_limit: The most it may take beyond `nominal`; None is unlimited.
        lending_limit: The most of `nominal` that others may take; None is all of it.
        parent: The cohort it belongs to. A cohort nobody declares is one without quota.
    """

    nominal: Decimal = _NONE
    borrowing_limit: Decimal | None = None
    lending_limit: Decimal | None = None
    parent: str | None = None


@dataclass(slots=True)
class _Node:
    quota: Quota
    parent: "_Node | None" = None
    subtree: Decimal = _NONE
    usage: Decimal = _NONE

    @property
    def local(self) -> Decimal:
        limit = self.quota.lending_limit
        return _NONE if limit is None else max(_NONE, self.subtree - limit)

    @property
    def beyond_local(self) -> Decimal:
        return max(_NONE, self.usage - self.local)


class CohortTree:
    """Quota and usage of one flavor and resource, over every queue that shares it.

    Args:
        queues: Quota of each ClusterQueue, by name.
        cohorts: Quota of each Cohort, by name.

    Raises:
        UsageError: The cohorts form a cycle.
    """

    def __init__(self, queues: Mapping[str, Quota], cohorts: Mapping[str, Quota] | None = None) -> None:
        self._cohorts: dict[str, _Node] = {}
        declared = cohorts or {}
        for name, quota in declared.items():
            self._cohorts[name] = _Node(quota)
        for name, quota in declared.items():
            self._cohorts[name].parent = self._cohort(quota.parent)
        self._queues = {name: _Node(quota, self._cohort(quota.parent)) for name, quota in queues.items()}
        self._check_depth()
        for node in (*self._cohorts.values(), *self._queues.values()):
            _add_quota(node, node.quota.nominal)

    def _cohort(self, name: str | None) -> _Node | None:
        return None if name is None else self._cohorts.setdefault(name, _Node(Quota()))

    def _check_depth(self) -> None:
        for name, cohort in self._cohorts.items():
            node, steps = cohort.parent, 0
            while node is not None:
                if node is cohort or steps > len(self._cohorts):
                    raise UsageError(f"cohort {name!r}: is its own ancestor; a cohort tree has one root")
                node, steps = node.parent, steps + 1

    def take(self, queue: str, amount: Decimal) -> None:
        """Count `amount` as used by `queue`; a negative amount is given back."""
        node: _Node | None = self._queues[queue]
        while node is not None and amount:
            before = node.beyond_local
            node.usage += amount
            amount, node = node.beyond_local - before, node.parent

    def has(self, queue: str) -> bool:
        """Return whether `queue` declares a quota; without one it cannot even borrow."""
        return queue in self._queues

    def usage(self, queue: str) -> Decimal:
        """Return what `queue` uses."""
        return self._queues[queue].usage

    def nominal(self, queue: str) -> Decimal:
        """Return the quota that `queue` declares."""
        return self._queues[queue].quota.nominal

    def borrowed(self, queue: str) -> Decimal:
        """Return what `queue` uses beyond its own quota."""
        node = self._queues[queue]
        return max(_NONE, node.usage - node.quota.nominal)

    def available(self, queue: str) -> Decimal:
        """Return what `queue` could take now without preempting anyone."""
        return max(_NONE, _available(self._queues[queue]))

    def potential(self, queue: str) -> Decimal:
        """Return what `queue` could take if nobody used anything.

        It is no share of the whole: potentials of queues of one cohort count the same quota many times.
        """
        return _potential(self._queues[queue])


def _add_quota(node: _Node | None, amount: Decimal) -> None:
    while node is not None and amount:
        lendable = node.subtree - node.local
        node.subtree += amount
        amount, node = node.subtree - node.local - lendable, node.parent


def _available(node: _Node) -> Decimal:
    if node.parent is None:
        return node.subtree - node.usage
    shared = _available(node.parent)
    limit = node.quota.borrowing_limit
    if limit is not None:
        shared = min(shared, node.subtree - node.local - node.beyond_local + limit)
    return max(_NONE, node.local - node.usage) + shared


def _potential(node: _Node) -> Decimal:
    if node.parent is None:
        return node.subtree
    most = node.local + _potential(node.parent)
    limit = node.quota.borrowing_limit
    return most if limit is None else min(most, node.subtree + limit)
