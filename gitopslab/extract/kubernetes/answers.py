"""Answers of an API server taken apart: pages of lists, and lines of watches, down to the objects in them."""

from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple

import msgspec

from gitopslab import redaction
from gitopslab.errors import UnreachableError
from gitopslab.extract import envelopes
from gitopslab.extract.landing import Body
from gitopslab.extract.pages import Header, Item, KindName, Limits, Reading, Reject

_LIMITS = Limits()
_INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Objects(NamedTuple):
    """Objects that were read together, what of them could not be read, and how many were Secrets."""

    headers: Sequence[Header]
    bodies: Sequence[Body]
    rejects: list[Reject]
    secret_count: int = 0


class ListPage(NamedTuple):
    """A page of a list, with its items as they came.

    Attributes:
        texts: One item each; they lie in the answer, and keep it in memory.
        is_utf8: Whether the answer is; the decoder looks only at the strings that it decodes.
        kind: apiVersion and kind of items that do not say so themselves.
        resource_version: Version of the whole list.
        continue_token: How to ask for the next page; empty on the last.
    """

    texts: list[msgspec.Raw]
    is_utf8: bool
    kind: KindName
    resource_version: str
    continue_token: str


class Event(NamedTuple):
    """An event of a watch.

    Attributes:
        type: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, or what newer servers send.
        text: The object as it came; of an ERROR its Status.
    """

    type: str
    text: bytes


class Bookmark(NamedTuple):
    """How far a watch has come, and whether what was there at its beginning has been shown by then."""

    resource_version: str
    ends_initial_events: bool


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str
    continue_: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct, rename="camel"):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None
    api_version: str = ""
    kind: str = ""


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _BookmarkMeta(msgspec.Struct, rename="camel"):
    resource_version: str
    annotations: dict[str, str] | None = None


class _Bookmark(msgspec.Struct):
    metadata: _BookmarkMeta


class _Status(msgspec.Struct):
    code: int = 0


_PAGE = msgspec.json.Decoder(_List)
_EVENT = msgspec.json.Decoder(_Event)
_BOOKMARK = msgspec.json.Decoder(_Bookmark)
_STATUS = msgspec.json.Decoder(_Status)


def read_page(text: bytes, source: str, kind: str) -> ListPage:
    """Return the page that `text` is.

    Args:
        text: The answer.
        source: Path it was asked for by.
        kind: What the items are where neither they nor the list say so.

    Raises:
        UnreachableError: It is no list.
    """
    try:
        page = _PAGE.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreachableError(f"{source}: the answer is not a list") from error
    of_items = envelopes.kind_of_items(page.api_version, page.kind) or (page.api_version, kind)
    position = page.metadata.resource_version, page.metadata.continue_
    return ListPage(page.items or [], envelopes.is_utf8(text), of_items, *position)


def read_objects(texts: Sequence[Body], source: str, kind: KindName, *, are_utf8: bool) -> Objects:
    """Return the objects that `texts` are, one each; Secrets are counted and left out.

    Args:
        texts: JSON.
        source: Path they were asked for by; rejects name it.
        kind: apiVersion and kind of those that do not say so themselves.
        are_utf8: Whether all of them are known to be.
    """
    headers = envelopes.read_headers(texts) if are_utf8 else None
    if headers is None or not _are_plain(texts, headers):
        return _without_secrets(_read_one_by_one(texts, source, kind))
    return _without_secrets(Objects(headers, texts, []))


def read_event(line: bytes) -> Event | None:
    """Return the event that a line of a watch is, or None if it is none."""
    try:
        event = _EVENT.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Event(event.type, bytes(event.object))


def read_bookmark(text: bytes) -> Bookmark | None:
    """Return what a BOOKMARK event says, or None if it says nothing."""
    try:
        metadata = _BOOKMARK.decode(text).metadata
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    ends = (metadata.annotations or {}).get(_INITIAL_EVENTS_END) == "true"
    return Bookmark(metadata.resource_version, ends)


def read_status_code(text: bytes) -> int:
    """Return the code of the Status in an ERROR event; 0 if there is none."""
    try:
        return _STATUS.decode(text).code
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0


def _are_plain(texts: Sequence[Body], headers: Sequence[Header]) -> bool:
    return max(map(len, texts), default=0) <= _LIMITS.max_document_bytes and all(map(_is_whole, headers))


def _is_whole(header: Header) -> bool:
    return bool(header.is_complete and header.metadata.uid and header.metadata.resource_version)


def _read_one_by_one(texts: Sequence[Body], source: str, kind: KindName) -> Objects:
    reading = Reading(source, _LIMITS)
    found = [_read_one(bytes(text), reading, kind) for text in texts]
    items = [each for each in found if isinstance(each, Item)]
    rejects = [each for each in found if isinstance(each, Reject)]
    return Objects([item.header for item in items], [item.body for item in items], rejects)


def _read_one(text: bytes, reading: Reading, kind: KindName) -> Item | Reject:
    try:
        header = envelopes.read_header(text, _LIMITS.max_document_bytes)
    except envelopes.UnreadableError as error:
        return reading.reject(0, error.reason, error.message, text)
    item = envelopes.named(text, header, 0, reading, envelopes.Wrapped(text, kind))
    if isinstance(item, Item) and not _is_whole(item.header):
        return reading.reject(0, "no_identity", "it has no uid or no resourceVersion", text)
    return item


def _without_secrets(objects: Objects) -> Objects:
    is_kept = [not redaction.is_secret(header.api_version, header.kind) for header in objects.headers]
    if all(is_kept):
        return objects
    headers, bodies = compress(objects.headers, is_kept), compress(objects.bodies, is_kept)
    return Objects(list(headers), list(bodies), objects.rejects, is_kept.count(False))
