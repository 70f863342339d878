"""A Workload through its life: what is asked of Kueue, and each write that Kueue makes to its object."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum, auto
from typing import Any

from gitopslab.capacity.slots import Amounts
from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.capacity import objects
from gitopslab.world.capacity.layout import PodShape, bundle_requests
from gitopslab.world.capacity.nodes import Placement
from gitopslab.world.clock import stamp
from gitopslab.world.events import Recorder

COMPONENT = "kueue-admission"
_CONTROLLER = "kueue-workload-controller"
_JOB_CONTROLLER = "kueue-job-controller"
"""Writes each condition as a manager of its own, whose name the condition's ends."""

_SCHEDULED = frozenset({"Preempted"})
"""Evictions that the scheduler decides; others are the workload controller's."""


def _ignore(*_: object) -> None:
    pass


@dataclass(eq=False, slots=True)
class Job:
    """Something that asks for quota, and what it does once it has it.

    What it calls must not submit another job at once, for Kueue is in the middle of a cycle then.

    Attributes:
        name: Name of its Workload.
        namespace: Namespace of its Workload.
        queue: Name of its LocalQueue.
        priority_class: Name of its WorkloadPriorityClass.
        pods: Its pods, by kind.
        owners: References to the objects that it is for.
        labels: Labels of its pods.
        start_seconds: From admission until its pods run, where they find a node.
        on_running: Called when its pods run, after every admission.
        on_stopped: Called with the reason when it is evicted, whether its pods ran or not.
        on_reserved: Called when it has its quota.
    """

    name: str
    namespace: str
    queue: str
    priority_class: str
    pods: tuple[PodShape, ...]
    owners: list[Object]
    labels: dict[str, str]
    start_seconds: float
    on_running: Callable[[], object] = _ignore
    on_stopped: Callable[[str], object] = _ignore
    on_reserved: Callable[[], object] = _ignore


class Phase(StrEnum):
    """Where a Workload stands; quota is held from RESERVED to EVICTING."""

    PENDING = auto()
    HELD_BACK = auto()
    RESERVED = auto()
    ADMITTED = auto()
    EVICTING = auto()
    FINISHED = auto()
    DELETED = auto()


HOLDING = frozenset({Phase.RESERVED, Phase.ADMITTED, Phase.EVICTING})


@dataclass(eq=False, slots=True)
class Workload:
    """A job's place in Kueue.

    Attributes:
        job: What it is for.
        item: Its object.
        cluster_queue: Name of its ClusterQueue.
        priority: The higher, the sooner.
        requests: What all its pods request together, of the resources that Kueue counts.
        queued_at: Time by which it is ordered among those of its priority.
        queue_started_at: Since when it waits, or waited: its creation, or when it was last requeued.
        number: Order of creation, where times are equal.
        running_at: When its pods ran in this stay; 0 if they did not yet.
        evicted_at: When it was told to give back the quota of this stay; 0 if it was not.
        eviction_reason: Why.
    """

    job: Job
    item: Object
    cluster_queue: str
    priority: int
    requests: dict[str, Decimal]
    queued_at: float
    number: int
    phase: Phase = Phase.PENDING
    created_at: float = 0
    queue_started_at: float = 0
    flavor: str = ""
    reserved_at: float = 0
    admitted_at: float = 0
    episode: int = 0
    running_at: float = 0
    is_running: bool = False
    awaits_preemption: bool = False
    requeue_count: int = 0
    evicted_at: float = 0
    eviction_reason: str = ""
    placement: Placement = field(default_factory=Placement)

    @property
    def order(self) -> tuple[int, float, int]:
        """Its place in the queue: the smallest is first."""
        return -self.priority, self.queued_at, self.number

    @property
    def shape(self) -> tuple[Any, ...]:
        """What decides whether it fits; Workloads of one shape fit or do not fit alike."""
        return self.priority, tuple(self.requests.values())

    @property
    def uid(self) -> str:
        """Its object's uid."""
        return str(self.item["metadata"]["uid"])


class WorkloadWriter:
    """Writes Workloads as Kueue does: conditions, admission, evictions in two writes, and Events.

    Args:
        api: The cluster's API server.
        api_version: Of Workloads, one of `objects`.
        priorities: Value of each WorkloadPriorityClass.
    """

    def __init__(self, api: ApiServer, api_version: str, priorities: Mapping[str, int]) -> None:
        self._api = api
        self._api_version = api_version
        self._events = Recorder(api, COMPONENT)
        self._controller_events = Recorder(api, _CONTROLLER)
        self._priorities = priorities
        self._finisher = f"{_JOB_CONTROLLER}-Finished" if api_version == objects.OLDER else COMPONENT
        self._past = (
            "accumulatedPastExexcutionTimeSeconds"
            if api_version == objects.OLDER
            else "accumulatedPastExecutionTimeSeconds"
        )

    def create(self, job: Job, cluster_queue: str, counted: frozenset[str], number: int) -> Workload:
        """Create the Workload of a job that goes to `cluster_queue`, which counts the resources `counted`."""
        item = objects.workload(
            self._api_version,
            name=job.name,
            namespace=job.namespace,
            queue=job.queue,
            priority_class=job.priority_class,
            priority=self._priorities[job.priority_class],
            pods=job.pods,
            labels=job.labels,
            owners=job.owners,
        )
        self._api.create(item, manager="kueue")
        item["status"] = {}
        now = self._api.clock.now
        requests = {key: amount for key, amount in bundle_requests(job.pods).items() if key in counted}
        priority = self._priorities[job.priority_class]
        return Workload(
            job, item, cluster_queue, priority, requests, now, number, created_at=now, queue_started_at=now
        )

    def pend(self, workload: Workload, message: str, reason: str = "Pending") -> None:
        """Note why a Workload cannot be admitted; the same note twice is one write."""
        item = workload.item
        is_new = self._set(item, "QuotaReserved", status=False, reason=reason, message=message)
        if not is_new:
            return
        item["status"]["resourceRequests"] = self._pod_set_requests(workload)
        self._api.patch_status(item, manager=COMPONENT)
        self._events.emit(item, "Pending", message, "Warning")

    def reserve(self, workload: Workload, flavor: str, checks: tuple[str, ...]) -> None:
        """Note that a Workload has its quota; without admission checks it is admitted by the same write."""
        item, status = workload.item, workload.item["status"]
        status.pop("resourceRequests", None)
        status["admission"] = {
            "clusterQueue": workload.cluster_queue,
            "podSetAssignments": self._assignments(workload, flavor),
        }
        queue = workload.cluster_queue
        message = f"Quota reserved in ClusterQueue {queue}"
        self._set(item, "QuotaReserved", status=True, reason="QuotaReserved", message=message)
        for kind in ("Evicted", "Preempted"):
            old = objects.condition(item, kind)
            if old is not None and old["status"] == "True":
                previously = f"Previously: {old['message']}"
                self._set(item, kind, status=False, reason="QuotaReserved", message=previously)
        if checks:
            status["admissionChecks"] = [self._check(name, "Pending", "") for name in checks]
        else:
            self._set_admitted(item)
        self._api.patch_status(item, manager=COMPONENT)
        waited = int(self._api.clock.now - workload.queue_started_at)
        self._events.emit(item, "QuotaReserved", f"{message}, wait time since queued was {waited}s")
        if not checks:
            self._events.emit(item, "Admitted", f"Admitted by ClusterQueue {queue}, {_NO_WAIT}")

    def pass_checks(self, workload: Workload) -> None:
        """Note that every admission check is ready, and then that the Workload is admitted."""
        item = workload.item
        for check in item["status"]["admissionChecks"]:
            check.update(self._check(check["name"], "Ready", "Memory pressure is below its limit"))
        self._api.patch_status(item, manager="capacity-observer")
        self._set_admitted(item)
        self._api.patch_status(item, manager=COMPONENT)
        waited = int(self._api.clock.now - workload.reserved_at)
        message = (
            f"Admitted by ClusterQueue {workload.cluster_queue}, wait time since reservation was {waited}s"
        )
        self._controller_events.emit(item, "Admitted", message)

    def wait_for_pods(self, workload: Workload) -> None:
        """Note that pods were made and do not run yet."""
        message = "Not all pods are ready or succeeded"
        self._set(workload.item, "PodsReady", status=False, reason="WaitForStart", message=message)
        self._api.patch_status(workload.item, manager=f"{_JOB_CONTROLLER}-PodsReady")

    def start_pods(self, workload: Workload) -> None:
        """Note that all pods run."""
        message = "All pods reached readiness and the workload is running"
        self._set(workload.item, "PodsReady", status=True, reason="Started", message=message)
        self._api.patch_status(workload.item, manager=f"{_JOB_CONTROLLER}-PodsReady")

    def evict(  # noqa: PLR0913 - each is told by the write
        self,
        workload: Workload,
        reason: str,
        message: str,
        *,
        cause: str = "",
        preempted: str = "",
        requeue_at: float | None = None,
    ) -> None:
        """Make the first write of an eviction, which frees no quota yet.

        Args:
            workload: Which.
            reason: Of Evicted.
            message: Of Evicted.
            cause: What Kueue counts beside the reason.
            preempted: How it was preempted, if it was.
            requeue_at: When a backoff ends, None where there is none.
        """
        item, status = workload.item, workload.item["status"]
        self._set(item, "Evicted", status=True, reason=reason, message=message)
        if preempted:
            self._set(item, "Preempted", status=True, reason=preempted, message=message)
        stats = status.setdefault("schedulingStats", {"evictions": []})["evictions"]
        count = next((entry for entry in stats if entry["reason"] == reason), None)
        if count is None:
            stats.append({"reason": reason, "underlyingCause": cause, "count": 1})
        else:
            count["count"] += 1
        for check in status.get("admissionChecks", ()):
            previously = f"Reset to Pending after eviction. Previously: {check['state']}"
            check.update(self._check(check["name"], "Pending", previously))
        if requeue_at is not None:
            status["requeueState"] = {"count": workload.requeue_count, "requeueAt": stamp(requeue_at)}
        self._api.patch_status(item, manager=COMPONENT)
        recorder = self._events if reason in _SCHEDULED else self._controller_events
        recorder.emit(item, f"EvictedDueTo{reason}", message)
        if preempted:
            recorder.emit(item, "Preempted", message)

    def release(self, workload: Workload, reason: str) -> None:
        """Make the second write of an eviction, by which quota is free again."""
        item, status = workload.item, workload.item["status"]
        evicted = objects.condition(item, "Evicted")
        message = evicted["message"] if evicted else ""
        self._set(item, "QuotaReserved", status=False, reason="Pending", message=message)
        status.pop("admission", None)
        if objects.condition(item, "Admitted") is not None:
            text = "The workload has no reservation"
            self._set(item, "Admitted", status=False, reason="NoReservation", message=text)
            spent = int(self._api.clock.now) - int(workload.admitted_at)
            if workload.admitted_at:
                status[self._past] = status.get(self._past, 0) + spent
        if objects.condition(item, "PodsReady") is not None:
            text = "Not all pods are ready or succeeded"
            self._set(item, "PodsReady", status=False, reason="WaitForStart", message=text)
        is_requeued = reason in {"Preempted", "NodeFailures"}
        self._set(item, "Requeued", status=is_requeued, reason=reason, message=message)
        self._api.patch_status(item, manager=COMPONENT)

    def requeue(self, workload: Workload, reason: str, message: str) -> None:
        """Note that a Workload that was held back is in its queue again."""
        workload.item["status"].get("requeueState", {}).pop("requeueAt", None)
        self._set(workload.item, "Requeued", status=True, reason=reason, message=message)
        self._api.patch_status(workload.item, manager=COMPONENT)

    def finish(self, workload: Workload, reason: str) -> None:
        """Note the end: Succeeded or Failed; admission and conditions stay."""
        message = _ending(workload.job, is_success=reason == "Succeeded")
        self._set(workload.item, "Finished", status=True, reason=reason, message=message)
        self._api.patch_status(workload.item, manager=self._finisher)

    def delete(self, workload: Workload) -> None:
        """Delete a Workload with its owner; the finalizer goes a moment after."""
        self._api.delete(workload.item)
        self._api.clock.after(
            _FINALIZER_SECONDS,
            lambda: self._api.remove_finalizer(workload.item, objects.FINALIZER, manager="kueue"),
        )

    def _set_admitted(self, item: Object) -> None:
        self._set(item, "Admitted", status=True, reason="Admitted", message="The workload is admitted")

    def _set(self, item: Object, kind: str, *, status: bool, reason: str, message: str) -> bool:
        time = self._api.clock.stamp()
        return objects.set_condition(item, kind, status=status, reason=reason, message=message, time=time)

    def _check(self, name: str, state: str, message: str) -> Object:
        time = self._api.clock.stamp()
        return {"lastTransitionTime": time, "message": message, "name": name, "state": state}

    def _assignments(self, workload: Workload, flavor: str) -> list[Object]:
        return [
            {
                "count": shape.count,
                "flavors": dict.fromkeys(sorted(usage), flavor),
                "name": name,
                "resourceUsage": objects.quantities(usage),
            }
            for shape, name, usage in _pod_sets(workload)
        ]

    def _pod_set_requests(self, workload: Workload) -> list[Object]:
        return [
            {"name": name, "resources": objects.quantities(usage)} for _, name, usage in _pod_sets(workload)
        ]


def _ending(job: Job, *, is_success: bool) -> str:
    """Return what Kueue says of the end of a Job, of pods in a group, or of a pod, which says nothing."""
    if job.owners[0]["kind"] == "Job":
        return "Job finished successfully" if is_success else "Job has reached the specified backoff limit"
    if len(job.owners) == 1:
        return ""
    count = sum(shape.count for shape in job.pods)
    return f"Pods succeeded: {count if is_success else count - 1}/{count}."


def _pod_sets(workload: Workload) -> list[tuple[PodShape, str, Amounts]]:
    """Return each pod set with its name and what it counts against quota."""
    pods, counted = workload.job.pods, workload.requests
    return [
        (
            shape,
            objects.pod_set_name(shape.role, is_alone=len(pods) == 1),
            {key: amount * shape.count for key, amount in shape.requests.items() if key in counted},
        )
        for shape in pods
    ]


_NO_WAIT = "wait time since reservation was 0s"
_FINALIZER_SECONDS = 0.2
