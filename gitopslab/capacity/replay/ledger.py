"""Quota of a cluster in whole numbers: `cohort_tree.CohortTree` for every flavor and resource, but quick.

Amounts of a resource are counted in the largest unit of which every quota and request is a whole multiple, so
that nothing is rounded and numbers stay small.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from math import gcd, lcm

from gitopslab.capacity.cohort_tree import Quota
from gitopslab.capacity.replay.model import Plane
from gitopslab.errors import UsageError

Cell = int
"""A flavor and resource, by number."""


class Ledger:
    """Who may take how much of what, and who has.

    Args:
        plane: The queues; one is known by its place in `plane.queues`.
        requests: Amounts that will be asked for, which decide the units.

    Attributes:
        cells: Number of each flavor and resource.
        units: What 1 is of each resource.

    Raises:
        UsageError: Cohorts form a cycle.
    """

    def __init__(self, plane: Plane, requests: Iterable[Mapping[str, Decimal]] = ()) -> None:
        cohorts = _parents(plane)
        places = {name: len(plane.queues) + place for place, name in enumerate(cohorts)}
        parents = [places.get(queue.cohort or "") for queue in plane.queues]
        parents += [places.get(parent or "") for parent in cohorts.values()]
        self._paths = [_path(parents, place) for place in range(len(plane.queues))]
        self.roots = [path[0] for path in self._paths]
        quotas = _quotas(plane, places)
        self.units = _units(quotas, requests)
        self.cells: dict[tuple[str, str], Cell] = {key: cell for cell, key in enumerate(quotas)}
        count, nodes = len(quotas), len(parents)
        self._nominal = [[0] * nodes for _ in range(count)]
        self._declared = [[False] * nodes for _ in range(count)]
        self._limit: list[list[int | None]] = [[None] * nodes for _ in range(count)]
        self._lending: list[list[int | None]] = [[None] * nodes for _ in range(count)]
        self._local = [[0] * nodes for _ in range(count)]
        self._lendable = [[0] * nodes for _ in range(count)]
        self._subtree = [[0] * nodes for _ in range(count)]
        self._usage = [[0] * nodes for _ in range(count)]
        order = sorted(range(nodes), key=lambda node: -len(_path(parents, node)))
        for (key, cell), declared in zip(self.cells.items(), quotas.values(), strict=True):
            self._declare(cell, key[1], declared)
            self._add_up(cell, order, parents)

    def _declare(self, cell: Cell, resource: str, quotas: Mapping[int, Quota]) -> None:
        for node, quota in quotas.items():
            self._nominal[cell][node] = self.count(resource, quota.nominal)
            self._declared[cell][node] = True
            if quota.borrowing_limit is not None:
                self._limit[cell][node] = self.count(resource, quota.borrowing_limit)
            if quota.lending_limit is not None:
                self._lending[cell][node] = self.count(resource, quota.lending_limit)

    def _add_up(self, cell: Cell, order: list[int], parents: list[int | None]) -> None:
        """Give every node the quota below it, the deepest nodes first."""
        subtree = self._subtree[cell]
        for node in order:
            subtree[node] += self._nominal[cell][node]
            lending = self._lending[cell][node]
            if lending is not None:
                self._local[cell][node] = max(0, subtree[node] - lending)
            self._lendable[cell][node] = subtree[node] - self._local[cell][node]
            parent = parents[node]
            if parent is not None:
                subtree[parent] += self._lendable[cell][node]

    def count(self, resource: str, amount: Decimal) -> int:
        """Return an amount in the resource's units."""
        counted = Fraction(amount) / self.units[resource]
        if counted.denominator != 1:
            raise UsageError(f"{resource} of {amount}: no whole multiple of {self.units[resource]}")
        return counted.numerator

    def declares(self, queue: int, cell: Cell) -> bool:
        """Return whether a queue has a quota there; without one it cannot even borrow."""
        return self._declared[cell][queue]

    def nominal(self, queue: int, cell: Cell) -> int:
        """Return a queue's own quota."""
        return self._nominal[cell][queue]

    def usage(self, queue: int, cell: Cell) -> int:
        """Return what a queue uses."""
        return self._usage[cell][queue]

    def take(self, queue: int, cell: Cell, amount: int) -> None:
        """Count an amount as used; a negative one is given back."""
        usage, local = self._usage[cell], self._local[cell]
        for node in reversed(self._paths[queue]):
            before, own = usage[node], local[node]
            after = usage[node] = before + amount
            amount = (after - own if after > own else 0) - (before - own if before > own else 0)
            if not amount:
                return

    def available(self, queue: int, cell: Cell) -> int:
        """Return what a queue could take now without pushing anybody out."""
        usage, local, limits = self._usage[cell], self._local[cell], self._limit[cell]
        path = self._paths[queue]
        root = path[0]
        left = self._subtree[cell][root] - usage[root]
        for node in path[1:]:
            own = local[node] - usage[node]
            limit = limits[node]
            if limit is not None:
                left = min(left, self._lendable[cell][node] + limit + min(0, own))
            if own > 0:
                left += own
        return max(0, left)

    def potential(self, queue: int, cell: Cell) -> int:
        """Return what a queue could take if nobody used anything."""
        root, *below = self._paths[queue]
        most = self._subtree[cell][root]
        for node in below:
            most += self._local[cell][node]
            limit = self._limit[cell][node]
            if limit is not None:
                most = min(most, self._subtree[cell][node] + limit)
        return most


def _parents(plane: Plane) -> dict[str, str | None]:
    """Return the parent of every cohort that is declared or named."""
    parents = {cohort.name: cohort.parent for cohort in plane.cohorts}
    named = [queue.cohort for queue in plane.queues] + list(parents.values())
    for name in named:
        if name is not None:
            parents.setdefault(name, None)
    for name, parent in parents.items():
        seen, above = {name}, parent
        while above is not None:
            if above in seen:
                raise UsageError(f"cohort {name!r}: its parents form a cycle; a cohort tree has one root")
            seen.add(above)
            above = parents[above]
    return parents


def _path(parents: list[int | None], node: int) -> tuple[int, ...]:
    """Return the nodes from the root down to `node`."""
    path = [node]
    while (parent := parents[path[-1]]) is not None:
        path.append(parent)
    return tuple(reversed(path))


def _quotas(plane: Plane, places: Mapping[str, int]) -> dict[tuple[str, str], dict[int, Quota]]:
    found: dict[tuple[str, str], dict[int, Quota]] = {}
    for place, queue in enumerate(plane.queues):
        for group in queue.resource_groups:
            for flavor in group:
                for resource, quota in flavor.quotas.items():
                    found.setdefault((flavor.flavor, resource), {})[place] = quota
    for cohort in plane.cohorts:
        for flavor in cohort.flavors:
            for resource, quota in flavor.quotas.items():
                found.setdefault((flavor.flavor, resource), {})[places[cohort.name]] = quota
    return found


def _units(
    quotas: Mapping[tuple[str, str], Mapping[int, Quota]], requests: Iterable[Mapping[str, Decimal]]
) -> dict[str, Fraction]:
    amounts: dict[str, set[Decimal]] = {}
    for (_, resource), nodes in quotas.items():
        known = amounts.setdefault(resource, set())
        for quota in nodes.values():
            limits = (quota.nominal, quota.borrowing_limit, quota.lending_limit)
            known.update(amount for amount in limits if amount is not None)
    for request in requests:
        for resource, amount in request.items():
            amounts.setdefault(resource, set()).add(amount)
    return {resource: _unit(each) for resource, each in amounts.items()}


def _unit(amounts: Iterable[Decimal]) -> Fraction:
    """Return the largest fraction of which all of `amounts` are whole multiples."""
    fractions = [Fraction(amount) for amount in amounts]
    below = lcm(*(each.denominator for each in fractions))
    above = gcd(*(int(each * below) for each in fractions))
    return Fraction(above or 1, below)
