r"""Rows in the text format of COPY: a line a row, tabs between columns, NULL as `\N`, and backslash escapes.

Values hold neither tabs nor line breaks as such, so lines are split as they stand, and escapes are undone
column by column. A row whose value ends at a line break behind a backslash, which COPY reads and pg_dump
never writes, is refused.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from gitopslab.extract.pages import EXCERPT_BYTES

LINE = "line of the file"
"""The column that holds where a row stands; a COPY with a column of this name is refused."""

_ESCAPES = {"\\b": "\b", "\\f": "\f", "\\n": "\n", "\\r": "\r", "\\t": "\t", "\\v": "\v"}


class Refused(NamedTuple):
    """A line of a block that is no row: its number from 1, one word, one sentence, and the line as read."""

    line: int
    reason: str
    message: str
    text: str


class Rows(NamedTuple):
    """Some rows of a block: a column of text a column of the table, and `LINE`; and what is no row."""

    rows: pa.Table
    refused: list[Refused]


def taken_apart(
    text: bytes, columns: tuple[str, ...], first_line: int, refused_before: list[Refused]
) -> Rows:
    """Return lines of a block as rows.

    Args:
        text: The lines.
        columns: What COPY calls their columns.
        first_line: Number of the first of them in the file.
        refused_before: What was refused on the way to them.
    """
    refused: dict[int, Refused] = {}

    def refuse(number: int, reason: str, message: str, line: str) -> None:
        refused.setdefault(number, Refused(first_line + number, reason, message, line[:EXCERPT_BYTES]))

    def skip(row: csv.InvalidRow) -> str:
        message = f"{row.actual_columns} columns, and COPY names {row.expected_columns}"
        refuse(row.number - 1, "invalid_row", message, row.text)
        return "skip"

    if not text:
        return Rows(_table({name: pa.array([], pa.string()) for name in columns}, []), refused_before)
    if b"\r" in text and text.count(b"\r\n") == text.count(b"\n"):
        text = text.replace(b"\r\n", b"\n")
    if not _is_plain(text):
        lines = text.split(b"\n")
        for number, line in enumerate(lines):
            if not _is_plain(line):
                refuse(
                    number, "invalid_encoding", "it is not UTF-8, or holds NUL or a bare CR", excerpt(line)
                )
                lines[number] = b"\t" * len(columns)  # one column too many, so that it is no row
        text = b"\n".join(lines)
    found = csv.read_csv(
        pa.BufferReader(text),
        csv.ReadOptions(use_threads=False, column_names=columns, block_size=len(text) + 1),
        csv.ParseOptions(
            delimiter="\t", quote_char=False, ignore_empty_lines=False, invalid_row_handler=skip
        ),
        csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), null_values=["\\N"], strings_can_be_null=True
        ),
    )
    line_count = text.count(b"\n") + (not text.endswith(b"\n"))
    numbers = np.delete(np.arange(line_count), list(refused)) + first_line
    has_escapes = text.count(b"\\") > text.count(b"\\N")
    rows = _table({name: found[name] for name in columns}, numbers)
    if has_escapes:
        rows, odd_lines = _unescaped(rows)
        for odd_line in odd_lines:
            refuse(odd_line - first_line, "invalid_row", "an escape that pg_dump does not write", "")
    return Rows(rows, [*refused_before, *(refused[number] for number in sorted(refused))])


def _table(
    texts: dict[str, pa.Array | pa.ChunkedArray], lines: Sequence[int] | npt.NDArray[np.int64]
) -> pa.Table:
    return pa.table(texts | {LINE: pa.array(lines, pa.int64())})


def _is_plain(text: bytes) -> bool:
    if b"\0" in text or b"\r" in text:
        return False
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def excerpt(text: bytes) -> str:
    """Return as much of a line as a reject keeps."""
    return text[:EXCERPT_BYTES].decode("utf-8", "backslashreplace")


def _unescaped(rows: pa.Table) -> tuple[pa.Table, list[int]]:
    """Undo the escapes of COPY, and return the lines of rows with others; NUL is in none of them."""
    odd = pa.array(np.zeros(len(rows), bool))
    for place, name in enumerate(rows.schema.names):
        texts = rows[name]
        if name == LINE or not pc.any(_has_backslash(texts)).as_py():
            continue
        texts = pc.replace_substring(texts, "\\\\", "\0")
        for escape, character in _ESCAPES.items():
            texts = pc.replace_substring(texts, escape, character)
        odd = pc.or_(odd, pc.fill_null(_has_backslash(texts), fill_value=False))
        rows = rows.set_column(place, name, pc.replace_substring(texts, "\0", "\\"))
    lines = rows[LINE].filter(odd).to_pylist()
    return (rows.filter(pc.invert(odd)) if lines else rows), lines


def _has_backslash(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.match_substring(texts, "\\")
