"""Promotions, as GitOps Promoter leaves them in git: trailers of merge commits, and notes.

Source: gitops-promoter `internal/types/constants/trailers.go`; the notes ref refs/notes/promoter.history
        holds the same trailers as JSON, each with a list of its values.
Limits: A merge by hand has no trailers. Phases are those at the merge; when they changed is told nowhere.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from gitopslab.extract.git.history import Trailers, moment

NOTES_REF = "refs/notes/promoter.history"

_TEXTS = {
    "pull_request_id": "pull-request-id",
    "pull_request_url": "pull-request-url",
    "source_branch": "pull-request-source-branch",
    "target_branch": "pull-request-target-branch",
    "active_dry_sha": "sha-dry-active",
    "proposed_dry_sha": "sha-dry-proposed",
    "active_hydrated_sha": "sha-hydrated-active",
    "proposed_hydrated_sha": "sha-hydrated-proposed",
}
_TIMES = {
    "pull_request_created_at": "pull-request-creation-time",
    "pull_request_merged_at": "pull-request-merge-time",
}
# A gate's key may hold dashes itself, so it is what stands between a known beginning and a known end.
_GATE = re.compile(
    r"commit-status-(?P<side>active|proposed)-(?P<key>.+)-(?P<part>phase|url|description)", re.IGNORECASE
)
_NAMES = {"phase": "phase", "url": "gate_url", "description": "description"}

Row = dict[str, Any]


class Promotion(NamedTuple):
    """A row of promotions, and a row of each gate it tells of."""

    row: Row
    gates: list[Row]


def of_trailers(trailers: Trailers, sha: str, said_by: str) -> Promotion | None:
    """Return the promotion that trailers tell of, if they do; of a trailer that comes twice, the last."""
    told = {key.lower(): values[-1] for key, values in trailers.items() if values}
    if not any(name in told for name in _TEXTS.values()):
        return None
    own = {"sha": sha, "said_by": said_by}
    texts = {column: told.get(name) or None for column, name in _TEXTS.items()}
    times = {column: moment(told.get(name, "")) for column, name in _TIMES.items()}
    return Promotion(own | texts | times, [own | gate for gate in _gates(trailers)])


def of_note(content: bytes, sha: str) -> Promotion | None:
    """Return the promotion that a note tells of; None where it is no such note."""
    try:
        trailers = msgspec.json.decode(content, type=dict[str, list[str]])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return of_trailers(trailers, sha, "note")


def _gates(trailers: Mapping[str, list[str]]) -> list[Row]:
    gates: dict[tuple[str, str], Row] = {}
    for name, values in trailers.items():
        if values and (found := _GATE.fullmatch(name)):
            side, key, part = found["side"].lower(), found["key"], found["part"].lower()
            gate = gates.setdefault((side, key), {"side": side, "gate_key": key})
            value = _unquoted(values[-1]) if part == "description" else values[-1]
            gate[_NAMES[part]] = value or None
    return list(gates.values())


def _unquoted(description: str) -> str:
    """Return a description, which is written as a JSON string from 0.34 on, as its text."""
    try:
        return msgspec.json.decode(description, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return description
