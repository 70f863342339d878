"""Object versions of new lake files, into `object_version` and the typed tables."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from gitopslab import database, queries
from gitopslab.datasets import VERSION_KEY
from gitopslab.errors import QueryError
from gitopslab.lake import Lake, LakeFile
from gitopslab.queries import Query
from gitopslab.warehouse import typed
from gitopslab.warehouse.schema import Progress, execute, parse, see_nothing

# What is typed at once: large enough to be quick, small enough to stay within the memory limit.
_CHUNK_BYTES = 48 << 20
_CHUNK_FILES = 1_000
# Typed queries run side by side, since half of what one does keeps a single core busy.
_TYPING_THREADS = 2
_KEY = ", ".join(VERSION_KEY)

# One number that puts versions in the order they were seen in, and within one instant in the API server's.
_VERSION_ORDER = (
    "epoch_us(observed_at)::HUGEINT * 18446744073709551616"
    " + coalesce(TRY_CAST(resource_version AS UBIGINT), hash(resource_version))"
)


class ObjectAdder:
    """Adds object versions to the warehouse that `db` is building.

    Attributes:
        changed: Tables that gained rows.
    """

    def __init__(self, db: database.Connection, lake: Lake) -> None:
        self.db, self.lake = db, lake
        self.changed: set[str] = set()

    def name_clusters(self, files: list[LakeFile]) -> bool:
        """Note the uid of each cluster; return whether rows kept under a name only have one by now."""
        paths = [self.lake.full_path(file.path) for file in files]
        landed = database.parquet(paths) if paths else "object_version"
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
            """
        )
        [(outdated,)] = self.db.execute(
            "SELECT count(*) FROM object_version JOIN cluster_uid_by_name USING (cluster)"
            " WHERE starts_with(cluster_uid, 'name:') AND known_uid IS NOT NULL"
        ).fetchall()
        return bool(outdated)

    def add(self, files: list[LakeFile], progress: Progress) -> None:
        """Add the object versions of `files` that are not there yet; of two alike, the first seen."""
        done = 0
        for chunk in _chunks(files):
            self._add_chunk([self.lake.full_path(file.path) for file in chunk])
            done += len(chunk)
            progress("typing objects", done, len(files))

    def _add_chunk(self, files: list[str]) -> None:
        self.db.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE new_version AS
            SELECT * EXCLUDE (body) FROM {self._rows(files)} ANTI JOIN object_version USING ({_KEY})
            QUALIFY row_number() OVER (
                PARTITION BY {_KEY} ORDER BY observed_at, filename, file_row_number
            ) = 1
            """
        )
        [(new, of)] = self.db.execute(
            f"SELECT (SELECT count(*) FROM new_version), (SELECT count(*) FROM {database.parquet(files)})"
        ).fetchall()
        if not new:
            return
        self.changed.add("object_version")
        self.db.execute(
            "INSERT INTO object_version BY NAME SELECT * EXCLUDE (filename, file_row_number) FROM new_version"
        )
        rows = self._rows(files)
        if new < of:
            rows += " SEMI JOIN new_version USING (filename, file_row_number)"
        with ThreadPoolExecutor(_TYPING_THREADS) as threads:
            list(threads.map(self._type, self._parse(rows)))

    def _rows(self, files: list[str]) -> str:
        return f"(SELECT * REPLACE ({self._cluster_uid()} AS cluster_uid) FROM {database.parquet(files)})"

    def _cluster_uid(self) -> str:
        """Return SQL for the uid of a row's cluster: the one known by now where the row has only a name."""
        known = self.db.execute(
            "SELECT cluster, known_uid FROM cluster_uid_by_name WHERE known_uid IS NOT NULL"
        ).fetchall()
        cases = "".join(
            f" WHEN cluster_uid = {database.literal(f'name:{cluster}')} THEN {database.literal(uid)}"
            for cluster, uid in sorted(known)
        )
        return f"CASE{cases} ELSE cluster_uid END" if cases else "cluster_uid"

    def _parse(self, rows: str) -> list[Query]:
        """Parse the kinds that this chunk holds; return the typed queries that have something to read."""
        present = {
            resource
            for (resource,) in self.db.execute("SELECT DISTINCT resource FROM new_version").fetchall()
        }
        parsed = [query for query in queries.room("parsed") if typed.resource(query) in present]
        try:
            self._parse_each(parsed, rows, "body")
        except QueryError as error:
            if "JSON" not in str(error):
                raise
            # Looking at every text first costs a second pass: only a chunk that needs it gets one.
            self._parse_each(parsed, rows, "CASE WHEN json_valid(body) THEN body END")
        for query in parsed:
            misshapen = (
                f"INSERT INTO unreadable_value SELECT '{query.name}', unnest(misshapen), cluster_uid, uid,"
                f" resource_version, NULL FROM {query.name} WHERE len(misshapen) > 0"
            )
            self._write(self.db, misshapen, query, "unreadable_value")
        names = {query.name for query in parsed}
        found = [query for query in queries.room("typed") if names & set(query.reads)]
        self._empty({name for query in found for name in query.reads} - names)
        return found

    def _parse_each(self, parsed: list[Query], rows: str, body: str) -> None:
        self.db.execute(
            f"""
            CREATE OR REPLACE TEMP VIEW object_versions AS
            SELECT * EXCLUDE (filename, file_row_number) REPLACE ({body} AS body) FROM {rows}
            """
        )
        for query in parsed:
            parse(self.db, query)

    def _empty(self, names: set[str]) -> None:
        """Make the parsed tables of kinds that this chunk does not hold, but some query reads, empty."""
        if names:
            see_nothing(self.db)
        for name in names:
            parse(self.db, queries.query(name))

    def _type(self, query: Query) -> None:
        with database.cursor(self.db) as db:
            if typed.is_per_version(query):
                self._write(db, f"INSERT INTO {query.name} BY NAME\n{query.sql}", query, query.name)
            else:
                self._add_first_seen(db, query)
            if lost := typed.unreadable_values(query):
                self._write(db, f"INSERT INTO unreadable_value BY NAME\n{lost}", query, "unreadable_value")

    def _add_first_seen(self, db: database.Connection, query: Query) -> None:
        """Add the rows whose grain is new, each as the first version showed it."""
        grain = ", ".join(query.grain)
        keys = ", ".join(dict.fromkeys((*query.grain, "observed_at", "resource_version")))
        # Keys are looked at by themselves, since most versions repeat what an earlier one showed.
        seen = execute(
            db, f"CREATE OR REPLACE TEMP TABLE seen AS SELECT {keys} FROM (\n{query.sql}\n)", query
        )
        if not seen:
            return
        first = execute(
            db,
            f"""
            CREATE OR REPLACE TEMP TABLE first_seen AS
            SELECT {grain}, arg_min(resource_version, {_VERSION_ORDER}) AS resource_version FROM seen
            WHERE NOT EXISTS (SELECT 1 FROM {query.name} AS kept WHERE {_same_row(query, "kept", "seen")})
            GROUP BY {grain}
            """,
            query,
        )
        if not first:
            return
        rows = query.sql
        if first < seen:
            # One version may list an entry twice.
            rows = f"""
                SELECT shown.* FROM (\n{query.sql}\n) AS shown
                JOIN first_seen ON first_seen.resource_version = shown.resource_version
                    AND {_same_row(query, "first_seen", "shown")}
                QUALIFY row_number() OVER (PARTITION BY {_columns(query, "shown")} ORDER BY shown) = 1
            """
        self._write(db, f"INSERT INTO {query.name} BY NAME\n{rows}", query, query.name)

    def _write(self, db: database.Connection, sql: str, query: Query, table: str) -> None:
        if execute(db, sql, query):
            self.changed.add(table)


def _same_row(query: Query, one: str, other: str) -> str:
    return " AND ".join(f"{one}.{column} IS NOT DISTINCT FROM {other}.{column}" for column in query.grain)


def _columns(query: Query, table: str) -> str:
    return ", ".join(f"{table}.{column}" for column in query.grain)


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
