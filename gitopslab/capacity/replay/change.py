"""A change to try out: strict models of CHANGE.yaml, and what they make of queues and jobs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gitopslab.capacity.cohort_tree import Quota
from gitopslab.capacity.cohorts import ClusterQueue, Cohort, FlavorQuota
from gitopslab.capacity.replay.history import History
from gitopslab.capacity.replay.model import Gate, Job, Pace, Plane, Policy
from gitopslab.errors import UsageError
from gitopslab.quantity import parse_quantity

EXAMPLE = """\
name: half as much again for benchmark runs
queues:
  benchmark-fast:
    quotas:                      # by flavor and resource; a limit may be `unlimited`
      dev-benchmark:
        cpu: {nominal: 50.4, borrowing_limit: unlimited, lending_limit: 16}
        memory: {nominal: 126Gi}
    stop_policy: None            # or Hold, HoldAndDrain
    strategy: BestEffortFIFO     # or StrictFIFO
    within_cluster_queue: LowerPriority
    reclaim_within_cohort: Any
    bundle: {cpu: 450m, memory: 1792Mi}   # what each of its jobs asks for; the rest stays as recorded
    concurrency: 64              # jobs of one benchmark run at a time
    arrivals: 1.5                # so many times as many jobs, in whole runs
  background-warm:
    cohort: null                 # out of its cohort
priorities: {background: 50}     # by priority class
cohorts:
  agent-platform: {parent: platform}
scheduler: {decisions_per_second: 40}
"""


def _quantity(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("write a quantity such as 2, 250m or 1.5Gi")  # noqa: TRY004 - pydantic takes no other
    try:
        amount = parse_quantity(value if isinstance(value, int) else str(value))
    except UsageError as error:
        raise ValueError(str(error)) from error
    if amount < 0:
        raise ValueError(f"{value} is below 0; write a quantity such as 2, 250m or 1.5Gi")
    return amount


def _limit(value: object) -> Decimal | None:
    return None if value is None or value == "unlimited" else _quantity(value)


Amount = Annotated[Decimal, BeforeValidator(_quantity)]
Limit = Annotated[Decimal | None, BeforeValidator(_limit)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QuotaChange(_Table):
    """Of one flavor and resource; what is not given stays."""

    nominal: Amount | None = None
    borrowing_limit: Limit = None
    lending_limit: Limit = None


class QueueChange(_Table):
    """Of one ClusterQueue; what is not given stays."""

    quotas: dict[str, dict[str, QuotaChange]] = {}
    cohort: str | None = None
    stop_policy: Literal["None", "Hold", "HoldAndDrain"] | None = None
    strategy: Literal["BestEffortFIFO", "StrictFIFO"] | None = None
    within_cluster_queue: Literal["Never", "LowerPriority", "LowerOrNewerEqualPriority"] | None = None
    reclaim_within_cohort: Literal["Never", "LowerPriority", "Any"] | None = None
    bundle: dict[str, Amount] = {}
    concurrency: int | None = Field(None, ge=1)
    arrivals: float = Field(1.0, ge=0, le=100)


class CohortChange(_Table):
    """Of one cohort: where it hangs; null makes it a root."""

    parent: str | None


class SchedulerChange(_Table):
    """Of the scheduler."""

    decisions_per_second: float = Field(gt=0)


class Change(_Table):
    """What CHANGE.yaml holds."""

    name: str = "the change"
    queues: dict[str, QueueChange] = {}
    priorities: dict[str, int] = {}
    cohorts: dict[str, CohortChange] = {}
    scheduler: SchedulerChange | None = None


def parse(content: Any, where: str) -> Change:
    """Return the change that a document describes.

    Args:
        content: The document.
        where: Its file, for messages.

    Raises:
        UsageError: A key is unknown, or a value is not what it should be.
    """
    try:
        return Change.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UsageError(
                f"{where}: unknown key {key}; `gitopslab whatif --example` shows every key there is"
            ) from error
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{where}: {key or 'the document'}: {message}") from error


@dataclass(frozen=True)
class Case:
    """One side of a comparison.

    Attributes:
        plane: Its queues.
        pace: Of its scheduler.
        gates: Of its benchmark runs.
        jobs: What passes through it.
    """

    plane: Plane
    pace: Pace
    gates: Mapping[str, Gate]
    jobs: list[Job]


def changed_plane(plane: Plane, change: Change, where: str) -> Plane:
    """Return the queues as the change leaves them.

    Raises:
        UsageError: The change names a queue, flavor or resource that is not there.
    """
    known = {queue.name: queue for queue in plane.queues}
    for name in change.queues:
        _check(name, known, f"{where}: queues.{name}: no such ClusterQueue")
    queues = tuple(
        _changed_queue(queue, change.queues[queue.name], f"{where}: queues.{queue.name}")
        if queue.name in change.queues
        else queue
        for queue in plane.queues
    )
    policies = {
        queue.name: _changed_policy(plane.policy(queue.name), change.queues.get(queue.name))
        for queue in plane.queues
    }
    named = {queue.cohort for queue in queues} | {cohort.name for cohort in plane.cohorts}
    for name in change.cohorts:
        _check(name, {each for each in named if each}, f"{where}: cohorts.{name}: no such cohort")
    declared = {cohort.name: cohort for cohort in plane.cohorts}
    for name, cohort in change.cohorts.items():
        declared[name] = replace(declared.get(name, Cohort(name)), parent=cohort.parent)
    return Plane(queues, tuple(declared.values()), policies)


def changed_pace(pace: Pace, change: Change) -> Pace:
    """Return how quickly Kueue works with the change."""
    if change.scheduler is None:
        return pace
    return replace(pace, write_seconds=1 / change.scheduler.decisions_per_second)


def gates(history: History, change: Change) -> tuple[dict[str, Gate], dict[str, Gate]]:
    """Return how many jobs of each benchmark run there are at a time, before and after the change.

    Before it is the most that were there at once. Runs of queues whose concurrency is not changed have no
    gate: their jobs arrive as recorded.
    """
    limits = {name: queue.concurrency for name, queue in change.queues.items() if queue.concurrency}
    spans: dict[str, list[tuple[float, int]]] = {}
    after: dict[str, Gate] = {}
    for each in history.recorded:
        limit = limits.get(each.job.queue)
        if each.job.gate and limit:
            end = history.seconds if each.ended_at is None else each.ended_at
            spans.setdefault(each.job.gate, []).extend([(each.job.created_at, 1), (end, -1)])
            after[each.job.gate] = Gate(limit)
    return {run: Gate(_most_at_once(events)) for run, events in spans.items()}, after


def before_and_after(
    jobs: Iterable[Job],
    change: Change,
    run_gates: Mapping[str, Gate],
    seconds: float,
    chance: np.random.Generator,
) -> tuple[list[Job], list[Job]]:
    """Return jobs as they are without the change and with it; what both have is the same job in both.

    Jobs of a run that has a gate arrive together, and the gate lets them in. Where there are to be more
    arrivals, whole runs come again, or single jobs of none, at a time in the window drawn by chance; where
    there are to be fewer, some stay away.
    """
    first: dict[str, float] = {}
    before = list(jobs)
    for job in before:
        if job.gate in run_gates:
            first[job.gate] = min(first.get(job.gate, job.created_at), job.created_at)
    before = [
        replace(job, created_at=first[job.gate]) if job.gate in first and job.held_since is None else job
        for job in before
    ]
    after = [_changed_job(job, change) for job in _arriving(before, change, seconds, chance)]
    return before, after


def _arriving(jobs: list[Job], change: Change, seconds: float, chance: np.random.Generator) -> Iterable[Job]:
    """Yield each job as often as the change has it arrive."""
    units: dict[tuple[str, str], list[Job]] = {}
    for number, job in enumerate(jobs):
        units.setdefault((job.queue, job.gate or f"#{number}"), []).append(job)
    for (queue, _), members in units.items():
        share, moment = chance.random(), chance.random()
        factor = change.queues[queue].arrivals if queue in change.queues else 1.0
        copies = int(factor) + (share < factor % 1)
        if copies:
            yield from members
        begin = members[0].created_at
        for copy in range(1, copies):
            start = (moment + copy / copies) % 1 * seconds
            for job in members:
                yield replace(
                    job,
                    created_at=start + job.created_at - begin,
                    held_since=None,
                    leaves_at=None,
                    gate=job.gate and f"{job.gate} again {copy}",
                )


def _changed_job(job: Job, change: Change) -> Job:
    priority = change.priorities.get(job.kind, job.priority)
    bundle = change.queues[job.queue].bundle if job.queue in change.queues else {}
    if priority == job.priority and not bundle:
        return job
    return replace(job, priority=priority, requests={**job.requests, **bundle})


def _changed_queue(queue: ClusterQueue, change: QueueChange, where: str) -> ClusterQueue:
    flavors = {flavor.flavor: flavor for group in queue.resource_groups for flavor in group}
    for flavor, quotas in change.quotas.items():
        _check(flavor, flavors, f"{where}.quotas.{flavor}: the queue has no such flavor")
        for resource in quotas:
            known = flavors[flavor].quotas
            _check(resource, known, f"{where}.quotas.{flavor}.{resource}: the flavor has no such resource")
    for resource in change.bundle:
        _check(resource, queue.resources, f"{where}.bundle.{resource}: the queue has no quota of it")
    groups = tuple(
        tuple(_changed_flavor(flavor, change.quotas.get(flavor.flavor, {})) for flavor in group)
        for group in queue.resource_groups
    )
    return replace(
        queue,
        resource_groups=groups,
        cohort=change.cohort if "cohort" in change.model_fields_set else queue.cohort,
        stop_policy=change.stop_policy or queue.stop_policy,
    )


def _changed_flavor(flavor: FlavorQuota, changes: Mapping[str, QuotaChange]) -> FlavorQuota:
    return FlavorQuota(
        flavor.flavor,
        {
            resource: _changed_quota(quota, changes[resource]) if resource in changes else quota
            for resource, quota in flavor.quotas.items()
        },
    )


def _changed_quota(quota: Quota, change: QuotaChange) -> Quota:
    given: dict[str, Any] = {name: getattr(change, name) for name in change.model_fields_set}
    if given.get("nominal", 0) is None:
        del given["nominal"]
    return replace(quota, **given)


def _changed_policy(policy: Policy, change: QueueChange | None) -> Policy:
    if change is None:
        return policy
    return Policy(
        change.strategy or policy.strategy,
        change.within_cluster_queue or policy.within_cluster_queue,
        change.reclaim_within_cohort or policy.reclaim_within_cohort,
    )


def _most_at_once(events: list[tuple[float, int]]) -> int:
    now = most = 0
    for _, step in sorted(events):
        now += step
        most = max(most, now)
    return max(1, most)


def _check(name: str, known: Iterable[str], what: str) -> None:
    names = sorted(known)
    if name not in names:
        raise UsageError(f"{what}; there are: {', '.join(names) or 'none'}")
