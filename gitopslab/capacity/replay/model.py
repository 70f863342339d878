"""What is replayed: queues with their policies, jobs that ask for quota, and how quickly Kueue works."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from gitopslab.capacity.cohorts import ClusterQueue, Cohort

STRATEGIES = ("BestEffortFIFO", "StrictFIFO")
WITHIN_CLUSTER_QUEUE = ("Never", "LowerPriority", "LowerOrNewerEqualPriority")
RECLAIM_WITHIN_COHORT = ("Never", "LowerPriority", "Any")


@dataclass(frozen=True)
class Policy:
    """How a queue orders its jobs and whom they push out; words and defaults are Kueue's.

    Attributes:
        strategy: One of `STRATEGIES`. With StrictFIFO a head that does not fit holds up those behind it.
        within_cluster_queue: Which jobs of the same queue may be pushed out.
        reclaim_within_cohort: Which jobs of queues that borrow may be, where this one is below its quota.
    """

    strategy: str = "BestEffortFIFO"
    within_cluster_queue: str = "Never"
    reclaim_within_cohort: str = "Never"


@dataclass(frozen=True)
class Plane:
    """The queues of one cluster.

    Attributes:
        queues: With quotas of every flavor, in the order in which a cycle looks at equals.
        cohorts: Cohort objects; a cohort that only queues name has no parent and no quota.
        policies: By queue; Kueue's defaults where none is given.
    """

    queues: tuple[ClusterQueue, ...]
    cohorts: tuple[Cohort, ...] = ()
    policies: Mapping[str, Policy] = field(default_factory=dict)

    def policy(self, queue: str) -> Policy:
        """Return how a queue works."""
        return self.policies.get(queue, Policy())


@dataclass(frozen=True, slots=True)
class Job:
    """A Workload as it is replayed. Times are seconds since the replay's beginning, and may be before it.

    Attributes:
        name: For people; two jobs may share it.
        queue: Its ClusterQueue.
        priority: The higher, the sooner.
        requests: What all its pods ask for together.
        created_at: When it asks.
        run_seconds: From its start to its end, when nobody pushes it out. Work that is pushed out is lost: it
            begins anew.
        start_seconds: From its reservation until it runs: admission checks, images, pods.
        kind: What it is grouped by beside its queue, such as its priority class.
        failed_starts: How many of its stays end because its pods were not ready in time.
        leaves_at: When it goes away if it still waits; None is never.
        held_since: When it reserved its quota, for one that holds it when the replay begins.
        gate: The gate that lets it in, for one that others must make room for before it is created.
    """

    name: str
    queue: str
    priority: int
    requests: Mapping[str, Decimal]
    created_at: float
    run_seconds: float
    start_seconds: float = 0.0
    kind: str = ""
    failed_starts: int = 0
    leaves_at: float | None = None
    held_since: float | None = None
    gate: str = ""


@dataclass(frozen=True)
class Gate:
    """How many of its jobs exist at a time, as the coordinator of a benchmark run sees to."""

    limit: int


@dataclass(frozen=True)
class Pace:
    """How quickly Kueue, its API server and kubelets work.

    Attributes:
        cycle_seconds: From a reason to look at the queues until they are looked at.
        write_seconds: What each reservation and eviction takes of the scheduler, one after another; its
            inverse is how many it does a second.
        linger_seconds: How long quota is held after a job ends, until Kueue knows; one that is pushed out in
            that time runs again.
        termination_seconds: From an eviction until its quota is free.
        pods_ready_seconds: After so long a job that does not start is evicted.
        backoff_seconds: How long it is held back then; twice as long each further time.
        backoff_most_seconds: The longest that it is held back.
    """

    cycle_seconds: float = 0.05
    write_seconds: float = 0.0
    linger_seconds: float = 0.0
    termination_seconds: float = 7.0
    pods_ready_seconds: float = 300.0
    backoff_seconds: float = 60.0
    backoff_most_seconds: float = 3_600.0
