"""Where values of JSON text begin and end, found without decoding; the text may be broken further on."""

import mmap
import re

from gitopslab.extract.pages import Limits

Buffer = bytes | mmap.mmap

_SPACE = re.compile(rb"[ \t\r\n]*+")
_SPACE_AND_COMMA = re.compile(rb"[ \t\r\n,]*+")

_STRING = rb'"(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+"'
_UP_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|' + _STRING + rb")*+([{}\[\]])")
_SCALAR = re.compile(_STRING + rb"|[-+.0-9a-zA-Z]++")
_NAME = re.compile(rb'[ \t\r\n,]*+(?:(\})|"((?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+)"[ \t\r\n]*+:[ \t\r\n]*+)')
_NEXT_VALUE = re.compile(rb"(?<![ \t\r\n,:\[])[ \t\r\n]*\n(?=[{\[])")
_CLOSING = {ord("{"): ord("}"), ord("["): ord("]")}


class BrokenError(Exception):
    """The text is not JSON from some position on.

    Args:
        reason: invalid_json, or too_deep.
        message: One line, without any of the text.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


def value_end(buffer: Buffer, start: int, end: int, limits: Limits) -> int:
    """Return where the value that begins at `start` ends, by its brackets; it may still not be JSON.

    Raises:
        BrokenError: Its brackets do not match before `end`, are too deep, or too far apart.
    """
    text_end, end = end, min(end, start + limits.max_document_bytes)
    if buffer[start : start + 1] not in {b"{", b"["}:
        scalar = _SCALAR.match(buffer, start, end)
        if scalar is None:
            raise BrokenError("invalid_json", "there is no JSON value here")
        return scalar.end()
    at, expected = start, bytearray()
    while match := _UP_TO_BRACKET.match(buffer, at, end):
        bracket, before, at = match.start(1), at, match.end()
        if closing := _CLOSING.get(buffer[bracket]):
            if expected and expected[-1] == _CLOSING[ord("{")] and not _follows_colon(buffer[before:bracket]):
                raise BrokenError("invalid_json", "a value inside an object has no name")
            if len(expected) == limits.max_depth:
                raise BrokenError("too_deep", f"it is nested more than {limits.max_depth} deep")
            expected.append(closing)
        elif expected.pop() != buffer[bracket]:
            raise BrokenError("invalid_json", "a bracket is closed by the other kind of bracket")
        if not expected:
            return at
    if end < text_end:
        raise BrokenError("too_large", f"more than {limits.max_document_bytes} bytes without an end")
    raise BrokenError("invalid_json", "it ends before its closing bracket, or has a broken string")


def next_member(buffer: Buffer, at: int, end: int) -> tuple[str | None, int]:
    """Return the next member's name and where its value begins.

    At the object's closing brace the name is None and the position is that behind it.

    Raises:
        BrokenError: There is neither.
    """
    match = _NAME.match(buffer, at, end)
    if match is None:
        raise BrokenError("invalid_json", "it ends early, or a member has no name")
    return (None if match[1] else match[2].decode("utf-8", "replace")), match.end()


def next_value_line(buffer: Buffer, at: int, end: int) -> int:
    """Return where the next line after `at` begins that can only be a new value, or `end`.

    It starts with a bracket, and what is before it does not ask for one.
    """
    match = _NEXT_VALUE.search(buffer, at, end)
    return match.end() if match else end


def skip_space(buffer: Buffer, at: int, end: int) -> int:
    """Return the position of the first byte from `at` that is no white space."""
    match = _SPACE.match(buffer, at, end)
    return match.end() if match else at


def skip_space_and_comma(buffer: Buffer, at: int) -> int:
    """Return the position of the first byte from `at` that is neither white space nor a comma."""
    match = _SPACE_AND_COMMA.match(buffer, at)
    return match.end() if match else at


def _follows_colon(text: bytes) -> bool:
    return text.rstrip().endswith(b":")
