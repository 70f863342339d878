"""Who waits in a queue, and in which order."""

from dataclasses import dataclass, field
from heapq import heappop, heappush

from gitopslab.capacity.replay.ledger import Cell
from gitopslab.capacity.replay.model import Policy

Taken = tuple[tuple[Cell, int], ...]
"""Amounts by flavor and resource."""

Groups = tuple[tuple[Taken, ...], ...]
"""Of each resource group, what would be taken of each of its flavors, in the order they are tried in."""

Rank = tuple[int, float, int]


@dataclass(eq=False, slots=True)
class Entry:
    """A job in a queue, or holding its quota.

    Attributes:
        number: Which job it is of those replayed.
        queue: Which queue.
        priority: The higher, the sooner.
        queued_at: Time by which it is ordered among those of its priority.
        shape: Jobs of one shape fit or do not fit alike.
        groups: What it would take.
        taken: What it took; empty while it waits.
        reserved_at: When it last was let in.
        has_left: Whether it went away while it waited.
        is_evicting: Whether it was told to give its quota back.
        awaits_preemption: Whether jobs are on their way out for it.
        episode: Another one whenever it is let in, evicted or done; 0 before that.
    """

    number: int
    queue: int
    priority: int
    queued_at: float
    shape: int
    groups: Groups
    taken: Taken = ()
    reserved_at: float = 0.0
    has_left: bool = False
    is_evicting: bool = False
    awaits_preemption: bool = False
    episode: int = 0

    @property
    def rank(self) -> Rank:
        """Its place in the queue: the smallest is first."""
        return -self.priority, self.queued_at, self.number


@dataclass(slots=True)
class Line:
    """Those who wait in one queue, by shape, so that putting one aside puts aside all that fit no better.

    Attributes:
        policy: Of the queue.
        is_open: Whether it lets anybody in.
        shapes: Who waits, of each shape.
        heads: The first of each shape that is not hopeless; what is out of date is dropped when met.
        hopeless: Shapes that fit nowhere until quota is freed.
        awaiting: Those for whom others were told to go.
        is_blocked: Whether a head that does not fit holds up the others.
    """

    policy: Policy
    is_open: bool
    shapes: dict[int, list[tuple[Rank, Entry]]] = field(default_factory=dict)
    heads: list[tuple[Rank, int]] = field(default_factory=list)
    hopeless: set[int] = field(default_factory=set)
    awaiting: list[Entry] = field(default_factory=list)
    is_blocked: bool = False

    def push(self, entry: Entry) -> None:
        """Let a job wait its turn."""
        self.is_blocked = False
        waiting = self.shapes.setdefault(entry.shape, [])
        heappush(waiting, (entry.rank, entry))
        if waiting[0][1] is entry and entry.shape not in self.hopeless:
            heappush(self.heads, (waiting[0][0], entry.shape))

    def head(self) -> Entry | None:
        """Return whose turn it is; None if there is nobody, or it waits for those it pushes out."""
        while self.heads and not self.is_blocked:
            rank, shape = self.heads[0]
            waiting = self.shapes[shape]
            if shape in self.hopeless or not waiting or waiting[0][0] != rank:
                heappop(self.heads)
            elif waiting[0][1].has_left:
                self.pop()
            else:
                entry = waiting[0][1]
                return None if entry.awaits_preemption else entry
        return None

    def pop(self) -> None:
        """Take the head from its place."""
        _, shape = heappop(self.heads)
        waiting = self.shapes[shape]
        heappop(waiting)
        if waiting:
            heappush(self.heads, (waiting[0][0], shape))

    def park(self, entry: Entry) -> None:
        """Put the head, which fits nowhere now, aside until quota is freed."""
        if self.policy.strategy == "StrictFIFO":
            self.is_blocked = True
        else:
            self.hopeless.add(entry.shape)

    def reconsider(self) -> None:
        """Let everybody wait their turn again, for quota was freed."""
        self.is_blocked = False
        for shape in self.hopeless:
            if waiting := self.shapes[shape]:
                heappush(self.heads, (waiting[0][0], shape))
        self.hopeless.clear()
        for entry in self.awaiting:
            entry.awaits_preemption = False
        self.awaiting.clear()
