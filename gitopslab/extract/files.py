"""Files: what `kubectl get -o json|yaml` printed, must-gather trees, and streams of watch events.

Source: files and folders, plain, gzip or zstd; see `documents` for the shapes that are read.
Needs:  nothing but the files.
Limits: a file shows one moment. When that was it does not say, so the time it was last changed
        stands for it unless the caller knows better; what came and went between two files is lost.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import compress
from pathlib import Path
from stat import S_ISREG

import msgspec

from gitopslab import redaction
from gitopslab.datasets import LANDED_FILES
from gitopslab.extract import documents
from gitopslab.extract.landing import Batch, Landing
from gitopslab.extract.run import Refusal
from gitopslab.lake import Lake
from gitopslab.resources import resource_of_kind, split_api_version

Progress = Callable[[int], None]


class Known(msgspec.Struct, frozen=True):
    """The files of a cluster that were read before: rejects in each by content hash, by size."""

    by_size: dict[int, dict[str, int]]

    @classmethod
    def of(cls, lake: Lake, cluster: str) -> "Known":
        """Return what `lake` knows of `cluster`."""
        by_size: dict[int, dict[str, int]] = {}
        for table in lake.read(LANDED_FILES, ["size_bytes", "sha256", "reject_count"], cluster):
            for row in table.to_pylist():
                # The last word counts: a second reading, with a kind to assume, may have read the rest.
                by_size.setdefault(row["size_bytes"], {})[row["sha256"]] = row["reject_count"]
        return cls(by_size)


@dataclass(frozen=True)
class FileOutcome:
    """What came of one file: objects and rejects in it, and whether it was known already."""

    path: Path
    object_count: int
    reject_count: int
    is_known: bool


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes:
        observed_at: When the objects were seen; by default when each file was last changed.
        assume: apiVersion and kind of documents that name none.
        limits: How large and how deep documents may be.
    """

    observed_at: datetime | None = None
    assume: tuple[str, str] | None = None
    limits: documents.Limits = field(default_factory=documents.Limits)


def land(
    paths: Iterable[Path], landing: Landing, how: Reading | None = None, *, progress: Progress | None = None
) -> list[FileOutcome]:
    """Land every object in `paths`, and return what came of each file.

    A file whose content this lake has read to the end before, for the same cluster, is not read again.

    Args:
        paths: Files, in the order they are to be read; see `documents.find`.
        landing: The run they belong to.
        how: What to take for granted of them.
        progress: Called with the number of bytes read since the last call.
    """
    known = Known.of(landing.lake, landing.origin.cluster)
    return [_File(path, landing, how or Reading()).land(known, progress) for path in paths]


class _File:
    def __init__(self, path: Path, landing: Landing, how: Reading) -> None:
        self.path, self.landing, self.how = path, landing, how
        self.stat = path.stat()
        self.size_bytes = self.stat.st_size
        # A pipe can be read once, and says neither its size nor when it was written.
        self.is_kept = S_ISREG(self.stat.st_mode)
        written_at = datetime.fromtimestamp(self.stat.st_mtime, UTC) if self.is_kept else datetime.now(UTC)
        self.seen_at = how.observed_at or written_at
        self.source = redaction.redact_text(path.as_posix())
        self.object_count = self.reject_count = 0
        self.resources: Counter[tuple[str, str]] = Counter()
        # The first and the last time an object in it was seen.
        self.seen: tuple[datetime, ...] = ()

    def land(self, known: Known, progress: Progress | None) -> FileOutcome:
        if self._is_known(known):
            if progress:
                progress(self.size_bytes)
            return FileOutcome(self.path, 0, 0, is_known=True)
        rejects: list[Refusal] = []
        for piece in documents.read(self.path, self.how.limits, assume=self.how.assume, progress=progress):
            if isinstance(piece, documents.Reject):
                rejects.append(Refusal(self.source, piece.line, piece.reason, piece.message, piece.excerpt))
                if len(rejects) == _REJECTS_AT_ONCE:
                    self._reject(rejects)
            else:
                self._add(piece)
        self._reject(rejects)
        self.landing.cover(
            [
                {
                    "api_group": group,
                    "resource": resource,
                    "state": "file",
                    "since": min(self.seen),
                    "until": max(self.seen),
                    "object_count": count,
                    "source": self.source,
                    "message": "",
                }
                for (group, resource), count in sorted(self.resources.items())
            ]
        )
        self._note(known)
        return FileOutcome(self.path, self.object_count, self.reject_count, is_known=False)

    def _is_known(self, known: Known) -> bool:
        """Return whether reading the file again would show nothing new."""
        if not self.is_kept or self.size_bytes not in known.by_size:
            return False
        reject_count = known.by_size[self.size_bytes].get(self._digest())
        # What could not be read without knowing its kind may be read with it.
        return reject_count is not None and not (reject_count and self.how.assume)

    def _note(self, known: Known) -> None:
        """Note that the file was read to its end, unless it went on while it was read."""
        now = self.path.stat()
        if not self.is_kept or (now.st_size, now.st_mtime_ns) != (self.size_bytes, self.stat.st_mtime_ns):
            return
        digest = self._digest()
        self.landing.note_file(self.source, self.size_bytes, digest, self.object_count, self.reject_count)
        known.by_size.setdefault(self.size_bytes, {})[digest] = self.reject_count

    def _digest(self) -> str:
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def _reject(self, rejects: list[Refusal]) -> None:
        self.reject_count += len(rejects)
        self.landing.reject(rejects)
        rejects.clear()

    def _add(self, page: documents.Page) -> None:
        page = self._without_secrets(page)
        if not page.bodies:
            return
        headers = page.headers
        groups, versions, resources = zip(*(_name(h.api_version, h.kind) for h in headers), strict=True)
        times = [seen or self.seen_at for seen in page.observed_at]
        self.object_count += len(headers)
        self.resources.update(zip(groups, resources, strict=True))
        self.seen = (min((*self.seen, *times)), max((*self.seen, *times)))
        self.landing.add(
            Batch(
                api_groups=groups,
                api_versions=versions,
                resources=resources,
                kinds=[header.kind for header in headers],
                namespaces=[header.metadata.namespace for header in headers],
                names=[header.metadata.name for header in headers],
                uids=[header.metadata.uid for header in headers],
                resource_versions=[header.metadata.resource_version for header in headers],
                event_types=page.event_types,
                observed_at=times,
                source_lines=page.lines,
                bodies=page.bodies,
            ),
            self.source,
        )

    def _without_secrets(self, page: documents.Page) -> documents.Page:
        is_kept = [not redaction.is_secret(header.api_version, header.kind) for header in page.headers]
        if all(is_kept):
            return page
        self.landing.refuse_secrets(is_kept.count(False))
        return documents.Page(
            page.source,
            bodies=list(compress(page.bodies, is_kept)),
            headers=list(compress(page.headers, is_kept)),
            lines=list(compress(page.lines, is_kept)),
            event_types=list(compress(page.event_types, is_kept)),
            observed_at=list(compress(page.observed_at, is_kept)),
        )


_REJECTS_AT_ONCE = 1_000


@lru_cache(maxsize=4096)
def _name(api_version: str, kind: str) -> tuple[str, str, str]:
    group, version = split_api_version(api_version)
    return group, version, resource_of_kind(kind)
