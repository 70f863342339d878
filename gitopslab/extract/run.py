"""An extract run: when it began and ended, what it looked at, and what it could not read.

Rows of the run's own books are small; whatever lands beside them is written first, so that no note
says more than the lake holds.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from gitopslab import redaction
from gitopslab.datasets import CHECKPOINTS, COVERAGE, EXTRACT_RUNS, LANDED_FILES, REJECTS
from gitopslab.errors import GitOpsLabError
from gitopslab.lake import Lake, new_run_id
from gitopslab.version import __version__


class Refusal(NamedTuple):
    """A piece of input that could not be read.

    Attributes:
        source: File or URL it came from.
        line: Its line there, counted from 1; None where lines mean nothing.
        reason: One word of a small vocabulary, such as `invalid_json`, to count by.
        message: One sentence: what is wrong, without the text itself.
        excerpt: The text, as read; it is redacted before it is kept.
    """

    source: str
    line: int | None
    reason: str
    message: str
    excerpt: str


@dataclass
class Tally:
    """What a run did so far.

    Attributes:
        object_count: Objects read, refused ones not among them.
        landed_count: Object versions that the lake gained.
        known_count: Object versions that the lake held already.
        reject_count: Pieces of input that could not be read.
        refused_secret_count: Secret objects that were read and not kept.
        redaction_count: Values hidden before landing.
        rejects: How many pieces were rejected, by reason.
        kinds: Object versions gained, by resource and API group.
    """

    object_count: int = 0
    landed_count: int = 0
    known_count: int = 0
    reject_count: int = 0
    refused_secret_count: int = 0
    redaction_count: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)


class Origin(NamedTuple):
    """Where objects of a run come from.

    Attributes:
        extractor: Name of the extractor, such as `files`.
        cluster: Name of the cluster the objects are of.
        how: How they were seen: `list`, `watch` or `file`.
        cluster_uid: uid of its kube-system namespace; empty where nobody knows.
    """

    extractor: str
    cluster: str
    how: str
    cluster_uid: str = ""


Books = dict[str, list[dict[str, Any]]]
"""Rows that wait to be written, by the name of their dataset."""

# In this order: how far a file or a watch was read is noted after everything that came of it.
_BOOKS = (REJECTS, COVERAGE, LANDED_FILES, CHECKPOINTS)


class ExtractRun:
    """One extract run into the lake; use it as a context manager.

    Args:
        lake: Where rows go.
        origin: Where they come from.
        email_salt: Mixed into the hashes that stand for e-mail addresses.
    """

    def __init__(self, lake: Lake, origin: Origin, *, email_salt: str = "") -> None:
        self.lake, self.origin = lake, origin
        self.cluster_uid = origin.cluster_uid or f"name:{origin.cluster}"
        self.run_id = new_run_id()
        self.tally = Tally()
        self._salt = email_salt
        self._books = _no_rows()

    def __enter__(self) -> Self:
        self._note("started", "")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.flush()
            self._note("finished", "")
        elif isinstance(error, GitOpsLabError | KeyboardInterrupt):
            message = redaction.redact_text(str(error) or type(error).__name__)
            self._note("failed", message)

    def flush(self) -> None:
        """Return when everything added so far is durable.

        Raises:
            LakeError: It could not be written.
        """
        self._write_books(self._take_books())

    def reject(self, refusals: Sequence[Refusal]) -> None:
        """Keep `refusals` in the lake, redacted; the same piece is kept once, however often it is met."""
        at = datetime.now(UTC)
        rows = []
        for refusal in refusals:
            excerpt = redaction.redact_piece(refusal.excerpt, salt=self._salt)
            identity = "\0".join((refusal.source, str(refusal.line), refusal.reason, excerpt))
            rows.append(
                {
                    "cluster": self.origin.cluster,
                    "run_id": self.run_id,
                    "reject_id": hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:24],
                    "rejected_at": at,
                    "source": refusal.source,
                    "source_line": refusal.line,
                    "reason": refusal.reason,
                    "message": redaction.redact_text(refusal.message, salt=self._salt),
                    "excerpt": excerpt.encode("utf-8", "replace").decode(),
                }
            )
            self.tally.rejects[refusal.reason] += 1
        self.tally.reject_count += len(rows)
        self._books[REJECTS.name].extend(rows)

    def cover(self, rows: Sequence[dict[str, Any]]) -> None:
        """Note what was looked at; see lake.COVERAGE for the columns that are not this run's own."""
        self._books[COVERAGE.name].extend(self._own() | row for row in rows)

    def note_checkpoints(self, rows: Sequence[dict[str, Any]]) -> None:
        """Note how far watches came; the notes are kept after all that was added before is durable."""
        self._books[CHECKPOINTS.name].extend(self._own() | row for row in rows)

    def note_file(
        self, source: str, size_bytes: int, sha256: str, object_count: int, reject_count: int
    ) -> None:
        """Note that `source` was read to its end; the note is kept after all that came of it is durable."""
        row = {
            "cluster": self.origin.cluster,
            "run_id": self.run_id,
            "landed_at": datetime.now(UTC),
            "source": source,
            "size_bytes": size_bytes,
            "sha256": sha256,
            "object_count": object_count,
            "reject_count": reject_count,
        }
        self._books[LANDED_FILES.name].append(row)

    def _own(self) -> dict[str, Any]:
        return {"cluster": self.origin.cluster, "cluster_uid": self.cluster_uid, "run_id": self.run_id}

    @property
    def _has_notes(self) -> bool:
        return any(self._books.values())

    def _take_books(self) -> Books:
        books, self._books = self._books, _no_rows()
        return books

    def _write_books(self, books: Books) -> None:
        for dataset in _BOOKS:
            self.lake.append(dataset, books[dataset.name], self.run_id)

    def _note(self, state: str, message: str) -> None:
        tally = self.tally
        row = {
            "cluster": self.origin.cluster,
            "run_id": self.run_id,
            "extractor": self.origin.extractor,
            "state": state,
            "noted_at": datetime.now(UTC),
            "gitopslab_version": __version__,
            "object_count": tally.object_count,
            "landed_count": tally.landed_count,
            "known_count": tally.known_count,
            "reject_count": tally.reject_count,
            "refused_secret_count": tally.refused_secret_count,
            "redaction_count": tally.redaction_count,
            "message": message,
        }
        self.lake.append(EXTRACT_RUNS, [row], self.run_id)


def _no_rows() -> Books:
    return {dataset.name: [] for dataset in _BOOKS}
