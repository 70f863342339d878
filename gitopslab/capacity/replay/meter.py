"""Use of every queue's quota, weighted by time."""

from dataclasses import dataclass

from gitopslab.capacity.replay.ledger import Ledger
from gitopslab.capacity.replay.model import Plane
from gitopslab.capacity.replay.waiting import Entry


@dataclass(frozen=True, slots=True)
class Use:
    """What a queue used of one flavor and resource, in the resource's own unit (cores, bytes).

    Attributes:
        nominal: Its quota.
        used: Mean of what was reserved.
        borrowed: Mean of what was reserved beyond the quota.
        most: The most that was reserved at once.
    """

    queue: str
    flavor: str
    resource: str
    nominal: float
    used: float
    borrowed: float
    most: float


class Meter:
    """Adds up what is reserved, from 0 to `until` seconds; None is to the last change."""

    def __init__(self, ledger: Ledger, plane: Plane, until: float | None) -> None:
        self._ledger, self._plane = ledger, plane
        self._until = float("inf") if until is None else until
        cells, queues = range(len(ledger.cells)), range(len(plane.queues))
        self._nominal = [[ledger.nominal(queue, cell) for cell in cells] for queue in queues]
        self._level = [[0 for _ in cells] for _ in queues]
        self._most = [[0 for _ in cells] for _ in queues]
        self._since = [[0.0 for _ in cells] for _ in queues]
        self._used = [[0.0 for _ in cells] for _ in queues]
        self._borrowed = [[0.0 for _ in cells] for _ in queues]

    def change(self, entry: Entry, sign: int, now: float) -> None:
        """Count what a job takes as reserved from now on, or as free."""
        queue, now = entry.queue, min(now, self._until)
        for cell, amount in entry.taken:
            self._settle(queue, cell, now)
            level = self._level[queue][cell] = self._level[queue][cell] + sign * amount
            self._most[queue][cell] = max(self._most[queue][cell], level)

    def _settle(self, queue: int, cell: int, now: float) -> None:
        level, seconds = self._level[queue][cell], now - self._since[queue][cell]
        if level and seconds:
            self._used[queue][cell] += level * seconds
            beyond = level - self._nominal[queue][cell]
            if beyond > 0:
                self._borrowed[queue][cell] += beyond * seconds
        self._since[queue][cell] = now

    def uses(self, now: float) -> tuple[Use, ...]:
        """Return the means from 0 to `until`, or to now where that has no end."""
        end = now if self._until == float("inf") else self._until
        seconds = end or 1.0
        found = []
        for queue, declared in enumerate(self._plane.queues):
            for (flavor, resource), cell in self._ledger.cells.items():
                if self._ledger.declares(queue, cell):
                    self._settle(queue, cell, end)
                    unit = float(self._ledger.units[resource])
                    found.append(
                        Use(
                            declared.name,
                            flavor,
                            resource,
                            self._nominal[queue][cell] * unit,
                            self._used[queue][cell] * unit / seconds,
                            self._borrowed[queue][cell] * unit / seconds,
                            self._most[queue][cell] * unit,
                        )
                    )
        return tuple(found)
