"""The elements of a JSON array too large to decode at once, or broken in places.

Elements are found a block at a time: text up to a place that looks like the break between two elements is
decoded as an array of its own. Since it begins at an element, it decodes only if it ends at one, so a wrong
guess is noticed; then, and where an element is broken, elements are looked for one by one.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from gitopslab.extract.byte_stream import Text
from gitopslab.extract.json_scan import (
    BrokenError,
    next_value_line,
    skip_space,
    skip_space_and_comma,
    value_end,
)
from gitopslab.extract.pages import EXCERPT_BYTES, Limits

_BREAK = re.compile(rb'\}[ \t\r\n]*+,[ \t\r\n]*+\{[ \t\r\n]*+"[^"\\\r\n]{1,64}+"[ \t\r\n]*+:')
_LIKELY_BREAK = re.compile(
    rb'\}[ \t\r\n]*+,[ \t\r\n]*+\{[ \t\r\n]*+"(?:apiVersion|kind|metadata|name|type)":'
)
_GUESSES = 3
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_VALUE = msgspec.json.Decoder(msgspec.Raw)


class Block(NamedTuple):
    """Elements that follow each other, and the line where each begins."""

    texts: list[bytes]
    lines: list[int]


class Broken(NamedTuple):
    """A piece of the array that is no element, up to the next that may be one."""

    text: bytes
    line: int
    reason: str
    message: str


class ArrayWalk:
    """A walk over an array's elements.

    Args:
        text: What the array is in.
        at: The position behind its opening bracket.
        line: The line of that position.
        limits: How large an element may be.

    Attributes:
        at: Where the walk has come to; after the walk, behind the closing bracket.
        line: The line of that position.
        is_closed: Whether the array's end was found.
    """

    def __init__(self, text: Text, at: int, line: int, limits: Limits) -> None:
        self.at, self.line, self.is_closed = at, line, False
        self._text, self._limits = text, limits
        self._break = b""
        self._one_by_one_until = 0

    def __iter__(self) -> Iterator[Block | Broken]:
        """Yield the elements in order, and what is broken between them."""
        data, end = self._text.data, self._text.end
        while not self.is_closed:
            self._go(skip_space(data, self.at, end))
            if data[self.at : self.at + 1] == b"]":
                self._close()
                return
            found = self._block() or self._one()
            yield found
            self._text.passed(self.at)
            after = skip_space(data, self.at, end)
            following = data[after : after + 1]
            if following == b",":
                self._go(after + 1)
            elif following not in {b"]", b""} and not self._is_line_of_value(after):
                yield Broken(
                    b"", self.line, "invalid_json", "a comma is missing between two entries of a list"
                )
            elif following != b"]":
                if isinstance(found, Block):
                    yield Broken(b"", self.line, "invalid_json", "the list ends before its closing bracket")
                self._go(after)
                return

    def _block(self) -> Block | None:
        if not self._break or self.at < self._one_by_one_until:
            return None
        data, end = self._text.data, self.at + self._limits.page_bytes
        cut = end
        for _ in range(_GUESSES):
            cut = data.rfind(self._break, self.at, cut)
            if cut < 0:
                return None
            text = b"".join((b"[", data[self.at : cut + 1], b"]"))
            try:
                elements = _ARRAY.decode(text)
            except (msgspec.DecodeError, RecursionError):
                continue
            return self._located(elements, text)
        self._one_by_one_until = end
        return None

    def _located(self, elements: list[msgspec.Raw], text: bytes) -> Block:
        texts = list(map(bytes, elements))
        self.at += len(text) - len(b"[]")
        if b"\n" not in text:
            return Block(texts, [self.line] * len(texts))
        lines, end, counted = [], 1, 0
        for element in texts:
            start = skip_space_and_comma(text, end)
            self.line += text.count(b"\n", counted, start)
            lines.append(self.line)
            end, counted = start + len(element), start
        self.line += text.count(b"\n", counted)
        return Block(texts, lines)

    def _one(self) -> Block | Broken:
        start, line = self.at, self.line
        try:
            end = self._element_end()
        except BrokenError as error:
            return self._broken(error)
        text = self._text.data[start:end]
        if not self._break and (between := _BREAK.match(self._text.data, end - 1)):
            self._break = between[0]
        self._go(end)
        return Block([text], [line])

    def _element_end(self) -> int:
        data, start = self._text.data, self.at
        if self._break:
            guess = data.find(self._break, start, start + self._limits.max_document_bytes) + 1
            if guess and _is_json(data[start:guess]):
                return guess
        guess = value_end(data, start, self._text.end, self._limits)
        if not _is_json(data[start:guess]):
            raise BrokenError("invalid_json", "it is not JSON")
        return guess

    def _broken(self, error: BrokenError) -> Broken:
        data, start, line = self._text.data, self.at, self.line
        if self._break:
            next_break = data.find(self._break, start) + 1
        else:
            likely = _LIKELY_BREAK.search(data, start)
            next_break = likely.start() + 1 if likely else 0
        self._go(next_value_line(data, start, next_break or self._text.end))
        return Broken(data[start : min(self.at, start + EXCERPT_BYTES)], line, error.reason, error.message)

    def _is_line_of_value(self, at: int) -> bool:
        return self._text.data[at - 1 : at + 1] in {b"\n{", b"\n["}

    def _go(self, to: int) -> None:
        self.line += self._text.data[self.at : to].count(b"\n")
        self.at = to

    def _close(self) -> None:
        self._go(self.at + 1)
        self.is_closed = True


def _is_json(text: bytes) -> bool:
    try:
        _VALUE.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
