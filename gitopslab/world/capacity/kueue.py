"""Kueue in a simulated cluster: quota to those who wait for it, and eviction of those who must give it back.

The order of events is Kueue 0.17's: each cycle looks at the first of every queue, those that need not borrow
before those that do; an eviction frees its quota by a second write, once the pods are gone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from gitopslab.world.apiserver import ApiServer
from gitopslab.world.capacity import objects, preemption
from gitopslab.world.capacity.layout import ClusterLayout, QueueLayout
from gitopslab.world.capacity.metering import Meter
from gitopslab.world.capacity.nodes import NodePool
from gitopslab.world.capacity.pods import Pods
from gitopslab.world.capacity.queues import Queue
from gitopslab.world.capacity.quota import Assignment, QuotaBook
from gitopslab.world.capacity.workloads import HOLDING, Job, Phase, Workload, WorkloadWriter
from gitopslab.world.events import Recorder

CYCLE_SECONDS = 0.05
_TERMINATION_SECONDS = (2.0, 12.0)
_PODS_READY_TIMEOUT_SECONDS = 300.0
_BACKOFF_SECONDS = 60.0
_KEEP_FINISHED_SECONDS = 300.0


@dataclass(frozen=True)
class Stay:
    """One time in which a Workload held quota.

    Attributes:
        workload: Which; `admitted_at` of 0 means that its admission checks never passed.
        released_at: When its quota was free again; None if it is not.
        reason: Succeeded, Failed, Deleted or Open, or the reason of its eviction.
    """

    workload: Workload
    released_at: float | None
    reason: str


class Kueue:
    """The controller, its scheduler and the kubelets that start pods.

    Args:
        api: The cluster's API server.
        layout: Queues, flavors and priorities.
        pool: The nodes that pods are placed on.
        random: Chance, for how long pods take to end.
        api_version: Of the objects, one of `objects`.
        on_stay: Told when quota is given back, for the truth.

    Attributes:
        layout: As given.
        pool: As given.
        pods: Writes Nodes and Pods.
        quotas: What is taken of every quota.
        queues: By name.
        meter: What Prometheus is told.
    """

    def __init__(  # noqa: PLR0913 - each is a part of its own
        self,
        api: ApiServer,
        layout: ClusterLayout,
        pool: NodePool,
        random: Random,
        *,
        api_version: str = objects.CURRENT,
        on_stay: Callable[[Stay], object] = lambda _: None,
    ) -> None:
        self.layout = layout
        self.pool = pool
        self.pods = Pods(api, pool)
        self._api, self._clock, self._random = api, api.clock, random
        self._on_stay = on_stay
        self._writer = WorkloadWriter(api, api_version, layout.priorities)
        self._scheduler_events = Recorder(api, "default-scheduler")
        self._cohorts = layout.cohorts
        self.meter = Meter()
        self.quotas = QuotaBook(layout.queues, layout.cohorts)
        self._create_parts(api_version)
        self.queues = {queue.name: Queue(api, api_version, queue, layout.flavors) for queue in layout.queues}
        self._layouts = {queue.name: queue for queue in layout.queues}
        self._number = 0
        self._has_cycle = False
        self._are_checks_held = False
        self._unscheduled: list[Workload] = []
        self._drained: dict[str, list[Workload]] = {}

    def _create_parts(self, api_version: str) -> None:
        layout, create = self.layout, self._api.create
        for name, labels in layout.flavors.items():
            create(objects.resource_flavor(api_version, name, dict(labels)), manager="argocd-controller")
        for check in sorted({check for queue in layout.queues for check in queue.admission_checks}):
            item = create(objects.admission_check(api_version, check), manager="argocd-controller")
            objects.activate(item, self._clock.stamp())
            self._api.patch_status(item, manager="capacity-observer")
        for name, value in layout.priorities.items():
            create(objects.priority_class(api_version, name, value), manager="argocd-controller")
        for name, parent in layout.cohorts.items():
            create(objects.cohort(api_version, name, parent), manager="argocd-controller")

    def submit(self, job: Job) -> Workload:
        """Ask for quota for a job; a LocalQueue has the name of its ClusterQueue."""
        self._number += 1
        queue = self.queues[job.queue]
        workload = self._writer.create(job, job.queue, self.quotas.resources(job.queue), self._number)
        queue.pending_count += 1
        queue.push(workload)
        queue.touch()
        if not queue.is_active:
            self._writer.pend(workload, f"ClusterQueue {job.queue} is inactive", "Inadmissible")
        self._wake()
        return workload

    def finish(self, workload: Workload, *, is_success: bool = True) -> None:
        """End a job that holds quota; the Workload is deleted with its owner a while later."""
        if workload.phase not in {Phase.RESERVED, Phase.ADMITTED}:
            return
        reason = "Succeeded" if is_success else "Failed"
        self._vacate(workload, reason)
        workload.phase = Phase.FINISHED
        self._writer.finish(workload, reason)
        self._clock.after(_KEEP_FINISHED_SECONDS, lambda: self._writer.delete(workload))
        self._freed(workload)

    def cancel(self, workload: Workload) -> None:
        """Delete a job, whatever it is doing."""
        if workload.phase in {Phase.FINISHED, Phase.DELETED}:
            return
        held = workload.phase in HOLDING
        if held:
            self._vacate(workload, "Deleted")
        else:
            self.queues[workload.cluster_queue].pending_count -= 1
        workload.phase = Phase.DELETED
        self._writer.delete(workload)
        if held:
            self._freed(workload)
        self.queues[workload.cluster_queue].touch()

    def evict(self, workload: Workload, reason: str, message: str, preempted: str = "") -> None:
        """Make a job that holds quota give it back, and queue it again."""
        if workload.phase not in {Phase.RESERVED, Phase.ADMITTED}:
            return
        workload.phase, workload.is_running = Phase.EVICTING, False
        workload.evicted_at, workload.eviction_reason = self._clock.now, reason
        cause, requeue_at = "", None
        if reason == "PodsReadyTimeout":
            cause = "WaitForStart"
            requeue_at = self._clock.now + _BACKOFF_SECONDS * 2**workload.requeue_count
            workload.requeue_count += 1
            workload.queued_at = self._clock.now
        self.meter.evicted(workload, reason, cause)
        self._writer.evict(workload, reason, message, cause=cause, preempted=preempted, requeue_at=requeue_at)
        workload.job.on_stopped(reason)
        delay = self._random.uniform(*_TERMINATION_SECONDS) if workload.admitted_at else CYCLE_SECONDS
        self._clock.after(delay, lambda: self._release(workload, reason, requeue_at))

    def stop_queue(self, name: str, policy: str = "Hold") -> None:
        """Stop a queue, with `HoldAndDrain` evicting all that it has admitted."""
        queue = self.queues[name]
        queue.stop(policy)
        if policy == "HoldAndDrain":
            for workload in list(queue.holding.values()):
                self.evict(workload, "ClusterQueueStopped", "The ClusterQueue is stopped")

    def deactivate_queue(self, name: str, reason: str, message: str) -> None:
        """Make a queue inactive, for a reason such as FlavorNotFound."""
        self.queues[name].deactivate(reason, message)

    def resume_queue(self, name: str) -> None:
        """Let a queue admit again."""
        queue = self.queues[name]
        queue.resume()
        for workload in self._drained.pop(name, ()):
            message = "The ClusterQueue was restarted after being stopped"
            self._queue_held_back(workload, "ClusterQueueRestarted", message)
        queue.reconsider()
        self._wake()

    def hold_checks(self) -> None:
        """Let no admission check pass: where a queue has checks, quota is reserved and nobody admitted."""
        self._are_checks_held = True

    def release_checks(self) -> None:
        """Let admission checks pass again."""
        self._are_checks_held = False
        for queue in self.queues.values():
            for workload in list(queue.holding.values()):
                if workload.phase == Phase.RESERVED:
                    self._pass_checks(workload, workload.episode)

    def change_quota(self, layout: QueueLayout) -> None:
        """Give a queue other quotas, of the same flavors and resources; nobody is evicted for it."""
        self.queues[layout.name].change(layout)
        self._layouts[layout.name] = layout
        self.quotas = QuotaBook(tuple(self._layouts.values()), self._cohorts)
        for queue in self.queues.values():
            for workload in queue.holding.values():
                self.quotas.take(workload.cluster_queue, workload.flavor, workload.requests)
            queue.reconsider()
        self._wake()

    def _wake(self) -> None:
        if not self._has_cycle:
            self._has_cycle = True
            self._clock.after(CYCLE_SECONDS, self._cycle)

    def _cycle(self) -> None:
        self._has_cycle = False
        entries: list[tuple[Workload, Assignment]] = []
        for queue in self.queues.values():
            if queue.is_active and (workload := queue.head()) is not None:
                pod_set = workload.item["spec"]["podSets"][0]["name"]
                entries.append((workload, self.quotas.assign(queue.layout.name, workload.requests, pod_set)))
        entries.sort(key=lambda entry: (entry[1].borrows, entry[0].order))
        for workload, assignment in entries:
            if assignment.is_fit:
                self._reserve_if_still_fits(workload, assignment)
            else:
                self._make_room(workload, assignment)
        if entries:
            self._wake()

    def _reserve_if_still_fits(self, workload: Workload, assignment: Assignment) -> None:
        """Reserve quota, unless one before it in this cycle took it; then it is looked at again."""
        if not self.quotas.fits(workload.cluster_queue, assignment.flavor, workload.requests):
            return
        queue = self.queues[workload.cluster_queue]
        queue.pop()
        queue.pending_count -= 1
        workload.phase, workload.flavor = Phase.RESERVED, assignment.flavor
        workload.reserved_at, workload.admitted_at, workload.running_at = self._clock.now, 0.0, 0.0
        workload.evicted_at, workload.eviction_reason = 0.0, ""
        workload.episode += 1
        self.quotas.take(workload.cluster_queue, workload.flavor, workload.requests)
        queue.hold(workload)
        self.meter.reserved(workload, self._clock.now)
        queue.touch()
        checks = queue.layout.admission_checks
        self._writer.reserve(workload, assignment.flavor, checks)
        workload.job.on_reserved()
        episode = workload.episode
        if checks:
            self._clock.after(self._random.uniform(0.5, 3), lambda: self._pass_checks(workload, episode))
        else:
            self._admit(workload)

    def _make_room(self, workload: Workload, assignment: Assignment) -> None:
        queue, message = self.queues[workload.cluster_queue], assignment.message
        targets = []
        if assignment.is_possible:
            holding = (held for queue in self.queues.values() for held in queue.holding.values())
            targets = preemption.find_targets(workload, assignment, self.quotas, self._layouts, holding)
        if not targets:
            queue.park(workload)
            self._writer.pend(workload, message)
            return
        workload.awaits_preemption = True
        self._writer.pend(workload, f"{message}. Pending the preemption of {len(targets)} workload(s)")
        for target in targets:
            is_own = target.cluster_queue == workload.cluster_queue
            how = preemption.IN_CLUSTER_QUEUE if is_own else preemption.IN_COHORT
            text = _preempted_by(workload, how)
            if target.phase != Phase.EVICTING:
                self.meter.preempted(workload.cluster_queue, how)
                self.evict(target, "Preempted", text, how)

    def _pass_checks(self, workload: Workload, episode: int) -> None:
        if workload.phase != Phase.RESERVED or workload.episode != episode or self._are_checks_held:
            return
        self._writer.pass_checks(workload)
        self._admit(workload)

    def _admit(self, workload: Workload) -> None:
        workload.phase, workload.admitted_at = Phase.ADMITTED, self._clock.now
        queue, episode = self.queues[workload.cluster_queue], workload.episode
        queue.admit(workload)
        self.meter.admitted(workload, self._clock.now)
        queue.touch()
        self._clock.after(1.0, lambda: self._place(workload, episode))
        self._clock.after(_PODS_READY_TIMEOUT_SECONDS, lambda: self._give_up_pods(workload, episode))

    def _place(self, workload: Workload, episode: int) -> None:
        if workload.phase != Phase.ADMITTED or workload.episode != episode:
            return
        self._writer.wait_for_pods(workload)
        pods = [shape.requests for shape in workload.job.pods for _ in range(shape.count)]
        workload.placement = self.pool.place(pods, self.layout.flavors[workload.flavor])
        self.pods.place(workload)
        if workload.placement.unschedulable:
            self._unscheduled.append(workload)
            self._say_unschedulable(workload)
        else:
            self._clock.after(workload.job.start_seconds, lambda: self._run(workload, episode))

    def _say_unschedulable(self, workload: Workload) -> None:
        requests = workload.placement.unschedulable[0]
        message = self.pool.why_unschedulable(requests, self.layout.flavors[workload.flavor])
        owner = workload.job.owners[-1]
        pod = {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "metadata": {
                "name": owner["name"],
                "namespace": workload.job.namespace,
                "uid": owner["uid"],
                "resourceVersion": workload.item["metadata"]["resourceVersion"],
            },
        }
        self._scheduler_events.emit(pod, "FailedScheduling", message, "Warning")

    def _run(self, workload: Workload, episode: int) -> None:
        if workload.phase != Phase.ADMITTED or workload.episode != episode:
            return
        workload.is_running = True
        workload.running_at = self._clock.now
        self.pods.run(workload)
        self._writer.start_pods(workload)
        workload.job.on_running()

    def _give_up_pods(self, workload: Workload, episode: int) -> None:
        if workload.phase == Phase.ADMITTED and workload.episode == episode and not workload.is_running:
            name = f"{workload.job.namespace}/{workload.job.name}"
            self.evict(workload, "PodsReadyTimeout", f"Exceeded the PodsReady timeout {name}")

    def _release(self, workload: Workload, reason: str, requeue_at: float | None) -> None:
        """Free the quota of an evicted Workload, and queue it again at once or after a backoff."""
        if workload.phase != Phase.EVICTING:
            return
        self._vacate(workload, reason)
        queue = self.queues[workload.cluster_queue]
        queue.pending_count += 1
        queue.touch()
        self._writer.release(workload, reason)
        workload.phase, workload.queue_started_at = Phase.HELD_BACK, self._clock.now
        if requeue_at is not None:
            message = "The workload backoff was finished"
            self._clock.at(requeue_at, lambda: self._queue_held_back(workload, "BackoffFinished", message))
        elif reason == "ClusterQueueStopped" and not queue.is_active:
            self._drained.setdefault(workload.cluster_queue, []).append(workload)
        else:
            self._queue_again(workload)
        self._freed(workload)

    def _queue_held_back(self, workload: Workload, reason: str, message: str) -> None:
        if workload.phase == Phase.HELD_BACK:
            self._writer.requeue(workload, reason, message)
            workload.queue_started_at = self._clock.now
            self._queue_again(workload)
            self._wake()

    def _queue_again(self, workload: Workload) -> None:
        workload.phase, workload.awaits_preemption = Phase.PENDING, False
        self.queues[workload.cluster_queue].push(workload)

    def _vacate(self, workload: Workload, reason: str) -> None:
        """Take a Workload from its quota and its nodes."""
        workload.is_running = False
        queue = self.queues[workload.cluster_queue]
        queue.leave(workload)
        queue.touch()
        self.quotas.give_back(workload.cluster_queue, workload.flavor, workload.requests)
        self.pool.remove(workload.placement)
        self.pods.remove(workload)
        if workload in self._unscheduled:
            self._unscheduled.remove(workload)
        self._on_stay(Stay(workload, self._clock.now, reason))

    def _freed(self, workload: Workload) -> None:
        for name, queue in self.queues.items():
            if self.quotas.are_related(workload.cluster_queue, name):
                queue.reconsider()
        for waiting in list(self._unscheduled):
            self.pool.retry(waiting.placement, self.layout.flavors[waiting.flavor])
            self.pods.place(waiting)
            if not waiting.placement.unschedulable:
                self._unscheduled.remove(waiting)
                self._start_later(waiting)
        self._wake()

    def _start_later(self, workload: Workload) -> None:
        episode = workload.episode
        self._clock.after(workload.job.start_seconds, lambda: self._run(workload, episode))


def _preempted_by(workload: Workload, how: str) -> str:
    job_uid = workload.item["metadata"].get("labels", {}).get(f"{objects.GROUP}/job-uid", "UNKNOWN")
    return (
        f"Preempted to accommodate a workload (UID: {workload.uid}, JobUID: {job_uid})"
        f" due to {preemption.WORDS[how]}"
    )
