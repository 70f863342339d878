"""Watches: events from a resource version on, bookmarks, and the end of what is remembered."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.apiserver import statuses
from tests.apiserver.faults import Asked
from tests.apiserver.statuses import Answer
from tests.apiserver.store import ExpiredError, Store
from tests.apiserver.view import View, error

_TICK_SECONDS = 0.2


@dataclass(frozen=True)
class Behaviour:
    """What differs from server to server.

    Attributes:
        has_watch_list: Whether it knows sendInitialEvents.
        has_bookmarks: Whether it heeds allowWatchBookmarks.
        bookmark_seconds: Between two of them.
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


def refusal(behaviour: Behaviour, store: Store, asked: Asked) -> Answer | None:
    """Return what is wrong with the parameters of a watch, if anything is."""
    query = asked.query
    starts_with_all, match = "sendInitialEvents" in query, query.get("resourceVersionMatch", "")
    problems = {
        "resourceVersionMatch: Forbidden: it is forbidden for watch": match and not starts_with_all,
        "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch"
        " unless the WatchList feature gate is enabled": starts_with_all and not behaviour.has_watch_list,
        "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch"
        " to NotOlderThan": starts_with_all and match != "NotOlderThan",
        "allowWatchBookmarks: Forbidden: sendInitialEvents requires it": starts_with_all
        and not _takes_bookmarks(query),
    }
    for problem, is_so in problems.items():
        if is_so:
            return statuses.invalid(problem)
    numbers = [query.get("resourceVersion") or "0", query.get("timeoutSeconds") or "0"]
    if not all(map(str.isdecimal, numbers)):
        return statuses.bad_request(f"{', '.join(numbers)}: not numbers")
    wanted = int(numbers[0])
    is_ahead = wanted > store.resource_version
    return statuses.too_large_version(wanted, store.resource_version) if is_ahead else None


def _takes_bookmarks(query: dict[str, str]) -> bool:
    return query.get("allowWatchBookmarks") in {"true", "1"}


def lines(
    behaviour: Behaviour, store: Store, view: View, asked: Asked, is_over: Callable[[], bool]
) -> Iterator[bytes]:
    """Yield the lines of a watch until its time is up; an empty one now and then while nothing happens."""
    query = asked.query
    has_bookmarks = behaviour.has_bookmarks and _takes_bookmarks(query)
    ends_at = time.monotonic() + (int(query.get("timeoutSeconds") or 0) or behaviour.watch_seconds)
    position = int(query.get("resourceVersion") or 0)
    if position == 0 or "sendInitialEvents" in query:
        snapshot = store.snapshot(view.collection)
        position = snapshot.resource_version
        if query.get("sendInitialEvents") != "false":
            yield from map(view.added, filter(view.selector.takes, snapshot.versions))
        if query.get("sendInitialEvents") == "true":
            yield view.bookmark(position, ends_initial_events=True)
    bookmark_at = time.monotonic() + behaviour.bookmark_seconds
    while (now := time.monotonic()) < ends_at and not is_over():
        wakes_at = min(ends_at, bookmark_at if has_bookmarks else ends_at, now + _TICK_SECONDS)
        try:
            versions, reach = store.since(view.collection, position, max(0, wakes_at - now))
        except ExpiredError:
            yield error(410, "Expired", f"too old resource version: {position} ({store.resource_version})")
            return
        yield from filter(None, map(view.event, versions))
        position = reach
        if has_bookmarks and time.monotonic() >= bookmark_at:
            yield view.bookmark(position)
            bookmark_at = time.monotonic() + behaviour.bookmark_seconds
        elif not versions:
            yield b""
    if has_bookmarks and not is_over():
        yield view.bookmark(position)
