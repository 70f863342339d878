"""What Kueue decides in one scheduling cycle: who is let in, and who is pushed out for it.

Each cycle looks at the first job of every queue. Those that need not borrow come before those that do, then
by priority and age. Who fits is let in; for one that does not, jobs may be pushed out, and else it is put
aside until quota is freed under the same root cohort. Source: kueue, pkg/scheduler, pkg/scheduler/preemption.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from gitopslab.capacity.replay.ledger import Cell, Ledger
from gitopslab.capacity.replay.model import Job, Plane
from gitopslab.capacity.replay.waiting import Entry, Groups, Line, Taken

IN_CLUSTER_QUEUE = "InClusterQueue"
IN_COHORT = "InCohortReclamation"


@dataclass(frozen=True, slots=True)
class Reserved:
    """A job was let in."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Preempted:
    """A job was told to make room for another; `how` is in Kueue's words."""

    entry: Entry
    preemptor: Entry
    how: str


Decision = Reserved | Preempted


@dataclass(frozen=True, slots=True)
class _Assignment:
    taken: Taken
    is_fit: bool
    borrows: bool
    short: tuple[Cell, ...]
    is_possible: bool


_NOWHERE = _Assignment((), is_fit=False, borrows=False, short=(), is_possible=False)


class Scheduler:
    """Queues, who waits in them and who holds their quota.

    Args:
        plane: The queues.
        jobs: All jobs there will be, which decide the units of amounts.
    """

    def __init__(self, plane: Plane, jobs: Sequence[Job]) -> None:
        self._plane = plane
        self.ledger = Ledger(plane, (job.requests for job in jobs))
        self._places = {queue.name: place for place, queue in enumerate(plane.queues)}
        self._lines = [Line(plane.policy(queue.name), queue.admits) for queue in plane.queues]
        self._holding: list[dict[int, Entry]] = [{} for _ in plane.queues]
        self._priorities: list[dict[int, int]] = [{} for _ in plane.queues]
        self._related = [
            [other for other, root in enumerate(self.ledger.roots) if root == own]
            for own in self.ledger.roots
        ]
        self._shapes: dict[tuple[object, ...], tuple[int, Groups]] = {}

    def entry(self, number: int, job: Job) -> Entry:
        """Return a job as it will wait."""
        queue = self._places[job.queue]
        key = (queue, job.priority, tuple(sorted(job.requests.items())))
        found = self._shapes.get(key)
        if found is None:
            found = self._shapes[key] = len(self._shapes), self._groups(queue, job.requests)
        return Entry(number, queue, job.priority, job.created_at, *found)

    def _groups(self, queue: int, requests: Mapping[str, Decimal]) -> Groups:
        """Return what a job would take of each flavor; of none where the queue has no quota of something."""
        groups, covered = self._plane.queues[queue].resource_groups, self._plane.queues[queue].resources
        if any(amount and resource not in covered | {"pods"} for resource, amount in requests.items()):
            return ((),)
        return tuple(
            tuple(
                tuple(
                    (self.ledger.cells[flavor.flavor, resource], self.ledger.count(resource, amount))
                    for resource, amount in requests.items()
                    if resource in flavor.quotas
                )
                for flavor in group
            )
            for group in groups
            if any(resource in flavor.quotas for flavor in group for resource in requests)
        )

    def push(self, entry: Entry) -> None:
        """Let a job wait its turn."""
        entry.awaits_preemption = False
        self._lines[entry.queue].push(entry)

    def is_open(self, entry: Entry) -> bool:
        """Return whether the job's queue lets anybody in."""
        return self._lines[entry.queue].is_open

    def hold(self, entry: Entry, now: float) -> None:
        """Let a job have its quota that had it before the replay began, be it more than there is now."""
        self._take(entry, self._assign(entry).taken, now)

    def release(self, entry: Entry) -> None:
        """Count a job's quota as free, and let everybody who shares it wait their turn again."""
        queue = entry.queue
        del self._holding[queue][entry.number]
        self._priorities[queue][entry.priority] -= 1
        for cell, amount in entry.taken:
            self.ledger.take(queue, cell, -amount)
        entry.is_evicting, entry.taken = False, ()
        entry.episode += 1
        for other in self._related[queue]:
            self._lines[other].reconsider()

    def cycle(self, now: float) -> tuple[list[Decision], bool]:
        """Return what is decided now, in order, and whether there was anybody to look at."""
        heads = [line.head() for line in self._lines if line.is_open]
        entries = [(entry, self._assign(entry)) for entry in heads if entry is not None]
        if len(entries) > 1:
            entries.sort(key=lambda pair: (pair[1].borrows, pair[0].rank))
        decisions: list[Decision] = []
        for entry, assignment in entries:
            if not assignment.is_fit:
                decisions.extend(self._make_room(entry, assignment))
            elif self._fits(entry.queue, assignment.taken, may_borrow=True):
                self._lines[entry.queue].pop()
                self._take(entry, assignment.taken, now)
                decisions.append(Reserved(entry))
        return decisions, bool(entries)

    def _take(self, entry: Entry, taken: Taken, now: float) -> None:
        entry.taken, entry.reserved_at = taken, now
        entry.episode += 1
        self._holding[entry.queue][entry.number] = entry
        counts = self._priorities[entry.queue]
        counts[entry.priority] = counts.get(entry.priority, 0) + 1
        for cell, amount in taken:
            self.ledger.take(entry.queue, cell, amount)

    def _assign(self, entry: Entry) -> _Assignment:
        """Return where a job would go: in each group the first flavor that fits, or else could hold it."""
        if len(entry.groups) == 1:
            return self._assign_group(entry.queue, entry.groups[0])
        parts = [self._assign_group(entry.queue, group) for group in entry.groups]
        return _Assignment(
            tuple(one for part in parts for one in part.taken),
            all(part.is_fit for part in parts),
            any(part.borrows for part in parts),
            tuple(cell for part in parts for cell in part.short),
            all(part.is_possible for part in parts),
        )

    def _assign_group(self, queue: int, flavors: tuple[Taken, ...]) -> _Assignment:
        best: _Assignment | None = None
        for taken in flavors:
            found = self._assign_flavor(queue, taken)
            if found.is_fit:
                return found
            if best is None or (found.is_possible and not best.is_possible):
                best = found
        return best or _NOWHERE

    def _assign_flavor(self, queue: int, taken: Taken) -> _Assignment:
        ledger, short = self.ledger, []
        borrows, is_possible = False, True
        for cell, amount in taken:
            if amount <= ledger.available(queue, cell):
                borrows = borrows or ledger.usage(queue, cell) + amount > ledger.nominal(queue, cell)
            else:
                short.append(cell)
                is_possible = is_possible and amount <= ledger.potential(queue, cell)
        return _Assignment(taken, not short, borrows, tuple(short), is_possible)

    def _fits(self, queue: int, taken: Taken, *, may_borrow: bool) -> bool:
        ledger = self.ledger
        for cell, amount in taken:
            if amount > ledger.available(queue, cell):
                return False
            if not may_borrow and ledger.usage(queue, cell) + amount > ledger.nominal(queue, cell):
                return False
        return True

    def _make_room(self, entry: Entry, assignment: _Assignment) -> Iterator[Decision]:
        targets = self._targets(entry, assignment) if assignment.is_possible else []
        line = self._lines[entry.queue]
        if not targets:
            line.park(entry)
            return
        entry.awaits_preemption = True
        line.awaiting.append(entry)
        for target in targets:
            if not target.is_evicting:
                target.is_evicting = True
                how = IN_CLUSTER_QUEUE if target.queue == entry.queue else IN_COHORT
                yield Preempted(target, entry, how)

    def _targets(self, entry: Entry, assignment: _Assignment) -> list[Entry]:
        """Return the fewest jobs whose quota would let `entry` in; none if no allowed choice would.

        Jobs of other queues go only where these borrow, and only up to the own quota of the entry's queue.
        """
        queue, ledger = entry.queue, self.ledger
        own = self._own_candidates(entry, assignment)
        if all(ledger.usage(queue, cell) < ledger.nominal(queue, cell) for cell in assignment.short):
            others = self._other_candidates(entry, assignment)
            if others and (found := self._fewest(entry, assignment, [*own, *others], may_borrow=False)):
                return found
        return self._fewest(entry, assignment, own, may_borrow=True)

    def _own_candidates(self, entry: Entry, assignment: _Assignment) -> list[Entry]:
        how, queue = self._lines[entry.queue].policy.within_cluster_queue, entry.queue
        with_equals = how == "LowerOrNewerEqualPriority"
        if how == "Never" or not any(
            count and (priority < entry.priority or (with_equals and priority == entry.priority))
            for priority, count in self._priorities[queue].items()
        ):
            return []
        return [
            other
            for other in self._holding[queue].values()
            if (
                other.priority < entry.priority
                or (with_equals and other.priority == entry.priority and other.queued_at > entry.queued_at)
            )
            and _uses(other, assignment.short)
        ]

    def _other_candidates(self, entry: Entry, assignment: _Assignment) -> list[Entry]:
        how = self._lines[entry.queue].policy.reclaim_within_cohort
        if how == "Never":
            return []
        return [
            other
            for queue in self._related[entry.queue]
            if queue != entry.queue and self._borrows(queue, assignment.short)
            for other in self._holding[queue].values()
            if (how == "Any" or other.priority < entry.priority) and _uses(other, assignment.short)
        ]

    def _borrows(self, queue: int, cells: tuple[Cell, ...]) -> bool:
        return any(self.ledger.usage(queue, cell) > self.ledger.nominal(queue, cell) for cell in cells)

    def _fewest(
        self, entry: Entry, assignment: _Assignment, candidates: list[Entry], *, may_borrow: bool
    ) -> list[Entry]:
        candidates.sort(
            key=lambda other: (
                not other.is_evicting,
                other.queue == entry.queue,
                other.priority,
                -other.reserved_at,
                other.number,
            )
        )
        removed: list[Entry] = []
        fits = False
        for candidate in candidates:
            if candidate.queue != entry.queue and not self._borrows(candidate.queue, assignment.short):
                continue
            self._count(candidate, -1)
            removed.append(candidate)
            fits = self._fits(entry.queue, assignment.taken, may_borrow=may_borrow)
            if fits:
                break
        targets = self._without_needless(entry, assignment, removed, may_borrow=may_borrow) if fits else []
        for candidate in targets if fits else removed:
            self._count(candidate, 1)
        return targets

    def _without_needless(
        self, entry: Entry, assignment: _Assignment, removed: list[Entry], *, may_borrow: bool
    ) -> list[Entry]:
        """Put back, last first, those without whose quota `entry` fits too; return the others."""
        targets = [removed[-1]]
        for candidate in reversed(removed[:-1]):
            self._count(candidate, 1)
            if not self._fits(entry.queue, assignment.taken, may_borrow=may_borrow):
                self._count(candidate, -1)
                targets.append(candidate)
        return targets

    def _count(self, entry: Entry, sign: int) -> None:
        for cell, amount in entry.taken:
            self.ledger.take(entry.queue, cell, sign * amount)


def _uses(entry: Entry, cells: tuple[Cell, ...]) -> bool:
    return any(cell in cells for cell, _ in entry.taken)
