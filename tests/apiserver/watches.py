"""Watches: events from a resource version on, bookmarks, and the end of what is remembered."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.apiserver import statuses
from tests.apiserver.faults import Asked
from tests.apiserver.statuses import Answer
from tests.apiserver.store import ExpiredError, Store
from tests.apiserver.view import View, error_of

_TICK_SECONDS = 0.2


@dataclass(frozen=True)
class Behaviour:
    """What differs from server to server.

    Attributes:
        has_watch_list: Whether it knows sendInitialEvents.
        has_bookmarks: Whether it heeds allowWatchBookmarks.
        bookmark_seconds: Between two of them; since there is none for the version that a watch began with,
            something is written elsewhere where it is time for one and nothing happened.
        watch_seconds: How long a watch lasts that names no time.
        chunk_bytes: Of one chunk of a page.
        compresses: Whether large pages are compressed for whoever takes gzip.
    """

    has_watch_list: bool = True
    has_bookmarks: bool = True
    bookmark_seconds: float = 60
    watch_seconds: float = 1800
    chunk_bytes: int = 1 << 20
    compresses: bool = True


def refusal(behaviour: Behaviour, asked: Asked) -> Answer | None:
    """Return what is wrong with the parameters of a watch, if anything is."""
    query = asked.query
    starts_with_all, match = "sendInitialEvents" in query, query.get("resourceVersionMatch", "")
    problems = {
        "resourceVersionMatch: Forbidden: it is forbidden for watch": match and not starts_with_all,
        "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch"
        " unless the WatchList feature gate is enabled": starts_with_all and not behaviour.has_watch_list,
        "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch"
        " to NotOlderThan": starts_with_all and match != "NotOlderThan",
    }
    for problem, is_so in problems.items():
        if is_so:
            return statuses.invalid(problem)
    if not (query.get("timeoutSeconds") or "0").isdecimal():
        return statuses.bad_request(f"{query['timeoutSeconds']}: not a number")
    wanted = query.get("resourceVersion") or "0"
    return None if wanted.isdecimal() else statuses.no_version(wanted)


def _takes_bookmarks(query: dict[str, str]) -> bool:
    return query.get("allowWatchBookmarks") in {"true", "1"}


def lines(
    behaviour: Behaviour, store: Store, view: View, asked: Asked, is_over: Callable[[], bool]
) -> Iterator[bytes]:
    """Yield the lines of a watch until its time is up; an empty one now and then while nothing happens."""
    query = asked.query
    ends_at = time.monotonic() + (int(query.get("timeoutSeconds") or 0) or behaviour.watch_seconds)
    position = int(query.get("resourceVersion") or 0)
    has_bookmarks = behaviour.has_bookmarks and _takes_bookmarks(query)
    bookmark_seconds = behaviour.bookmark_seconds if has_bookmarks else math.inf
    if "sendInitialEvents" in query and position > store.resource_version:
        yield error_of(statuses.too_large_version(position, store.resource_version))
        return
    if position == 0 or "sendInitialEvents" in query:
        snapshot = store.snapshot(view.collection)
        position = snapshot.resource_version
        if query.get("sendInitialEvents") != "false":
            yield from map(view.added, filter(view.selector.takes, snapshot.versions))
        if query.get("sendInitialEvents") == "true" and has_bookmarks:
            yield view.bookmark(position, ends_initial_events=True)

    def is_ended() -> bool:
        return is_over() or time.monotonic() >= ends_at

    try:
        yield from _following(store, view, position, bookmark_seconds, is_ended)
    except ExpiredError:
        message = f"too old resource version: {position} ({store.resource_version})"
        yield error_of(statuses.expired(message))


def _following(
    store: Store, view: View, began_at: int, bookmark_seconds: float, is_over: Callable[[], bool]
) -> Iterator[bytes]:
    """Yield what is committed after `began_at`; where that is yet to come, nothing until then."""
    position, bookmark_at = began_at, time.monotonic() + bookmark_seconds
    while not is_over():
        wait_seconds = min(bookmark_at - time.monotonic(), _TICK_SECONDS)
        versions, reach = store.since(view.collection, position, max(0, wait_seconds))
        yield from filter(None, map(view.event, versions)) if versions else [b""]
        position = max(position, reach)
        if time.monotonic() >= bookmark_at:
            if position == began_at:
                position = store.write_elsewhere()
            if position > began_at:
                yield view.bookmark(position)
            bookmark_at = time.monotonic() + bookmark_seconds
    if bookmark_seconds < math.inf and position > began_at:
        yield view.bookmark(position)
