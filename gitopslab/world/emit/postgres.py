"""The application's database as pg_dump writes it: one SQL file that psql loads into an empty database.

Rows come in any order of tables and wait in one file a table, so memory stays flat; `close` puts the
dump together. A row is added once, as it is at the moment of the dump.
"""

import dataclasses
import shutil
import tempfile
import types
from collections.abc import Sequence
from dataclasses import MISSING, Field
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Self, get_args, get_origin, get_type_hints

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from gitopslab.errors import UsageError
from gitopslab.world.emit.rows import TABLES, Table

_BATCH_ROWS = 1_000

_HEADER = """\
--
-- PostgreSQL database dump
--

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET client_min_messages = warning;
SET TimeZone = 'UTC';
"""

_FOOTER = """\
SELECT pg_catalog.setval('gitops_activity_events_sequence_seq', {sequence}, {is_called});

CREATE FUNCTION gitops_activity_events_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('gitops_activity_events', json_build_object(
        'eventId', NEW.event_id, 'sequence', NEW.sequence, 'observedAt', NEW.observed_at)::text);
    RETURN NEW;
END $$;

CREATE TRIGGER gitops_activity_events_notify AFTER INSERT ON gitops_activity_events
    FOR EACH ROW EXECUTE FUNCTION gitops_activity_events_notify();
"""

_SQL_TYPES = {str: "text", int: "integer", float: "double precision", bool: "boolean"}
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))


class PostgresDump:
    """A dump in the making; use it as a context manager, or call `close`.

    Args:
        file: Where the dump goes; it is there only once `close` has run.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._folder = Path(tempfile.mkdtemp(prefix=f".{file.name}.", dir=file.parent))
        self._copies = {row: _Copy(row, table, self._folder) for row, table in TABLES.items()}
        self._sequence = 0

    def add(self, row: Any) -> None:
        """Add a row; its class, one of `rows`, says to which table.

        Raises:
            UsageError: A text holds the NUL character, which Postgres has no place for.
        """
        self._copies[type(row)].add(row)
        self._sequence = max(self._sequence, getattr(row, "sequence", 0))

    def close(self) -> None:
        """Write the dump."""
        try:
            self._assemble()
        finally:
            self._discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._discard()

    def _assemble(self) -> None:
        whole = self._folder / "dump.sql"
        with whole.open("wb") as stream:
            stream.write(_HEADER.encode())
            for copy in self._copies.values():
                stream.write(copy.create().encode())
            for copy in self._copies.values():
                copy.write_to(stream)
            for copy in self._copies.values():
                stream.write(copy.constrain().encode())
            is_called = str(self._sequence > 0).lower()
            stream.write(_FOOTER.format(sequence=max(self._sequence, 1), is_called=is_called).encode())
        whole.replace(self._file)

    def _discard(self) -> None:
        for copy in self._copies.values():
            copy.stream.close()
        shutil.rmtree(self._folder)


class _Copy:
    """The rows of one table, in the text format of COPY."""

    def __init__(self, row: type, table: Table, folder: Path) -> None:
        self._table = table
        self._columns = _columns(row)
        self._values = attrgetter(*(column.name for column in self._columns))
        self._json = [at for at, column in enumerate(self._columns) if column.sql_type == "jsonb"]
        self._batch: list[list[Any]] = []
        self._path = folder / table.name
        self.stream = self._path.open("w+b")

    def add(self, row: Any) -> None:
        values = list(self._values(row))
        # now, since callers go on changing the objects that they hand in
        for at in self._json:
            values[at] = None if values[at] is None else msgspec.json.encode(values[at])
        self._batch.append(values)
        if len(self._batch) >= _BATCH_ROWS:
            self._flush()

    def create(self) -> str:
        primary, *others = (f"    {column.definition()}" for column in self._columns)
        columns = ",\n".join((f"{primary} PRIMARY KEY", *others))
        return f"\nCREATE TABLE {self._table.name} (\n{columns}\n);\n"

    def write_to(self, stream: BinaryIO) -> None:
        self._flush()
        names = ", ".join(column.name for column in self._columns)
        stream.write(f"\nCOPY {self._table.name} ({names}) FROM stdin;\n".encode())
        self.stream.seek(0)
        shutil.copyfileobj(self.stream, stream, 1 << 20)
        stream.write(b"\\.\n")

    def constrain(self) -> str:
        name = self._table.name
        lines = [f"ALTER TABLE {name} ADD UNIQUE ({', '.join(columns)});" for columns in self._table.unique]
        lines += [
            f"ALTER TABLE {name} ADD FOREIGN KEY ({column}) REFERENCES {other};"
            for column, other in self._table.references.items()
        ]
        lines += [f"{index};" for index in self._table.indexes]
        return "".join(f"{line}\n" for line in ("", *lines))

    def _flush(self) -> None:
        if not self._batch:
            return
        columns = zip(*self._batch, strict=True)
        texts = [column.texts(values) for column, values in zip(self._columns, columns, strict=True)]
        if _holds_nul(texts):
            raise UsageError(
                f"{self._table.name}: a text holds NUL, which Postgres cannot store; leave it out"
            )
        lines = pc.binary_join_element_wise(*texts, "\t", null_handling="replace", null_replacement="\\N")
        self.stream.write("\n".join((*lines.to_pylist(), "")).encode())
        self._batch.clear()


@dataclasses.dataclass(frozen=True)
class _Column:
    name: str
    sql_type: str
    is_nullable: bool
    default: str

    def definition(self) -> str:
        """Return the column as CREATE TABLE has it."""
        required = "" if self.is_nullable else " NOT NULL"
        return f'"{self.name}" {self.sql_type}{required}{self.default}'

    def texts(self, values: Sequence[Any]) -> pa.Array:
        """Return the values as COPY's text format has them, null where a value is None."""
        match self.sql_type:
            case "jsonb":
                return _escape(pa.array(values, pa.binary()).cast(pa.string()))
            case "timestamp without time zone":
                milliseconds = pc.round(pc.multiply(pa.array(values, pa.float64()), 1000.0))
                return milliseconds.cast(pa.int64()).cast(pa.timestamp("ms")).cast(pa.string())
            case "text":
                return _escape(pa.array(values, pa.string()))
            case "boolean":
                return pa.array(values, pa.bool_()).cast(pa.string())
            case "double precision":
                return pa.array(
                    [None if value is None else repr(float(value)) for value in values], pa.string()
                )
            case _:
                return pa.array(values, pa.int64()).cast(pa.string())


def _columns(row: type) -> tuple[_Column, ...]:
    hints = get_type_hints(row, include_extras=True)
    return tuple(_column(field, hints[field.name]) for field in dataclasses.fields(row))


def _column(field: Field[Any], hint: Any) -> _Column:
    kinds = [hint]
    # Json | None is one more way to say Any | None, and then get_args says nothing
    if get_origin(hint) is not Annotated and (parts := get_args(hint)):
        kinds = [part for part in parts if part is not types.NoneType]
    is_nullable = kinds != [hint]
    kind = kinds[0]
    sql_type = kind.__metadata__[0] if get_origin(kind) is Annotated else _SQL_TYPES[kind]
    return _Column(field.name, sql_type, is_nullable, _default(field, sql_type))


def _default(field: Field[Any], sql_type: str) -> str:
    if sql_type == "jsonb" and field.default_factory is not MISSING:
        return f" DEFAULT '{field.default_factory()}'"
    if field.name in {"created_at", "updated_at"}:
        return " DEFAULT now()"
    if field.default is MISSING or field.default is None:
        return ""
    return f" DEFAULT '{field.default}'" if sql_type == "text" else f" DEFAULT {field.default}"


def _escape(texts: pa.Array) -> pa.Array:
    for character, escaped in _ESCAPES:
        texts = pc.replace_substring(texts, character, escaped)
    return texts


def _holds_nul(texts: Sequence[pa.Array]) -> bool:
    return any(pc.any(pc.match_substring(text, "\0")).as_py() for text in texts)
