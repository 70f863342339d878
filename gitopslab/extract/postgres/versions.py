"""Versions of rows: those that differ from what the lake holds of them, and those that are gone."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from gitopslab import database
from gitopslab.datasets import Dataset
from gitopslab.datasets.dataset import TIME
from gitopslab.extract import cursors
from gitopslab.extract.postgres.connection import Snapshot, identifier, literal
from gitopslab.extract.postgres.tables import LiveTable
from gitopslab.extract.rows import RowLanding

_KEYS_A_QUERY = 20_000
NO_KEYS = pa.table({"key": pa.array([], pa.string())})
TICK = timedelta(microseconds=1)

Progress = Callable[[int], None]


class Outcome(NamedTuple):
    """What came of one table.

    Attributes:
        table: Its name.
        row_count: Rows that it has, or that a log has gained or changed in the time that was read.
        landed_count: Versions that the lake gained, deletions among them.
        deleted_count: Rows that are gone.
        note: Columns that lack or are not known; empty for none.
    """

    table: str
    row_count: int
    landed_count: int
    deleted_count: int
    note: str


class Reading(NamedTuple):
    """How logs are read, of which only the end is read again.

    Attributes:
        overlap: How far before the end of the last run: a row is stamped before its transaction ends.
        since: From then, if that is earlier, or nothing was read yet.
    """

    overlap: timedelta
    since: datetime | None = None


class _Extent(NamedTuple):
    """How many rows there are, whether Arrow has all their times, and when those of a log were written."""

    row_count: int
    has_odd_times: bool
    oldest_at: datetime | None
    newest_at: datetime | None


def land(
    snapshot: Snapshot,
    live: LiveTable,
    landing: RowLanding,
    reading: Reading,
    progress: Progress,
) -> Outcome:
    """Land the rows of a table that are not as the lake has them; all is durable when it returns.

    Args:
        snapshot: The database.
        live: The table in it.
        landing: Where rows go.
        reading: How it is read if it is a log.
        progress: Called with the number of rows read, again and again.

    Raises:
        SourceError: The table cannot be read to its end; what was read until then stays landed.
        LakeError: The lake cannot be written.
    """
    table = live.table
    floor = _floor(landing, live, reading) if table.changed_by else None
    written_since = _written_since(live, floor)
    extent = _extent(snapshot, live, written_since)
    latest_at: datetime | None = None
    wanted, gone = iter([written_since]), NO_KEYS
    if landing.lake.files(table.dataset, landing.origin.cluster):
        with database.memory() as known:
            latest_at = learn(known, landing, live, floor)
            changed, gone = _compare(known, snapshot, live, written_since)
        wanted = _conditions(live, changed)
    at = max(snapshot.taken_at, latest_at + TICK) if latest_at else snapshot.taken_at
    columns = live.versions(with_odd_times=extent.has_odd_times)
    landed_count = 0
    for conditions in wanted:
        for batch in snapshot.batches(live.select(columns, *conditions), table.name):
            landing.add_new(table.dataset, versions_of(table.dataset, batch, snapshot.name, at))
            landed_count += len(batch)
            progress(len(batch))
    landing.add_new(table.dataset, versions_of(table.dataset, gone, snapshot.name, at, is_deleted=True))
    landing.tally.object_count += extent.row_count - landed_count
    landing.tally.known_count += extent.row_count - landed_count
    _note(landing, live, extent, floor, at)
    return Outcome(table.name, extent.row_count, landed_count + len(gone), len(gone), str(live))


def _floor(landing: RowLanding, live: LiveTable, reading: Reading) -> datetime | None:
    """Return the time from which a log is read; None for all of it.

    It is never after the end of the last run: what lies between would be missed for good.
    """
    reached = cursors.reached(landing.lake, landing.origin.cluster, landing.origin.how, live.table.name)
    return min(filter(None, (reached and reached - reading.overlap, reading.since)), default=None)


def _written_since(live: LiveTable, floor: datetime | None) -> tuple[str, ...]:
    """Return the condition on rows of a log; one that does not say when it was written is always read."""
    if floor is None:
        return ()
    written_at = f"t.{identifier(live.table.changed_by)}"
    return (f"({written_at} >= {literal(floor.isoformat())} OR {written_at} IS NULL)",)


def _extent(snapshot: Snapshot, live: LiveTable, conditions: tuple[str, ...]) -> _Extent:
    """Return the extent of what is read; a clock that is ahead of the server's must not hide what comes."""
    oldest, newest = "NULL::timestamp", "NULL::timestamp"
    if live.table.changed_by:
        written_at = f"t.{identifier(live.table.changed_by)}::timestamp"
        now = literal(snapshot.taken_at.replace(tzinfo=None).isoformat())
        oldest, newest = f"greatest(min({written_at}), '0001-01-02')", f"least(max({written_at}), {now})"
    columns = (
        f"count(*) AS row_count, count(*) FILTER (WHERE {live.has_odd_time}) > 0 AS has_odd_times,"
        f" {oldest} AS oldest_at, {newest} AS newest_at"
    )
    [row] = _in_utc(snapshot.rows(live.select(columns, *conditions), live.table.name)).to_pylist()
    return _Extent(**row)


def learn(
    known: database.Connection, landing: RowLanding, live: LiveTable, floor: datetime | None = None
) -> datetime | None:
    """Fill the table `known` with key and hash of each row as it last landed, and return when that was."""
    dataset, key, changed_by = live.table.dataset, live.table.key, live.table.changed_by
    known.execute(
        "CREATE TABLE version (key VARCHAR, snapshot_at TIMESTAMPTZ, row_hash BIGINT, is_deleted BOOLEAN)"
    )
    latest_at: datetime | None = None
    columns = [key, "snapshot_at", "row_hash", "is_deleted", *filter(None, [changed_by])]
    for part in landing.lake.read(dataset, columns, landing.origin.cluster):
        latest_at = max(filter(None, (latest_at, pc.max(part["snapshot_at"]).as_py())), default=None)
        if floor:
            is_recent = pc.fill_null(
                pc.greater_equal(part[changed_by], pa.scalar(floor, TIME)), fill_value=True
            )
            part = part.filter(is_recent)  # noqa: PLW2901 - the rest of it is as if it were not there
        known.register("part", part.select(columns[:4]))
        known.execute("INSERT INTO version SELECT * FROM part")
        known.unregister("part")
    known.execute(
        """
        CREATE TABLE known AS
        SELECT key, latest.row_hash AS row_hash
        FROM (
            SELECT key, arg_max({'row_hash': row_hash, 'is_deleted': is_deleted}, snapshot_at) AS latest
            FROM version
            GROUP BY key
        )
        WHERE NOT latest.is_deleted
        """
    )
    return latest_at


def _compare(
    known: database.Connection, snapshot: Snapshot, live: LiveTable, conditions: tuple[str, ...]
) -> tuple[pa.Table, pa.Table]:
    """Return the keys of rows that are not as they are known, and of those gone; of a log none are."""
    columns = f"{_key(live)}::text AS key, {live.row_hash} AS row_hash"
    known.register("current_row", snapshot.rows(live.select(columns, *conditions), live.table.name))
    changed = database.arrow(
        known, "SELECT key FROM current_row ANTI JOIN known USING (key, row_hash) ORDER BY key"
    )
    gone = database.arrow(known, "SELECT key FROM known ANTI JOIN current_row USING (key) ORDER BY key")
    known.unregister("current_row")
    return changed, NO_KEYS if live.table.changed_by else gone.rename_columns([live.table.key])


def _conditions(live: LiveTable, keys: pa.Table) -> Iterator[tuple[str, ...]]:
    """Yield conditions that hold for the rows with these keys, some at a time."""
    for start in range(0, len(keys), _KEYS_A_QUERY):
        listed = ", ".join(map(literal, keys["key"].slice(start, _KEYS_A_QUERY).to_pylist()))
        yield (f"{_key(live)} = ANY (ARRAY[{listed}])",)


def _key(live: LiveTable) -> str:
    return f"t.{identifier(live.table.key)}"


def versions_of(
    dataset: Dataset, rows: pa.Table, database_name: str, at: datetime, *, is_deleted: bool = False
) -> pa.Table:
    """Return rows of the source as rows of `dataset`; columns that they have not are NULL."""
    own = {
        "database": pa.scalar(database_name, pa.string()),
        "snapshot_at": pa.scalar(at, TIME),
        "is_deleted": pa.scalar(is_deleted),
    }
    there = _in_utc(rows)
    columns = []
    for each in dataset.schema:
        if each.name in there.schema.names:
            columns.append(there[each.name].cast(each.type))
        else:
            columns.append(pa.repeat(own.get(each.name, pa.scalar(None, each.type)), len(rows)))
    return pa.Table.from_arrays(columns, schema=dataset.schema)


def _in_utc(rows: pa.Table) -> pa.Table:
    """Return rows with their zoneless times marked as UTC, which is what the application means by them."""
    return rows.cast(
        pa.schema(each.with_type(TIME) if pa.types.is_timestamp(each.type) else each for each in rows.schema)
    )


def _note(
    landing: RowLanding, live: LiveTable, extent: _Extent, floor: datetime | None, at: datetime
) -> None:
    """Note what was looked at, and how far a log is read, after all of it is durable."""
    if extent.newest_at:
        cursors.note(landing, live.table.name, extent.newest_at)
    known_from = floor or extent.oldest_at or at
    landing.saw(live.table.name, min(known_from, at), at, row_count=extent.row_count, message=str(live))
    landing.flush()
