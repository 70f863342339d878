"""Notes on commits, each time they were written: a notes ref has a history, as a branch does.

A note that is only stored elsewhere, as git does when there are many, was not written again.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from gitopslab.extract.git import history
from gitopslab.extract.git.command import Blobs, Git

MAX_BYTES = 1 << 20


class Note(NamedTuple):
    """A note that was written, or removed.

    Attributes:
        object_sha: What it is a note on.
        note_commit_sha: The commit of the notes ref that wrote it.
        noted_at: Committer time of that.
        content: None if it was removed, or cannot be read.
        is_removed: Whether it was removed.
    """

    object_sha: str
    note_commit_sha: str
    noted_at: datetime | None
    content: bytes | None
    is_removed: bool


def read(
    git: Git, blobs: Blobs, chosen: list[str], noted_at: Mapping[str, datetime | None]
) -> Iterator[Note]:
    """Yield what `chosen` commits of a notes ref wrote.

    Raises:
        SourceError: The repository cannot be read.
    """
    by_commit: dict[str, dict[str, tuple[str | None, str | None]]] = {}
    for change in history.changes(git, chosen, moved_as_it_was=True):
        notes = by_commit.setdefault(change.sha, {})
        for path, old, new in _sides(change):
            was = notes.get(path, (None, None))
            notes[path] = (old or was[0], new or was[1])
    for sha, notes in by_commit.items():
        for object_sha, (old, new) in notes.items():
            if old != new:
                content = blobs.read(new, MAX_BYTES).content if new else None
                yield Note(object_sha, sha, noted_at.get(sha), content, new is None)


def _sides(change: history.Change) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield the object, and the blob before and after, of what a change says; a move speaks of two paths."""
    if change.old_path:
        yield change.old_path.replace("/", ""), change.old_blob, None
        yield change.path.replace("/", ""), None, change.new_blob
    else:
        yield change.path.replace("/", ""), change.old_blob, change.new_blob
