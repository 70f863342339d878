"""Envelopes: what Kubernetes objects come wrapped in, and how each shape is opened.

A new shape is one more entry in ENVELOPES.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import msgspec

from gitopslab.extract.pages import Header, Item, KindName, ObjectMeta, Reading, Reject

EVENT_TYPES = ("ADDED", "MODIFIED", "DELETED")
MAX_NESTING = 4

_HEADER = msgspec.json.Decoder(Header)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])

Members = Mapping[str, bytes | msgspec.Raw]
"""JSON text of an object's members, by name."""


class UnreadableError(Exception):
    """A text is not a JSON object that can be landed.

    Args:
        reason: The reject's reason.
        message: One line, without any of the text.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class Wrapped(NamedTuple):
    """An object taken out of its envelope, with what the envelope says of it."""

    text: bytes
    kind: KindName | None = None
    event_type: str | None = None
    observed_at: datetime | None = None


class Refused(NamedTuple):
    """An envelope that holds no object, and why."""

    reason: str
    message: str


Opener = Callable[[bytes], Wrapped | Refused | None]
"""Opens one envelope, or one entry of a list; None means that there is rightly nothing in it."""


class Envelope(NamedTuple):
    """One shape of envelope.

    Attributes:
        is_list: Whether its member holds a list of what is wrapped.
        opener: Makes what opens it, from the members beside that one.
        needs: Which of those the opener cannot do without, wherever in the text they stand.
    """

    is_list: bool
    opener: Callable[[Members], Opener]
    needs: frozenset[str] = frozenset()


def objects(
    text: bytes, line: int, reading: Reading, wrapped: Wrapped | None = None, nesting: int = 0
) -> Iterator[Item | Reject]:
    """Yield the objects of one JSON value: itself, or those it is an envelope of.

    Args:
        text: The value, whole and alone.
        line: Where it begins.
        reading: The file it is from.
        wrapped: What the envelope around it says of it.
        nesting: How many envelopes are around it.
    """
    if not text.startswith(b"["):
        try:
            header = read_header(text, reading.limits.max_document_bytes)
        except UnreadableError as error:
            yield reading.reject(line, error.reason, error.message, text)
            return
        members = {} if header.metadata.name else _MEMBERS.decode(text)
        member = next((name for name in ENVELOPES if name in members), None)
        if member is None:
            yield named(text, header, line, reading, wrapped)
            return
        envelope = ENVELOPES[member]
        opened, opener = bytes(members[member]), envelope.opener(members)
    else:
        envelope, opened, opener = ARRAY, text, ARRAY.opener({})
    if nesting == MAX_NESTING:
        yield reading.reject(
            line, "not_an_object", f"envelopes are nested more than {MAX_NESTING} deep", text
        )
        return
    try:
        entries = _entries(opened) if envelope.is_list else [opened]
    except UnreadableError as error:
        yield reading.reject(line, error.reason, error.message, text)
        return
    for entry in entries:
        yield from open_entry(entry, line, reading, opener, nesting)


def open_entry(
    text: bytes, line: int, reading: Reading, opener: Opener, nesting: int = 0
) -> Iterator[Item | Reject]:
    """Yield what `opener` finds in `text`, which begins at `line`."""
    opened = opener(text)
    if isinstance(opened, Refused):
        yield reading.reject(line, opened.reason, opened.message, text)
    elif opened:
        yield from objects(opened.text, line, reading, opened, nesting + 1)


def named(text: bytes, header: Header, line: int, reading: Reading, wrapped: Wrapped | None) -> Item | Reject:
    """Return the object `text`, with apiVersion and kind filled in from `wrapped` or else what is assumed.

    What names neither itself nor anything, where a kind is assumed, is an excerpt: the status of an object,
    as people cut it out. It is called after its file and line, and so known by its content.
    """
    if reading.assume and not (wrapped and wrapped.kind) and header == Header():
        text, header = _excerpt(text, line, reading)
    for inferred in (wrapped and wrapped.kind, reading.assume):
        if inferred and not (header.api_version and header.kind):
            text = _fill(text, header, inferred)
    if not (header.api_version and header.kind):
        return reading.reject(
            line, "no_kind", "it names no apiVersion and kind, and nothing around it does", text
        )
    if not header.metadata.name:
        return reading.reject(line, "no_name", "it has no metadata.name", text)
    return Item(text, header, line, *(wrapped[2:] if wrapped else ()))


def _excerpt(text: bytes, line: int, reading: Reading) -> tuple[bytes, Header]:
    """Return an excerpt as an object: `text` is one but for its metadata, or else the status of one."""
    fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    if not fields.keys() & {"spec", "status", "metadata"}:
        fields = {"status": msgspec.Raw(text)}
    name = f"{PurePosixPath(reading.source).name}-{line}"
    fields["metadata"] = msgspec.Raw(msgspec.json.encode({"name": name}))
    return msgspec.json.encode(fields), Header(metadata=ObjectMeta(name=name))


def read_header(text: bytes, max_bytes: int) -> Header:
    """Return the header of the JSON object `text`.

    Every string in it has then been looked at, also those that are not decoded.

    Raises:
        UnreadableError: It is too large, not UTF-8, not JSON, or not an object.
    """
    if len(text) > max_bytes:
        raise UnreadableError("too_large", f"{len(text)} bytes, at most {max_bytes} are read")
    if not is_utf8(text):
        raise UnreadableError("invalid_encoding", "it is not UTF-8")
    try:
        return _HEADER.decode(text)
    except msgspec.ValidationError:
        return _loose_header(text)
    except msgspec.DecodeError as error:
        raise UnreadableError("invalid_json", str(error)) from error
    except RecursionError as error:
        raise UnreadableError("too_deep", "it is nested deeper than can be decoded") from error


def read_headers(texts: Iterable[bytes | msgspec.Raw]) -> list[Header] | None:
    """Return the headers of `texts`, or None if one of them must be looked at more closely."""
    try:
        return list(map(_HEADER.decode, texts))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def read_header_lines(text: bytes, lines: list[bytes]) -> list[Header] | None:
    """Return the headers of `lines`, which `text` consists of, or None if one must be looked at more closely.

    When every line begins and ends with a brace, a line break can only lie between values, so as many values
    as lines are one value a line.
    """
    if not all(line[0] == _OPEN and line[-1] == _CLOSE for line in lines):
        return None
    try:
        headers = _HEADER.decode_lines(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return headers if len(headers) == len(lines) else None


_OPEN, _CLOSE = b"{}"


def can_land(texts: list[bytes], max_bytes: int) -> bool:
    """Return whether `texts` are UTF-8 and small enough."""
    return all(map(is_utf8, texts)) and max(map(len, texts), default=0) <= max_bytes


def is_utf8(text: bytes) -> bool:
    """Return whether `text` is UTF-8; the decoder looks only at the strings that it decodes."""
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def kind_of_items(api_version: str, kind: str) -> KindName | None:
    """Return what a list's items are, such as v1 Pod for a v1 PodList; None for a plain List."""
    item_kind = kind.removesuffix("List")
    return (api_version, item_kind) if api_version and item_kind and item_kind != kind else None


def is_named(beside: Members) -> bool:
    """Return whether there is a metadata.name among the members, as an object has and a list has not."""
    try:
        return bool(msgspec.json.decode(beside.get("metadata", b"{}"), type=ObjectMeta).name)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def string_of(text: bytes | msgspec.Raw | None) -> str:
    """Return the string that `text` is the JSON of; empty when it is none."""
    try:
        return msgspec.json.decode(text or b'""', type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


class _Loose(msgspec.Struct, rename="camel"):
    api_version: Any = ""
    kind: Any = ""
    metadata: Any = None


def _loose_header(text: bytes) -> Header:
    """Return the header of an object that has null or a number where a string belongs."""
    try:
        loose = msgspec.json.decode(text, type=_Loose)
    except msgspec.ValidationError as error:
        raise UnreadableError("not_an_object", "it is JSON, but not an object") from error
    except msgspec.DecodeError as error:
        raise UnreadableError("invalid_json", str(error)) from error
    except RecursionError as error:
        raise UnreadableError("too_deep", "it is nested deeper than can be decoded") from error
    metadata = loose.metadata if isinstance(loose.metadata, dict) else {}
    names = (metadata.get(key) for key in ("name", "namespace", "uid", "resourceVersion"))
    return Header(_plain(loose.api_version), _plain(loose.kind), ObjectMeta(*map(_plain, names)))


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _fill(text: bytes, header: Header, inferred: KindName) -> bytes:
    missing = {}
    if not header.api_version:
        missing["apiVersion"] = header.api_version = inferred[0]
    if not header.kind:
        missing["kind"] = header.kind = inferred[1]
    rest = text[1:].lstrip()
    return msgspec.json.encode(missing)[:-1] + (b"" if rest.startswith(b"}") else b",") + rest


def _entries(text: bytes) -> list[bytes]:
    """Return the elements of the array `text`; null is how Go writes a list of nothing."""
    if text == b"null":
        return []
    try:
        return list(map(bytes, _ELEMENTS.decode(text)))
    except msgspec.ValidationError as error:
        raise UnreadableError("not_an_object", "where a list belongs there is none") from error
    except msgspec.DecodeError as error:
        raise UnreadableError("invalid_json", str(error)) from error
    except RecursionError as error:
        raise UnreadableError("too_deep", "it is nested deeper than can be decoded") from error


def _list(beside: Members) -> Opener:
    kind = kind_of_items(string_of(beside.get("apiVersion")), string_of(beside.get("kind")))
    return lambda text: Wrapped(text, kind)


def _watch_event(beside: Members) -> Opener:
    event_type = string_of(beside.get("type"))

    def opener(text: bytes) -> Wrapped | Refused | None:
        if event_type == "BOOKMARK":
            return None
        if event_type not in EVENT_TYPES:
            what = "the watch reported an error" if event_type == "ERROR" else "an event of an unknown type"
            return Refused("watch_error", what)
        try:
            return Wrapped(text, None, event_type, _time(beside.get("observedAt")))
        except msgspec.DecodeError:
            return Refused(
                "watch_error", "observedAt is not a time with a zone, such as 2026-01-31T12:00:00Z"
            )

    return opener


def _time(text: bytes | msgspec.Raw | None) -> datetime | None:
    time = msgspec.json.decode(text or b"null", type=datetime | None)
    if time and time.tzinfo is None:
        raise msgspec.ValidationError("no zone")
    return time and time.astimezone(UTC)


def _cloud_event(kind: str) -> Callable[[Members], Opener]:
    return lambda _: lambda text: Wrapped(text, ("tekton.dev/v1beta1", kind))


class _RecordData(msgspec.Struct):
    type: str
    value: str


class _Record(msgspec.Struct):
    data: _RecordData


def _result_record(text: bytes) -> Wrapped | Refused:
    try:
        data = msgspec.json.decode(text, type=_Record).data
        api_version, _, kind = data.type.rpartition(".")
        if kind in {"Log", "EventList"}:
            return Refused("not_an_object", "the record holds a log or events, not an object")
        value = base64.b64decode(data.value, validate=True).strip()
        read_header(value, len(value))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error, ValueError):
        return Refused(
            "undecodable_record", "its data.value is not an object in base64, with data.type beside it"
        )
    except UnreadableError as error:
        return Refused("undecodable_record", f"the object in data.value cannot be read: {error}")
    return Wrapped(value, (api_version, kind) if api_version and kind else None)


ARRAY = Envelope(is_list=True, opener=lambda _: Wrapped)

ENVELOPES = {
    "items": Envelope(is_list=True, opener=_list, needs=frozenset({"apiVersion", "kind"})),
    "records": Envelope(is_list=True, opener=lambda _: _result_record),
    "object": Envelope(is_list=False, opener=_watch_event),
    "taskRun": Envelope(is_list=False, opener=_cloud_event("TaskRun")),
    "pipelineRun": Envelope(is_list=False, opener=_cloud_event("PipelineRun")),
    "customRun": Envelope(is_list=False, opener=_cloud_event("CustomRun")),
}
