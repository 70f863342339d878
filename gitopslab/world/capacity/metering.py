"""What Kueue and the nodes of a simulated cluster say of themselves when Prometheus asks."""

from collections.abc import Iterable, Iterator
from math import inf

from gitopslab.world.capacity.nodes import Node
from gitopslab.world.capacity.queues import Queue
from gitopslab.world.capacity.workloads import Workload
from gitopslab.world.emit import families
from gitopslab.world.emit.prometheus import Metrics, Sample

_LEADER = "leader"


class Meter:
    """Counts what happens to Workloads."""

    def __init__(self) -> None:
        self._metrics = Metrics()

    def reserved(self, workload: Workload, at: float) -> None:
        """Count a reservation of quota."""
        labels = (workload.cluster_queue, workload.job.priority_class, _LEADER)
        self._metrics.observe(families.KUEUE_QUOTA_WAIT, at - workload.queue_started_at, *labels)

    def admitted(self, workload: Workload, at: float) -> None:
        """Count an admission."""
        labels = (workload.cluster_queue, workload.job.priority_class, _LEADER)
        self._metrics.count(families.KUEUE_ADMISSIONS, *labels)
        self._metrics.observe(families.KUEUE_ADMISSION_WAIT, at - workload.queue_started_at, *labels)

    def evicted(self, workload: Workload, reason: str, cause: str) -> None:
        """Count an eviction, and what Kueue knows to be behind its reason."""
        labels = (workload.cluster_queue, reason, cause, workload.job.priority_class, _LEADER)
        self._metrics.count(families.KUEUE_EVICTIONS, *labels)

    def preempted(self, queue: str, reason: str) -> None:
        """Count a preemption, by the queue that it was for."""
        self._metrics.count(families.KUEUE_PREEMPTIONS, queue, reason, _LEADER)

    def scrape(self, queues: Iterable[Queue], nodes: Iterable[Node], at: float) -> Iterator[Sample]:
        """Yield every sample of a scrape, those of queues and nodes as they are now."""
        for queue in queues:
            self._measure(queue)
        for node in nodes:
            conditions = {"Ready": node.is_ready, "DiskPressure": node.has_disk_pressure}
            for condition, is_true in conditions.items():
                for status in ("true", "false"):
                    value = float(is_true == (status == "true"))
                    self._metrics.set(families.NODE_CONDITION, value, node.name, condition, status)
        yield from self._metrics.scrape(at)

    def _measure(self, queue: Queue) -> None:
        metrics, name = self._metrics, queue.layout.name
        metrics.set(families.KUEUE_PENDING, queue.parked_count, name, "inadmissible", _LEADER)
        active = max(0, queue.pending_count - queue.parked_count)
        metrics.set(families.KUEUE_PENDING, active, name, "active", _LEADER)
        metrics.set(families.KUEUE_RESERVING, len(queue.holding), name, _LEADER)
        metrics.set(families.KUEUE_ADMITTED, queue.admitted_count, name, _LEADER)
        for status, is_it in (
            ("active", queue.is_active),
            ("pending", not queue.is_active),
            ("terminated", False),
        ):
            metrics.set(families.KUEUE_STATUS, float(is_it), name, status, _LEADER)
        for flavor in queue.layout.flavors:
            for resource, quota in flavor.quotas.items():
                labels = (queue.layout.cohort, name, flavor.flavor, resource, _LEADER)
                limit = inf if quota.borrowing_limit is None else float(quota.borrowing_limit)
                metrics.set(families.KUEUE_NOMINAL_QUOTA, float(quota.nominal), *labels)
                metrics.set(families.KUEUE_BORROWING_LIMIT, limit, *labels)
                reserved, used = queue.amounts(flavor.flavor, resource)
                metrics.set(families.KUEUE_RESERVATION, float(reserved), *labels)
                metrics.set(families.KUEUE_USAGE, float(used), *labels)
