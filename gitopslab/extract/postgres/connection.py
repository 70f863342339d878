"""One read-only look at a Postgres database. The only module that imports ADBC.

What libpq and the server say is never repeated: it may hold pieces of the connection string, or of rows.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

import adbc_driver_manager
import adbc_driver_postgresql
import pyarrow as pa
from adbc_driver_postgresql import dbapi

from gitopslab.errors import AccessDeniedError, NotServedError, SettingsError, SourceError, UnreachableError

_BATCH_BYTES = 64 << 20

_CONNECTION_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "application_name": "gitopslab",
}

# How values look as text, whatever the server, the role or PG* variables say; and rather an error than
# rows that a policy hides, or a wait behind a migration.
_SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "row_security": "off",
    "lock_timeout": "30s",
    "statement_timeout": "0",
}

_REFUSED_CONNECTIONS = {
    "password": "the password or the role was refused",
    "role ": "the password or the role was refused",
    "no pg_hba.conf entry": "the server lets this role not in from here",
    "database ": "there is no such database",
}


class Snapshot:
    """A database as it was at one moment: one read-only transaction; use it as a context manager.

    Args:
        name: What messages call the database.
        dsn: Its connection string, a URL or `key=value` pairs.
        variable: Name of the variable that holds it, for messages.

    Attributes:
        taken_at: When, by the clock of the server.
        server_version: Such as 150004 for 15.4.

    Raises:
        UnreachableError: Nobody answered.
        AccessDeniedError: The role or its password was refused.
    """

    def __init__(self, name: str, dsn: str, *, variable: str) -> None:
        self.name = name
        try:
            self._connection = dbapi.connect(_with_defaults(dsn))
        except adbc_driver_manager.Error as error:
            raise _refused(name, variable, str(error)) from None
        self._cursor = self._connection.cursor()
        batch = adbc_driver_postgresql.StatementOptions.BATCH_SIZE_HINT_BYTES.value
        self._cursor.adbc_statement.set_options(**{batch: str(_BATCH_BYTES)})
        self.taken_at, self.server_version = self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the transaction and the connection."""
        self._cursor.close()
        self._connection.close()

    def recover(self) -> None:
        """Take the snapshot anew: Postgres gives up a transaction in which it refused something.

        Raises:
            UnreachableError: The connection is gone.
        """
        with self._translated("the transaction"):
            self._connection.rollback()
        self.taken_at, self.server_version = self._begin()

    def columns(self) -> dict[str, dict[str, str]]:
        """Return the columns of every table that the role may see: table → column → type."""
        sql = """
            SELECT table_name::text, column_name::text, data_type::text
            FROM information_schema.columns
            WHERE table_schema = current_schema()
            ORDER BY table_name, ordinal_position
        """
        tables: dict[str, dict[str, str]] = {}
        for row in self.rows(sql, "information_schema.columns").to_pylist():
            tables.setdefault(row["table_name"], {})[row["column_name"]] = row["data_type"]
        return tables

    def rows(self, sql: str, what: str) -> pa.Table:
        """Return all rows of a SELECT at once."""
        with self._translated(what):
            self._cursor.execute(sql)
            return self._cursor.fetch_arrow_table()

    def batches(self, sql: str, what: str) -> Iterator[pa.Table]:
        """Yield the rows of a SELECT in batches, one of which is read while the one before is at work.

        Args:
            sql: The SELECT.
            what: The table it reads, for messages.

        Raises:
            SourceError: The server refused, or the connection broke.
        """
        with self._translated(what):
            self._cursor.execute(sql)
            reader = self._cursor.fetch_record_batch()
        with ThreadPoolExecutor(1) as ahead:
            waiting = ahead.submit(next, reader, None)
            while True:
                with self._translated(what):
                    batch = waiting.result()
                if batch is None:
                    return
                waiting = ahead.submit(next, reader, None)
                yield pa.Table.from_batches([batch])

    def _begin(self) -> tuple[datetime, int]:
        settings = (f"SET LOCAL {name} = '{value}'" for name, value in _SESSION.items())
        with self._translated("the start of a transaction"):
            for statement in (
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
                *settings,
            ):
                self._cursor.execute(statement)
        sql = "SELECT clock_timestamp() AS at, current_setting('server_version_num')::int AS version"
        [row] = self.rows(sql, "its clock").to_pylist()
        return row["at"], row["version"]

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except adbc_driver_manager.Error as error:
            raise self._refusal(what, error.sqlstate) from None
        except OSError:
            raise UnreachableError(
                f"{self.name}: {what}: the connection or the query was cut off while rows were read;"
                " what landed is whole, and the next run goes on from it"
            ) from None

    def _refusal(self, what: str, sqlstate: str | None) -> SourceError:
        match sqlstate:
            case "42501":
                return AccessDeniedError(
                    f"{self.name}: {what}: not readable; GRANT SELECT ON {what} to the role, and let no"
                    " row-level security hide rows from it (BYPASSRLS)"
                )
            case "42P01":
                return NotServedError(f"{self.name}: {what}: there is no such table")
            case "55P03":
                return SourceError(f"{self.name}: {what}: locked for {_SESSION['lock_timeout']}; try again")
            case None:
                return UnreachableError(
                    f"{self.name}: {what}: the connection is gone; what landed is whole, and the next run"
                    " goes on from it"
                )
            case _:
                return SourceError(f"{self.name}: {what}: Postgres refused with SQLSTATE {sqlstate}")


def connect(name: str, variable: str) -> Snapshot:
    """Return the database called `name`, whose connection string the environment variable holds.

    Raises:
        SettingsError: The variable is not set.
        SourceError: There is no connection.
    """
    dsn = os.environ.get(variable, "").strip()
    if not dsn:
        raise SettingsError(
            f"{name}: environment variable {variable} is not set; it holds a connection string such as"
            " postgresql://user:password@host:5432/database"
        )
    return Snapshot(name, dsn, variable=variable)


def literal(text: str) -> str:
    """Return `text` as a string literal; the session has standard_conforming_strings on."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return `name` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def _with_defaults(dsn: str) -> str:
    """Return `dsn` with timeouts, where it has none of its own."""
    added = [f"{name}={value}" for name, value in _CONNECTION_DEFAULTS.items() if name not in dsn]
    if "://" not in dsn:
        return " ".join((dsn, *added))
    return f"{dsn}{'&' if '?' in dsn else '?'}{'&'.join(added)}" if added else dsn


def _refused(name: str, variable: str, said: str) -> SourceError:
    """Return why there is no connection, in words of our own."""
    if "FATAL: " not in said:
        return UnreachableError(
            f"{name}: nobody answers as Postgres at the address in ${variable}; it should be"
            " postgresql://user:password@host:5432/database"
        )
    reason = next(
        (words for sign, words in _REFUSED_CONNECTIONS.items() if sign in said.partition("FATAL: ")[2]),
        "the server takes no connection now",
    )
    return AccessDeniedError(f"{name}: {reason}; see the connection string in ${variable}")
