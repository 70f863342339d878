"""Building: the new files of the lake into typed tables and facts, in a file that replaces the last one.

A build copies the published warehouse, adds what the lake gained since, decides the facts anew,
and puts the copy in place by one rename. Readers have either the old file or the new one open.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gitopslab import __version__, database, queries
from gitopslab.errors import LakeError, QueryError
from gitopslab.lake import DATASETS, OBJECT_VERSIONS, VERSION_KEY, Lake, LakeFile
from gitopslab.queries import Query
from gitopslab.settings import Settings
from gitopslab.warehouse import bookkeeping, typed

_CHUNK_BYTES = 16 << 20
_CHUNK_FILES = 1_000
_KEY = ", ".join(VERSION_KEY)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class BuildResult:
    """What a build did.

    Attributes:
        build_id: Names the content: the same lake, queries and settings give the same id.
        is_full: Whether everything was typed anew, and not only what the lake gained.
        why_full: The reason for that, empty otherwise.
        file_count: Lake files read in this build.
        object_version_count: Object versions added in this build.
        unreadable_value_count: Values in the whole warehouse that did not fit their column.
        path: The warehouse.
    """

    build_id: str
    is_full: bool
    why_full: str
    file_count: int
    object_version_count: int
    unreadable_value_count: int
    path: Path

    def __str__(self) -> str:
        kind = f"full build ({self.why_full})" if self.is_full else "incremental build"
        lost = f"; {self.unreadable_value_count:,} values did not fit their column" if self.unreadable_value_count else ""
        return (
            f"{self.path}: {kind} {self.build_id}, {self.object_version_count:,} new object versions"
            f" from {self.file_count:,} new files{lost}"
        )


def build(settings: Settings, *, full: bool = False, progress: Progress | None = None) -> BuildResult:
    """Bring the warehouse up to date with the lake, and return what was done.

    Args:
        settings: Where lake and warehouse are, and what is configured.
        full: Type everything anew, even where the last build can be continued.
        progress: Called with a step's name, how far it is, and how far it goes.

    Raises:
        LakeError: The lake has no file, or another build is at work.
        QueryError: A query of queries/ fails; the published warehouse stays as it was.
    """
    lake = Lake(settings.lake.path)
    path = settings.warehouse.path
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        files = {file.path: (dataset.name, file) for dataset in DATASETS for file in lake.files(dataset)}
        if not files:
            raise LakeError(f"{lake.url}: the lake is empty; `gitopslab land files PATH` puts objects into it")
        work = _Work(lake, settings, path.with_name(f".{path.name}.building"), progress or (lambda *_: None))
        why_full = "asked for" if full else work.why_full(path, files.keys())
        result = work.run(path, files, why_full)
        os.replace(work.file, path)  # noqa: PTH105 - one atomic call, named for what it does
        return result


class _Work:
    def __init__(self, lake: Lake, settings: Settings, file: Path, progress: Progress) -> None:
        self.lake, self.settings, self.file, self.progress = lake, settings, file, progress
        self.typed_fingerprint = _fingerprint("parsed", "typed")

    def why_full(self, published: Path, files: object) -> str:
        """Return why the published warehouse cannot be continued, or nothing if it can."""
        if not published.is_file():
            return "the first"
        try:
            connection = database.read_only(published)
        except database.DatabaseError:
            return "the last one cannot be read"
        with connection:
            try:
                [(fingerprint, url)] = connection.execute("SELECT typed_fingerprint, lake FROM build").fetchall()
            except (database.DatabaseError, ValueError):
                return "the last one was not finished"
        if url != self.lake.url:
            return "another lake"
        return "" if fingerprint == self.typed_fingerprint else "typed tables changed"

    def run(self, published: Path, files: dict[str, tuple[str, LakeFile]], why_full: str) -> BuildResult:
        self._start(None if why_full else published)
        with database.read_write(self.file, memory_limit=self.settings.warehouse.memory_limit) as self.db:
            database.serve_filesystem(self.db, self.lake.url)
            if why_full:
                create_tables(self.db)
            else:
                self.db.execute(queries.macros())
            read = {path for (path,) in self.db.execute("SELECT path FROM lake_file").fetchall()}
            new = {path: found for path, found in files.items() if path not in read}
            objects = [file for _, (name, file) in sorted(new.items()) if name == OBJECT_VERSIONS.name]
            if self._name_clusters(objects) and not why_full:
                self.db.close()
                return self.run(published, files, "a cluster's uid became known")
            self._add_objects(objects)
            self._add_small(new)
            if new:
                self.db.executemany("INSERT INTO lake_file VALUES (?, ?)", [(p, new[p][0]) for p in sorted(new)])
            bookkeeping.configure(self.db, self.settings)
            decide(self.db, self.progress)
            return self._finish(published, files, why_full, len(new))

    def _start(self, published: Path | None) -> None:
        for leftover in self.file.parent.glob(f"{self.file.name}*"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        if published is not None:
            shutil.copyfile(published, self.file)

    def _name_clusters(self, files: list[LakeFile]) -> bool:
        """Note the uid of each cluster; return whether rows kept under a name only have one by now."""
        paths = [self.lake.full_path(file.path) for file in files]
        landed = "read_parquet($files, hive_partitioning = false)" if paths else "object_version"
        self.db.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE cluster_uid_by_name AS
            SELECT cluster, coalesce(
                max(uid) FILTER (resource = 'namespaces' AND name = 'kube-system' AND identity = 'server'),
                CASE WHEN count(DISTINCT cluster_uid) = 1 THEN max(cluster_uid) END) AS known_uid
            FROM (SELECT cluster, cluster_uid, resource, name, identity, uid FROM {landed}
                  UNION ALL SELECT cluster, cluster_uid, resource, name, identity, uid FROM object_version)
            WHERE NOT starts_with(cluster_uid, 'name:') OR (resource = 'namespaces' AND name = 'kube-system')
            GROUP BY cluster
            """,
            {"files": paths} if paths else {},
        )
        [(outdated,)] = self.db.execute(
            "SELECT count(*) FROM object_version JOIN cluster_uid_by_name USING (cluster)"
            " WHERE starts_with(cluster_uid, 'name:') AND known_uid IS NOT NULL"
        ).fetchall()
        return bool(outdated)

    def _add_objects(self, files: list[LakeFile]) -> None:
        done = 0
        for chunk in _chunks(files):
            self._add_chunk([self.lake.full_path(file.path) for file in chunk])
            done += len(chunk)
            self.progress("typing objects", done, len(files))

    def _add_chunk(self, files: list[str]) -> None:
        """Add the object versions of `files` that are not there yet; of two alike, the first seen."""
        source = (
            f"read_parquet([{', '.join(database.literal(file) for file in files)}],"
            " hive_partitioning = false, filename = true, file_row_number = true)"
        )
        named = "CASE WHEN starts_with(cluster_uid, 'name:') THEN coalesce(known_uid, cluster_uid) ELSE cluster_uid END"
        self.db.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE new_version AS
            SELECT * FROM (
                SELECT version.* EXCLUDE (body) REPLACE ({named} AS cluster_uid)
                FROM {source} AS version LEFT JOIN cluster_uid_by_name USING (cluster)
            ) ANTI JOIN object_version USING ({_KEY})
            QUALIFY row_number() OVER (PARTITION BY {_KEY} ORDER BY observed_at, filename, file_row_number) = 1
            """
        )
        [(count,)] = self.db.execute("SELECT count(*) FROM new_version").fetchall()
        if not count:
            return
        self.db.execute("INSERT INTO object_version BY NAME SELECT * EXCLUDE (filename, file_row_number) FROM new_version")
        for query in self._parse(source):
            self._type(query)

    def _parse(self, source: str) -> list[Query]:
        """Parse the kinds that this chunk holds, and return the typed queries that have something to read."""
        present = {resource for (resource,) in self.db.execute("SELECT DISTINCT resource FROM new_version").fetchall()}
        parsed = [query for query in queries.room("parsed") if typed.resource(query) in present]
        try:
            self._parse_each(parsed, source, "version.body")
        except QueryError as error:
            if "JSON" not in str(error):
                raise
            # Looking at every text first costs a second pass, so it is done only for a chunk that needs it.
            self._parse_each(parsed, source, "CASE WHEN json_valid(version.body) THEN version.body END")
        for query in parsed:
            self.db.execute(
                f"""
                INSERT INTO unreadable_value
                SELECT '{query.name}', unnest(misshapen), cluster_uid, uid, resource_version, NULL
                FROM {query.name} WHERE len(misshapen) > 0
                """
            )
        names = {query.name for query in parsed}
        found = [query for query in queries.room("typed") if names & set(query.reads)]
        self._empty({name for query in found for name in query.reads} - names)
        return found

    def _empty(self, names: set[str]) -> None:
        """Make the parsed tables of kinds that this chunk does not hold, but some query reads, empty."""
        if names:
            see_nothing(self.db)
        for name in names:
            _parse(self.db, queries.query(name))

    def _parse_each(self, parsed: list[Query], source: str, body: str) -> None:
        self.db.execute(
            f"""
            CREATE OR REPLACE TEMP VIEW object_versions AS
            SELECT version.* EXCLUDE (filename, file_row_number)
                REPLACE (new_version.cluster_uid AS cluster_uid, {body} AS body)
            FROM {source} AS version JOIN new_version USING (filename, file_row_number)
            """
        )
        for query in parsed:
            _parse(self.db, query)

    def _type(self, query: Query) -> None:
        rows = query.sql
        if not typed.is_per_version(query):
            grain = ", ".join(query.grain)
            same = " AND ".join(f"kept.{column} IS NOT DISTINCT FROM new.{column}" for column in query.grain)
            rows = (
                f"SELECT * FROM (\n{rows}\n) AS new WHERE NOT EXISTS (SELECT 1 FROM {query.name} AS kept WHERE {same})\n"
                f"QUALIFY row_number() OVER (PARTITION BY {grain}"
                " ORDER BY observed_at, length(resource_version), resource_version) = 1"
            )
        _execute(self.db, f"INSERT INTO {query.name} BY NAME\n{rows}", query)
        if lost := typed.unreadable_values(query):
            _execute(self.db, f"INSERT INTO unreadable_value BY NAME\n{lost}", query)

    def _add_small(self, new: dict[str, tuple[str, LakeFile]]) -> None:
        for table, dataset in bookkeeping.SMALL_DATASETS.items():
            if files := [self.lake.full_path(path) for path, (name, _) in sorted(new.items()) if name == dataset.name]:
                grain = ", ".join(bookkeeping.TABLES[table].grain)
                self.db.execute(
                    f"""
                    INSERT INTO {table} BY NAME
                    SELECT * EXCLUDE (filename, file_row_number)
                    FROM read_parquet($files, hive_partitioning = false, filename = true, file_row_number = true)
                    ANTI JOIN {table} USING ({grain})
                    QUALIFY row_number() OVER (PARTITION BY {grain} ORDER BY filename, file_row_number) = 1
                    """,
                    {"files": files},
                )

    def _finish(
        self, published: Path, files: dict[str, tuple[str, LakeFile]], why_full: str, file_count: int
    ) -> BuildResult:
        db = self.db
        [(versions, unreadable)] = db.execute(
            "SELECT (SELECT count(*) FROM object_version), (SELECT count(*) FROM unreadable_value)"
        ).fetchall()
        previous = db.execute("SELECT object_version_count FROM build").fetchall()
        content = "\n".join((__version__, *sorted(files), self.settings.model_dump_json(include=_DECIDING)))
        build_id = _hash(content, _fingerprint("parsed", "typed", "facts"))
        db.execute("DELETE FROM build")
        db.execute(
            "INSERT INTO build VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [build_id, datetime.now(UTC), __version__, self.typed_fingerprint, self.lake.url, len(files), versions, bool(why_full)],
        )
        db.execute("CHECKPOINT")
        db.execute("USE memory")
        db.execute("DETACH warehouse")
        _sync(self.file)
        added = versions - (previous[0][0] if previous else 0)
        return BuildResult(build_id, bool(why_full), why_full, file_count, added, unreadable, published)

def create_tables(db: database.Connection) -> None:
    """Create every table of a warehouse, empty, but for those that facts are decided into."""
    db.execute(queries.macros())
    bookkeeping.create(db)
    see_nothing(db)
    for query in queries.room("parsed"):
        _parse(db, query)
    for query in queries.room("typed"):
        _execute(db, f"CREATE TABLE {query.name} AS SELECT * FROM (\n{query.sql}\n)", query)


def see_nothing(db: database.Connection) -> None:
    """Let parsed queries read no object version at all."""
    lake_columns = [*((row[0], row[1]) for row in db.execute("DESCRIBE object_version").fetchall()), ("body", "VARCHAR")]
    columns = ", ".join(f"NULL::{kind} AS {name}" for name, kind in lake_columns)
    db.execute(f"CREATE OR REPLACE TEMP VIEW object_versions AS SELECT {columns} WHERE false")


def decide(db: database.Connection, progress: Progress) -> None:
    """Make every fact anew from the typed tables of `db`."""
    facts = queries.room("facts")
    for number, query in enumerate(facts, 1):
        _execute(db, f"CREATE OR REPLACE TABLE {query.name} AS\n{query.sql}", query)
        progress("deciding facts", number, len(facts))


def _parse(db: database.Connection, query: Query) -> None:
    _execute(db, f"CREATE OR REPLACE TEMP TABLE {query.name} AS\n{typed.parsed_with_shape(query)}", query)


def _execute(db: database.Connection, sql: str, query: Query) -> None:
    try:
        db.execute(sql)
    except database.DatabaseError as error:
        raise QueryError(f"queries/{query.room}/{query.name}.sql: {error}") from error


_DECIDING = {"clusters", "lanes", "environments", "services", "repositories"}


def _chunks(files: list[LakeFile]) -> Iterator[list[LakeFile]]:
    chunk: list[LakeFile] = []
    size = 0
    for file in files:
        if chunk and (size + file.size_bytes > _CHUNK_BYTES or len(chunk) == _CHUNK_FILES):
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += file.size_bytes
    if chunk:
        yield chunk


def _fingerprint(*rooms: str) -> str:
    texts = [query.sql for room in rooms for query in queries.room(room)]
    tables = [f"{name} {table.create}" for name, table in bookkeeping.TABLES.items()]
    return _hash(queries.macros(), *texts, *tables, __version__)


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def _sync(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LakeError(f"{path}: another build is at work; wait for it to end") from error
        yield
