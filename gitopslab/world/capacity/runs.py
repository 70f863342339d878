"""Benchmark runs: what is asked for, and where every instance stands."""

import hashlib
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, Protocol

from gitopslab.world.apiserver import ApiServer
from gitopslab.world.capacity.kueue import Kueue
from gitopslab.world.capacity.layout import POD_BUNDLE, PodShape
from gitopslab.world.capacity.models import Model, Task
from gitopslab.world.capacity.workloads import Workload
from gitopslab.world.clock import Clock
from gitopslab.world.emit.rows import Lease

DEADLINE = "inference_deadline"
"""What failed where the run's time was over before an instance's end."""

Outcome = Literal["resolved", "unresolved", "empty_patch"]
EvaluatorFault = Literal["", "environment", "finalize"]


class Sink(Protocol):
    """Where rows of the application's database go."""

    def add(self, row: Any) -> None:
        """Take a row, which is as it will stay."""


@dataclass(frozen=True)
class Fate:
    """What is to happen to one instance, whatever chance says; None leaves it to chance.

    Attributes:
        outcome: What the evaluation says.
        turns: Turns of its session.
        checkout_seconds: How long it takes to check out the repository.
        failure: Infrastructure that fails: a termination reason such as `workspace_profile_timeout`.
        stalls: Whether its session stops making progress, at every attempt.
    """

    outcome: Outcome | None = None
    turns: int | None = None
    checkout_seconds: float | None = None
    failure: str | None = None
    stalls: bool = False


@dataclass(frozen=True)
class Faults:
    """How often infrastructure fails in one attempt at an instance.

    Attributes:
        host_start: The session's host does not start.
        stall: The session stops making progress; it is tried once more.
        profile_timeout: The workspace's profile is not ready in 300 s.
        slow_checkout: Checking out takes minutes instead of seconds.
    """

    host_start: float = 0.006
    stall: float = 0.012
    profile_timeout: float = 0.002
    slow_checkout: float = 0.004


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """A benchmark run that somebody asks for.

    Attributes:
        run_id: Its id, as the application makes them.
        model: Model and agent.
        tasks: The instances.
        requested: How many of them at once.
        requested_evaluations: How many evaluators at once.
        max_turns: After so many a session ends.
        timeout_seconds: For the inference of all instances together, 300 s more are granted.
        bundle: Pods of an instance.
        queue: The LocalQueue of its instances.
        evaluation_queue: The LocalQueue of its evaluators.
        uses_kueue_limits: Whether the application reckons with Kueue's quota at launch.
        configured_limit: The configured limit of instances at once, which counts where Kueue does not.
        fates: What is to happen, by instance id.
        cancelled_after_seconds: When somebody cancels it, from its start; None: nobody does.
        evaluator_fault: `environment`: no test can pass; `finalize`: the last step fails.
    """

    run_id: str
    model: Model
    tasks: tuple[Task, ...]
    requested: int
    requested_evaluations: int = 24
    max_turns: int = 30
    timeout_seconds: float = 7200
    bundle: tuple[PodShape, ...] = POD_BUNDLE
    queue: str = "benchmark-fast"
    evaluation_queue: str = "benchmark-eval"
    uses_kueue_limits: bool = True
    configured_limit: int = 56
    fates: Mapping[str, Fate] = field(default_factory=dict)
    cancelled_after_seconds: float | None = None
    evaluator_fault: EvaluatorFault = ""
    tags: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class Instance:
    """One task in one run.

    Attributes:
        random: Its own chance.
        attempts: How often it was started.
        session_count_mean: Active sessions of its model while it worked.
        tested_at: When its tests were asked for.
        is_correct: Whether its patch is right; the evaluation of a flaky task may say otherwise.
        failure: Infrastructure that failed; empty if none did.
    """

    task: Task
    fate: Fate
    random: Random
    status: str = "queued"
    inference_status: str = "queued"
    evaluation_status: str = "pending"
    attempts: int = 0
    started_at: float | None = None
    completed_at: float | None = None
    tested_at: float | None = None
    test_seconds: float = 0
    evaluated_at: float | None = None
    updated_at: float = 0
    setup_seconds: float = 0
    checkout_seconds: float = 0
    solve_seconds: float = 0
    turns: int = 0
    session_count_mean: float | None = None
    has_patch: bool | None = None
    is_correct: bool | None = None
    is_resolved: bool | None = None
    failure: str = ""
    inference_error: str | None = None
    termination_reason: str | None = None
    workload: Workload | None = None

    @property
    def is_inferred(self) -> bool:
        """Whether its inference has ended, one way or another."""
        return self.inference_status not in {"queued", "inferencing"}

    @property
    def inference_seconds(self) -> float | None:
        """How long its last attempt took, to its end; None before that."""
        if self.started_at is None or self.completed_at is None:
            return None
        return self.completed_at - self.started_at


class Leases:
    """Slots that instances hold; a row is written once a slot is given back.

    Args:
        clock: The clock.
        sink: Where rows go.
    """

    def __init__(self, clock: Clock, sink: Sink) -> None:
        self._clock, self._sink = clock, sink
        self._held: dict[str, tuple[RunPlan, str, dict[str, str], float]] = {}

    def acquire(self, plan: RunPlan, instance_id: str, phase: str, resources: dict[str, str]) -> None:
        """Take one slot of each resource; `resources` names the capacity that it is taken from."""
        holder = f"{phase}:{plan.run_id}:{instance_id}"
        self._held[holder] = (plan, instance_id, resources, self._clock.now)

    def release(self, plan: RunPlan, instance_id: str, phase: str, reason: str) -> None:
        """Give the slots back; giving back what is not held changes nothing."""
        self._write(f"{phase}:{plan.run_id}:{instance_id}", reason, self._clock.now)

    def close(self) -> None:
        """Write the slots that are still held."""
        for holder in list(self._held):
            self._write(holder, None, None)

    def _write(self, holder: str, reason: str | None, released_at: float | None) -> None:
        if holder not in self._held:
            return
        plan, instance_id, resources, acquired_at = self._held.pop(holder)
        last = self._clock.now if released_at is None else released_at
        heartbeat_at = acquired_at + (last - acquired_at) // _HEARTBEAT_SECONDS * _HEARTBEAT_SECONDS
        time_to_live = max(900, plan.timeout_seconds + 900)
        for resource, key in resources.items():
            row = Lease(
                id=nanoid("lease", holder, resource, repr(acquired_at)),
                run_id=plan.run_id,
                instance_id=instance_id,
                phase=holder.partition(":")[0],
                resource_type=resource,
                capacity_key=key,
                holder_id=holder,
                status="active" if released_at is None else "released",
                metadata={} if reason is None else {"releaseReason": reason},
                acquired_at=acquired_at,
                heartbeat_at=heartbeat_at,
                expires_at=heartbeat_at + time_to_live,
                released_at=released_at,
                created_at=acquired_at,
                updated_at=last,
            )
            self._sink.add(row)


_HEARTBEAT_SECONDS = 60


@dataclass(eq=False)
class Bench:
    """What all runs of a cluster share.

    Attributes:
        cluster: Its name.
        api: Its API server.
        faults: How often infrastructure fails now.
        sessions: Active sessions of each model.
    """

    cluster: str
    seed: int
    api: ApiServer
    clock: Clock
    kueue: Kueue
    sink: Sink
    leases: Leases
    faults: Faults = Faults()
    sessions: Counter[str] = field(default_factory=Counter)


def nanoid(*names: str) -> str:
    """Return an id of 21 characters that stands for `names`, of nanoid's alphabet: `_` and `-` are in it."""
    digest = hashlib.blake2b("\x00".join(names).encode(), digest_size=16).digest()
    return urlsafe_b64encode(digest).decode()[:21]
