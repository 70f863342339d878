"""A repository into the lake: what is new in it since it was read before, and all of it the first time."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from gitopslab import redaction
from gitopslab.datasets import Dataset
from gitopslab.datasets import git as datasets
from gitopslab.datasets.dataset import TIME
from gitopslab.errors import SourceError
from gitopslab.extract.git import history, hydrations, notes, patch_ids, promotions, refs
from gitopslab.extract.git.command import Blobs, Git
from gitopslab.extract.git.history import Change
from gitopslab.extract.git.hydrations import Saying
from gitopslab.extract.git.notes import Note
from gitopslab.extract.git.pin_history import Commit, PinHistory, Touch
from gitopslab.extract.git.pins import PinPaths
from gitopslab.extract.git.promotions import Promotion
from gitopslab.extract.git.refs import KEPT, Line, Ref, Refs, Seen
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Refusal
from gitopslab.settings import Repository

SYSTEM = "git"

_BATCH_COMMITS = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Progress = Callable[[int, int], None]
"""Called with how many commits are read, and of how many."""


@dataclass(frozen=True)
class Asked:
    """What is read of a repository, and as of when.

    Attributes:
        repository: Its settings.
        environment_branches: Active branches of the environments.
        observed_at: When it is read.
        email_salt: Mixed into the hashes that stand for e-mail addresses.
    """

    repository: Repository
    environment_branches: tuple[str, ...]
    observed_at: datetime
    email_salt: str = ""


def land(git: Git, landing: RowLanding, asked: Asked, progress: Progress | None = None) -> None:
    """Land what `git` holds and the lake does not; what points where it pointed before is not read again.

    Raises:
        SourceError: The repository cannot be read.
        SettingsError: A glob of pins names a format that there is not.
    """
    _Reading(git, landing, asked, progress or (lambda *_: None)).land()


class _Reading:
    def __init__(self, git: Git, landing: RowLanding, asked: Asked, progress: Progress) -> None:
        self.git, self.landing, self.asked, self.progress = git, landing, asked, progress
        self.repository = asked.repository
        self.own = {
            "repository": pa.scalar(self.repository.name, pa.string()),
            "observed_at": pa.scalar(asked.observed_at, TIME),
        }
        self.boundaries = _shallow(git)
        self.read_now: frozenset[str] = frozenset()
        self.pin_paths = PinPaths(self.repository.name, self.repository.pins)

    def land(self) -> None:
        """Land everything, refs last: what they name is in the lake then."""
        found = refs.read(self.git)
        branches = refs.followed(self.repository, found, self.asked.environment_branches)
        reading = refs.reading(self.repository, branches)
        found.before.update(refs.before(self.landing.lake, self.repository.name, reading))
        lines = [refs.line(self.git, branch, found, self.repository) for branch in branches]
        with self.git.blobs() as blobs:
            chosen = self._new_commits(found, lines)
            self.read_now = frozenset(chosen)
            changes = self._commits(chosen, blobs)
            for line in lines:
                self._line(line)
                self._pins(line, changes, blobs)
            self._notes(found, blobs)
        self._tags(found)
        self._refs(found, lines, reading)

    def _new_commits(self, found: Refs, lines: Sequence[Line]) -> list[str]:
        since = self.repository.since
        first_moment = datetime(since.year, since.month, since.day, tzinfo=UTC).timestamp() if since else 0
        followed = {line.tip for line in lines}
        tips = {
            ref.commit_sha
            for ref in found.all.values()
            if ref.commit_sha
            and not ref.is_notes
            and (ref.commit_sha in followed or not since or ref.committed_at >= first_moment)
        }
        starts = {line.shas[line.start - 1] for line in lines if line.start}
        seen = {
            was.sha for name, was in found.before.items() if was.sha and not name.startswith("refs/notes/")
        }
        return history.shas(self.git, sorted(tips), sorted(starts | seen))

    def _commits(self, chosen: list[str], blobs: Blobs) -> dict[str, list[Change]]:
        """Land `chosen` commits with what follows from each, and return how they changed pin files."""
        pin_changes: dict[str, list[Change]] = {}
        for batch in _batches(chosen):
            self._commit_rows(batch)
            whole = [sha for sha in batch if sha not in self.boundaries]
            changes = list(history.changes(self.git, whole))
            for rows in history.change_rows(changes, self.own):
                self.landing.add(datasets.CHANGED_PATHS, rows)
            pin_changes |= self._of_pins(changes)
            self._metadata(changes, blobs)
            if self.repository.role == "source":
                found = patch_ids.read(self.git, whole)
                self._add(datasets.PATCH_IDS, [{"sha": s, "patch_id": p} for s, p in found.items()])
            self.progress(len(batch), len(chosen))
        since = (
            datetime.combine(self.repository.since, datetime.min.time(), UTC)
            if self.repository.since
            else _EPOCH
        )
        message = "a shallow clone: what lies behind its end is not known" if self.boundaries else ""
        self.landing.saw("commits", since, self.asked.observed_at, row_count=len(chosen), message=message)
        return pin_changes

    def _commit_rows(self, batch: Sequence[str]) -> None:
        hashed = partial(redaction.hashed_address, salt=self.asked.email_salt)
        for rows, trailers in history.commits(self.git, batch, self.boundaries, hashed, self.own):
            self.landing.add(datasets.COMMITS, rows)
            self._refuse_times(rows)
            made = [promotions.of_trailers(told, sha, "trailer") for sha, told in trailers.items()]
            self._promotions(promotion for promotion in made if promotion)
            referred = [hydrations.trailer_reference(told, sha) for sha, told in trailers.items()]
            self._add(datasets.REFERENCES, [row for row in referred if row])

    def _refuse_times(self, rows: pa.Table) -> None:
        for column in ("authored_at", "committed_at"):
            if rows[column].null_count:
                shas = rows.filter(rows[column].is_null())["sha"].to_pylist()
                message = f"{column}: the commit says no time that can be"
                self.landing.reject([Refusal(sha, None, "unreadable_time", message, "") for sha in shas])

    def _metadata(self, changes: Iterable[Change], blobs: Blobs) -> None:
        written = [c for c in changes if c.new_blob and hydrations.is_metadata(c.path)]
        times = history.committed_at(self.git, sorted({change.sha for change in written}))
        rows: list[dict[str, Any]] = []
        references: list[dict[str, Any]] = []
        refusals: list[Refusal] = []
        parsed: dict[str, hydrations.Document | None] = {}
        for change in written:
            blob = change.new_blob or ""
            if blob not in parsed:
                parsed[blob] = hydrations.parse(blobs.read(blob, hydrations.MAX_BYTES).content or b"")
            document = parsed[blob]
            if document is None:
                source = f"{change.sha}:{change.path}"
                what = "hydrator.metadata names no dry commit that can be"
                refusals.append(Refusal(source, None, "invalid_metadata", f"{source}: {what}", ""))
                continue
            at = times.get(change.sha)
            rows.append(hydrations.row(document, change.sha, change.path, Saying("metadata", change.sha, at)))
            references += hydrations.references(document, change.sha)
        self._add(datasets.HYDRATIONS, rows)
        self._add(datasets.REFERENCES, references)
        self.landing.reject(refusals)

    def _line(self, line: Line) -> None:
        first = max(line.landed, line.start - 1, 0)
        positions = dict(refs.arrivals(self.git, line, first))
        opening = line.shas[line.start - 1] if line.start else ""
        on_line = set(line.shas[first:])
        told = {
            "branch": [line.branch] * len(positions),
            "rewrite_number": [line.rewrite_number] * len(positions),
            "sha": list(positions),
            "position": list(positions.values()),
            "is_on_line": [sha in on_line for sha in positions],
            "is_boundary": [sha == opening or sha in self.boundaries for sha in positions],
        }
        if positions:
            self.landing.add(
                datasets.BRANCH_COMMITS, history.table(datasets.BRANCH_COMMITS.schema, told, self.own)
            )

    def _pins(self, line: Line, changes: dict[str, list[Change]], blobs: Blobs) -> None:
        pinned = PinHistory(self.git, blobs, line, self.pin_paths)
        first = max(line.landed, line.start)
        # Of a commit that was read before, on another branch, nobody remembers what it changed.
        changes = changes | self._pin_changes(sha for sha in line.shas[first:] if sha not in self.read_now)
        places = [at for at in range(first, len(line.shas)) if line.shas[at] in changes]
        opening = line.start - 1 if line.start else 0
        if line.landed <= opening and (line.start or line.shas[0] in self.boundaries):
            places.insert(0, opening)
        times = history.committed_at(self.git, [line.shas[at] for at in places])
        commits = [Commit(line.shas[at], at + 1, times.get(line.shas[at])) for at in places]
        touches: list[Touch] = []
        if places and places[0] == opening and line.shas[opening] not in changes:
            touches += pinned.first_seen(commits.pop(0))
        touches += pinned.follow(commits, changes)
        self._add(datasets.PIN_FILES, [touch.file for touch in touches])
        self._add(datasets.PINS, [row for touch in touches for row in touch.pins])
        self.landing.reject(pinned.refusals)

    def _pin_changes(self, shas: Iterable[str]) -> dict[str, list[Change]]:
        chosen = [sha for sha in shas if sha not in self.boundaries]
        return self._of_pins(history.changes(self.git, chosen)) if chosen else {}

    def _of_pins(self, changes: Iterable[Change]) -> dict[str, list[Change]]:
        found: dict[str, list[Change]] = defaultdict(list)
        for change in changes:
            if change.path in self.pin_paths or (change.old_path and change.old_path in self.pin_paths):
                found[change.sha].append(change)
        return found

    def _notes(self, found: Refs, blobs: Blobs) -> None:
        for ref in found.all.values():
            seen = found.before.get(ref.name)
            if not ref.is_notes or (seen and seen.sha == ref.sha):
                continue
            chosen = history.shas(self.git, [ref.commit_sha], [seen.sha] if seen and seen.sha else [])
            times = history.committed_at(self.git, chosen)
            written = list(notes.read(self.git, blobs, chosen, times)) if chosen else []
            self._add(datasets.NOTES, [_note_row(ref, note) for note in written])
            if ref.name == hydrations.NOTES_REF:
                self._add(datasets.HYDRATIONS, list(_hydrations_of(written)))
            if ref.name == promotions.NOTES_REF:
                made = [promotions.of_note(note.content, note.object_sha) for note in written if note.content]
                self._promotions(promotion for promotion in made if promotion)

    def _promotions(self, made: Iterable[Promotion]) -> None:
        found = list(made)
        self._add(datasets.PROMOTIONS, [promotion.row for promotion in found])
        self._add(datasets.PROMOTION_GATES, [gate for promotion in found for gate in promotion.gates])

    def _tags(self, found: Refs) -> None:
        rows = [
            {
                "tag": ref.tag,
                "target_sha": ref.sha,
                "commit_sha": ref.commit_sha,
                "is_annotated": ref.is_annotated,
                "tagger_name": ref.tagger_name or None,
                "tagged_at": _seconds(ref.tagged_at),
                "subject": ref.subject if ref.is_annotated else None,
            }
            for ref in found.all.values()
            if ref.tag and ref.commit_sha
        ]
        self._add(datasets.TAGS, rows)

    def _refs(self, found: Refs, lines: Sequence[Line], reading: str) -> None:
        """Land refs that moved; that they did is all that a later run needs to know."""
        line_of = {line.ref: line for line in lines}
        rows: list[dict[str, Any]] = [
            {
                "ref": name,
                "previous_sha": seen.sha,
                "is_forced": False,
                "rewrite_number": seen.rewrite_number,
                "position": 0,
                "reading": reading,
            }
            for name, seen in found.before.items()
            if seen.sha and name not in found.all and not name.startswith(KEPT)
        ]
        for ref in found.all.values():
            seen, line = found.before.get(ref.name, Seen()), line_of.get(ref.name)
            if seen.sha != ref.sha and not ref.name.startswith(KEPT):
                is_forced = seen.sha is not None and not _contains(self.git, ref.sha, seen.sha)
                rows.append(
                    {
                        "ref": ref.name,
                        "sha": ref.sha,
                        "previous_sha": seen.sha,
                        "is_forced": is_forced,
                        "rewrite_number": line.rewrite_number if line else seen.rewrite_number,
                        "position": len(line.shas) if line else 0,
                        "reading": reading,
                    }
                )
        self._add(datasets.REFS, rows)

    def _add(self, dataset: Dataset, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            own = {name: value.as_py() for name, value in self.own.items()}
            self.landing.add(
                dataset, pa.Table.from_pylist([own | row for row in rows], schema=dataset.schema)
            )


def _note_row(ref: Ref, note: Note) -> dict[str, Any]:
    return {
        "notes_ref": ref.name,
        "object_sha": note.object_sha,
        "note_commit_sha": note.note_commit_sha,
        "noted_at": note.noted_at,
        "is_removed": note.is_removed,
        "note": None if note.content is None else note.content.decode("utf-8", "backslashreplace"),
    }


def _hydrations_of(written: Iterable[Note]) -> Iterator[dict[str, Any]]:
    for note in written:
        if document := hydrations.parse(note.content or b""):
            saying = Saying("note", note.note_commit_sha, note.noted_at)
            yield hydrations.row(document, note.object_sha, "", saying)


def _shallow(git: Git) -> frozenset[str]:
    """Return the commits whose parents a shallow clone lacks."""
    file = Path(git.text("rev-parse", "--path-format=absolute", "--git-path", "shallow").rstrip("\n"))
    return frozenset(file.read_text(encoding="ascii").split()) if file.is_file() else frozenset()


def _contains(git: Git, tip: str, sha: str) -> bool:
    try:
        git.run("merge-base", "--is-ancestor", "--end-of-options", sha, tip)
    except SourceError:
        return False
    return True


def _seconds(stamp: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(stamp), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _batches(chosen: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(chosen), _BATCH_COMMITS):
        yield chosen[at : at + _BATCH_COMMITS]
