"""What the lake holds of a resource by now: the objects that are there, and the versions that may come again.

A watch that goes on after a restart is served everything since its checkpoint once more, and a list
shows each object in the version it has: so these are all the versions that need to be known.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from gitopslab import database
from gitopslab.datasets import CHECKPOINTS, OBJECT_VERSIONS
from gitopslab.errors import LakeError
from gitopslab.lake import Lake

_RECENT_VERSIONS = 2_048

ResourceKey = tuple[str, str]
"""API group and plural name."""


class Present(msgspec.Struct, frozen=True, gc=False):
    """An object that is there, by what of it is needed to say that it is gone."""

    resource_version: str
    namespace: str
    name: str


class Checkpoint(NamedTuple):
    """How far a watch came.

    Attributes:
        resource_version: Everything up to here is landed.
        heard_at: When the API server was last heard.
        last_event_at: When it last told of a change.
        watched_since: When the stretch of the watch began that coverage has no row for yet.
    """

    resource_version: str
    heard_at: datetime
    last_event_at: datetime | None
    watched_since: datetime


@dataclass
class Memory:
    """What is known of one resource of one cluster.

    Attributes:
        present: The objects that are there, by uid, in the version that landed last.
        checkpoint: Where the last watch stopped, if there was one.
    """

    present: dict[str, Present] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None
    _recent: dict[tuple[str, str], None] = field(default_factory=dict)
    _recent_limit: int = _RECENT_VERSIONS

    def expect_again(self, versions: Iterable[tuple[str, str]]) -> None:
        """Know `versions` (uid, resource version), which landed after the checkpoint."""
        self._recent.update(dict.fromkeys(versions))
        self._recent_limit = max(_RECENT_VERSIONS, len(self._recent))

    def knows(self, uid: str, resource_version: str) -> bool:
        """Return whether the version has landed, as far as it can come again."""
        there = self.present.get(uid)
        is_present = there is not None and there.resource_version == resource_version
        return is_present or (uid, resource_version) in self._recent

    def expect_none_again(self) -> None:
        """Forget what may come again: the numbers of versions are given out anew, to others."""
        self._recent.clear()

    def saw(self, uid: str, present: Present) -> None:
        """Take note of a version that a list showed, and that is about to land."""
        self.present[uid] = present

    def heard(self, uid: str, present: Present, *, is_deleted: bool) -> None:
        """Take note of a version that a watch told, and that is about to land; it may be told again."""
        if is_deleted:
            self.present.pop(uid, None)
        else:
            self.present[uid] = present
        self._recent[uid, present.resource_version] = None
        while len(self._recent) > self._recent_limit:
            del self._recent[next(iter(self._recent))]


def recall(lake: Lake, cluster: str, cluster_uid: str) -> dict[ResourceKey, Memory]:
    """Return what `lake` holds of every resource of a cluster."""
    memories: dict[ResourceKey, Memory] = {}
    with database.memory() as connection:
        for key, checkpoint in _checkpoints(connection, lake, cluster, cluster_uid):
            memories[key] = Memory(checkpoint=checkpoint)
        if not _see(connection, lake, cluster, cluster_uid):
            return memories
        for key, uid, present in _present(connection):
            memories.setdefault(key, Memory()).present[uid] = present
        _note_checkpoints(connection, memories)
        for key, versions in _landed_since(connection).items():
            memories[key].expect_again(versions)
    return memories


def last_bodies(lake: Lake, cluster: str, versions: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the JSON of those of `versions` (uid, resource version) that the lake has for `cluster`, by uid.

    Raises:
        LakeError: It cannot be read.
    """
    try:
        return _last_bodies(lake, cluster, versions)
    except database.DatabaseError:
        # A file that is gone was merged into another one since the folder was listed.
        with suppress(database.DatabaseError):
            return _last_bodies(lake, cluster, versions)
    raise LakeError(f"{lake.url}: the object versions of cluster {cluster} cannot be read")


def _last_bodies(lake: Lake, cluster: str, versions: Sequence[tuple[str, str]]) -> dict[str, str]:
    with database.memory() as connection:
        files = [lake.full_path(file.path) for file in lake.files(OBJECT_VERSIONS, cluster)]
        if not files:
            return {}
        database.serve_filesystem(connection, lake.url)
        connection.execute("CREATE TABLE wanted (uid VARCHAR, resource_version VARCHAR)")
        connection.executemany("INSERT INTO wanted VALUES (?, ?)", versions)
        rows = connection.execute(
            f"SELECT uid, any_value(body) FROM {database.parquet(files)}"
            " SEMI JOIN wanted USING (uid, resource_version) GROUP BY uid"
        ).fetchall()
    return dict(rows)


# Of one resource in one cluster, resource versions are numbers that grow (KEP-5504, stable in 1.35).
_NUMBER = "coalesce(TRY_CAST({}resource_version AS UBIGINT), 0)"


def _checkpoints(
    connection: database.Connection, lake: Lake, cluster: str, cluster_uid: str
) -> Iterator[tuple[ResourceKey, Checkpoint]]:
    files = [lake.full_path(file.path) for file in lake.files(CHECKPOINTS, cluster)]
    if not files:
        return
    database.serve_filesystem(connection, lake.url)
    rows = _rows(
        connection,
        f"""
        SELECT api_group, resource, resource_version, noted_at, last_event_at, watched_since
        FROM {database.parquet(files)} WHERE cluster_uid = $cluster_uid
        QUALIFY row_number() OVER (
            PARTITION BY api_group, resource
            ORDER BY noted_at DESC, {_NUMBER.format("")} DESC, watched_since DESC
        ) = 1
        """,
        {"cluster_uid": cluster_uid},
    )
    for api_group, resource, *checkpoint in rows:
        yield (api_group, resource), Checkpoint(*checkpoint)


def _see(connection: database.Connection, lake: Lake, cluster: str, cluster_uid: str) -> bool:
    """Let `connection` see what identifies the versions landed for the cluster; return whether there are any.

    Those that came from files, when the cluster was known by its name only, are among them.
    """
    files = [lake.full_path(file.path) for file in lake.files(OBJECT_VERSIONS, cluster)]
    if not files:
        return False
    database.serve_filesystem(connection, lake.url)
    uids = ", ".join(map(database.literal, (cluster_uid, f"name:{cluster}")))
    connection.execute(
        f"""
        CREATE VIEW landed AS
        SELECT api_group, resource, namespace, name, uid, resource_version, event_type, observed_at
        FROM {database.parquet(files)} WHERE identity = 'server' AND cluster_uid IN ({uids})
        """
    )
    return True


def _present(connection: database.Connection) -> Iterator[tuple[ResourceKey, str, Present]]:
    rows = _rows(
        connection,
        f"""
        SELECT api_group, resource, uid, last.resource_version, last.namespace, last.name
        FROM (
            SELECT api_group, resource, uid, arg_max(
                {{'resource_version': resource_version, 'namespace': namespace, 'name': name,
                  'is_deleted': event_type IS NOT DISTINCT FROM 'DELETED'}},
                {{'number': {_NUMBER.format("")}, 'at': observed_at}}
            ) AS last
            FROM landed GROUP BY api_group, resource, uid
        )
        WHERE NOT last.is_deleted
        """,
    )
    for api_group, resource, uid, *present in rows:
        yield (api_group, resource), uid, Present(*present)


def _note_checkpoints(connection: database.Connection, memories: dict[ResourceKey, Memory]) -> None:
    connection.execute(
        "CREATE TABLE checkpoint (api_group VARCHAR, resource VARCHAR, resource_version VARCHAR)"
    )
    noted = [
        (*key, memory.checkpoint.resource_version) for key, memory in memories.items() if memory.checkpoint
    ]
    if noted:
        connection.executemany("INSERT INTO checkpoint VALUES (?, ?, ?)", noted)


def _landed_since(connection: database.Connection) -> dict[ResourceKey, list[tuple[str, str]]]:
    found: dict[ResourceKey, list[tuple[str, str]]] = {}
    rows = _rows(
        connection,
        f"""
        SELECT DISTINCT api_group, resource, uid, landed.resource_version
        FROM landed JOIN checkpoint USING (api_group, resource)
        WHERE {_NUMBER.format("landed.")} > {_NUMBER.format("checkpoint.")}
        """,
    )
    for api_group, resource, uid, resource_version in rows:
        found.setdefault((api_group, resource), []).append((uid, resource_version))
    return found


def _rows(
    connection: database.Connection, sql: str, parameters: dict[str, Any] | None = None
) -> Iterator[tuple[Any, ...]]:
    for batch in database.arrow(connection, sql, parameters).to_batches(max_chunksize=10_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
