"""Which dry commit hydrated manifests were made from, as Argo CD's hydrator leaves it in git.

Source: argo-cd `commitserver/commit`: `hydrator.metadata` at the root of a hydrated tree and in the folder
        of each Application, the notes ref refs/notes/hydrator.metadata, and `Argocd-reference-commit-…`
        trailers, by which a dry commit tells the hydrator of the source commit it came from.
Limits: A reference is what a build wrote; nobody checked that the commit exists.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from gitopslab.extract.git.history import Trailers, moment

FILE = "hydrator.metadata"
NOTES_REF = "refs/notes/hydrator.metadata"
MAX_BYTES = 1 << 20

_REFERENCE_TRAILER = "argocd-reference-commit-"
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

Row = dict[str, Any]
_MEMBERS = {"repository_url": "repoURL", "dry_sha": "drySha", "authored_at": "date"}


class Document(msgspec.Struct, rename=_MEMBERS):
    """`hydrator.metadata`, or the note, which holds `drySha` only."""

    dry_sha: str
    repository_url: str | None = None
    author: str | None = None
    authored_at: str | None = None
    subject: str | None = None
    references: list[Any] | None = None


def is_metadata(path: str) -> bool:
    """Whether the file at `path` is one that the hydrator writes."""
    return path == FILE or path.endswith(f"/{FILE}")


def parse(content: bytes) -> Document | None:
    """Return what metadata or a note says; None where it names no dry commit."""
    try:
        found = msgspec.json.decode(content, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if _SHA.fullmatch(found.dry_sha) else None


class Saying(NamedTuple):
    """Where and when something was said: by metadata in the commit itself, or by a note on it."""

    said_by: str
    said_in_sha: str
    said_at: datetime | None


def row(document: Document, sha: str, path: str, saying: Saying) -> Row:
    """Return a row of hydrations: of the commit `sha`, and the folder of the file at `path`."""
    told = {
        "sha": sha,
        "path": path.removesuffix(FILE).rstrip("/"),
        "dry_sha": document.dry_sha,
        "dry_repository_url": document.repository_url,
        "dry_author": document.author,
        "dry_authored_at": moment(document.authored_at or ""),
        "dry_subject": document.subject,
    }
    return told | saying._asdict()


def references(document: Document, said_in_sha: str) -> Iterator[Row]:
    """Yield the references that metadata repeats of its dry commit.

    Argo CD writes `repoUrl` and puts the commit under `commit`; Promoter's own spelling is `repoURL`.
    """
    for entry in document.references or ():
        inner = entry.get("commit") if isinstance(entry, dict) else None
        told = inner if isinstance(inner, dict) else entry if isinstance(entry, dict) else {}
        url = told.get("repoUrl") or told.get("repoURL")
        made = _reference(document.dry_sha, "metadata", said_in_sha, told | {"repository_url": url})
        if made:
            yield made


def trailer_reference(trailers: Trailers, sha: str) -> Row | None:
    """Return the reference that trailers of the dry commit `sha` make, if they do; the last of each key."""
    told = {
        key.lower().removeprefix(_REFERENCE_TRAILER): values[-1]
        for key, values in trailers.items()
        if key.lower().startswith(_REFERENCE_TRAILER)
    }
    return _reference(sha, "trailer", sha, told | {"repository_url": told.get("repourl")}) if told else None


def _reference(sha: str, said_by: str, said_in_sha: str, told: dict[str, Any]) -> Row | None:
    text = {key: value for key, value in told.items() if isinstance(value, str)}
    if not _SHA.fullmatch(text.get("sha", "")):
        return None
    return {
        "sha": sha,
        "said_by": said_by,
        "said_in_sha": said_in_sha,
        "reference_sha": text["sha"],
        "reference_repository_url": text.get("repository_url"),
        "reference_author": text.get("author"),
        "reference_authored_at": moment(text.get("date", "")),
        "reference_subject": text.get("subject"),
    }
