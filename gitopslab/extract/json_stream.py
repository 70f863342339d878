"""JSON files: a value a line, or values of any layout behind each other, lists of any length among them."""

import re
from collections.abc import Generator, Iterator
from itertools import zip_longest

from gitopslab.extract.byte_stream import ByteStream, Text
from gitopslab.extract.envelopes import (
    ARRAY,
    ENVELOPES,
    Opener,
    UnreadableError,
    Wrapped,
    can_land,
    is_named,
    named,
    objects,
    open_entry,
    read_header,
    read_header_lines,
    read_headers,
)
from gitopslab.extract.json_array import ArrayWalk, Block, Broken
from gitopslab.extract.json_scan import BrokenError, next_member, next_value_line, skip_space, value_end
from gitopslab.extract.pages import EXCERPT_BYTES, Item, Page, Reading, Reject

_PRETTY = re.compile(rb"\{[ \t\r]*+\n")
_LONE_BRACKET = re.compile(rb"(?m)^[{\[][ \t\r]*$")
_LIST_HEAD = re.compile(rb'"(?:items|records)"[ \t\r\n]*+:[ \t\r\n]*+\[')
_HEAD_BYTES = 4096
_MEMBER_BYTES = 64 << 10


def read_lines(stream: ByteStream, reading: Reading) -> Iterator[Page | Item | Reject]:
    """Yield the objects of a file with one value a line.

    From a line on that is but an opening bracket, the file is read as values of any layout.
    """
    limits, line = reading.limits, 1
    while text := stream.read_lines(limits.page_bytes, limits.max_document_bytes):
        if len(text) > limits.max_document_bytes and b"\n" not in text:
            yield reading.reject(
                line, "too_large", f"a line of more than {limits.max_document_bytes} bytes", text
            )
            stream.skip_line()
            line += 1
            continue
        numbers, rows, next_line = _rows(text, line)
        headers = read_header_lines(text, rows)
        if (
            headers
            and all(header.is_complete for header in headers)
            and can_land(rows, limits.max_document_bytes)
        ):
            yield from reading.pages(rows, headers, numbers)
            line = next_line
            continue
        bracket = _LONE_BRACKET.search(text) if b"{" in rows or b"[" in rows else None
        rest_line = line + text.count(b"\n", 0, bracket.start()) if bracket else next_line
        for number, row in zip(numbers, rows, strict=True):
            if not bracket or number < rest_line:
                yield from objects(row, number, reading)
        line = rest_line
        if bracket:
            stream.unread(text[bracket.start() :])
            with stream.text() as (rest, start):
                yield from read_values(rest, start, line, reading)
            return


def read_values(text: Text, at: int, line: int, reading: Reading) -> Iterator[Page | Item | Reject]:
    """Yield the objects of JSON values that follow each other from position `at`, which is on `line`."""
    values = _Values(text, at, line, reading)
    while values.go_to_next():
        yield from values.value()


def _rows(text: bytes, line: int) -> tuple[list[int], list[bytes], int]:
    """Return numbers and texts of the lines that are not blank, and the number of the line behind them."""
    rows = list(map(bytes.strip, text.split(b"\n")))
    if not rows[-1]:
        rows.pop()
    next_line = line + len(rows)
    if all(rows):
        return list(range(line, next_line)), rows, next_line
    numbered = [(number, row) for number, row in enumerate(rows, line) if row]
    return [number for number, _ in numbered], [row for _, row in numbered], next_line


class _Values:
    """A walk over values that follow each other."""

    def __init__(self, text: Text, at: int, line: int, reading: Reading) -> None:
        self._text, self._at, self._line, self._reading = text, at, line, reading
        self._data, self._end = text.data, text.end

    def go_to_next(self) -> bool:
        """Move to the next value; return whether there is one."""
        self._text.passed(self._at)
        self._go(skip_space(self._data, self._at, self._end))
        return self._at < self._end

    def value(self) -> Iterator[Page | Item | Reject]:
        """Yield the objects of the value here, and move behind it."""
        if self._data[self._at : self._at + 1] == b"[":
            yield from self._array(self._at + 1, ARRAY.opener({}))
        elif plain := self._plain():
            yield plain
        else:
            try:
                yield from self._object()
            except BrokenError as error:
                start, line = self._at, self._line
                self._go(next_value_line(self._data, start, self._end))
                text = self._data[start : min(self._at, start + EXCERPT_BYTES)]
                yield self._reading.reject(line, error.reason, error.message, text)

    def _plain(self) -> Item | None:
        """Return the object here if it is as `kubectl get` prints one, and move behind it."""
        start = self._at
        head = self._data[start : start + _HEAD_BYTES]
        if _PRETTY.match(head) and not _LIST_HEAD.search(head):
            end = self._data.find(b"\n}", start, start + self._reading.limits.page_bytes) + 2
            body = self._data[start:end]
            try:
                header = read_header(body, self._reading.limits.max_document_bytes)
            except UnreadableError:
                return None
            if header.is_complete:
                item = Item(body, header, self._line)
                self._go(end)
                return item
        return None

    def _object(self) -> Iterator[Page | Item | Reject]:
        start, line, is_list = self._at, self._line, False
        if self._data[start : start + 1] != b"{":
            raise BrokenError("invalid_json", "there is no JSON object here")
        beside: dict[str, bytes] = {}
        member, at = next_member(self._data, start + 1, self._end)
        while member is not None:
            envelope = ENVELOPES.get(member)
            if envelope and envelope.is_list and self._data[at : at + 1] == b"[" and not is_named(beside):
                is_list = True
                if not beside.keys() >= envelope.needs:
                    beside |= self._behind_array(at + 1)
                if not (yield from self._array(at + 1, envelope.opener(beside))):
                    return
                at = self._at
            else:
                at = self._keep(beside, member, at)
            member, at = next_member(self._data, at, self._end)
        self._go(at)
        if not is_list:
            yield from objects(self._data[start:at], line, self._reading)

    def _keep(self, members: dict[str, bytes], name: str, at: int) -> int:
        """Keep the value at `at` among `members` if it is small; return where it ends."""
        end = value_end(self._data, at, self._end, self._reading.limits)
        if end - at <= _MEMBER_BYTES:
            members[name] = self._data[at:end]
        return end

    def _behind_array(self, at: int) -> dict[str, bytes]:
        """Return the members behind the array at `at`, when its entries do not name their kind themselves."""
        walk = ArrayWalk(Text(self._data), at, 1, self._reading.limits)
        members: dict[str, bytes] = {}
        for found in walk:
            headers = read_headers(found.texts[:1]) if isinstance(found, Block) else None
            if headers and headers[0].kind:
                return {}
        try:
            name, at = next_member(self._data, walk.at, self._end)
            while name is not None:
                name, at = next_member(self._data, self._keep(members, name, at), self._end)
        except BrokenError:
            return members
        return members

    def _array(self, at: int, opener: Opener) -> Generator[Page | Item | Reject, None, bool]:
        """Yield the objects of the array at `at`, move behind it, and return whether it ended well."""
        self._go(at)
        walk = ArrayWalk(self._text, at, self._line, self._reading.limits)
        for found in walk:
            if isinstance(found, Broken):
                yield self._reading.reject(found.line, found.reason, found.message, found.text)
            else:
                yield from self._entries(found, opener)
        self._at, self._line = walk.at, walk.line
        return walk.is_closed

    def _entries(self, block: Block, opener: Opener) -> Iterator[Page | Item | Reject]:
        texts, reading = block.texts, self._reading
        headers = read_headers(texts) if can_land(texts, reading.limits.max_document_bytes) else None
        if headers and len(texts) > 1 and all(header.is_complete for header in headers):
            yield from reading.pages(texts, headers, block.lines)
            return
        for text, line, header in zip_longest(texts, block.lines, headers or []):
            opened = opener(text) if header and header.metadata.name else None
            if isinstance(opened, Wrapped) and opened.text is text:
                yield named(text, header, line, reading, opened)
            else:
                yield from open_entry(text, line, reading, opener)

    def _go(self, to: int) -> None:
        self._line += self._data[self._at : to].count(b"\n")
        self._at = to
