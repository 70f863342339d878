"""Rows of sources that are no Kubernetes: redacted, dropped where the lake holds them, and appended."""

from datetime import datetime
from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc

from gitopslab import database, redaction
from gitopslab.datasets import Dataset
from gitopslab.extract.run import ExtractRun, Origin
from gitopslab.lake import Lake

_BATCH_ROWS = 262_144


class RowLanding(ExtractRun):
    """One extract run that lands rows; use it as a context manager.

    A row that the lake holds already, by the grain of its dataset, is counted as known and not kept
    twice. Credentials and e-mail addresses are hidden in the columns that the dataset names.

    Args:
        lake: Where rows go.
        origin: Where they come from: `cluster` names the repository, database or other source, and `how`
            its system (`git`, `postgres`); both stand in coverage.
        email_salt: Mixed into the hashes that stand for e-mail addresses.
    """

    def __init__(self, lake: Lake, origin: Origin, *, email_salt: str = "") -> None:
        super().__init__(lake, origin, email_salt=email_salt)
        self._known = database.memory()
        self._known_days: dict[str, set[str | None]] = {}
        self._waiting: dict[str, tuple[Dataset, list[pa.Table]]] = {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self._known.close()

    def add(self, dataset: Dataset, rows: pa.Table) -> None:
        """Take `rows`, which have every column of `dataset`; they are durable after the next `flush()`.

        Raises:
            LakeError: A column lacks, or does not fit.
        """
        self.tally.object_count += len(rows)
        _, waiting = self._waiting.setdefault(dataset.name, (dataset, []))
        waiting.append(rows)
        if sum(map(len, waiting)) >= _BATCH_ROWS:
            self._write_rows(dataset.name)

    def add_new(self, dataset: Dataset, rows: pa.Table) -> None:
        """Write `rows`, of which the caller knows that the lake holds none; they are durable at once.

        Raises:
            LakeError: A column lacks, or does not fit.
        """
        self.tally.object_count += len(rows)
        if len(rows):
            self._land(dataset, rows.combine_chunks())

    def saw(  # noqa: PLR0913 - a row of coverage has these parts
        self,
        resource: str,
        since: datetime,
        until: datetime,
        *,
        row_count: int | None = None,
        state: str = "read",
        source: str = "",
        message: str = "",
    ) -> None:
        """Note that `resource` of this source is known from `since` to `until`, or why it is not."""
        row = {
            "api_group": self.origin.how,
            "resource": resource,
            "state": state,
            "since": since,
            "until": until,
            "object_count": row_count,
            "source": source,
            "message": message,
        }
        self.cover([row])

    def flush(self) -> None:
        """Return when everything added so far is durable, rows before what was noted of them.

        Raises:
            LakeError: It could not be written.
        """
        for name in list(self._waiting):
            self._write_rows(name)
        super().flush()

    def _write_rows(self, name: str) -> None:
        dataset, waiting = self._waiting.pop(name)
        rows = pa.concat_tables(waiting, promote_options="permissive").combine_chunks()
        new = self._new(dataset, rows)
        if len(new):
            self._land(dataset, new)

    def _land(self, dataset: Dataset, new: pa.Table) -> None:
        for column in (*dataset.json_columns, *dataset.free_text_columns):
            hidden = _hidden(new[column], is_json=column in dataset.json_columns, salt=self._salt)
            new = new.set_column(new.schema.get_field_index(column), column, hidden.bodies)
            self.tally.redaction_count += pc.sum(hidden.counts).as_py() or 0
        self.lake.write(dataset, new, self.run_id)
        self.tally.landed_count += len(new)
        self.tally.kinds[dataset.name, self.origin.how] += len(new)

    def _new(self, dataset: Dataset, rows: pa.Table) -> pa.Table:
        """Return those of `rows` that the lake does not hold, each once."""
        key = ", ".join(dataset.grain)
        table = f"known_{dataset.table}"
        self._learn(dataset, table, rows)
        keys = rows.select(list(dataset.grain)).append_column("place", pa.array(range(len(rows))))
        self._known.register("batch", keys)
        self._known.execute(
            f"CREATE OR REPLACE TEMP TABLE new_key AS SELECT {key}, min(place) AS place"
            f" FROM batch ANTI JOIN {table} USING ({key}) GROUP BY {key}"
        )
        self._known.unregister("batch")
        self._known.execute(f"INSERT INTO {table} SELECT {key} FROM new_key")
        places = database.arrow(self._known, "SELECT place FROM new_key ORDER BY place")["place"]
        self.tally.known_count += len(rows) - len(places)
        return rows if len(places) == len(rows) else rows.take(places)

    def _learn(self, dataset: Dataset, table: str, rows: pa.Table) -> None:
        """Fill `table` with the keys in the lake that a row of `rows` could have."""
        grain = list(dataset.grain)
        if dataset.name not in self._known_days:
            self._known.register("keys", rows.select(grain).slice(0, 0))
            self._known.execute(f"CREATE TABLE {table} AS SELECT * FROM keys")
            self._known.unregister("keys")
        learned = self._known_days.setdefault(dataset.name, set())
        for day in sorted(_days(dataset, rows) - learned, key=str):
            for keys in self.lake.read(dataset, grain, self.origin.cluster, day=day):
                self._known.register("keys", keys)
                self._known.execute(f"INSERT INTO {table} SELECT * FROM keys")
                self._known.unregister("keys")
            learned.add(day)


def _days(dataset: Dataset, rows: pa.Table) -> set[str | None]:
    """Return the days whose files may hold rows alike; None where that may be the file of any day."""
    if dataset.dated_by not in dataset.grain:
        return {None}
    return set(pc.unique(rows[dataset.dated_by].cast(pa.date32())).cast(pa.string()).to_pylist())


def _hidden(texts: pa.ChunkedArray, *, is_json: bool, salt: str) -> redaction.Redacted:
    """Return texts with their credentials hidden; a text that comes often is read once."""
    coded = texts.combine_chunks().dictionary_encode()
    if is_json:
        hidden = redaction.redact(coded.dictionary, salt=salt)
    else:
        hidden = redaction.redact_texts(coded.dictionary, salt=salt)
    return redaction.Redacted(
        hidden.bodies.take(coded.indices), pc.fill_null(hidden.counts.take(coded.indices), 0)
    )
