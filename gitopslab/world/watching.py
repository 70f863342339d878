"""Watching a simulated cluster: which of its writes somebody saw, when, and what went unseen."""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import zstandard

from gitopslab.world.clock import moment

GapListener = Callable[[str, float, float, str], None]
"""Told of what a watcher missed: cluster, since, until (seconds since the epoch), and why."""


@dataclass(frozen=True)
class Gap:
    """A time in which a cluster's watcher saw nothing.

    Attributes:
        cluster: Its name; empty: all of them.
        since: Its beginning, in seconds from the start of the world.
        until: Its end; what is then there is listed.
        reason: Why, for the truth.
    """

    cluster: str
    since: float
    until: float
    reason: str = "watch_interrupted"


@dataclass(frozen=True)
class Watching:
    """How well clusters are watched; as it stands, perfectly.

    Attributes:
        poll_seconds: Look only every so many seconds, and see the last state and no deletion; 0: watch.
        gaps: Times in which nothing was seen. What was deleted in one is never seen to go.
        unreachable: Clusters that are never seen.
        clock_skew_seconds: How far the watcher's clock is ahead of the clusters' clocks.
        duplicate_ratio: Share of events that come twice.
        reorder_seconds: By how much an event may be written late, behind those that came after it.
    """

    poll_seconds: float = 0
    gaps: tuple[Gap, ...] = ()
    unreachable: tuple[str, ...] = ()
    clock_skew_seconds: float = 0
    duplicate_ratio: float = 0
    reorder_seconds: float = 0


class Watcher:
    """Writes what is seen of one cluster: a watch event a line, NDJSON in zstd.

    Args:
        cluster: Name of the cluster.
        file: Where the events go.
        start: The start of the world, seconds since the epoch.
        watching: How well it watches.
        random: Chance, for what comes twice or late.
        on_gap: Told of every gap, for the truth.

    Attributes:
        written_count: Events written so far.
    """

    def __init__(  # noqa: PLR0913 - each is one fact of how it watches
        self,
        cluster: str,
        file: Path,
        *,
        start: float,
        watching: Watching,
        random: Random,
        on_gap: GapListener | None = None,
    ) -> None:
        self.written_count = 0
        self._cluster = cluster
        self._file = file.open("wb")
        self._stream = zstandard.ZstdCompressor(level=1).stream_writer(self._file)
        self._watching = watching
        self._random = random
        self._on_gap = on_gap or (lambda *_: None)
        self._gaps = _gaps_of(cluster, watching, start)
        self._next_poll = start + watching.poll_seconds
        self._unseen: dict[str, tuple[str, bytes]] = {}
        self._late: list[tuple[float, int, bytes]] = []
        self._is_plain = not (watching.duplicate_ratio or watching.reorder_seconds)
        self._is_perfect = self._is_plain and not (self._gaps or watching.poll_seconds)

    def see(self, time: float, event_type: str, uid: str, body: bytes) -> None:
        """Take note of a write: `body` is the JSON of the object with `uid` after it.

        Calls come in order of `time`; what could not be seen at once is written when it is.
        """
        if self._is_perfect:
            self._write(time, event_type, body)
            return
        self._catch_up(time)
        if not self._is_blind(time):
            self._deliver(time, event_type, body)
        elif event_type == "DELETED":
            self._unseen.pop(uid, None)
        else:
            was_added = uid in self._unseen and self._unseen[uid][0] == "ADDED"
            self._unseen[uid] = ("ADDED" if was_added else event_type, body)

    def close(self, time: float) -> None:
        """Write what is still to be written at the end of the world, and close the file."""
        self._catch_up(time)
        for since, until, reason in self._gaps:
            if since < time:
                self._on_gap(self._cluster, since, min(until, time), reason)
        self._gaps = []
        self._write_late(float("inf"))
        self._close_file()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_file()

    def _close_file(self) -> None:
        if not self._file.closed:
            self._stream.close()  # type: ignore[no-untyped-call]  # zstandard does not say what it returns
            self._file.close()

    def _is_blind(self, time: float) -> bool:
        return bool(self._watching.poll_seconds or (self._gaps and self._gaps[0][0] <= time))

    def _catch_up(self, time: float) -> None:
        """See what a gap or the time between two looks had hidden, once it is over."""
        while self._gaps and self._gaps[0][1] <= time:
            since, until, reason = self._gaps.pop(0)
            self._on_gap(self._cluster, since, until, reason)
            if not self._watching.poll_seconds:
                self._list(until)
        if not self._watching.poll_seconds:
            return
        while self._next_poll <= time:
            if not (self._gaps and self._gaps[0][0] <= self._next_poll):
                self._list(self._next_poll)
            self._next_poll += self._watching.poll_seconds

    def _list(self, time: float) -> None:
        for event_type, body in self._unseen.values():
            self._deliver(time, event_type, body)
        self._unseen.clear()

    def _deliver(self, time: float, event_type: str, body: bytes) -> None:
        if self._is_plain:
            self._write(time, event_type, body)
            return
        self._write_late(time)
        times = 2 if self._random.random() < self._watching.duplicate_ratio else 1
        line = self._line(time, event_type, body)
        for _ in range(times):
            delay = self._random.uniform(0, self._watching.reorder_seconds)
            heappush(self._late, (time + delay, self._random.getrandbits(32), line))

    def _write_late(self, time: float) -> None:
        while self._late and self._late[0][0] <= time:
            self._put(heappop(self._late)[2])

    def _write(self, time: float, event_type: str, body: bytes) -> None:
        self._put(self._line(time, event_type, body))

    def _line(self, time: float, event_type: str, body: bytes) -> bytes:
        observed_at = moment(time + _LATENCY_SECONDS + self._watching.clock_skew_seconds)
        head = f'{{"type":"{event_type}","observedAt":"{observed_at:%Y-%m-%dT%H:%M:%S.%f}Z","object":'
        return b"%s%s}\n" % (head.encode(), body)

    def _put(self, line: bytes) -> None:
        self.written_count += 1
        self._stream.write(line)


_LATENCY_SECONDS = 0.02
"""From a write to the watcher that is told of it."""


def _gaps_of(cluster: str, watching: Watching, start: float) -> list[tuple[float, float, str]]:
    if cluster in watching.unreachable:
        return [(start, float("inf"), "unreachable")]
    gaps = [gap for gap in watching.gaps if gap.cluster in {"", cluster}]
    return sorted((start + gap.since, start + gap.until, gap.reason) for gap in gaps)
