"""The application's Postgres database: the benchmark plane, agent sessions, and GitOps activity events.

Source: every table of `tables.TABLES` that is in the schema the connection string leads to.
Needs:  a role with SELECT on them, and BYPASSRLS where row-level security holds. One read-only transaction
        is opened; the driver takes a second connection for a moment, to learn the types.
Limits: what changed twice between two runs is seen once. Of a log, a row that is deleted stays landed, and
        one that is changed without a new time is seen within the overlap only.
"""

from collections.abc import Callable, Collection
from functools import partial

from gitopslab.errors import NotServedError, SourceError, UnreachableError
from gitopslab.extract.postgres import tables, versions
from gitopslab.extract.postgres.connection import Snapshot, connect
from gitopslab.extract.postgres.tables import LiveTable, SourceTable
from gitopslab.extract.postgres.versions import Outcome, Reading
from gitopslab.extract.rows import RowLanding
from gitopslab.lake import Lake

__all__ = ("SYSTEM", "LiveTable", "Outcome", "Reading", "Snapshot", "connect", "find", "land")

SYSTEM = "postgres"
"""What coverage and cursors call the source's kind."""

_TOGETHER = {"benchmark_suites", "benchmark_instances", "benchmark_runs", "benchmark_run_instances"}
"""Tables that one migration made, so that a database with one of them has all."""

Progress = Callable[[str, int], None]


def find(
    snapshot: Snapshot, lake: Lake, *, with_session_events: bool = False
) -> tuple[list[LiveTable], list[SourceError]]:
    """Return the tables that can be read, and what is wrong with those that cannot.

    That an older database lacks a table is nothing wrong, unless the lake has rows of it.

    Raises:
        NotServedError: There is no known table at all.
    """
    types = snapshot.columns()
    wanted = [each for each in tables.TABLES if with_session_events or each is not tables.SESSION_EVENTS]
    if not any(each.name in types for each in wanted):
        raise NotServedError(
            f"{snapshot.name}: the schema that the connection string leads to has no table of the benchmark"
            " plane and no gitops_activity_events, or the role may not see them; GRANT SELECT on them"
        )
    found: list[LiveTable] = []
    refused: list[SourceError] = [
        NotServedError(
            f"{snapshot.name}: {each.name}: the table is not there any more, or the role may not see it"
        )
        for each in wanted
        if each.name not in types and _is_expected(each, types.keys(), snapshot, lake)
    ]
    for each in wanted:
        if each.name in types:
            try:
                found.append(
                    tables.live(
                        each,
                        types[each.name],
                        database=snapshot.name,
                        server_version=snapshot.server_version,
                    )
                )
            except SourceError as error:
                refused.append(error)
    return found, refused


def land(
    snapshot: Snapshot,
    landing: RowLanding,
    reading: Reading,
    *,
    with_session_events: bool = False,
    progress: Progress = lambda *_: None,
) -> list[Outcome]:
    """Land what changed in every table, and return what came of each.

    Args:
        snapshot: The database.
        landing: Where rows go; its origin is the database.
        reading: How logs are read.
        with_session_events: Whether that log is read, which is far larger than everything else.
        progress: Called with a table's name and the number of its rows that were read, again and again.

    Raises:
        SourceError: A table could not be read; all others landed, unless the connection is gone.
        LakeError: The lake cannot be written.
    """
    found, refused = find(snapshot, landing.lake, with_session_events=with_session_events)
    outcomes = []
    for each in found:
        try:
            outcomes.append(
                versions.land(snapshot, each, landing, reading, partial(progress, each.table.name))
            )
        except UnreachableError:
            raise
        except SourceError as error:
            refused.append(error)
            snapshot.recover()
    if len(refused) == 1:
        raise refused[0]
    if refused:
        raise SourceError("; ".join(map(str, refused)))
    return outcomes


def _is_expected(table: SourceTable, there: Collection[str], snapshot: Snapshot, lake: Lake) -> bool:
    is_one_of_some = table.name in _TOGETHER and not _TOGETHER.isdisjoint(there)
    return is_one_of_some or bool(lake.files(table.dataset, snapshot.name))
