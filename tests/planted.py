"""Secrets that a test plants, and the search for them in everything that was written since."""

import base64
import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from gitopslab import database

_ALIGNMENTS = range(3)


class Secret(NamedTuple):
    """A made-up secret.

    Attributes:
        name: What it stands for.
        core: 16 hexadecimal digits that are nowhere else.
        text: The secret itself: the core between characters that JSON, HTML, URLs and shells write otherwise.
    """

    name: str
    core: str
    text: str

    @property
    def traces(self) -> set[bytes]:
        """Return what is in every text that holds the secret as it is, URL-encoded, escaped or in base64."""
        return {self.core.encode(), *(_base64_of(self.core.encode(), offset) for offset in _ALIGNMENTS)}


def secret(name: str) -> Secret:
    core = hashlib.sha256(name.encode()).hexdigest()[:16]
    return Secret(name, core, f"Zx/{core}+q7=Kw")


def _base64_of(inner: bytes, offset: int) -> bytes:
    """Return the part of any base64 text of `inner` that what stands around it does not change."""
    first = math.ceil(offset * 8 / 6)
    last = (offset + len(inner)) * 8 // 6
    return base64.b64encode(b"\0" * offset + inner)[first:last]


def found(secrets: list[Secret], texts: Iterator[tuple[str, bytes]]) -> list[str]:
    """Return which secret is where."""
    traces = [(each.name, trace) for each in secrets for trace in each.traces]
    return sorted({f"{name} in {where}" for where, text in texts for name, trace in traces if trace in text})


def everything_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each file as it is; those of the lake and the warehouse once more, value by value."""
    for path in sorted(folder.rglob("*")):
        yield f"the name of {path}", str(path.relative_to(folder)).encode()
        if path.is_file():
            yield str(path), path.read_bytes()
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            yield f"values of {path}", str(file.read().to_pylist()).encode()
            yield f"metadata of {path}", str(file.schema_arrow.metadata).encode()
        elif path.suffix == ".duckdb":
            yield from _tables(path)


def _tables(path: Path) -> Iterator[tuple[str, bytes]]:
    with database.read_only(path) as connection:
        tables = connection.execute("SELECT schema_name, table_name, sql FROM duckdb_tables()").fetchall()
        for schema, name, definition in tables:
            rows = database.arrow(connection, f'FROM warehouse."{schema}"."{name}"').to_pylist()
            yield f"table {name} of {path}", f"{definition}{rows}".encode()
        for name, definition in connection.execute("SELECT view_name, sql FROM duckdb_views()").fetchall():
            yield f"view {name} of {path}", str(definition).encode()
