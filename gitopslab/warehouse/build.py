"""Building: the new files of the lake into typed tables and facts, in a file that replaces the last one.

A build copies the published warehouse, adds what the lake gained since, decides anew the facts that
this concerns, and puts the copy in place by one rename. Readers have the old or the new file open.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from gitopslab import database, queries
from gitopslab.datasets import DATASETS, OBJECT_VERSIONS
from gitopslab.errors import LakeError
from gitopslab.lake import Lake, LakeFile
from gitopslab.settings import Settings
from gitopslab.version import __version__
from gitopslab.warehouse import bookkeeping
from gitopslab.warehouse.objects import ObjectAdder
from gitopslab.warehouse.schema import Progress, create_tables, decide

_DECIDING = {"clusters", "lanes", "environments", "services", "repositories", "databases"}


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
        is_unchanged: Whether there was nothing to do.
    """

    build_id: str
    is_full: bool
    why_full: str
    file_count: int
    object_version_count: int
    unreadable_value_count: int
    path: Path
    is_unchanged: bool = False

    def __str__(self) -> str:
        unread = self.unreadable_value_count
        lost = (
            f"; {unread:,} values did not fit their column (see the table `unreadable_value`)"
            if unread
            else ""
        )
        if self.is_unchanged:
            return f"{self.path}: up to date, build {self.build_id}{lost}"
        if not self.is_full and not self.file_count:
            return f"{self.path}: nothing new in the lake; facts decided anew, build {self.build_id}{lost}"
        kind = f"full build ({self.why_full})" if self.is_full else "incremental build"
        return (
            f"{self.path}: {kind} {self.build_id}, {self.object_version_count:,} new object versions"
            f" from {self.file_count:,} new files{lost}"
        )


class _Published(NamedTuple):
    """The warehouse that is there: what was built, and from what."""

    build_id: str
    typed_fingerprint: str
    decided_fingerprint: str
    lake: str
    files: frozenset[str]
    unreadable_value_count: int


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
            raise LakeError(
                f"{lake.url}: the lake is empty; `gitopslab land files PATH` puts objects into it"
            )
        work = _Work(lake, settings, files, progress or (lambda *_: None))
        work.sweep()
        why_full, published = ("asked for", None) if full else work.continues()
        if published and work.is_up_to_date(published):
            return BuildResult(
                published.build_id,
                is_full=False,
                why_full="",
                file_count=0,
                object_version_count=0,
                unreadable_value_count=published.unreadable_value_count,
                path=path,
                is_unchanged=True,
            )
        result = work.run(published, why_full)
        os.replace(work.file, path)  # noqa: PTH105 - one atomic call, named for what it does
        return result


class _Work:
    def __init__(
        self, lake: Lake, settings: Settings, files: Mapping[str, tuple[str, LakeFile]], progress: Progress
    ) -> None:
        self.lake, self.settings, self.files, self.progress = lake, settings, files, progress
        self.path = settings.warehouse.path
        self.file = self.path.with_name(f".{self.path.name}.building")
        self.typed_fingerprint = _fingerprint("parsed", "typed")
        self.decided_fingerprint = _hash(_fingerprint("facts"), settings.model_dump_json(include=_DECIDING))

    def sweep(self) -> None:
        """Remove what a build that was cut off left behind."""
        for leftover in self.file.parent.glob(f"{self.file.name}*"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()

    def continues(self) -> tuple[str, _Published | None]:
        """Return why the published warehouse cannot be continued, or the warehouse if it can."""
        if not self.path.is_file():
            return "the first", None
        try:
            with database.read_only(self.path) as connection:
                published = _published(connection)
        except (database.DatabaseError, ValueError):
            return "the last one cannot be read", None
        if published.lake != self.lake.url:
            return "another lake", None
        if published.typed_fingerprint != self.typed_fingerprint:
            return "typed tables changed", None
        return "", published

    def is_up_to_date(self, published: _Published) -> bool:
        """Return whether a build would change nothing."""
        return (
            published.decided_fingerprint == self.decided_fingerprint and self.files.keys() <= published.files
        )

    def run(self, published: _Published | None, why_full: str) -> BuildResult:
        """Build the file that takes the published one's place, from it or anew."""
        if published:
            shutil.copyfile(self.path, self.file)
        with database.read_write(self.file, memory_limit=self.settings.warehouse.memory_limit) as db:
            database.serve_filesystem(db, self.lake.url)
            if published is None:
                create_tables(db)
            else:
                db.execute(queries.macros())
            new = {p: found for p, found in self.files.items() if not published or p not in published.files}
            objects = [file for _, (name, file) in sorted(new.items()) if name == OBJECT_VERSIONS.name]
            adder = ObjectAdder(db, self.lake)
            if adder.name_clusters(objects) and published:
                db.close()
                self.sweep()
                return self.run(None, "a cluster's uid became known")
            adder.add(objects, self.progress)
            changed = adder.changed | self._add_others(db, new)
            if new:
                db.executemany("INSERT INTO lake_file VALUES (?, ?)", [(p, new[p][0]) for p in sorted(new)])
            bookkeeping.configure(db, self.settings)
            is_decided = published is not None and published.decided_fingerprint == self.decided_fingerprint
            decide(db, self.progress, changed if is_decided else None)
            return self._finish(db, why_full, len(new))

    def _add_others(self, db: database.Connection, new: Mapping[str, tuple[str, LakeFile]]) -> set[str]:
        """Add the rows of the lake's other datasets, each once, and return the tables they went to."""
        changed = set()
        for dataset in bookkeeping.OTHER_DATASETS:
            table = dataset.table
            files = [
                self.lake.full_path(path) for path, (name, _) in sorted(new.items()) if name == dataset.name
            ]
            if files:
                changed.add(table)
                grain = ", ".join(dataset.grain)
                db.execute(
                    f"""
                    INSERT INTO {table} BY NAME
                    SELECT * EXCLUDE (filename, file_row_number)
                    FROM {database.parquet(files)}
                    ANTI JOIN {table} USING ({grain})
                    QUALIFY row_number() OVER (PARTITION BY {grain} ORDER BY filename, file_row_number) = 1
                    """
                )
        return changed

    def _finish(self, db: database.Connection, why_full: str, file_count: int) -> BuildResult:
        [(versions, unreadable)] = db.execute(
            "SELECT (SELECT count(*) FROM object_version), (SELECT count(*) FROM unreadable_value)"
        ).fetchall()
        previous = db.execute("SELECT object_version_count FROM build").fetchall()
        build_id = _hash(self.typed_fingerprint, self.decided_fingerprint, *sorted(self.files))
        row = {
            "build_id": build_id,
            "built_at": datetime.now(UTC),
            "gitopslab_version": __version__,
            "typed_fingerprint": self.typed_fingerprint,
            "decided_fingerprint": self.decided_fingerprint,
            "lake": self.lake.url,
            "lake_file_count": len(self.files),
            "object_version_count": versions,
            "is_full": bool(why_full),
        }
        db.execute("DELETE FROM build")
        db.execute(
            f"INSERT INTO build ({', '.join(row)}) VALUES ({', '.join('?' for _ in row)})", list(row.values())
        )
        db.execute("CHECKPOINT")
        db.execute("USE memory")
        db.execute("DETACH warehouse")
        _sync(self.file)
        added = versions - (previous[0][0] if previous else 0)
        return BuildResult(build_id, bool(why_full), why_full, file_count, added, unreadable, self.path)


def _published(connection: database.Connection) -> _Published:
    [row] = connection.execute(
        "SELECT build_id, typed_fingerprint, decided_fingerprint, lake,"
        " (SELECT count(*) FROM unreadable_value) FROM build"
    ).fetchall()
    files = frozenset(path for (path,) in connection.execute("SELECT path FROM lake_file").fetchall())
    build_id, typed, decided, lake, unreadable = row
    return _Published(build_id, typed, decided, lake, files, unreadable)


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
