"""Backing off: how long to leave a server alone after it failed."""

from collections.abc import Callable
from random import Random
from threading import Event
from typing import TypeVar

from gitopslab.errors import BusyError, UnreachableError

_FIRST_SECONDS = 0.5
_MOST_SECONDS = 60.0
_TRIES = 5

Answer = TypeVar("Answer")


class Backoff:
    """Waits that double from half a second to a minute, each shortened at random by up to a half.

    Args:
        random: What shortens them, so that many clients that failed together do not come back together.

    Attributes:
        failure_count: Failures since the server last did its work.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.failure_count = 0

    def reset(self) -> None:
        """Take note that the server does its work again."""
        self.failure_count = 0

    def next_seconds(self, error: Exception | None = None) -> float:
        """Return how long to wait after one more failure; at least what the server asked for with `error`."""
        asked_seconds = error.retry_after_seconds if isinstance(error, BusyError) else None
        doubled = _FIRST_SECONDS * 2.0 ** min(self.failure_count, 16)
        self.failure_count += 1
        wait_seconds = min(doubled, _MOST_SECONDS) * self._random.uniform(0.5, 1.0)
        return max(wait_seconds, asked_seconds or 0.0)


def patiently(ask: Callable[[], Answer], stop: Event, random: Random, *, tries: int = _TRIES) -> Answer:
    """Return what `ask` returns; where the server is away or busy, it is asked again, until the stop.

    Raises:
        SourceError: It refused, or did not answer time and again.
    """
    backoff = Backoff(random)
    for _ in range(tries - 1):
        try:
            return ask()
        except (BusyError, UnreachableError) as error:
            if stop.wait(backoff.next_seconds(error)):
                raise
    return ask()
