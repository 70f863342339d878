"""DuckDB connections, all set up alike. The only module that imports duckdb.

Every connection runs in UTC, never installs or loads an extension, and turns DuckDB's errors
into gitopslab's at the caller's boundary through `DatabaseError`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from gitopslab.storage import Storage

Connection = duckdb.DuckDBPyConnection
DatabaseError = duckdb.Error

# DuckDB 1.5 cannot read a file in the format that 2.0 writes by default; it can read this one.
STORAGE_VERSION = "v1.5.0"

# Threads share a table by row groups; with DuckDB's own 122,880 rows most tables would be one thread's work.
_ROW_GROUP_ROWS = 61_440

# Settings that each cursor has for itself.
_OF_A_CURSOR = {"TimeZone": "UTC"}
_IN_THE_WAREHOUSE = {"search_path": "warehouse.main,scratch.main"}


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
    """Return a connection to the file at `path` as database `warehouse`, made when it is not there.

    Tables in the database `scratch` beside it are seen by every cursor, and end with the connection. The file
    holds what was written only after a CHECKPOINT.
    """
    connection = memory(memory_limit=memory_limit)
    # Nothing is published before the last checkpoint: a log or earlier checkpoints would be wasted work.
    connection.execute(
        f"ATTACH {literal(str(path))} AS warehouse"
        f" (STORAGE_VERSION '{STORAGE_VERSION}', ROW_GROUP_SIZE {_ROW_GROUP_ROWS},"
        " RECOVERY_MODE no_wal_writes)"
    )
    connection.execute("SET checkpoint_threshold = '1TB'")
    connection.execute(f"SET temp_directory = {literal(f'{path}.spill')}")
    connection.execute("ATTACH ':memory:' AS scratch")
    return _set(connection, _IN_THE_WAREHOUSE)


def cursor(connection: Connection) -> Connection:
    """Return a second connection to what a `read_write()` one works on, for another thread."""
    return _set(_quiet(connection.cursor()), _OF_A_CURSOR | _IN_THE_WAREHOUSE)


def arrow(connection: Connection, sql: str, parameters: dict[str, Any] | None = None) -> pa.Table:
    """Return the rows of a SELECT as an Arrow table."""
    return connection.sql(sql, params=parameters or None).to_arrow_table()


def define(connection: Connection, name: str, function: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> None:
    """Let SQL on `connection` call a function of texts, which gets many at once and never NULL."""
    connection.create_function(name, function, ["VARCHAR"], "VARCHAR", type=PythonUDFType.ARROW)


def serve_filesystem(connection: Connection, url: str) -> None:
    """Let `connection` read paths of the same kind as `url`, unless they are local."""
    if (filesystem := Storage(url).filesystem) is not None:
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
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
    }
    if memory_limit or (memory_limit := os.environ.get("GITOPSLAB_MEMORY_LIMIT")):
        settings["memory_limit"] = memory_limit
    return _set(_quiet(connection), settings | _OF_A_CURSOR)


def _quiet(connection: Connection) -> Connection:
    """Let no progress bar appear on stdout, as it does where Python was started without a script."""
    # Where it is off it is not touched: a notebook's kernel without ipywidgets refuses even that.
    if connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(True,)]:
        connection.execute("SET enable_progress_bar = false")
    return connection


def _set(connection: Connection, settings: dict[str, Any]) -> Connection:
    for name, value in settings.items():
        connection.execute(f"SET {name} = {value if isinstance(value, bool) else literal(value)}")
    return connection
