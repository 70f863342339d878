"""The clock of a simulated fleet: what is to happen, in order of time.

Times are seconds since the epoch, UTC, as floats; `stamp` writes them as Kubernetes does.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from heapq import heappop, heappush

Action = Callable[[], object]

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY


class Clock:
    """Runs actions at their times; those of one moment run in the order in which they were asked for.

    Args:
        start: The first moment.

    Attributes:
        now: The present, seconds since the epoch.
    """

    def __init__(self, start: float) -> None:
        self.now = start
        self._agenda: list[tuple[float, int, Action]] = []
        self._asked = 0

    def at(self, time: float, action: Action) -> None:
        """Do `action` at `time`, or now if that has passed."""
        self._asked += 1
        heappush(self._agenda, (max(time, self.now), self._asked, action))

    def after(self, seconds: float, action: Action) -> None:
        """Do `action` in so many seconds."""
        self.at(self.now + seconds, action)

    def run(self, until: float) -> None:
        """Let time pass up to `until`, and do what is due before it."""
        while self._agenda and self._agenda[0][0] < until:
            self.now, _, action = heappop(self._agenda)
            action()
        self.now = max(self.now, until)

    def stamp(self) -> str:
        """Return the present as controllers write it: `2026-03-02T06:00:00Z`, the fraction cut off."""
        return stamp(self.now)


def moment(seconds: float) -> datetime:
    """Return seconds since the epoch as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def stamp(seconds: float) -> str:
    """Return a time as `metav1.Time` is written: RFC 3339 in UTC, whole seconds, cut off and not rounded."""
    return _stamp_of_second(int(seconds))


def stamp_micro(seconds: float) -> str:
    """Return a time as `metav1.MicroTime` is written, which only Events and Leases hold."""
    microseconds = int(seconds % 1 * 1_000_000)
    return f"{_stamp_of_second(int(seconds))[:-1]}.{microseconds:06d}Z"


@lru_cache(maxsize=1 << 14)
def _stamp_of_second(second: int) -> str:
    day, rest = divmod(second, 86_400)
    hour, rest = divmod(rest, 3_600)
    minute, second = divmod(rest, 60)
    return f"{_day(day)}T{hour:02d}:{minute:02d}:{second:02d}Z"


@lru_cache(maxsize=1 << 10)
def _day(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")
