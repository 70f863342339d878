"""Points and stretches of time, as people type them; everything inside gitopslab is UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from gitopslab.errors import UsageError

_AGO = re.compile(r"^(\d+)([smhdw])$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RIGHT = "write 2026-05-01, 2026-05-01T12:00:00Z, or a length before as_of such as 14d, 36h, 2w"


def parse_time(text: str, *, as_of: datetime | None = None) -> datetime:
    """Return the instant that `text` names, in UTC.

    A day is its first instant; a time without a zone is UTC; `14d` is 14 days before `as_of`.

    Raises:
        UsageError: `text` is none of these, or a length without an `as_of` to count from.
    """
    if ago := _AGO.match(text.strip()):
        if as_of is None:
            raise UsageError(f"time {text!r} counts back from as_of, and none is given")
        return as_of - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"{text!r} is not a time; {_RIGHT}") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


@dataclass(frozen=True)
class Window:
    """The time from `since` up to, not including, `until`; both in UTC."""

    since: datetime
    until: datetime

    @classmethod
    def parse(cls, since: str, until: str) -> Self:
        """Return the window between two times; `since` may be a length before `until`.

        Raises:
            UsageError: One is no time, or `since` is not before `until`.
        """
        end = parse_time(until)
        start = parse_time(since, as_of=end)
        if start >= end:
            raise UsageError(f"since {since} is not before {until}")
        return cls(start, end)

    @property
    def days(self) -> float:
        """Its length in days."""
        return (self.until - self.since).total_seconds() / 86_400

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"
