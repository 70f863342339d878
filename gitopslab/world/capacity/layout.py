"""How a cluster's capacity is laid out, as data: nodes, flavors, queues, priorities and the pods of jobs.

The figures of dev are its own of May 2026: 6 workers, and 33.6 CPU, 84 GiB of memory, 381 GiB of
disk and 134 pods for benchmark runs, half as much again to borrow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from gitopslab.capacity.cohort_tree import Quota
from gitopslab.capacity.cohorts import ClusterQueue, FlavorQuota
from gitopslab.capacity.slots import Amounts, add_up
from gitopslab.quantity import parse_quantity


def amounts(cpu: str, memory: str, disk: str, pods: int | None = None) -> dict[str, Decimal]:
    """Return amounts by Kubernetes' names; `disk` is ephemeral storage, `pods` is left out where None."""
    written = {"cpu": cpu, "memory": memory, "ephemeral-storage": disk}
    read = {resource: parse_quantity(text) for resource, text in written.items() if text}
    return read if pods is None else read | {"pods": Decimal(pods)}


@dataclass(frozen=True)
class Container:
    """A container of a pod: its name, its image and what it requests."""

    name: str
    image: str
    requests: Amounts


@dataclass(frozen=True)
class PodShape:
    """Pods of one kind in a job; `role` names the kind."""

    role: str
    containers: tuple[Container, ...]
    count: int = 1

    @cached_property
    def requests(self) -> Amounts:
        """What one such pod requests, itself counted as one of `pods`."""
        return add_up([{"pods": Decimal(1)}, *(container.requests for container in self.containers)])


@dataclass(frozen=True)
class Preemption:
    """Whom a queue's workloads may push out; words and defaults are Kueue's."""

    within_cluster_queue: str = "Never"
    reclaim_within_cohort: str = "Never"


@dataclass(frozen=True)
class QueueLayout:
    """A ClusterQueue, and the LocalQueue of the same name in `namespace` that leads to it."""

    name: str
    namespace: str
    cohort: str
    flavors: tuple[FlavorQuota, ...]
    preemption: Preemption = Preemption()
    strategy: str = "BestEffortFIFO"
    admission_checks: tuple[str, ...] = ()

    @property
    def cluster_queue(self) -> ClusterQueue:
        """Its quota; it has one group of resources."""
        return ClusterQueue(self.name, (self.flavors,), self.cohort or None)


@dataclass(frozen=True)
class NodeLayout:
    """Nodes of one kind.

    Attributes:
        prefix: What their names begin with.
        count: How many.
        allocatable: What pods may request of each.
        requested: What daemons and platform pods request of each already.
        labels: Labels that flavors select by.
    """

    prefix: str
    count: int
    allocatable: Amounts
    requested: Amounts
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterLayout:
    """All that a cluster has for jobs.

    Attributes:
        nodes: Its workers.
        flavors: Labels of the nodes of each flavor, by the flavor's name.
        cohorts: Parent of each Cohort, if it has one; they have no quota of their own.
        queues: Its ClusterQueues.
        priorities: Value of each WorkloadPriorityClass.
    """

    nodes: tuple[NodeLayout, ...]
    flavors: Mapping[str, Mapping[str, str]]
    cohorts: Mapping[str, str | None]
    queues: tuple[QueueLayout, ...]
    priorities: Mapping[str, int]

    def queue(self, name: str) -> QueueLayout:
        """Return the queue of that name."""
        return next(queue for queue in self.queues if queue.name == name)


def flavor_quota(
    flavor: str, nominal: Amounts, borrowing: Amounts | None = None, lending: Amounts | None = None
) -> FlavorQuota:
    """Return a flavor's quota from its amounts; what is not in `borrowing` or `lending` has no limit."""
    return FlavorQuota(
        flavor,
        {
            resource: Quota(amount, (borrowing or {}).get(resource), (lending or {}).get(resource))
            for resource, amount in nominal.items()
        },
    )


PRIORITIES = {
    "interactive": 1000,
    "swebench-cohort": 500,
    "benchmark": 300,
    "background": 100,
}

_POOL = {"stacks.io/swebench-pool": "dev-benchmark"}
_PREEMPTION = Preemption("LowerPriority", "LowerPriority")
NOTHING = amounts("0", "0", "0", 0)
"""No amount of anything."""

MEMORY_CHECK = "psi-memory-pressure"
BENCHMARK_NAMESPACE = "workflow-builder"
BENCHMARK_QUOTA = amounts("33.6", "84Gi", "381Gi", 134)
BENCHMARK_BORROWING = amounts("16.8", "42Gi", "190Gi", 67)
RAMP_QUOTA = amounts("24", "60Gi", "272Gi", 96)
"""The smaller share that benchmark runs had on dev before."""


def dev(
    benchmark: Amounts = BENCHMARK_QUOTA, borrowing: Amounts = BENCHMARK_BORROWING, pools: int = 1
) -> ClusterLayout:
    """Return the layout of dev; `pools` copies of its nodes and queues make a fleet as large as wanted."""
    nodes: list[NodeLayout] = []
    queues: list[QueueLayout] = []
    flavors: dict[str, Mapping[str, str]] = {}
    cohorts: dict[str, str | None] = {}
    for number in range(pools):
        mark = f"-{number + 1}" if number else ""
        labels = {key: f"{value}{mark}" for key, value in _POOL.items()}
        flavor, cohort = f"dev-benchmark{mark}", f"agent-platform{mark}"
        flavors[flavor], cohorts[cohort] = labels, None
        nodes.append(_dev_nodes(mark, labels))
        queues.extend(_dev_queues(mark, cohort, flavor, benchmark, borrowing))
    return ClusterLayout(tuple(nodes), flavors, cohorts, tuple(queues), PRIORITIES)


def _dev_nodes(mark: str, labels: Mapping[str, str]) -> NodeLayout:
    allocatable = amounts("15.3", "29.5Gi", "307Gi", 110)
    return NodeLayout(f"dev-cpx51{mark}-worker", 6, allocatable, amounts("1", "1Gi", "6Gi", 14), labels)


def _dev_queues(
    mark: str, cohort: str, flavor: str, benchmark: Amounts, borrowing: Amounts
) -> list[QueueLayout]:
    def queue(
        name: str,
        nominal: Amounts,
        borrow: Amounts,
        lending: Amounts | None = None,
        checks: tuple[str, ...] = (),
    ) -> QueueLayout:
        quota = flavor_quota(flavor, nominal, borrow, lending)
        return QueueLayout(
            f"{name}{mark}",
            BENCHMARK_NAMESPACE,
            cohort,
            (quota,),
            preemption=_PREEMPTION,
            admission_checks=checks,
        )

    return [
        queue("interactive-agent", amounts("21", "40Gi", "200Gi", 120), amounts("5.2", "10Gi", "50Gi", 30)),
        queue("benchmark-fast", benchmark, borrowing, checks=(MEMORY_CHECK,)),
        queue("benchmark-eval", amounts("6", "18Gi", "120Gi", 24), amounts("2", "4Gi", "40Gi", 8)),
        queue("background-warm", amounts("8", "16Gi", "160Gi", 40), amounts("16", "32Gi", "160Gi", 40)),
        queue("secure-gvisor", amounts("4", "8Gi", "40Gi", 16), NOTHING, lending=NOTHING),
    ]


def ryzen(requested_memory: str = "53Gi") -> ClusterLayout:
    """Return the layout of ryzen: one node, whose queue promises more memory than the node has left.

    `requested_memory`, of 58Gi, is what everything else on it requests.
    """
    queue = QueueLayout(
        "benchmark-fast",
        BENCHMARK_NAMESPACE,
        "agent-platform",
        (flavor_quota("ryzen", amounts("8", "16Gi", "96Gi", 40), NOTHING),),
        preemption=_PREEMPTION,
    )
    node = NodeLayout(
        "ryzen",
        1,
        amounts("31", "58Gi", "410Gi", 110),
        amounts("14", requested_memory, "60Gi", 74),
        {"stacks.io/swebench-pool": "ryzen"},
    )
    evaluation = QueueLayout(
        "benchmark-eval",
        BENCHMARK_NAMESPACE,
        "agent-platform",
        (flavor_quota("ryzen", amounts("2", "8Gi", "40Gi", 8), NOTHING),),
        preemption=_PREEMPTION,
    )
    return ClusterLayout(
        (node,), {"ryzen": node.labels}, {"agent-platform": None}, (queue, evaluation), PRIORITIES
    )


_SIDECAR_IMAGE = "ghcr.io/dapr/daprd:1.16.1"
_SANDBOX = Container(
    "sandbox", "ghcr.io/example/openshell-sandbox:2026.5", amounts("100m", "512Mi", "2600Mi")
)
_HOST = Container("agent-host", "ghcr.io/example/agent-host:2026.5", amounts("250m", "1Gi", "3Gi"))
_WORKER = Container(
    "execution-worker", "ghcr.io/example/execution-worker:2026.5", amounts("100m", "256Mi", "1Gi")
)
_SIDECAR = Container("daprd", _SIDECAR_IMAGE, amounts("50m", "128Mi", "512Mi"))
_LEAN_SIDECAR = Container("daprd", _SIDECAR_IMAGE, amounts("50m", "128Mi", "256Mi"))

POD_BUNDLE = (
    PodShape("sandbox", (_SANDBOX, _SIDECAR)),
    PodShape("agent-host", (_HOST, _SIDECAR)),
)
"""What was admitted for an instance on 2026-05-26: two pods, 450m, 1792Mi, 6696Mi."""

COMPOSITE_BUNDLE = (
    PodShape("sandbox", (_SANDBOX, _LEAN_SIDECAR)),
    PodShape("execution-worker", (_WORKER,)),
    PodShape("agent-host", (_HOST, _LEAN_SIDECAR)),
)
"""What the platform reckons with for an instance: three pods, 550m, 2048Mi, 7208Mi."""

UNRESERVED_MEMORY_BUNDLE = tuple(
    PodShape(
        shape.role,
        tuple(
            Container(part.name, part.image, {r: a for r, a in part.requests.items() if r != "memory"})
            for part in shape.containers
        ),
    )
    for shape in POD_BUNDLE
)
"""The two pods as a document of May 2026 reckons them: it forgets memory."""

EVALUATOR = (
    PodShape(
        "main",
        (
            Container(
                "step-evaluate", "ghcr.io/example/swebench-evaluator:2026.5", amounts("500m", "2Gi", "4Gi")
            ),
        ),
    ),
)


def bundle_requests(shapes: tuple[PodShape, ...]) -> dict[str, Decimal]:
    """Return what all pods of a job request together."""
    return add_up(shape.requests for shape in shapes for _ in range(shape.count))
