"""Refs of a repository, the lines of its branches, and how both stood when it was read before."""

import fnmatch
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from itertools import takewhile
from typing import NamedTuple

import pyarrow as pa

from gitopslab.datasets.git import REFS
from gitopslab.errors import SourceError
from gitopslab.extract.git.command import Git
from gitopslab.lake import Lake
from gitopslab.settings import Repository

KEPT = "refs/gitopslab/kept/"
"""Where a mirror keeps what was force-pushed away or deleted at its source."""

_HEADS, _REMOTE_HEADS, _TAGS, _NOTES = "refs/heads/", "refs/remotes/origin/", "refs/tags/", "refs/notes/"
_COLUMNS = (
    "refname",
    "symref",
    "objectname",
    "objecttype",
    "*objectname",
    "*objecttype",
    "committerdate:unix",
    "taggername",
    "taggerdate:unix",
    "contents:subject",
)
_LAYOUT = 2
"""Counted up when rows of an earlier version are to be read anew."""


class Ref(NamedTuple):
    """A branch, tag or notes ref.

    Attributes:
        name: Whole, such as refs/heads/main.
        sha: Of the object it names, which may be an annotated tag.
        commit_sha: Of the commit that leads to; empty where it leads to none.
        committed_at: Committer time of a branch's tip, seconds since the epoch; 0 where git says none.
        tagger_name: Of an annotated tag.
        tagged_at: Of an annotated tag, seconds since the epoch, as text; may be empty.
        subject: Of an annotated tag.
    """

    name: str
    sha: str
    commit_sha: str
    committed_at: int
    tagger_name: str
    tagged_at: str
    subject: str

    @property
    def tag(self) -> str:
        """Its name as a tag; empty if it is none."""
        return self.name.removeprefix(_TAGS) if self.name.startswith(_TAGS) else ""

    @property
    def is_notes(self) -> bool:
        """Whether it holds notes."""
        return self.name.startswith(_NOTES)

    @property
    def is_annotated(self) -> bool:
        """Whether it is a tag with a tagger and a message of its own."""
        return bool(self.tag) and self.commit_sha != self.sha


class Seen(NamedTuple):
    """A ref as it stood when it was read before; None, 0 and 0 when it was not."""

    sha: str | None = None
    rewrite_number: int = 0
    position: int = 0


@dataclass(frozen=True)
class Line:
    """The first-parent line of a branch.

    Attributes:
        branch: Its short name.
        ref: Its whole name.
        shas: From the first that is there to the tip.
        start: How many of them lie before what is read; the last of those is the boundary.
        rewrite_number: How often the line was seen to part from what it had been.
        landed: How many of them, from the first, are landed as they stand.
    """

    branch: str
    ref: str
    shas: Sequence[str]
    start: int
    rewrite_number: int
    landed: int

    @property
    def tip(self) -> str:
        """The newest commit."""
        return self.shas[-1]


@dataclass(frozen=True)
class Refs:
    """What a repository's refs are, and were.

    Attributes:
        all: By whole name; symbolic ones are not among them.
        branches: Ref of each branch, by its short name; of a clone, as its origin has it.
        default: The default branch; empty where nobody knows.
        before: Each ref as it stood when it was read before.
    """

    all: dict[str, Ref]
    branches: dict[str, Ref]
    default: str
    before: dict[str, Seen] = field(default_factory=dict)


def reading(repository: Repository, branches: Iterable[str]) -> str:
    """Return a name for what is asked of a repository, by which a later run knows where to go on."""
    asked = (_LAYOUT, repository.role, repository.since, repository.pins, sorted(branches))
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:12]


def read(git: Git) -> Refs:
    """Return the refs of a repository.

    Raises:
        SourceError: It is no git repository, or cannot be read.
    """
    form = "%00".join(f"%({column})" for column in _COLUMNS)
    found = {}
    for line in git.text("for-each-ref", f"--format={form}").splitlines():
        name, symref, sha, kind, peeled, peeled_kind, committed_at, tagger, tagged_at, subject = line.split(
            "\0"
        )
        if not symref:
            commit = sha if kind == "commit" else peeled if peeled_kind == "commit" else ""
            found[name] = Ref(name, sha, commit, int(committed_at or 0), tagger, tagged_at, subject)
    branches = {
        ref.name.removeprefix(prefix): ref
        for prefix in (_HEADS, _REMOTE_HEADS)
        for ref in found.values()
        if ref.name.startswith(prefix) and ref.commit_sha
    }
    return Refs(found, branches, _default(git, branches))


def before(lake: Lake, repository: str, asked: str) -> dict[str, Seen]:
    """Return how refs stood when `repository` was read before.

    With another reading nothing counts as landed, and lines get a number that none had before.
    """
    columns = ["ref", "sha", "rewrite_number", "position", "reading", "observed_at"]
    parts = list(lake.read(REFS, columns, repository))
    if not parts:
        return {}
    rows = pa.concat_tables(parts).sort_by("observed_at").to_pylist()
    next_number = 1 + max(row["rewrite_number"] for row in rows)
    same = list(takewhile(lambda row: row["reading"] == asked, reversed(rows)))[::-1]
    if not same:
        return {row["ref"]: Seen(None, next_number, 0) for row in rows}
    return {row["ref"]: Seen(row["sha"], row["rewrite_number"], row["position"]) for row in same}


def followed(repository: Repository, refs: Refs, environments: Iterable[str]) -> list[str]:
    """Return the branches of `repository` whose lines are read, in order of their names.

    Args:
        repository: Its settings.
        refs: Its refs.
        environments: Active branches of environments; each has a proposed one beside it, `…-next`.
    """
    if repository.branches:
        return sorted(b for b in refs.branches if any(fnmatch.fnmatchcase(b, g) for g in repository.branches))
    wanted = {refs.default, *(name for branch in environments for name in (branch, f"{branch}-next"))}
    return sorted(wanted & refs.branches.keys())


def line(git: Git, branch: str, refs: Refs, repository: Repository) -> Line:
    """Return the first-parent line of `branch`, and how much of it is landed.

    Raises:
        SourceError: It cannot be read.
    """
    ref = refs.branches[branch]
    since = repository.since
    first_moment = datetime.combine(since, time(), UTC).timestamp() if since else float("-inf")
    stamped = [entry.split() for entry in _first_parents(git, ref.commit_sha, "--timestamp")]
    shas = [sha for _, sha in stamped]
    start = max((at for at, (stamp, _) in enumerate(stamped, 1) if int(stamp) < first_moment), default=0)
    seen = refs.before.get(ref.name, Seen())
    if seen.sha is None:
        return Line(branch, ref.name, shas, start, seen.rewrite_number, 0)
    if 0 < seen.position <= len(shas) and shas[seen.position - 1] == seen.sha:
        return Line(branch, ref.name, shas, start, seen.rewrite_number, seen.position)
    was = _line_before(git, seen)
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(was, shas, strict=False)))
    return Line(branch, ref.name, shas, start, seen.rewrite_number + 1, common)


def arrivals(git: Git, line: Line, first: int) -> Iterator[tuple[str, int]]:
    """Yield each commit that came into a branch from place `first` of its line on, and its position there.

    What a merge brought has the merge's position; what lies behind the first place has none.

    Raises:
        SourceError: It cannot be read.
    """
    asked = [line.tip, *(f"^{sha}" for sha in line.shas[first - 1 : first])]
    listed = (
        git.text("rev-list", "--parents", "--stdin", lines=asked).splitlines()
        if first < len(line.shas)
        else []
    )
    parents = {sha: others for sha, *others in map(str.split, listed)}
    for position, sha in enumerate(line.shas[first:], first + 1):
        waiting = parents.pop(sha, [])[1:]
        yield sha, position
        while waiting:
            brought = waiting.pop()
            if brought in parents:
                waiting += parents.pop(brought)
                yield brought, position


def _line_before(git: Git, seen: Seen) -> list[str]:
    """Return the line that ended in what was seen, if it is still there, and as long as it was."""
    try:
        was = _first_parents(git, seen.sha or "")
    except SourceError:
        return []
    return was if len(was) == seen.position else []


def _first_parents(git: Git, tip: str, *options: str) -> list[str]:
    return git.text("rev-list", "--first-parent", "--reverse", *options, "--end-of-options", tip).splitlines()


def _default(git: Git, branches: Iterable[str]) -> str:
    for head, prefix in (("refs/remotes/origin/HEAD", _REMOTE_HEADS), ("HEAD", _HEADS)):
        try:
            name = git.text("symbolic-ref", "--quiet", head).strip().removeprefix(prefix)
        except SourceError:
            continue
        if name in branches:
            return name
    return next((name for name in ("main", "master") if name in branches), "")
