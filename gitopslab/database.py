"""DuckDB connections, all set up alike. The only module that imports duckdb.

Every connection runs in UTC, never installs or loads an extension, and turns DuckDB's errors
into gitopslab's at the caller's boundary through `DatabaseError`.
"""

import os
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pyarrow as pa

Connection = duckdb.DuckDBPyConnection
DatabaseError = duckdb.Error

# DuckDB 1.5 cannot read a file in the format that 2.0 writes by default; it can read this one.
STORAGE_VERSION = "v1.5.0"


def memory(*, memory_limit: str | None = None) -> Connection:
    """Return a connection to a database of its own, in memory."""
    return _set_up(duckdb.connect(":memory:"), memory_limit)


def read_only(path: Path) -> Connection:
    """Return a connection that can only read the file at `path`, as it is now.

    The file is attached to a database in memory: connecting to it directly would give what this
    process opened under that path before, even after another file took its place.

    Raises:
        DatabaseError: It is not a DuckDB file, or a writer has it open.
    """
    connection = memory()
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS warehouse (READ_ONLY)")
        connection.execute("USE warehouse")
    except DatabaseError:
        connection.close()
        raise
    return connection


def read_write(path: Path, *, memory_limit: str | None = None) -> Connection:
    """Return a connection to the file at `path` as database `warehouse`, made when it is not there."""
    connection = memory(memory_limit=memory_limit)
    connection.execute(f"ATTACH {literal(str(path))} AS warehouse (STORAGE_VERSION '{STORAGE_VERSION}')")
    connection.execute("USE warehouse")
    # Nothing is published before the last checkpoint, so those before it would be work for nothing.
    connection.execute("SET checkpoint_threshold = '1TB'")
    connection.execute(f"SET temp_directory = {literal(f'{path}.spill')}")
    return connection


def arrow(connection: Connection, sql: str, parameters: dict[str, Any] | None = None) -> pa.Table:
    """Return the rows of a SELECT as an Arrow table."""
    return connection.sql(sql, params=parameters or None).to_arrow_table()


def serve_filesystem(connection: Connection, url: str) -> None:
    """Let `connection` read paths of the same kind as `url`, through fsspec, unless they are local."""
    filesystem = fsspec.core.url_to_fs(url)[0]
    if "file" not in filesystem.protocol:
        connection.register_filesystem(filesystem)


def parquet(files: list[str]) -> str:
    """Return SQL for the rows of Parquet files, with the columns `filename` and `file_row_number` besides."""
    listed = ", ".join(map(literal, files))
    return f"read_parquet([{listed}], hive_partitioning = false, filename = true, file_row_number = true)"


def literal(text: str) -> str:
    """Return `text` as a SQL string literal, for the places where SQL takes no parameter."""
    return "'" + text.replace("'", "''") + "'"


def _set_up(connection: Connection, memory_limit: str | None) -> Connection:
    settings: dict[str, Any] = {
        "TimeZone": "UTC",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
    }
    if memory_limit or (memory_limit := os.environ.get("GITOPSLAB_MEMORY_LIMIT")):
        settings["memory_limit"] = memory_limit
    for name, value in settings.items():
        connection.execute(f"SET {name} = {value if isinstance(value, bool) else literal(value)}")
    return connection
