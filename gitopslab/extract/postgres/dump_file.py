"""What `pg_dump` writes as plain text: columns of its tables, and the rows of its COPY blocks as text.

Source: SQL of pg_dump without --inserts, in UTF-8; plain, gzip or zstd.
Needs:  nothing but the file.
Limits: of SQL only CREATE TABLE, COPY … FROM stdin and SET client_encoding are understood.
"""

import re
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from gitopslab.errors import UsageError
from gitopslab.extract.byte_stream import ByteStream
from gitopslab.extract.postgres.copy_text import LINE, Refused, Rows, excerpt, taken_apart

_PIECE_BYTES = 8 << 20
_STATEMENT_BYTES = 1 << 20
_ARCHIVE = b"PGDMP"

_END = re.compile(rb"\\\.\r?(?:\n|\Z)")
_MARK = re.compile(rb"--|/\*|[eE]?'|\"|\$(?:[A-Za-z_][A-Za-z_0-9]*)?\$|;")
_CLOSED = {
    b"--": re.compile(rb"$"),
    b"/*": re.compile(rb".*?\*/", re.DOTALL),
    b"'": re.compile(rb"[^']*'"),
    b"E'": re.compile(rb"(?:[^'\\]|\\.)*'", re.DOTALL),
    b'"': re.compile(rb'[^"]*"'),
}

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_TABLE = rf"((?:{_NAME}\s*\.\s*)*{_NAME})"
_CREATE = re.compile(
    rf"CREATE\s+(?:UNLOGGED\s+)?TABLE\s+(?:IF NOT EXISTS\s+)?{_TABLE}\s*\((.*)\)", re.IGNORECASE | re.DOTALL
)
_COPY = re.compile(rf"COPY\s+{_TABLE}\s*(?:\((.*)\))?\s*FROM\s+stdin\s*(.*);", re.IGNORECASE | re.DOTALL)
_INSERT = re.compile(rf"INSERT\s+INTO\s+(?:ONLY\s+)?{_TABLE}", re.IGNORECASE)
_ENCODING = re.compile(r"SET\s+client_encoding\s*(?:=|TO)\s*'?([\w-]+)", re.IGNORECASE)
_PART = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[(),]|[^'"(),]+""")
_COLUMN = re.compile(
    rf"({_NAME})\s+(.+?)\s*(?:\b(?:COLLATE|DEFAULT|NOT\s+NULL|NULL|CONSTRAINT|PRIMARY|UNIQUE|REFERENCES|CHECK"
    r"|GENERATED|STORAGE|COMPRESSION)\b.*)?\Z",
    re.IGNORECASE | re.DOTALL,
)
_CONSTRAINT = re.compile(r"(?:CONSTRAINT|PRIMARY|UNIQUE|CHECK|FOREIGN|EXCLUDE|LIKE)\b", re.IGNORECASE)

_SERIAL = {"smallserial": "smallint", "serial": "integer", "bigserial": "bigint"}


class Block:
    """The rows that one COPY brings; they can be read once, before the next block is asked for.

    Attributes:
        table: Name of the table, without its schema.
        schema: Its schema; empty where the dump names none.
        columns: The columns of the rows.
        types: Columns of the table and their types, as information_schema names them; empty where the dump
            does not create it.
        line: Where it begins.
        is_whole: Whether its end was seen, once all rows are read.
    """

    def __init__(self, lines: "_Lines", table: str, columns: tuple[str, ...], types: dict[str, str]) -> None:
        self.schema, self.table = _split(table)
        self.columns, self.types, self.line = columns, types, lines.number
        self.is_whole = False
        self._lines = lines

    def rows(self) -> Iterator[Rows]:
        """Yield the rows, some of which are taken apart while those before are at work."""
        with ThreadPoolExecutor(1) as ahead:
            waiting: Future[Rows] | None = None
            for text, line, refused in self._texts():
                following = ahead.submit(taken_apart, text, self.columns, line, refused)
                if waiting:
                    yield waiting.result()
                waiting = following
            if waiting:
                yield waiting.result()

    def pass_over(self) -> None:
        """Go to the end without reading rows."""
        for _ in self._texts():
            pass

    def _texts(self) -> Iterator[tuple[bytes, int, list[Refused]]]:
        while not self.is_whole and self._lines.fill():
            line, refused = self._lines.number, self._lines.refused()
            text, self.is_whole = self._lines.until_end()
            yield text, line, refused


class Dump:
    """A dump that is read from its beginning to its end, once.

    Args:
        source: What messages call it.
        stream: Its bytes.
        wanted: Names of the tables whose rows are to be read.
        max_line_bytes: Of a line; a longer one is refused.

    Attributes:
        passed_over_count: Statements that bring no rows of a table and are no CREATE TABLE.
    """

    def __init__(
        self, source: str, stream: ByteStream, wanted: Collection[str], *, max_line_bytes: int = 256 << 20
    ) -> None:
        self.passed_over_count = 0
        self._source, self._wanted = source, wanted
        self._lines = _Lines(stream, max_line_bytes)
        self._types: dict[str, dict[str, str]] = {}

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of rows in wanted tables, in order.

        Raises:
            UsageError: It is no dump in text, not in UTF-8, or has rows of a wanted table as INSERT.
        """
        if self._lines.starts_with(_ARCHIVE):
            raise UsageError(
                f"{self._source}: an archive of pg_dump; write it as text: pg_restore --file=dump.sql FILE"
            )
        for statement in self._statements():
            if created := _CREATE.match(statement):
                self._types[_plain(created[1])] = _types(created[2])
            elif block := self._block(statement):
                if block.table in self._wanted:
                    yield block
                block.pass_over()
            else:
                self._pass_over(statement)

    def _block(self, statement: str) -> Block | None:
        copied = _COPY.match(statement)
        if not copied:
            return None
        table, columns = _plain(copied[1]), tuple(map(_unquoted, _names(copied[2] or "")))
        block = Block(self._lines, table, columns, self._types.get(table, {}))
        is_plain = columns and len({*columns, LINE}) > len(columns) and not copied[3]
        if block.table in self._wanted and not is_plain:
            raise UsageError(
                f"{self._source}: line {block.line}: COPY of {block.table} with options, without columns,"
                " or with one named twice; pg_dump writes COPY table (columns) FROM stdin"
            )
        return block

    def _pass_over(self, statement: str) -> None:
        self.passed_over_count += 1
        inserted = _INSERT.match(statement)
        if inserted and _split(_plain(inserted[1]))[1] in self._wanted:
            raise UsageError(
                f"{self._source}: line {self._lines.number}: rows as INSERT; write the dump anew,"
                " without --inserts, --column-inserts and --rows-per-insert"
            )
        encoding = _ENCODING.match(statement)
        if encoding and encoding[1].upper() not in {"UTF8", "UTF-8", "SQL_ASCII"}:
            raise UsageError(
                f"{self._source}: its encoding is {encoding[1]}; write it with pg_dump --encoding=UTF8"
            )

    def _statements(self) -> Iterator[str]:
        """Yield statements, cut to 1 MiB; the lines behind one are still to be read."""
        parts: list[bytes] = []
        quote = b""
        while (line := self._lines.line()) is not None:
            if not parts and line.startswith(b"\\"):
                continue
            start, end = 0, len(line)
            for position, mark in _marks(line, quote):
                quote = mark
                if quote == b";":
                    yield _text([*parts, line[start:position]])
                    parts, start = [], position
                elif quote == b"--":
                    end = position - len(quote)
            quote = b"" if quote in {b";", b"--"} else quote
            rest = line[start:end]
            if (parts or rest.strip()) and sum(map(len, parts)) < _STATEMENT_BYTES:
                parts.append(rest)


class _Lines:
    """The lines of a file, one by one or many at once."""

    def __init__(self, stream: ByteStream, max_line_bytes: int) -> None:
        self.number = 1
        self._stream, self._max_line_bytes = stream, max_line_bytes
        self._text, self._at = b"", 0
        self._refused: list[Refused] = []

    def starts_with(self, text: bytes) -> bool:
        return self.fill() and self._text.startswith(text)

    def fill(self) -> bool:
        """Return whether there are lines; a line that is too long is none."""
        while self._at == len(self._text):
            self._text, self._at = self._stream.read_lines(_PIECE_BYTES, self._max_line_bytes), 0
            if not self._text:
                return bool(self._refused)
            if len(self._text) > self._max_line_bytes and not self._text.endswith(b"\n"):
                self._stream.skip_line()
                message = f"a line of more than {self._max_line_bytes} bytes"
                self._refused.append(Refused(self.number, "too_large", message, excerpt(self._text)))
                self._text = b""
                self.number += 1
        return True

    def line(self) -> bytes | None:
        """Return the next line, with its break; None at the end."""
        if not self.fill() or not self._text:
            return None
        end = self._text.find(b"\n", self._at) + 1 or len(self._text)
        line, self._at = self._text[self._at : end], end
        self.number += 1
        return line

    def until_end(self) -> tuple[bytes, bool]:
        r"""Return the lines that are there before `\.`, and whether that was met and taken."""
        end, after = self._end()
        text, self._at = self._text[self._at : end], after
        self.number += text.count(b"\n") + (after > end)
        return text, after > end

    def _end(self) -> tuple[int, int]:
        start = self._at
        while (start := self._text.find(b"\\.", start)) >= 0:
            found = _END.match(self._text, start)
            if found and (start == self._at or self._text[start - 1 : start] == b"\n"):
                return found.span()
            start += 1
        return len(self._text), len(self._text)

    def refused(self) -> list[Refused]:
        """Return the lines that were refused since the last call."""
        refused, self._refused = self._refused, []
        return refused


def _marks(line: bytes, quote: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield what opens and closes in a line, and where that ends: a quote, empty for its end, or `;`."""
    position = 0
    while True:
        if quote:
            closed = _closing(quote).match(line, position)
            if not closed:
                return
            position, quote = closed.end(), b""
        else:
            opened = _MARK.search(line, position)
            if not opened:
                return
            position = opened.end()
            quote = opened[0].upper() if opened[0] in {b"e'", b"E'"} else opened[0]
        yield position, quote
        if quote == b";":
            quote = b""
        elif quote == b"--":
            return


def _closing(quote: bytes) -> re.Pattern[bytes]:
    return _CLOSED.get(quote) or re.compile(rb".*?" + re.escape(quote), re.DOTALL)


def _text(parts: list[bytes]) -> str:
    return b"".join(parts).decode("utf-8", "replace").strip()


def _types(body: str) -> dict[str, str]:
    """Return the columns that the inside of a CREATE TABLE names."""
    entries, depth = [""], 0
    for part in _PART.findall(body):
        depth += {"(": 1, ")": -1}.get(part, 0)
        if part == "," and not depth:
            entries.append("")
        else:
            entries[-1] += part
    types = {}
    for entry in map(str.strip, entries):
        column = None if _CONSTRAINT.match(entry) else _COLUMN.match(entry)
        if column:
            types[_unquoted(column[1])] = _data_type(column[2])
    return types


def _data_type(written: str) -> str:
    """Return a type in the words of information_schema."""
    if written.endswith("]"):
        return "ARRAY"
    if "." in written or '"' in written:
        return "USER-DEFINED"
    plain = " ".join(re.sub(r"\([^)]*\)", " ", written).lower().split())
    return _SERIAL.get(plain, plain)


def _names(text: str) -> list[str]:
    return re.findall(_NAME, text)


def _plain(name: str) -> str:
    """Return a name without blanks around its dots."""
    return ".".join(_names(name))


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _split(name: str) -> tuple[str, str]:
    """Return schema, or nothing, and name, without quotes."""
    *schema, table = map(_unquoted, _names(name))
    return ".".join(schema), table
