"""YAML into JSON, document by document: a broken one does not hurt the next, and a List is never held whole.

What can be said in JSON is read, as YAML 1.2's core schema has it: `yes`, `on`, times and numbers with a
leading zero stay strings, and so do numbers beyond 64 bits.
"""

import math
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import msgspec
import yaml

from gitopslab.extract.pages import EXCERPT_BYTES, KindName, Limits

_READ_BYTES = 256 << 10
_MARKER = re.compile(rb"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_MARKER_BYTES = 4
_PREFIX = re.compile(rb"(?:[ \t]*+(?:#[^\n]*+)?\r?\n|%[^\n]*+\n)*+[ \t]*+(?:#[^\n]*+)?")
_LONG_TEXT = 100
_LONGEST_INTEGER = 40

_CORE = "tag:yaml.org,2002:"
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED_INTEGER = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_JSON = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_SMALLEST, _BIGGEST = -(1 << 63), (1 << 64) - 1
_TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": (int, float),
    "bool": bool,
    "null": type(None),
}

_Loader: Any = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Return some bytes, of about `size` at most; none at the end."""


class Converted(NamedTuple):
    """A document as JSON, or an entry of a document that is a list.

    Attributes:
        text: JSON.
        line: Where it begins, from 1.
        list_kind: apiVersion and kind of the list it is an entry of.
    """

    text: bytes
    line: int
    list_kind: KindName | None = None


class Problem(NamedTuple):
    """A document, or what is left of it, that cannot be read."""

    text: bytes
    line: int
    reason: str
    message: str


def documents(stream: Readable, limits: Limits) -> Iterator[Converted | Problem]:
    """Yield what `stream` holds; empty documents are nothing."""
    pieces = _Pieces(stream)
    while pieces.peek() is not None:
        document = _Document(pieces)
        conversion = _Conversion(document, limits)
        try:
            yield from conversion.run()
        except _RefusedError as error:
            yield Problem(document.excerpt, conversion.line, error.reason, str(error))
        except yaml.reader.ReaderError as error:
            is_encoding = error.encoding == "utf-8" or "UTF-8" in error.reason
            reason, what = (
                ("invalid_encoding", "UTF-8") if is_encoding else ("invalid_yaml", "a character of YAML")
            )
            yield Problem(document.excerpt, conversion.line, reason, f"it holds what is not {what}")
        except yaml.YAMLError as error:
            yield Problem(document.excerpt, conversion.line, "invalid_yaml", _message(error, document.line))
        except RecursionError:
            yield Problem(
                document.excerpt, conversion.line, "too_deep", "it is nested deeper than can be read"
            )
        document.skip()


class _RefusedError(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Pieces:
    """A file cut at its document markers: texts, and the markers between them."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._pieces: deque[bytes] = deque()
        self._carry, self._is_line_start, self._is_end = b"", True, False
        self.line = 1

    def peek(self) -> bytes | None:
        while not self._pieces and not self._is_end:
            self._load()
        return self._pieces[0] if self._pieces else None

    def take(self) -> bytes:
        piece = self._pieces.popleft()
        self.line += piece.count(b"\n")
        return piece

    def _load(self) -> None:
        data = self._stream.read(_READ_BYTES)
        self._is_end = not data
        text = self._carry + data
        # a marker may continue in what is read next
        cut = text.rfind(b"\n") + 1
        if self._is_end or len(text) - cut >= _MARKER_BYTES:
            cut = len(text)
        text, self._carry = text[:cut], text[cut:]
        at = 0
        for marker in _MARKER.finditer(text):
            if marker.start() or self._is_line_start:
                self._pieces.extend(filter(None, (text[at : marker.start()], marker[0])))
                at = marker.end()
        self._pieces.extend(filter(None, (text[at:],)))
        if text:
            self._is_line_start = text.endswith(b"\n")


class _Document:
    """The text of one document, as a file for the parser.

    Directives and comments before `---` belong to the document behind it.
    """

    def __init__(self, pieces: _Pieces) -> None:
        self._pieces = pieces
        self._has_marker, self._is_prefix, self._is_end = False, True, False
        self.line = pieces.line
        self.excerpt = b""

    def read(self, _size: int) -> bytes:
        piece = None if self._is_end else self._pieces.peek()
        if piece == b"---" and self._is_prefix and not self._has_marker:
            self._has_marker = True
        elif piece in {None, b"---", b"..."}:
            if piece == b"..." and not self._is_end:
                self._pieces.take()
            self._is_end = True
            return b""
        elif self._is_prefix:
            self._is_prefix = not self._has_marker and _PREFIX.fullmatch(piece) is not None
        text = self._pieces.take()
        if len(self.excerpt) < EXCERPT_BYTES:
            self.excerpt += text[: EXCERPT_BYTES - len(self.excerpt)]
        return text

    def skip(self) -> None:
        while self.read(_READ_BYTES):
            pass


class _Conversion:
    """One document, from the parser's events to JSON."""

    def __init__(self, document: _Document, limits: Limits) -> None:
        self._document, self._limits = document, limits
        self._parser = _Loader(document)
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._weight = self._alias_weight = self._text_bytes = 0
        self.line = document.line
        """Where the value begins that is being read: the document, or the entry of a list."""

    def run(self) -> Iterator[Converted]:
        """Yield the document, or the entries of the list that it is."""
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            return
        event = self._next()
        self.line = self._line_of(event)
        if isinstance(event, yaml.SequenceStartEvent):
            for value, line in self._entries(event):
                yield Converted(_json(value), line)
            self._end()
        elif isinstance(event, yaml.MappingStartEvent):
            yield from self._top(event)
        else:
            value = self._value(event, 0)
            self._end()
            if value is not None:
                yield Converted(_json(value), self.line)

    def _top(self, start: Any) -> Iterator[Converted]:
        members: dict[str, Any] = {}
        waiting: list[Converted] = []
        line, is_list = self.line, False
        for key, event in self._members(start):
            if key == "items" and isinstance(event, yaml.SequenceStartEvent) and not _is_named(members):
                is_list = True
                for value, entry_line in self._entries(event):
                    entry = Converted(_json(value), entry_line, _kind(members))
                    if "kind" in members or (isinstance(value, dict) and value.get("kind")):
                        yield entry
                    else:
                        waiting.append(entry)
            else:
                members[key] = self._value(event, 1)
        yield from (Converted(entry.text, entry.line, _kind(members)) for entry in waiting)
        self._end()
        if not is_list:
            yield Converted(_json(members), line)

    def _end(self) -> None:
        self._next()
        if not isinstance(self._next(), yaml.StreamEndEvent):
            raise _RefusedError("invalid_yaml", "there is more text behind the document's end")

    def _entries(self, start: Any) -> Iterator[tuple[Any, int]]:
        _check_tag(start, "seq")
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            self.line, self._text_bytes = self._line_of(event), 0
            yield self._value(event, 2), self.line

    def _members(self, start: Any) -> Iterator[tuple[str, Any]]:
        """Yield each key of a mapping with the event its value begins with, to be read before the next."""
        _check_tag(start, "map")
        seen: set[str] = set()
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event)
            if key in seen:
                raise _RefusedError("invalid_yaml", f"line {self._line_of(event)}: a key occurs twice")
            seen.add(key)
            yield key, self._next()

    def _value(self, event: Any, depth: int) -> Any:
        if depth > self._limits.max_depth:
            raise _RefusedError("too_deep", f"it is nested more than {self._limits.max_depth} deep")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        weight_before = self._weight
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            _check_tag(event, "seq")
            value = []
            while not isinstance(inner := self._next(), yaml.SequenceEndEvent):
                value.append(self._value(inner, depth + 1))
        else:
            value = {key: self._value(inner, depth + 1) for key, inner in self._members(event)}
        self._count(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._weight - weight_before
        return value

    def _key(self, event: Any) -> str:
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
            raise _RefusedError("invalid_yaml", "merge keys (<<) are not read; write the members out")
        key = self._value(event, 0)
        if isinstance(key, bool | int):
            return _json(key).decode()
        if not isinstance(key, str):
            raise _RefusedError("invalid_yaml", f"line {self._line_of(event)}: a key is not a string")
        return key

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise _RefusedError("invalid_yaml", f"line {self._line_of(event)}: an alias of nothing")
        value, weight = self._anchors[event.anchor]
        self._weight += weight
        self._alias_weight += weight
        if self._alias_weight > self._limits.max_alias_nodes:
            most = self._limits.max_alias_nodes
            raise _RefusedError("hostile_yaml", f"aliases make more than {most} nodes of it")
        return value

    def _count(self, event: Any) -> None:
        size = len(event.value) if isinstance(event, yaml.ScalarEvent) else 0
        self._weight += 1 + size // _LONG_TEXT
        self._text_bytes += 1 + size
        if self._text_bytes > self._limits.max_document_bytes:
            raise _RefusedError("too_large", f"more than {self._limits.max_document_bytes} bytes")

    def _next(self) -> Any:
        return self._parser.get_event()

    def _line_of(self, event: Any) -> int:
        line: int = self._document.line + event.start_mark.line
        return line


def _scalar(event: Any) -> Any:
    if event.tag is None:
        return _plain(event.value) if event.implicit[0] else event.value
    name = _core_name(event)
    if name in {"!", "str"}:
        return event.value
    value = _plain(event.value)
    if (
        name not in _TYPES
        or not isinstance(value, _TYPES[name])
        or (name == "int" and isinstance(value, bool))
    ):
        raise _RefusedError(
            "hostile_yaml", "a tag asks for what JSON has not, or its value is not of that type"
        )
    return value


def _plain(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "-+.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        # more digits than Python converts are beyond 64 bits, too
        return (
            number
            if len(text) <= _LONGEST_INTEGER and _SMALLEST <= (number := int(text)) <= _BIGGEST
            else text
        )
    if _BASED_INTEGER.fullmatch(text):
        return number if len(text) <= _LONGEST_INTEGER and (number := int(text, 0)) <= _BIGGEST else text
    if _FLOAT.fullmatch(text):
        return real if math.isfinite(real := float(text)) else text
    if _NOT_JSON.fullmatch(text):
        raise _RefusedError("invalid_yaml", "JSON has no infinity, and none that is not a number")
    return text


def _core_name(event: Any) -> str:
    tag: str = event.tag
    return tag.removeprefix(_CORE)


def _check_tag(event: Any, name: str) -> None:
    if event.tag is not None and _core_name(event) not in {"!", name}:
        raise _RefusedError("hostile_yaml", "a tag asks for what JSON has not")


def _kind(members: dict[str, Any]) -> KindName:
    api_version, kind = members.get("apiVersion"), members.get("kind")
    return (
        api_version if isinstance(api_version, str) else "",
        kind if isinstance(kind, str) else "",
    )


def _is_named(members: dict[str, Any]) -> bool:
    metadata = members.get("metadata")
    return isinstance(metadata, dict) and bool(metadata.get("name"))


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError as error:
        raise _RefusedError("invalid_yaml", "a string holds half of a surrogate pair") from error


def _message(error: yaml.YAMLError, first_line: int) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {first_line + mark.line}, column {mark.column + 1}: " if mark else ""
    # what libyaml says is fixed text; the parser in Python quotes the document
    what = getattr(error, "problem", None) if yaml.__with_libyaml__ else None
    return f"{where}{what or 'this is not YAML'}"
