"""Lists: pages of one snapshot, and tokens that expire."""

import base64
from bisect import bisect_right
from typing import Any

import msgspec

from tests.apiserver import statuses
from tests.apiserver.faults import Asked
from tests.apiserver.statuses import Answer
from tests.apiserver.store import ExpiredError, Snapshot, Store, Version
from tests.apiserver.view import View

_ANY_VERSION = -1


class Token(msgspec.Struct):
    """Where a list goes on: behind `start`, in the snapshot at `rv`, or in any where that is -1."""

    rv: int
    start: tuple[str, str]

    def encoded(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def listed(store: Store, view: View, asked: Asked) -> Answer:
    """Return one page."""
    query = asked.query
    if problem := _problem(query):
        return statuses.invalid(problem)
    try:
        limit = int(query.get("limit") or 0)
        wanted = int(query.get("resourceVersion") or 0)
        token = _token(query.get("continue", ""), wanted)
    except ValueError as error:
        return statuses.bad_request(f"{error}: not a number, or not a continue token of this server")
    if wanted > store.resource_version:
        return statuses.too_large_version(wanted, store.resource_version)
    try:
        snapshot = _snapshot(store, view, query, token)
    except ExpiredError:
        if not token:
            return statuses.expired("The resourceVersion for the provided list is too old.")
        message = "The provided continue parameter is too old to display a consistent list result."
        return statuses.expired(message, Token(_ANY_VERSION, token.start).encoded())
    # A list at any version comes from the watch cache, which has no pages.
    limit = 0 if query.get("resourceVersion") == "0" else limit
    return Answer(200, _page(view, snapshot, token, limit))


def _problem(query: dict[str, str]) -> str:
    match, version = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    goes_on = bool(query.get("continue"))
    problems = {
        "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list": "sendInitialEvents" in query,
        "resourceVersionMatch: Forbidden: it is forbidden when continue is provided": match and goes_on,
        "resourceVersionMatch: Forbidden: it needs resourceVersion": match and not version,
        "resourceVersionMatch: Forbidden: Exact is no match for 0": match == "Exact" and version == "0",
        "resourceVersionMatch: Unsupported value": match not in {"", "Exact", "NotOlderThan"},
    }
    return next((problem for problem, is_so in problems.items() if is_so), "")


def _token(text: str, wanted: int) -> Token | None:
    if not text:
        return None
    if wanted:
        raise ValueError("specifying resource version is not allowed when using continue")
    padding = "=" * (-len(text) % 4)
    return msgspec.json.decode(base64.urlsafe_b64decode(text + padding), type=Token)


def _snapshot(store: Store, view: View, query: dict[str, str], token: Token | None) -> Snapshot:
    if token:
        return store.snapshot(view.collection, None if token.rv == _ANY_VERSION else token.rv)
    is_exact = query.get("resourceVersionMatch") == "Exact"
    return store.snapshot(view.collection, int(query["resourceVersion"]) if is_exact else None)


def _page(view: View, snapshot: Snapshot, token: Token | None, limit: int) -> bytes:
    at = bisect_right(snapshot.versions, token.start, key=_key) if token else 0
    if view.selector.is_everything:
        chosen, end = snapshot.versions[at : at + limit if limit else None], at + limit
    else:
        chosen, end = _chosen(view, snapshot.versions, at, limit)
    metadata: dict[str, Any] = {"resourceVersion": str(snapshot.resource_version)}
    if limit and end < len(snapshot.versions):
        last = snapshot.versions[end - 1].key
        metadata["continue"] = Token(snapshot.resource_version, last).encoded()
        if view.selector.is_everything:
            metadata["remainingItemCount"] = len(snapshot.versions) - end
    return view.page(chosen, metadata)


def _chosen(view: View, versions: list[Version], at: int, limit: int) -> tuple[list[Version], int]:
    chosen: list[Version] = []
    while at < len(versions) and (not limit or len(chosen) < limit):
        if view.selector.takes(versions[at]):
            chosen.append(versions[at])
        at += 1
    return chosen, at


def _key(version: Version) -> tuple[str, str]:
    return version.key
