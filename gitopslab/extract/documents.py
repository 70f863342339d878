"""Kubernetes objects in files: JSON and YAML of every layout that tools print, plain, gzip or zstd.

An object may stand alone, behind others, one a line, in a List or an array, or in an envelope (see
`envelopes`). What cannot be read becomes a reject, and the rest of the file is read all the same.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gitopslab.extract import json_stream, yaml_stream
from gitopslab.extract.byte_stream import ByteStream, Progress
from gitopslab.extract.envelopes import Wrapped, kind_of_items, objects
from gitopslab.extract.pages import Header, Item, KindName, Limits, ObjectMeta, Page, Reading, Reject
from gitopslab.extract.walk import COMPRESSIONS, Skipped, find

__all__ = ["Header", "Limits", "ObjectMeta", "Page", "Reject", "Skipped", "find", "read"]

_JSON = re.compile(rb"\s*+(?:\{\s*+(?:[\"}]|\Z)|\[\s*+(?:[\[{\]\"]|\Z))")
_FIRST_LINE_BYTES = 16 << 20
_LINE_SUFFIXES = (".ndjson", ".jsonl")


def read(
    path: Path, limits: Limits, *, assume: KindName | None = None, progress: Progress | None = None
) -> Iterator[Page | Reject]:
    """Yield what is in the file `path`, in its order; a page may come after a reject that it began before.

    Whether the file is compressed, and whether it is JSON or YAML, is told by its content; a file named
    `*.ndjson` or `*.jsonl` has one value a line, whatever the first looks like.

    Args:
        path: The file.
        limits: How large and how deep it may be.
        assume: apiVersion and kind of objects for which neither they nor a list around them say so.
        progress: Called with the number of bytes of the file on disk consumed since the last call.

    Raises:
        UsageError: There is no such file.
    """
    reading = Reading(path.as_posix(), limits, assume)
    with ByteStream(path, limits, progress) as stream:
        yield from reading.paged(_parts(stream, path, reading))
        if stream.failure:
            yield reading.reject(0, *stream.failure, b"")


def _parts(stream: ByteStream, path: Path, reading: Reading) -> Iterator[Page | Item | Reject]:
    head = stream.read_lines(reading.limits.page_bytes, _FIRST_LINE_BYTES)
    stream.unread(head)
    # no line of JSON begins so, but JSON documents of a YAML stream are parted by it
    is_json = _JSON.match(head) and b"\n---" not in head
    if _is_named_for_lines(path) or (is_json and _is_value(head.lstrip().partition(b"\n")[0])):
        yield from json_stream.read_lines(stream, reading)
    elif is_json:
        with stream.text() as (text, start):
            yield from json_stream.read_values(text, start, 1, reading)
    else:
        yield from _yaml(stream, reading)


def _yaml(stream: ByteStream, reading: Reading) -> Iterator[Item | Reject]:
    for found in yaml_stream.documents(stream, reading.limits):
        if isinstance(found, yaml_stream.Problem):
            yield reading.reject(found.line, found.reason, found.message, found.text)
        else:
            kind = kind_of_items(*found.list_kind) if found.list_kind else None
            yield from objects(found.text, found.line, reading, Wrapped(found.text, kind))


def _is_named_for_lines(path: Path) -> bool:
    name = path.name.lower()
    for compression in COMPRESSIONS:
        name = name.removesuffix(compression)
    return name.endswith(_LINE_SUFFIXES)


def _is_value(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
