"""What goes wrong: faults on a script, and faults by a chance that a seed decides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from threading import Lock
from typing import NamedTuple


class Trouble(Enum):
    """How an answer can fail. The first ones take its place, the others strike within it."""

    UNAUTHORIZED = "401"
    FORBIDDEN = "403, with a Status that names verb and resource"
    NOT_SERVED = "404, in plain text"
    EXPIRED = "410, with a Status"
    THROTTLED = "429, with Retry-After"
    SERVER_ERROR = "500, with a Status"
    UNAVAILABLE = "503, in plain text, as of a proxy"
    HTML = "200, with a page of HTML"
    HANG_UP = "the connection is closed before any answer"
    SLOW = "the answer waits"
    CUT = "the connection is closed within a page, or within the line of an event"
    CUT_CHUNK = "the same, within a chunk whose length was announced"
    END = "the answer ends in good order before its time"
    EXPIRED_EVENT = "an ERROR event with a Status of 410, then the end"
    ERROR_EVENT = "an ERROR event with a Status of 500, then the end"
    TWICE = "an event comes twice"
    GARBAGE = "a line that is no JSON"


INSTEAD = frozenset(list(Trouble)[: list(Trouble).index(Trouble.SLOW)])
OF_WATCHES = frozenset({
    Trouble.END,
    Trouble.EXPIRED_EVENT,
    Trouble.ERROR_EVENT,
    Trouble.TWICE,
    Trouble.GARBAGE,
})  # fmt: skip
PASSING = tuple(
    trouble
    for trouble in Trouble
    if trouble not in {Trouble.UNAUTHORIZED, Trouble.FORBIDDEN, Trouble.NOT_SERVED, Trouble.HTML}
)
"""What a reader is to get over by itself."""


class Asked(NamedTuple):
    """A request, as the server took it.

    Attributes:
        method: Such as GET.
        path: Without the query.
        query: Its parameters.
        verb: get, list, watch, or discovery for all that is about no object.
        resource: Such as `applications.argoproj.io`; empty for discovery.
        namespace: Empty: all of them.
        name: Of one object; empty for lists and watches.
    """

    method: str
    path: str
    query: dict[str, str]
    verb: str = "discovery"
    resource: str = ""
    namespace: str = ""
    name: str = ""


@dataclass
class Fault:
    """One thing on the script.

    Attributes:
        trouble: What.
        verb: Of the requests it strikes; empty: any but discovery.
        resource: Of the requests it strikes; empty: any.
        limit: Objects on a page of the lists it strikes; 0: any.
        times: How often.
        after: Events of a watch that come before it; a page is struck in its middle.
        seconds: To wait; for THROTTLED what Retry-After says, which is in whole seconds.
    """

    trouble: Trouble
    verb: str = ""
    resource: str = ""
    limit: int = 0
    times: float = 1
    after: int = 0
    seconds: float = 0

    def strikes(self, asked: Asked) -> bool:
        verbs = {self.verb} if self.verb else {"get", "list", "watch"}
        if self.trouble in OF_WATCHES:
            verbs &= {"watch"}
        is_of_size = not self.limit or asked.query.get("limit") == str(self.limit)
        return self.times > 0 and asked.verb in verbs and self.resource in {"", asked.resource} and is_of_size


class Faults:
    """Which request meets which trouble; the script comes before chance.

    Args:
        script: Faults to come; more may be added at any time.
        seed: What decides chance; the same requests in the same order meet the same troubles.
        rate: Share of lists and watches that meet one by chance.
        troubles: What may happen by chance.
        most_seconds: The longest wait, and the longest Retry-After.
        most_events: Within how many events of a watch trouble strikes.
    """

    def __init__(  # noqa: PLR0913 - each is one knob of chance
        self,
        script: Iterable[Fault] = (),
        *,
        seed: int = 0,
        rate: float = 0,
        troubles: Sequence[Trouble] = PASSING,
        most_seconds: float = 1,
        most_events: int = 8,
    ) -> None:
        self.rate = rate
        self.struck: list[tuple[Trouble, Asked]] = []
        self._script = list(script)
        self._random = Random(seed)  # noqa: S311 - chance that comes again
        self._troubles = troubles
        self._most_seconds = most_seconds
        self._most_events = most_events
        self._lock = Lock()

    def add(self, *faults: Fault) -> None:
        """Put faults at the end of the script."""
        with self._lock:
            self._script.extend(faults)

    def clear(self) -> None:
        """End all trouble."""
        with self._lock:
            self._script.clear()
            self.rate = 0

    def draw(self, asked: Asked) -> Fault | None:
        """Return what `asked` meets, and take note of it."""
        with self._lock:
            fault = next((one for one in self._script if one.strikes(asked)), None) or self._by_chance(asked)
            if fault:
                fault.times -= 1
                self.struck.append((fault.trouble, asked))
            return fault

    def _by_chance(self, asked: Asked) -> Fault | None:
        if asked.verb not in {"list", "watch"} or self._random.random() >= self.rate:
            return None
        fault = Fault(
            self._random.choice(self._troubles),
            after=self._random.randrange(self._most_events),
            seconds=self._random.uniform(0, self._most_seconds),
        )
        return fault if fault.strikes(asked) else None
