"""Rows of a dump, landed as if the database itself had been read at that moment.

Source: the COPY blocks of what `pg_dump` writes as plain text; see `dump_file`.
Needs:  nothing but the file, and when it was written.
Limits: a dump is compared with what landed before by hashes of its own: where one follows a reading of the
        live database, or the other way round, every row lands once more. Rows that are gone are noted only
        where the table's block is whole and each of its rows was read. A log's end is not noted.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from gitopslab import database, redaction
from gitopslab.datasets import COVERAGE
from gitopslab.errors import SourceError, UsageError
from gitopslab.extract.byte_stream import ByteStream
from gitopslab.extract.pages import EXCERPT_BYTES, Limits
from gitopslab.extract.postgres import copied, tables
from gitopslab.extract.postgres.connection import identifier
from gitopslab.extract.postgres.copy_text import LINE, Refused
from gitopslab.extract.postgres.dump_file import Block, Dump
from gitopslab.extract.postgres.tables import LiveTable
from gitopslab.extract.postgres.versions import NO_KEYS, TICK, Outcome, learn, versions_of
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Refusal
from gitopslab.lake import Lake

Progress = Callable[[int], None]

_SHOWN = {"invalid_value", "duplicate_key"}  # of these, the excerpt has only what lands as it is


@dataclass(frozen=True)
class DumpOutcome:
    """What came of one dump: its tables, and how many statements brought no rows."""

    path: Path
    tables: list[Outcome]
    passed_over_count: int


@dataclass(frozen=True)
class Reading:
    """How a dump is read.

    Attributes:
        observed_at: When it was taken; by default when the file was last changed.
        with_session_events: Whether that log is read, which is far larger than everything else.
        limits: How large it may be.
    """

    observed_at: datetime | None = None
    with_session_events: bool = False
    limits: Limits = field(default_factory=Limits)


def land(
    path: Path, landing: RowLanding, reading: Reading, *, progress: Progress | None = None
) -> DumpOutcome:
    """Land what a dump shows that the lake does not hold, and return what came of it.

    Args:
        path: The dump, plain, gzip or zstd.
        landing: Where rows go; its origin is the database.
        reading: When it was taken, and what of it is read.
        progress: Called with the number of bytes read since the last call.

    Raises:
        UsageError: It is not there, or no dump in text with rows of a known table.
        SourceError: A table could not be read; all others landed.
        LakeError: The lake cannot be written.
    """
    wanted = {each.name: each for each in tables.TABLES}
    if not reading.with_session_events:
        del wanted[tables.SESSION_EVENTS.name]
    with ByteStream(path, reading.limits, progress) as stream, ExitStack() as open_tables:
        observed_at = reading.observed_at or datetime.fromtimestamp(path.stat().st_mtime, UTC)
        source = redaction.redact_text(path.as_posix())
        dump = Dump(source, stream, wanted, max_line_bytes=reading.limits.max_document_bytes)
        found: dict[str, _TableLanding] = {}
        refused: dict[str, SourceError] = {}
        for block in dump.blocks():
            if block.table in refused:
                continue
            try:
                if block.table not in found:
                    live = _live(wanted[block.table], block, landing.origin.cluster)
                    _refuse_the_past(landing, live, observed_at)
                    found[block.table] = _TableLanding(live, block, landing, observed_at, source)
                    open_tables.callback(found[block.table].close)
                found[block.table].add(block)
            except SourceError as error:
                refused[block.table] = error
        if not found and not refused:
            raise UsageError(f"{source}: no rows of a known table; it should be what pg_dump writes as text")
        if stream.failure:
            landing.reject([Refusal(source, None, *stream.failure, "")])
        outcomes = [each.finish() for each in found.values()]
    landing.flush()
    if refused:
        raise SourceError("; ".join(map(str, refused.values())))
    return DumpOutcome(path, outcomes, dump.passed_over_count)


def _live(table: tables.SourceTable, block: Block, name: str) -> LiveTable:
    types = {column: block.types[column] for column in block.columns if column in block.types}
    if len(types) < len(block.columns):
        raise SourceError(
            f"{name}: {table.name}: line {block.line} has columns that no CREATE TABLE has;"
            " write the dump without --data-only"
        )
    return tables.live(table, types, database=name, server_version=0)


def _refuse_the_past(landing: RowLanding, live: LiveTable, observed_at: datetime) -> None:
    """Refuse a dump from before what landed: what was seen since and did not change would look undone."""
    seen_until = _seen_until(landing.lake, landing.origin.cluster, live.table.name)
    if seen_until and seen_until > observed_at:
        raise SourceError(
            f"{landing.origin.cluster}: {live.table.name}: the dump is of {observed_at:%Y-%m-%d %H:%M:%S} UTC"
            f" and the table landed as of {seen_until:%Y-%m-%d %H:%M:%S} UTC; land dumps in order of time,"
            " with --observed-at where the file's own time is not that of the dump"
        )


def _seen_until(lake: Lake, name: str, table: str) -> datetime | None:
    times: list[datetime] = []
    for rows in lake.read(COVERAGE, ["api_group", "resource", "until"], name):
        is_asked = pc.and_(pc.equal(rows["api_group"], "postgres"), pc.equal(rows["resource"], table))
        times += rows.filter(is_asked)["until"].to_pylist()
    return max(filter(None, times), default=None)


class _TableLanding:
    """One table of a dump on its way into the lake."""

    def __init__(
        self, live: LiveTable, block: Block, landing: RowLanding, observed_at: datetime, source: str
    ) -> None:
        self.live, self.landing, self.observed_at, self.source = live, landing, observed_at, source
        self.schema, self.columns = block.schema, block.columns
        self.row_count = self.landed_count = self.reject_count = 0
        self.oldest_at: datetime | None = None
        self.is_whole = True
        self.known = database.memory()
        latest_at = learn(self.known, landing, live)
        self.at = max(observed_at, latest_at + TICK) if latest_at else observed_at
        copied.prepare(self.known)
        self.known.execute("CREATE TABLE seen (key VARCHAR)")

    def close(self) -> None:
        self.known.close()

    def add(self, block: Block) -> None:
        """Land the rows of a block that are not as they are known.

        Raises:
            SourceError: It is of another schema than the block before.
        """
        if (block.schema, block.columns) != (self.schema, self.columns):
            self.is_whole = False
            raise SourceError(
                f"{self.landing.origin.cluster}: {block.table}: line {block.line} is of a second such table;"
                " dump one: pg_dump --schema=NAME"
            )
        for rows, refused in block.rows():
            self._reject(refused)
            self._add(rows)
        if not block.is_whole:
            message = f"the rows of {block.table} that begin here have no end; what is there was read"
            self._reject([Refused(block.line, "no_end", message, "")])

    def finish(self) -> Outcome:
        """Land what is gone, note what was seen, and return what came of the table."""
        table, landing = self.live.table, self.landing
        gone = NO_KEYS
        if not table.changed_by and not self.reject_count and self.is_whole:
            gone = database.arrow(self.known, "SELECT key FROM known ANTI JOIN seen USING (key) ORDER BY key")
            gone = gone.rename_columns([table.key])
        self._land(gone, is_deleted=True)
        unchanged_count = self.row_count - self.landed_count
        landing.tally.object_count += unchanged_count
        landing.tally.known_count += unchanged_count
        rejected = f"{self.reject_count} rows could not be read" if self.reject_count else ""
        message = "; ".join(filter(None, (str(self.live), rejected)))
        landing.saw(
            table.name,
            min(self.oldest_at or self.observed_at, self.observed_at),
            self.observed_at,
            row_count=self.row_count,
            state="file",
            source=self.source,
            message=message,
        )
        landed_count = self.landed_count + len(gone)
        return Outcome(table.name, self.row_count, landed_count, len(gone), message)

    def _add(self, rows: pa.Table) -> None:
        key, line = identifier(self.live.table.key), identifier(LINE)
        self.known.register("t", rows)
        self.known.execute(f"CREATE OR REPLACE TEMP TABLE piece AS {copied.select(self.live)}")
        self.known.unregister("t")
        self.known.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE first_row AS
            SELECT key, min(line) AS line
            FROM (SELECT {key} AS key, {line} AS line FROM piece WHERE wrong_column IS NULL)
            ANTI JOIN seen USING (key)
            GROUP BY key
            """
        )
        self.known.execute("INSERT INTO seen SELECT key FROM first_row")
        wrong = database.arrow(
            self.known,
            f"""
            SELECT {line} AS line, wrong_column
            FROM piece ANTI JOIN first_row ON piece.{line} = first_row.line
            ORDER BY line
            """,
        )
        changed = database.arrow(
            self.known,
            f"""
            SELECT piece.* EXCLUDE ({line}, wrong_column)
            FROM piece
            SEMI JOIN first_row ON piece.{line} = first_row.line
            ANTI JOIN known ON known.key = piece.{key} AND known.row_hash = piece.row_hash
            ORDER BY {line}
            """,
        )
        self._reject_rows(rows, wrong)
        self.row_count += len(rows) - len(wrong)
        self._note_oldest(self._land(changed))

    def _land(self, rows: pa.Table, *, is_deleted: bool = False) -> pa.Table:
        dataset, name = self.live.table.dataset, self.landing.origin.cluster
        versions = versions_of(dataset, rows, name, self.at, is_deleted=is_deleted)
        self.landing.add_new(dataset, versions)
        self.landed_count += 0 if is_deleted else len(rows)
        return versions

    def _note_oldest(self, versions: pa.Table) -> None:
        """Note since when a log tells of changes; any other table tells of one moment."""
        if self.live.table.changed_by and len(versions):
            oldest_at = pc.min(versions[self.live.table.changed_by]).as_py()
            self.oldest_at = min(filter(None, (self.oldest_at, oldest_at)), default=None)

    def _reject_rows(self, rows: pa.Table, wrong: pa.Table) -> None:
        if not len(wrong):
            return
        shown = rows.filter(pc.is_in(rows[LINE], wrong["line"].combine_chunks()))
        plain = [name for name in self.columns if self._is_shown(name)]
        excerpts = dict(zip(shown[LINE].to_pylist(), shown.select(plain).to_pylist(), strict=True))
        self._reject(
            [
                Refused(
                    line,
                    "invalid_value" if column else "duplicate_key",
                    f"{column} is no {self.live.types[column]}"
                    if column
                    else "a row with this key came before",
                    json.dumps(excerpts[line], ensure_ascii=False)[:EXCERPT_BYTES],
                )
                for line, column in zip(
                    wrong["line"].to_pylist(), wrong["wrong_column"].to_pylist(), strict=True
                )
            ]
        )

    def _reject(self, refused: Sequence[Refused]) -> None:
        has_hidden = not all(map(self._is_shown, self.columns))
        self.reject_count += len(refused)
        self.landing.reject(
            [
                Refusal(
                    self.source,
                    each.line,
                    each.reason,
                    f"{self.live.table.name}: {each.message}",
                    "" if has_hidden and each.reason not in _SHOWN else each.text,
                )
                for each in refused
            ]
        )

    def _is_shown(self, column: str) -> bool:
        """Return whether a column lands as it is, so that an excerpt may hold it."""
        table = self.live.table
        derived = {each.source for each in table.derived.values()}
        return column not in table.left_out | derived
