"""Reading the warehouse: a connection that cannot write, and rows in the form asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from gitopslab import database, queries
from gitopslab.errors import LakeError, QueryError
from gitopslab.window import Window

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class Rows:
    """The rows a query returned; times are UTC.

    Args:
        table: The rows, as Arrow holds them.
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        return f"Rows({len(self):,} rows: {', '.join(self.table.column_names)})"

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.table.column_names)

    def arrow(self) -> pa.Table:
        """Return them as a pyarrow table."""
        return self.table

    def pandas(self) -> "pd.DataFrame":
        """Return them as a pandas frame."""
        return self.table.to_pandas()  # type: ignore[no-any-return]

    def polars(self) -> "pl.DataFrame":
        """Return them as a polars frame."""
        import polars as pl

        frame = pl.from_arrow(self.table)
        return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()

    def dicts(self) -> list[dict[str, Any]]:
        """Return one dictionary a row."""
        return self.table.to_pylist()  # type: ignore[no-any-return]

    def one(self) -> dict[str, Any]:
        """Return the only row there is.

        Raises:
            QueryError: There is none, or more than one.
        """
        if len(self) != 1:
            raise QueryError(f"one row was expected, and there are {len(self)}")
        return self.dicts()[0]


@dataclass(frozen=True)
class TableInfo:
    """A table of the warehouse.

    Attributes:
        name: What it is called in SQL.
        room: Which room of queries/ makes it; `build` for what the build itself keeps.
        doc: What one row is.
        grain: Columns that together are unique.
        columns: Name and type of each column, in order.
        row_count: How many rows it holds.
    """

    name: str
    room: str
    doc: str
    grain: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    row_count: int


class Warehouse:
    """A read-only connection to the warehouse; use it as a context manager, or close it.

    It keeps reading the file it opened while a build puts a newer one in its place; open again to
    see that one.

    Args:
        path: The DuckDB file that `gitopslab build` made.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise LakeError(f"{path}: no warehouse there; `gitopslab build` makes it from the lake")
        try:
            self._connection = database.read_only(self.path)
            self.build: dict[str, Any] = self.sql("SELECT * FROM build").one()
        except database.DatabaseError as error:
            raise LakeError(f"{path}: not a warehouse that gitopslab built: {_first_line(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def read_also(self, name: str, file: Path) -> None:
        """Let queries read the Parquet file at `file` as a table called `name`, as long as this is open."""
        self._connection.execute(
            f'CREATE OR REPLACE TEMP VIEW "{name}" AS FROM read_parquet({database.literal(str(file))})'
        )

    def sql(self, text: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        """Run any SQL that reads, and return its rows.

        Raises:
            QueryError: The database refused it; the message is the database's own.
        """
        try:
            return Rows(database.arrow(self._connection, text, dict(parameters or {})))
        except database.DatabaseError as error:
            if "build" in text and "does not exist" in str(error):
                raise
            raise QueryError(str(error).strip()) from error

    def run(self, name: str, **parameters: Any) -> Rows:
        """Run the query of queries/ called `name` and return its rows.

        Raises:
            QueryError: There is no such query, the parameters are not the ones its header names,
                or two rows share its grain.
        """
        query = queries.query(name)
        query.accept(parameters)
        rows = self.sql(query.sql, parameters)
        if query.grain and len(rows):
            distinct = rows.table.group_by(list(query.grain)).aggregate([]).num_rows
            if distinct != len(rows):
                grain = ", ".join(query.grain)
                raise QueryError(f"{query.room}/{name}.sql: {len(rows) - distinct} rows share their {grain}")
        return rows

    def window(self, since: str, as_of: str = "") -> Window:
        """Return the window a report is about, from what its parameters say.

        Args:
            since: First instant, or a length before `as_of` such as 14d.
            as_of: The report's now; empty for the second after the last observation in the warehouse.

        Raises:
            UsageError: One is no time, or `since` is not before `as_of`.
        """
        if not as_of:
            last = self.sql("SELECT max(observed_at) AS at FROM object_version").one()["at"]
            if last is None:
                raise QueryError(f"{self.path}: it holds no object, so as_of has to be given")
            as_of = (last.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)).isoformat()
        return Window.parse(since, as_of)

    def tables(self) -> list[TableInfo]:
        """Return every table there is, in the order of rooms, then of names."""
        columns: dict[str, list[tuple[str, str]]] = {}
        for row in self.sql(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
            " ORDER BY table_name, column_index"
        ).dicts():
            columns.setdefault(row["table_name"], []).append((row["column_name"], row["data_type"]))
        found = [self._table(name, tuple(columns[name])) for name in columns]
        order = {room: place for place, room in enumerate((*queries.ROOMS, "build"))}
        return sorted(found, key=lambda table: (order[table.room], table.name))

    def _table(self, name: str, columns: tuple[tuple[str, str], ...]) -> TableInfo:
        from gitopslab.warehouse.bookkeeping import TABLES

        query = queries.catalog().get(name)
        count = self.sql(f'SELECT count(*) AS n FROM "{name}"').one()["n"]
        if query is None:
            kept = TABLES.get(name)
            doc, grain = (kept.doc, kept.grain) if kept else ("", ())
            return TableInfo(name, "build", doc, grain, columns, count)
        return TableInfo(name, query.room, query.doc, query.grain, columns, count)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
