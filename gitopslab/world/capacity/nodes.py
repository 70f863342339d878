"""Nodes of a cluster, and where pods are: quota promises, nodes decide."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from gitopslab.capacity.slots import Amounts, packed_fit, pooled_fit
from gitopslab.world.capacity.layout import NodeLayout

Labels = Mapping[str, str]

_NONE = Decimal(0)


@dataclass(eq=False, slots=True)
class Node:
    """A worker.

    Attributes:
        name: Its name.
        labels: What flavors select it by.
        allocatable: What pods may request of it.
        requested: What pods on it request.
        is_ready: Whether pods can be placed on it.
        has_disk_pressure: Whether its kubelet runs out of disk; then nothing new is placed on it either.
    """

    name: str
    labels: Labels
    allocatable: dict[str, Decimal]
    requested: dict[str, Decimal]
    is_ready: bool = True
    has_disk_pressure: bool = False

    @property
    def is_eligible(self) -> bool:
        """Whether pods can be placed on it."""
        return self.is_ready and not self.has_disk_pressure

    def room(self, resource: str) -> Decimal:
        """Return what may still be requested of a resource."""
        return self.allocatable.get(resource, _NONE) - self.requested.get(resource, _NONE)

    @property
    def rooms(self) -> Amounts:
        """What may still be requested of each resource."""
        return {resource: self.room(resource) for resource in self.allocatable}

    def lacks(self, requests: Amounts) -> list[str]:
        """Return the resources of which it has too little left."""
        return [resource for resource, amount in requests.items() if self.room(resource) < amount]


@dataclass(eq=False, slots=True)
class Placement:
    """Pods of one job: where they are, and which of them are nowhere."""

    placed: list[tuple[Node, Amounts]] = field(default_factory=list)
    unschedulable: list[Amounts] = field(default_factory=list)


class NodePool:
    """All workers of a cluster.

    Args:
        layouts: What nodes there are.
    """

    def __init__(self, layouts: Sequence[NodeLayout]) -> None:
        self.nodes = [
            Node(
                layout.prefix if layout.count == 1 else f"{layout.prefix}-{number + 1}",
                dict(layout.labels),
                dict(layout.allocatable),
                dict(layout.requested),
            )
            for layout in layouts
            for number in range(layout.count)
        ]
        self._selected: dict[frozenset[tuple[str, str]], list[Node]] = {}

    def place(self, pods: Iterable[Amounts], labels: Labels) -> Placement:
        """Place pods on nodes with these labels, each on the one with the most memory left."""
        placement = Placement()
        for requests in pods:
            self._place(requests, labels, placement)
        return placement

    def retry(self, placement: Placement, labels: Labels) -> None:
        """Try again to place the pods that were unschedulable."""
        waiting, placement.unschedulable = placement.unschedulable, []
        for requests in waiting:
            self._place(requests, labels, placement)

    def remove(self, placement: Placement) -> None:
        """Remove the pods of a job."""
        for node, requests in placement.placed:
            for resource, amount in requests.items():
                node.requested[resource] -= amount
        placement.placed.clear()
        placement.unschedulable.clear()

    def _place(self, requests: Amounts, labels: Labels, placement: Placement) -> None:
        best = None
        for node in self._eligible(labels):
            if not node.lacks(requests) and (best is None or node.room("memory") > best.room("memory")):
                best = node
        if best is None:
            placement.unschedulable.append(requests)
            return
        for resource, amount in requests.items():
            best.requested[resource] = best.requested.get(resource, _NONE) + amount
        placement.placed.append((best, requests))

    def why_unschedulable(self, requests: Amounts, labels: Labels) -> str:
        """Return what the scheduler says of a pod that fits nowhere."""
        nodes = self._eligible(labels)
        short: dict[str, int] = {}
        for node in nodes:
            for resource in node.lacks(requests):
                short[resource] = short.get(resource, 0) + 1
        reasons = [f"{count} Insufficient {resource}" for resource, count in sorted(short.items())]
        others = len(self.nodes) - len(nodes)
        if others:
            reasons.append(f"{others} node(s) didn't match Pod's node affinity/selector")
        return (
            f"0/{len(self.nodes)} nodes are available: {', '.join(reasons)}. preemption: 0/{len(self.nodes)}"
            " nodes are available: No preemption victims found for incoming pod."
        )

    def pooled_fit(self, requests: Amounts) -> int:
        """Return how often `requests` fit into what all nodes have left together, as the platform reckons.

        It overstates: a pod cannot lie across nodes.
        """
        return pooled_fit((node.rooms for node in self.nodes if node.is_eligible), requests) or 0

    def true_fit(self, pods: Sequence[Amounts], labels: Labels, most: int) -> int:
        """Return how many jobs of these pods really fit on the nodes as they are, up to `most`."""
        return packed_fit((node.rooms for node in self._eligible(labels)), pods, most)

    def _eligible(self, labels: Labels) -> list[Node]:
        key = frozenset(labels.items())
        if key not in self._selected:
            self._selected[key] = [node for node in self.nodes if key <= node.labels.items()]
        return [node for node in self._selected[key] if node.is_eligible]
