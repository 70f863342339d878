"""Commits and what they changed, in a few passes of git over many of them; columns, not rows."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from gitopslab.datasets.dataset import TIME
from gitopslab.datasets.git import CHANGED_PATHS, COMMITS
from gitopslab.extract.git.command import Git

_FORMAT = (
    "%H",
    "%T",
    "%P",
    "%an",
    "%ae",
    "%ad",
    "%cn",
    "%ce",
    "%cd",
    "%s",
    "%b",
    "%(trailers:only=true,unfold=true)",
)
# A year of five digits is no time that a table takes.
_RAW_TIME = r"^(?P<seconds>\d{1,11}) (?P<sign>[+-])(?P<hours>\d\d)(?P<minutes>\d\d)$"
_KINDS = {"A": "added", "M": "modified", "D": "deleted", "R": "renamed", "T": "type_changed"}
_CHANGE = re.compile(r":\d+ \d+ (\w+) (\w+) ([A-Z])\d*\Z")
_BATCH_ROWS = 65_536
_NO_BLOB = re.compile("0+")

Trailers = dict[str, list[str]]
"""Values of each trailer, in the order they came."""


class Change(NamedTuple):
    """A file that a commit changed, beside its first parent; None where there is no such blob."""

    sha: str
    kind: str
    path: str
    old_path: str | None
    old_blob: str | None
    new_blob: str | None


class CommitBatch(NamedTuple):
    """Commits that were read together, as the lake has them, and the trailers of those that have any."""

    rows: pa.Table
    trailers: dict[str, Trailers]


def shas(git: Git, tips: Collection[str], without: Collection[str]) -> list[str]:
    """Return the commits that `tips` lead to and `without` do not; what is not there is passed over.

    Raises:
        SourceError: The repository cannot be read.
    """
    asked = [*tips, *(f"^{sha}" for sha in without)]
    return git.text("rev-list", "--ignore-missing", "--stdin", lines=asked).split() if tips else []


def commits(
    git: Git,
    chosen: Sequence[str],
    boundaries: Collection[str],
    hashed: Callable[[str], str],
    own: Mapping[str, pa.Scalar],
) -> Iterator[CommitBatch]:
    """Yield `chosen` commits.

    Args:
        git: The repository.
        chosen: Their shas; at least one.
        boundaries: Commits whose parents the repository lacks.
        hashed: Returns what stands for an e-mail address.
        own: Values of the columns that all rows share.

    Raises:
        SourceError: The repository cannot be read.
    """
    width = len(_FORMAT)
    arguments = ("log", "--stdin", "--no-walk=unsorted", "-z", "--encoding=UTF-8", "--no-color", "--no-notes")
    form = f"--format={'%x00'.join(_FORMAT)}"
    for fields in git.fields(*arguments, "--date=raw", form, lines=chosen, width=width):
        columns = [fields[at::width] for at in range(width)]
        sha, tree, parents, author, author_mail, authored, committer, committer_mail, committed = columns[:9]
        trailers = {key: _trailers(text) for key, text in zip(sha, columns[11], strict=True) if text}
        parent_counts = pc.if_else(
            pc.equal(pa.array(parents), ""), 0, pc.add(pc.count_substring(pa.array(parents), " "), 1)
        )
        authored_at, author_offset = _times(authored)
        committed_at, committer_offset = _times(committed)
        told = {
            "sha": sha,
            "tree_sha": tree,
            "parent_shas": parents,
            "parent_count": parent_counts.cast(pa.int64()),
            "is_merge": pc.greater(parent_counts, 1),
            "is_boundary": pc.is_in(pa.array(sha), pa.array(sorted(boundaries), pa.string())),
            "author_name": author,
            "author_email_hash": _hashed(author_mail, hashed),
            "authored_at": authored_at,
            "author_utc_offset_seconds": author_offset,
            "committer_name": committer,
            "committer_email_hash": _hashed(committer_mail, hashed),
            "committed_at": committed_at,
            "committer_utc_offset_seconds": committer_offset,
            "subject": columns[9],
            "body": columns[10],
            "trailers": pa.array([_json(trailers.get(key)) for key in sha], pa.string()),
        }
        yield CommitBatch(table(COMMITS.schema, told, own), trailers)


def committed_at(git: Git, chosen: Sequence[str]) -> dict[str, datetime | None]:
    """Return the committer time of each of `chosen` commits.

    Raises:
        SourceError: The repository cannot be read.
    """
    found: dict[str, datetime | None] = {}
    arguments = (
        "log",
        "--stdin",
        "--no-walk=unsorted",
        "-z",
        "--no-color",
        "--date=raw",
        "--format=%H%x00%cd",
    )
    for fields in git.fields(*arguments, lines=chosen, width=2) if chosen else ():
        times, _ = _times(fields[1::2])
        found |= zip(fields[::2], times.to_pylist(), strict=True)
    return found


def changes(git: Git, chosen: Sequence[str], *, moved_as_it_was: bool = False) -> Iterator[Change]:
    """Yield the files that `chosen` commits changed, commit after commit; a merge beside its first parent.

    A file that was moved and changed is recognised while half of it is the same, or, if `moved_as_it_was`,
    only one that was not changed.

    Raises:
        SourceError: The repository cannot be read.
    """
    arguments = (
        "diff-tree", "--stdin", "-r", "-z", "--root", "--raw", "--no-abbrev", "--diff-merges=first-parent",
        "--no-ext-diff", "--no-textconv", "--no-relative", "-M100%" if moved_as_it_was else "-M",
    )  # fmt: skip
    sha = ""
    waiting: list[str] = []
    for fields in git.fields(*arguments, lines=chosen):
        tokens = iter([*waiting, *fields])
        waiting = []
        for token in tokens:
            if not token.startswith(":"):
                sha = token
                continue
            header = _CHANGE.match(token)
            assert header is not None  # noqa: S101 - git's own notation
            old_blob, new_blob, letter = header.groups()
            paths = [path for _, path in zip(range(2 if letter == "R" else 1), tokens, strict=False)]
            if len(paths) < (2 if letter == "R" else 1):
                waiting = [token, *paths]
                break
            old_path = paths[0] if letter == "R" else None
            kind = _KINDS.get(letter, letter)
            yield Change(sha, kind, paths[-1], old_path, _blob(old_blob), _blob(new_blob))


def change_rows(found: Sequence[Change], own: Mapping[str, pa.Scalar]) -> Iterator[pa.Table]:
    """Yield changes as the lake has them."""
    for at in range(0, len(found), _BATCH_ROWS):
        sha, kind, path, old_path, old_blob, new_blob = zip(*found[at : at + _BATCH_ROWS], strict=True)
        told = {
            "sha": sha,
            "path": path,
            "old_path": old_path,
            "change_kind": kind,
            "old_blob_sha": old_blob,
            "new_blob_sha": new_blob,
        }
        yield table(CHANGED_PATHS.schema, told, own)


def table(schema: pa.Schema, told: Mapping[str, object], own: Mapping[str, pa.Scalar]) -> pa.Table:
    """Return columns as a table of `schema`; those of `own` have one value throughout."""
    arrays = {
        name: column if isinstance(column, pa.Array) else pa.array(column, schema.field(name).type)
        for name, column in told.items()
    }
    row_count = len(next(iter(arrays.values())))
    arrays |= {name: pa.repeat(value, row_count) for name, value in own.items()}
    return pa.table([arrays[name].cast(schema.field(name).type) for name in schema.names], schema=schema)


def _times(raw: Sequence[str]) -> tuple[pa.Array, pa.Array]:
    """Return the instants of git's raw times, and their offsets from UTC, seconds; NULL where it is none."""
    parts = pc.extract_regex(pa.array(raw, pa.string()), _RAW_TIME)
    seconds = pc.struct_field(parts, "seconds").cast(pa.int64())
    hours, minutes = (pc.struct_field(parts, name).cast(pa.int64()) for name in ("hours", "minutes"))
    offset = pc.add(pc.multiply(hours, 3600), pc.multiply(minutes, 60))
    is_west = pc.equal(pc.struct_field(parts, "sign"), "-")
    return seconds.cast(pa.timestamp("s", tz="UTC")).cast(TIME), pc.if_else(
        is_west, pc.negate(offset), offset
    )


def _hashed(addresses: Sequence[str], hashed: Callable[[str], str]) -> pa.Array:
    coded = pa.array(addresses, pa.string()).dictionary_encode()
    return pa.array([hashed(address) for address in coded.dictionary.to_pylist()], pa.string()).take(
        coded.indices
    )


def _trailers(text: str) -> Trailers:
    found: Trailers = {}
    for entry in text.splitlines():
        key, sign, value = entry.partition(":")
        if sign:
            found.setdefault(key, []).append(value.strip())
    return found


def _json(trailers: Trailers | None) -> str | None:
    return msgspec.json.encode(trailers).decode() if trailers else None


def _blob(sha: str) -> str | None:
    return None if _NO_BLOB.fullmatch(sha) else sha


def moment(text: str) -> datetime | None:
    """Return the instant that a text in RFC 3339 names, or None; one without an offset names none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
