"""The replay: events in order of time, from the first arrival until everybody is done or time is up."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, auto
from heapq import heappop, heappush

from gitopslab.capacity.replay.meter import Meter, Use
from gitopslab.capacity.replay.model import Gate, Job, Pace, Plane
from gitopslab.capacity.replay.scheduler import Preempted, Reserved, Scheduler
from gitopslab.capacity.replay.waiting import Entry


@dataclass(slots=True)
class Passage:
    """What became of one job. Times are seconds since the replay's beginning; None did not happen.

    Attributes:
        created_at: When it asked: later than its own time where a gate kept it.
        first_reserved_at: When it first was let in.
        reserved_at: When it last was.
        ended_at: When its work was done.
        left_at: When it went away while it waited.
        preempted_count: How often it was pushed out.
        lost_seconds: How long it had run in vain, in all.
    """

    created_at: float
    first_reserved_at: float | None = None
    reserved_at: float | None = None
    ended_at: float | None = None
    left_at: float | None = None
    preempted_count: int = 0
    unready_count: int = 0
    lost_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Preemption:
    """A job pushed out by another, both by their number.

    Attributes:
        at: When, in seconds since the replay's beginning.
        victim: Who lost its quota.
        preemptor: For whom.
        how: In Kueue's words.
        lost_seconds: How long the victim had run in vain.
    """

    at: float
    victim: int
    preemptor: int
    how: str
    lost_seconds: float


@dataclass(frozen=True)
class Replay:
    """What a replay came to.

    Attributes:
        passages: Of each job, in the order given; a job that its gate never let in has None.
        preemptions: In order of time.
        uses: Of each queue's quotas.
        ended_at: When the last of those who ended did.
        cycle_count: How often Kueue looked at its queues.
    """

    passages: tuple[Passage | None, ...]
    preemptions: tuple[Preemption, ...]
    uses: tuple[Use, ...]
    ended_at: float
    cycle_count: int


class _Kind(IntEnum):
    ARRIVE = auto()
    LEAVE = auto()
    CYCLE = auto()
    RESERVE = auto()
    EVICT = auto()
    GIVE_UP = auto()
    RELEASE = auto()
    VACATE = auto()
    QUEUE = auto()
    FINISH = auto()


@dataclass(slots=True)
class _GateState:
    limit: int
    inside: int = 0
    waiting: deque[int] = field(default_factory=deque)


def replay(  # noqa: PLR0913 - one keyword for each way in which a replay may be limited
    plane: Plane,
    jobs: Sequence[Job],
    pace: Pace | None = None,
    *,
    gates: Mapping[str, Gate] | None = None,
    measured_until: float | None = None,
    until: float | None = None,
) -> Replay:
    """Let `jobs` pass through the queues of `plane`; the same input gives the same passages.

    Args:
        plane: The queues.
        jobs: In any order; of equals, the one given first goes first.
        pace: How quickly Kueue works.
        gates: Limits of the gates that jobs name; a gate that is not here has none.
        measured_until: Use is the mean up to here; None is up to the end.
        until: When to stop, for queues that never become empty; None is when nothing happens any more.
    """
    run = _Run(plane, jobs, pace or Pace(), gates or {}, measured_until)
    run.go(float("inf") if until is None else until)
    return run.result()


class _Run:
    def __init__(
        self,
        plane: Plane,
        jobs: Sequence[Job],
        pace: Pace,
        gates: Mapping[str, Gate],
        measured_until: float | None,
    ) -> None:
        self._jobs, self._pace = jobs, pace
        self._drained = {queue.name for queue in plane.queues if queue.stop_policy == "HoldAndDrain"}
        self._scheduler = Scheduler(plane, jobs)
        self._meter = Meter(self._scheduler.ledger, plane, measured_until)
        self._gates = {name: _GateState(gate.limit) for name, gate in gates.items()}
        self._entries = [self._scheduler.entry(number, job) for number, job in enumerate(jobs)]
        self._passages: list[Passage | None] = [None] * len(jobs)
        self._preemptions: list[Preemption] = []
        self._preempted_by: dict[int, Preempted] = {}
        self._agenda: list[tuple[float, int, _Kind, int, int]] = []
        self._now = self._busy_until = self._ended_at = 0.0
        self._asked = self._cycle_count = 0
        self._has_cycle = False
        for number, job in enumerate(jobs):
            if job.held_since is None:
                self._at(job.created_at, _Kind.ARRIVE, number)
            else:
                self._hold(number, job.held_since)

    def go(self, until: float) -> None:
        steps = {
            _Kind.ARRIVE: self._arrive,
            _Kind.LEAVE: self._leave,
            _Kind.RESERVE: self._reserve,
            _Kind.EVICT: self._preempt,
            _Kind.GIVE_UP: self._give_up,
            _Kind.RELEASE: self._release,
            _Kind.VACATE: self._vacate,
            _Kind.QUEUE: self._queue,
            _Kind.FINISH: self._finish,
        }
        agenda = self._agenda
        while agenda and agenda[0][0] <= until:
            self._now, _, kind, number, episode = heappop(agenda)
            if kind is _Kind.CYCLE:
                self._cycle()
            elif episode in {0, self._entries[number].episode}:
                steps[kind](number)

    def result(self) -> Replay:
        return Replay(
            tuple(self._passages),
            tuple(self._preemptions),
            self._meter.uses(self._now),
            self._ended_at,
            self._cycle_count,
        )

    def _at(self, time: float, kind: _Kind, number: int = 0, episode: int = 0) -> None:
        """Do something later; what names an episode is dropped once the job is in another."""
        self._asked += 1
        heappush(self._agenda, (time, self._asked, kind, number, episode))

    def _passage(self, number: int) -> Passage:
        passage = self._passages[number]
        if passage is None:
            passage = self._passages[number] = Passage(self._jobs[number].created_at)
        return passage

    def _hold(self, number: int, since: float) -> None:
        entry, passage = self._entries[number], self._passage(number)
        self._scheduler.hold(entry, since)
        self._meter.change(entry, 1, 0.0)
        passage.first_reserved_at = passage.reserved_at = since
        self._enter_gate(number)
        if self._jobs[number].queue in self._drained:
            self._evict(entry)
        else:
            self._start(entry)

    def _arrive(self, number: int) -> None:
        gate = self._gates.get(self._jobs[number].gate)
        if gate is not None and gate.inside >= gate.limit:
            gate.waiting.append(number)
            return
        self._enter_gate(number)
        self._passage(number).created_at = self._now
        self._entries[number].queued_at = self._now
        leaves_at = self._jobs[number].leaves_at
        if leaves_at is not None:
            self._at(max(leaves_at, self._now), _Kind.LEAVE, number)
        self._queue(number)

    def _enter_gate(self, number: int) -> None:
        if gate := self._gates.get(self._jobs[number].gate):
            gate.inside += 1

    def _leave_gate(self, number: int) -> None:
        if gate := self._gates.get(self._jobs[number].gate):
            gate.inside -= 1
            if gate.waiting and gate.inside < gate.limit:
                self._arrive(gate.waiting.popleft())

    def _queue(self, number: int) -> None:
        entry = self._entries[number]
        self._scheduler.push(entry)
        if self._scheduler.is_open(entry):
            self._wake()

    def _leave(self, number: int) -> None:
        entry, passage = self._entries[number], self._passage(number)
        if not entry.episode:
            entry.has_left, passage.left_at = True, self._now
            self._leave_gate(number)

    def _wake(self) -> None:
        if not self._has_cycle:
            self._has_cycle = True
            self._at(max(self._now + self._pace.cycle_seconds, self._busy_until), _Kind.CYCLE)

    def _cycle(self) -> None:
        self._has_cycle = False
        self._cycle_count += 1
        decisions, had_heads = self._scheduler.cycle(self._now)
        for place, decision in enumerate(decisions, start=1):
            self._busy_until = self._now + place * self._pace.write_seconds
            entry = decision.entry
            if isinstance(decision, Reserved):
                self._at(self._busy_until, _Kind.RESERVE, entry.number, entry.episode)
            else:
                self._preempted_by[entry.number] = decision
                self._at(self._busy_until, _Kind.EVICT, entry.number, entry.episode)
        if had_heads:
            self._wake()

    def _reserve(self, number: int) -> None:
        entry, passage = self._entries[number], self._passage(number)
        entry.reserved_at = passage.reserved_at = self._now
        if passage.first_reserved_at is None:
            passage.first_reserved_at = self._now
        self._meter.change(entry, 1, self._now)
        self._start(entry)

    def _start(self, entry: Entry) -> None:
        job, passage = self._jobs[entry.number], self._passage(entry.number)
        if passage.unready_count < job.failed_starts:
            time, kind = entry.reserved_at + self._pace.pods_ready_seconds, _Kind.GIVE_UP
        else:
            seconds = job.start_seconds + job.run_seconds + self._pace.linger_seconds
            time, kind = entry.reserved_at + seconds, _Kind.FINISH
        self._at(max(time, 0.0), kind, entry.number, entry.episode)

    def _run_so_far(self, entry: Entry) -> float:
        job = self._jobs[entry.number]
        return min(max(0.0, self._now - entry.reserved_at - job.start_seconds), job.run_seconds)

    def _preempt(self, number: int) -> None:
        entry, cause = self._entries[number], self._preempted_by.pop(number)
        lost = self._run_so_far(entry)
        self._preemptions.append(Preemption(self._now, number, cause.preemptor.number, cause.how, lost))
        self._passage(number).preempted_count += 1
        self._evict(entry)

    def _evict(self, entry: Entry, then: _Kind = _Kind.RELEASE) -> None:
        """Stop a job; whether it would have ended or given up in this stay does not matter any more."""
        entry.is_evicting = True
        entry.episode += 1
        self._passage(entry.number).lost_seconds += self._run_so_far(entry)
        self._at(self._now + self._pace.termination_seconds, then, entry.number, entry.episode)

    def _give_up(self, number: int) -> None:
        entry, passage = self._entries[number], self._passage(number)
        backoff = self._pace.backoff_seconds * 2**passage.unready_count
        passage.unready_count += 1
        entry.queued_at = self._now
        self._evict(entry, then=_Kind.VACATE)
        held_back = max(self._pace.termination_seconds, min(backoff, self._pace.backoff_most_seconds))
        self._at(self._now + held_back, _Kind.QUEUE, number)

    def _release(self, number: int) -> None:
        self._vacate(number)
        self._queue(number)

    def _vacate(self, number: int) -> None:
        entry = self._entries[number]
        self._meter.change(entry, -1, self._now)
        self._scheduler.release(entry)
        self._wake()

    def _finish(self, number: int) -> None:
        self._passage(number).ended_at = self._ended_at = self._now - self._pace.linger_seconds
        self._vacate(number)
        self._leave_gate(number)
