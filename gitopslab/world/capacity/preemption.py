"""Whom a Workload pushes out, as Kueue's classic preemption decides (pkg/scheduler/preemption)."""

from collections.abc import Iterable, Mapping

from gitopslab.world.capacity.layout import QueueLayout
from gitopslab.world.capacity.quota import Assignment, QuotaBook
from gitopslab.world.capacity.workloads import Phase, Workload

IN_CLUSTER_QUEUE = "InClusterQueue"
IN_COHORT = "InCohortReclamation"
WORDS = {IN_CLUSTER_QUEUE: "prioritization in the ClusterQueue", IN_COHORT: "reclamation within the cohort"}


def find_targets(
    workload: Workload,
    assignment: Assignment,
    quotas: QuotaBook,
    queues: Mapping[str, QueueLayout],
    holding: Iterable[Workload],
) -> list[Workload]:
    """Return the fewest Workloads whose quota would let `workload` in; none if no allowed choice would.

    Workloads of other queues go first, then those of least priority, then those that came last. Quota of
    another queue is reclaimed only if it is borrowed, and only up to the queue's own quota.
    """
    candidates = _candidates(workload, assignment, quotas, queues, holding)
    own = [candidate for candidate in candidates if candidate.cluster_queue == workload.cluster_queue]
    if len(own) == len(candidates):
        return _minimal(workload, assignment, quotas, candidates, may_borrow=True)
    if quotas.is_under_nominal(workload.cluster_queue, assignment.flavor, assignment.short):
        targets = _minimal(workload, assignment, quotas, candidates, may_borrow=False)
        if targets:
            return targets
    return _minimal(workload, assignment, quotas, own, may_borrow=True)


def _candidates(
    workload: Workload,
    assignment: Assignment,
    quotas: QuotaBook,
    queues: Mapping[str, QueueLayout],
    holding: Iterable[Workload],
) -> list[Workload]:
    policy, queue = queues[workload.cluster_queue].preemption, workload.cluster_queue
    candidates = []
    for other in holding:
        if other.flavor != assignment.flavor or not any(r in other.requests for r in assignment.short):
            continue
        is_lower = other.priority < workload.priority
        if other.cluster_queue == queue:
            is_newer_equal = other.priority == workload.priority and other.queued_at > workload.queued_at
            is_candidate = (policy.within_cluster_queue != "Never" and is_lower) or (
                policy.within_cluster_queue == "LowerOrNewerEqualPriority" and is_newer_equal
            )
        else:
            is_candidate = (
                quotas.are_related(queue, other.cluster_queue)
                and (
                    policy.reclaim_within_cohort == "Any"
                    or (policy.reclaim_within_cohort != "Never" and is_lower)
                )
                and quotas.is_borrowing(other.cluster_queue, assignment.flavor, assignment.short)
            )
        if is_candidate:
            candidates.append(other)
    candidates.sort(
        key=lambda other: (
            other.phase != Phase.EVICTING,
            other.cluster_queue == queue,
            other.priority,
            -other.reserved_at,
            other.number,
        )
    )
    return candidates


def _minimal(
    workload: Workload,
    assignment: Assignment,
    quotas: QuotaBook,
    candidates: list[Workload],
    *,
    may_borrow: bool,
) -> list[Workload]:
    queue, flavor = workload.cluster_queue, assignment.flavor
    removed: list[Workload] = []
    fits = False
    for candidate in candidates:
        is_other = candidate.cluster_queue != queue
        if is_other and not quotas.is_borrowing(candidate.cluster_queue, flavor, assignment.short):
            continue
        quotas.give_back(candidate.cluster_queue, flavor, candidate.requests)
        removed.append(candidate)
        fits = quotas.fits(queue, flavor, workload.requests, may_borrow=may_borrow)
        if fits:
            break
    targets = _without_needless(workload, flavor, quotas, removed, may_borrow=may_borrow) if fits else []
    for candidate in targets if fits else removed:
        quotas.take(candidate.cluster_queue, flavor, candidate.requests)
    return targets


def _without_needless(
    workload: Workload, flavor: str, quotas: QuotaBook, removed: list[Workload], *, may_borrow: bool
) -> list[Workload]:
    """Put back, last first, those without whose quota `workload` fits too; return the others."""
    targets = [removed[-1]]
    for candidate in reversed(removed[:-1]):
        quotas.take(candidate.cluster_queue, flavor, candidate.requests)
        if not quotas.fits(workload.cluster_queue, flavor, workload.requests, may_borrow=may_borrow):
            quotas.give_back(candidate.cluster_queue, flavor, candidate.requests)
            targets.append(candidate)
    return targets
