"""When pins changed: what the files along a branch's first-parent line say, beside what they said before.

A pin changes where it comes into the branch: a merge counts once, by what it changes there, and not the
commits that it brings. A file that cannot be read changes nothing; what it pinned before stays in force.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from gitopslab.extract.git.command import Blob, Blobs, Git
from gitopslab.extract.git.history import Change, moment
from gitopslab.extract.git.pins import MAX_BYTES, NOTHING, Pin, Pinned, PinPaths, Unreadable, parse
from gitopslab.extract.git.refs import Line
from gitopslab.extract.pages import EXCERPT_BYTES
from gitopslab.extract.run import Refusal

_FILES_IN_MEMORY = 4096
_COMMITS_AT_ONCE = 500


class Touch(NamedTuple):
    """A pin file as a commit left it: a row of the file, and of each pin that differs from before."""

    file: dict[str, Any]
    pins: list[dict[str, Any]]


@dataclass(frozen=True)
class Commit:
    """A commit on the line, as far as a pin needs it."""

    sha: str
    position: int
    committed_at: datetime | None


class PinHistory:
    """The pins of one branch.

    Args:
        git: The repository.
        blobs: Reads its files.
        line: The branch's line.
        paths: Which files pin.
    """

    def __init__(self, git: Git, blobs: Blobs, line: Line, paths: PinPaths) -> None:
        self.refusals: list[Refusal] = []
        self._git, self._blobs, self._line, self._paths = git, blobs, line, paths
        self._parsed: dict[tuple[str, str], Pinned | Unreadable] = {}
        self._in_doubt: dict[str, Pinned] = {}

    def first_seen(self, commit: Commit) -> Iterator[Touch]:
        """Yield what is in force at `commit`, before which nothing is read."""
        listed = self._git.text("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit.sha)
        for entry in filter(None, listed.split("\0")):
            header, _, path = entry.partition("\t")
            if path in self._paths:
                yield self._touch(
                    commit, Change(commit.sha, "first_seen", path, None, None, header.split()[2])
                )

    def follow(self, commits: Iterable[Commit], changes: Mapping[str, Sequence[Change]]) -> Iterator[Touch]:
        """Yield what `commits`, oldest first, did to pin files; `changes` are those of each, by sha."""
        window = iter(commits)
        while some := list(islice(window, _COMMITS_AT_ONCE)):
            self._read_ahead(change for commit in some for change in changes.get(commit.sha, ()))
            for commit in some:
                for change in changes.get(commit.sha, ()):
                    yield from self._follow(commit, change)

    def _follow(self, commit: Commit, change: Change) -> Iterator[Touch]:
        if change.path in self._paths:
            yield self._touch(commit, change)
        elif change.old_path and change.old_path in self._paths:
            gone = Change(commit.sha, "deleted", change.old_path, None, change.old_blob, None)
            yield self._touch(commit, gone)

    def _touch(self, commit: Commit, change: Change) -> Touch:
        before, is_doubtful = self._before(commit, change)
        after = self._read(change.new_blob, change.path)
        self._in_doubt.pop(change.old_path or change.path, None)
        if isinstance(after, Unreadable):
            self._in_doubt[change.path] = before
            self._refuse(change, after)
            state, after = "unreadable", before
        else:
            state = ("read" if after.pins else "no_pins") if change.new_blob else "removed"
        told = {
            "branch": self._line.branch,
            "sha": commit.sha,
            "committed_at": commit.committed_at,
            "path": change.path,
            "old_path": change.old_path,
            "pin_format": after.format or before.format,
        }
        rows = [
            told | {"position": commit.position, "is_after_unreadable": is_doubtful} | difference
            for difference in _differences(before, after, change)
        ]
        return Touch(told | {"state": state, "pin_count": len(after.pins)}, rows)

    def _before(self, commit: Commit, change: Change) -> tuple[Pinned, bool]:
        """Return what was in force before a change, and whether versions since then could not be read."""
        if change.kind == "first_seen":
            return NOTHING, False
        path = change.old_path or change.path
        if path in self._in_doubt:
            return self._in_doubt[path], True
        before = self._read(change.old_blob, path)
        return (
            (before, False) if isinstance(before, Pinned) else (self._last_readable(commit.sha, path), True)
        )

    def _last_readable(self, sha: str, path: str) -> Pinned:
        """Return what a file pinned when it could last be read, before `sha`."""
        asked = ("rev-list", "--first-parent", "--end-of-options", f"{sha}^1", "--", path)
        for earlier in self._git.text(*asked).split():
            entry = self._git.text("ls-tree", "-z", "--full-tree", "--end-of-options", earlier, "--", path)
            found = self._read(entry.split()[2] if entry else None, path)
            if isinstance(found, Pinned):
                return found
        return NOTHING

    def _read(self, blob: str | None, path: str) -> Pinned | Unreadable:
        if blob is None:
            return NOTHING
        if (blob, path) not in self._parsed:
            self._parsed[blob, path] = self._parse(self._blobs.read(blob, MAX_BYTES), path)
        return self._parsed[blob, path]

    def _read_ahead(self, changes: Iterable[Change]) -> None:
        """Parse what many changes wrote; of what was parsed before, the last of each file is still needed."""
        if len(self._parsed) > _FILES_IN_MEMORY:
            self._parsed = dict(list(self._parsed.items())[-_COMMITS_AT_ONCE:])
        wanted = dict.fromkeys((change.new_blob, change.path) for change in changes if change.new_blob)
        keys = [(blob, path) for blob, path in wanted if (blob, path) not in self._parsed]
        for key, blob in zip(keys, self._blobs.read_all([sha for sha, _ in keys], MAX_BYTES), strict=True):
            self._parsed[key] = self._parse(blob, key[1])

    def _parse(self, blob: Blob, path: str) -> Pinned | Unreadable:
        if blob.content is None and blob.size_bytes:
            return Unreadable(
                "too_large", f"it has {blob.size_bytes} bytes; more than {MAX_BYTES} are not read"
            )
        if blob.content is None:
            return Unreadable("missing_object", "the clone lacks this file; fetch it, or use a full clone")
        return parse(blob.content, path, self._paths.format(path))

    def _refuse(self, change: Change, why: Unreadable) -> None:
        content = self._blobs.read(change.new_blob or "", MAX_BYTES).content or b""
        source = f"{change.sha}:{change.path}"
        excerpt = content[:EXCERPT_BYTES].decode("utf-8", "backslashreplace")
        self.refusals.append(Refusal(source, None, why.reason, f"{source}: {why.message}", excerpt))


def _differences(before: Pinned, after: Pinned, change: Change) -> Iterator[dict[str, Any]]:
    for key in sorted(before.pins.keys() | after.pins.keys()):
        old, new = before.pins.get(key), after.pins.get(key)
        was = {f"previous_{name}": value for name, value in _image(old).items()}
        row = {"pin_key": key, "is_first_seen": change.kind == "first_seen", **was}
        if old != new or change.old_path:
            yield row | {"change_kind": _kind(old, new, change), **_told(new)}
        if old and change.old_path:
            yield row | {
                "change_kind": "moved_away",
                "path": change.old_path,
                "old_path": None,
                **_told(None),
            }


def _kind(old: Pin | None, new: Pin | None, change: Change) -> str:
    if change.kind == "first_seen":
        return change.kind
    if new is None:
        return "removed"
    if old is None:
        return "added"
    return "moved" if old == new else "changed"


def _told(pin: Pin | None) -> dict[str, Any]:
    written_at = moment(pin.written_at) if pin and pin.written_at else None
    return _image(pin) | {"pipeline_run": pin.pipeline_run if pin else None, "written_at": written_at}


def _image(pin: Pin | None) -> dict[str, str | None]:
    names = ("image_name", "tag", "digest", "source_sha")
    return {name: getattr(pin, name) if pin else None for name in names}
