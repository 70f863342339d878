"""Landing: from objects as they were read, into the lake, once, without their secrets.

Reading goes on while other threads redact, drop what the lake already holds, and write; a batch
that was written stays, whatever happens to the run afterwards.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from io import BytesIO
from itertools import chain
from threading import Lock, local
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gitopslab import database, redaction
from gitopslab.datasets import OBJECT_VERSIONS, VERSION_KEY
from gitopslab.extract import deployments
from gitopslab.extract.run import Books, ExtractRun, Origin
from gitopslab.lake import Lake
from gitopslab.settings import ENVIRONMENT_NAMES

_BATCH_BYTES = 48 << 20
_BATCH_ROWS = 65_536
_WRITERS = 2


Body = bytes | msgspec.Raw
"""One object's JSON, in memory of its own or as part of a larger text."""


class Batch(NamedTuple):
    """Object versions that were read together; every list has one entry an object.

    The names are those of the lake's columns; `bodies` holds one object's JSON each.
    """

    api_groups: Sequence[str]
    api_versions: Sequence[str]
    resources: Sequence[str]
    kinds: Sequence[str]
    namespaces: Sequence[str]
    names: Sequence[str]
    uids: Sequence[str]
    resource_versions: Sequence[str]
    event_types: Sequence[str | None]
    observed_at: Sequence[datetime]
    source_lines: Sequence[int | None]
    bodies: Sequence[Body]


class _Addition(NamedTuple):
    batch: Batch
    source: str
    how: str
    is_inferred: bool


class _Identities(NamedTuple):
    uids: Sequence[str]
    resource_versions: Sequence[str]
    kinds: Sequence[str]


class Landing(ExtractRun):
    """One extract run that lands objects; use it as a context manager.

    Args:
        lake: Where objects go.
        origin: Where they come from.
        email_salt: Mixed into the hashes that stand for e-mail addresses.
        environment_names: Globs of the environment variables of Deployments that keep their values.
        has_all_new: Whether whoever adds has left out what the lake holds, so that nothing is looked up,
            and nothing remembered.
    """

    def __init__(
        self,
        lake: Lake,
        origin: Origin,
        *,
        email_salt: str = "",
        environment_names: Sequence[str] = ENVIRONMENT_NAMES,
        has_all_new: bool = False,
    ) -> None:
        super().__init__(lake, origin, email_salt=email_salt)
        self._known = None if has_all_new else database.memory()
        self._environment_names = environment_names
        self._alone = Lock()
        self._texts = _Texts()
        self._writer = ThreadPoolExecutor(_WRITERS, "landing")
        self._writing: list[Future[None]] = []
        self._waiting: list[_Addition] = []
        self._waiting_bytes = self._waiting_rows = 0

    def __enter__(self) -> Self:
        if self._known:
            self.lake.known_versions(self._known, self.origin.cluster)
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self._writer.shutdown(wait=True)
            if self._known:
                self._known.close()

    def add(self, batch: Batch, source: str, *, how: str = "", is_inferred: bool = False) -> None:
        """Take `batch`, read from `source`; it is durable after the next `flush()`.

        Args:
            batch: Object versions that were read together.
            source: File or path they were read from.
            how: How they were seen, where that is not the run's own way.
            is_inferred: Whether nobody saw them, and they follow from what was seen.
        """
        self.tally.object_count += len(batch.bodies)
        self._waiting.append(_Addition(batch, source, how or self.origin.how, is_inferred))
        self._waiting_rows += len(batch.bodies)
        self._waiting_bytes += sum(map(len, batch.bodies))
        if self._waiting_bytes >= _BATCH_BYTES or self._waiting_rows >= _BATCH_ROWS:
            self._hand_over()

    def refuse_secrets(self, count: int) -> None:
        """Count Secret objects that were met; nothing of them is kept."""
        self.tally.refused_secret_count += count

    def flush(self) -> None:
        """Return when everything added so far is durable.

        Raises:
            LakeError: It could not be written.
        """
        self._hand_over()
        while self._writing:
            self._writing.pop(0).result()

    def _hand_over(self) -> None:
        if not self._waiting and not self._has_notes:
            return
        while len(self._writing) > _WRITERS:
            self._writing.pop(0).result()
        additions, self._waiting = self._waiting, []
        books = self._take_books()
        self._waiting_bytes = self._waiting_rows = 0
        self._writing.append(self._writer.submit(self._write, additions, books, list(self._writing)))

    def _write(self, additions: list[_Addition], books: Books, earlier: list[Future[None]]) -> None:
        if additions:
            self._write_objects(additions)
        if any(books.values()):
            # A note is kept only if all that came before it is: what failed there fails here too.
            for future in earlier:
                future.result()
        self._write_books(books)

    def _write_objects(self, additions: list[_Addition]) -> None:
        # Columns of many batches, each with all its values one after another and in one piece: what
        # redaction is quick on.
        columns: Any = zip(*(addition.batch for addition in additions), strict=True)
        joined = Batch._make(list(chain.from_iterable(column)) for column in columns)
        identities = _identities(joined)
        places = self._new_places(self._known, joined, identities) if self._known else None
        if places is not None and not len(places):
            return
        rows = self._table(joined, identities, additions)
        if places is not None and len(places) < len(rows):
            rows = rows.take(places)
        rows = deployments.without_environment(rows, self._environment_names)
        redacted = redaction.redact(rows["body"], salt=self._salt)
        rows = rows.set_column(rows.schema.get_field_index("body"), "body", redacted.bodies)
        rows = rows.append_column("redaction_count", redacted.counts)
        self.lake.write(OBJECT_VERSIONS, rows, self.run_id)
        groups = rows.group_by(["api_group", "resource"]).aggregate([([], "count_all")]).to_pylist()
        with self._alone:
            self.tally.landed_count += len(rows)
            self.tally.redaction_count += pc.sum(redacted.counts).as_py() or 0
            for group in groups:
                self.tally.kinds[group["api_group"], group["resource"]] += group["count_all"]

    def _new_places(
        self, known: database.Connection, batch: Batch, identities: _Identities
    ) -> pa.ChunkedArray:
        """Return where in `batch` the versions are that the lake does not hold yet, each once."""
        count = len(batch.bodies)
        keys = {
            "cluster_uid": pa.repeat(self.cluster_uid, count),
            "resource": pa.array(batch.resources, pa.string()),
            "uid": pa.array(identities.uids, pa.string()),
            "resource_version": pa.array(identities.resource_versions, pa.string()),
            "place": pa.array(np.arange(count)),
        }
        key = ", ".join(VERSION_KEY)
        with self._alone:
            known.register("batch", pa.table(keys))
            known.execute(
                f"CREATE OR REPLACE TEMP TABLE new_version AS SELECT {key}, min(place) AS place"
                f" FROM batch ANTI JOIN known_version USING ({key}) GROUP BY {key}"
            )
            known.unregister("batch")
            known.execute(f"INSERT INTO known_version SELECT {key} FROM new_version")
            places = database.arrow(known, "SELECT place FROM new_version ORDER BY place")["place"]
            self.tally.known_count += count - len(places)
        return places

    def _table(self, batch: Batch, identities: _Identities, additions: list[_Addition]) -> pa.Table:
        count = len(batch.bodies)
        constants = {
            "cluster": self.origin.cluster,
            "cluster_uid": self.cluster_uid,
            "run_id": self.run_id,
        }
        columns: dict[str, Any] = {name: pa.repeat(value, count) for name, value in constants.items()}
        columns |= {
            "api_group": pa.array(batch.api_groups, pa.string()),
            "api_version": pa.array(batch.api_versions, pa.string()),
            "resource": pa.array(batch.resources, pa.string()),
            "kind": pa.array(batch.kinds, pa.string()),
            "namespace": pa.array(batch.namespaces, pa.string()),
            "name": pa.array(batch.names, pa.string()),
            "uid": pa.array(identities.uids, pa.string()),
            "resource_version": pa.array(identities.resource_versions, pa.string()),
            "identity": pa.array(identities.kinds, pa.string()),
            "event_type": pa.array(batch.event_types, pa.string()),
            "observed_at": pa.array(batch.observed_at, pa.timestamp("us", tz="UTC")),
            "is_inferred": pa.array(_each(additions, "is_inferred"), pa.bool_()),
            "how": pa.array(_each(additions, "how"), pa.string()),
            "source": pa.array(_each(additions, "source"), pa.string()),
            "source_line": pa.array(batch.source_lines, pa.int64()),
            "body": self._texts.array(batch.bodies),
        }
        return pa.table(columns)


class _Texts(local):
    """Memory for the bodies one thread writes, taken once: fresh pages cost more than the copying does.

    An array lasts until its thread asks for the next one; while something still holds the last one, the
    next gets memory of its own.
    """

    def __init__(self) -> None:
        self._memory = BytesIO()

    def array(self, bodies: Sequence[Body]) -> pa.StringArray:
        """Return bodies as Arrow text, by one copy; whoever read them has checked that they are UTF-8."""
        ends = np.cumsum(np.fromiter(map(len, bodies), np.int64, len(bodies)))
        offsets = np.concatenate(([0], ends)).astype(np.int32)
        try:
            self._memory.seek(0)
            self._memory.writelines(bodies)
        except BufferError:
            self._memory = BytesIO()
            self._memory.writelines(bodies)
        texts = pa.py_buffer(self._memory.getbuffer())
        return pa.StringArray.from_buffers(len(bodies), pa.py_buffer(offsets), texts)


def _each(additions: list[_Addition], attribute: str) -> list[Any]:
    """Return an attribute of `additions`, once for every object in them."""
    return list(
        chain.from_iterable([getattr(each, attribute)] * len(each.batch.bodies) for each in additions)
    )


def _identities(batch: Batch) -> _Identities:
    """Return what each object is known by.

    An object from a file may lack uid or resource version: it is then known by namespace and name,
    and its version by its content.
    """
    if all(batch.uids) and all(batch.resource_versions):
        return _Identities(batch.uids, batch.resource_versions, ["server"] * len(batch.uids))
    uids, versions, kinds = [], [], []
    for uid, version, namespace, name, body in zip(
        batch.uids, batch.resource_versions, batch.namespaces, batch.names, batch.bodies, strict=True
    ):
        uids.append(uid or f"name:{namespace}/{name}")
        versions.append(version or f"content:{hashlib.sha256(body).hexdigest()[:16]}")
        kinds.append("server" if uid and version else "content")
    return _Identities(uids, versions, kinds)
