"""What the warehouse says beside what was true in a simulated world: recall, precision, errors.

A score is a query of queries/scores/: one row a thing that is true or found, under `truth_` tables that
the world wrote. Adding a score is adding a file. What SQL cannot find, as what a cohort tree has left, is
scored by rows of the same columns that Python makes (`capacity_scores`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from gitopslab import queries
from gitopslab.checks import capacity_scores
from gitopslab.errors import UsageError
from gitopslab.settings import Settings
from gitopslab.warehouse import Warehouse


@dataclass(frozen=True)
class Score:
    """How well one kind of thing is found, in one part of the world.

    Attributes:
        subject: The kind of thing, as its query is called.
        part: Environment, outcome or the like; the query's header says.
        true_count: How many there truly are.
        found_count: How many were found, wrong ones among them.
        matched_count: How many of the true ones were found.
        median_error_seconds: Of the matched; None where the query measures none.
        worst_error_seconds: The largest error either way, of the matched.
    """

    subject: str
    part: str
    true_count: int
    found_count: int
    matched_count: int
    median_error_seconds: float | None
    worst_error_seconds: float | None

    @property
    def wrong_count(self) -> int:
        """How many were found that are not true."""
        return self.found_count - self.matched_count

    @property
    def recall(self) -> float | None:
        """Share of the true ones that were found; None where there is none."""
        return self.matched_count / self.true_count if self.true_count else None

    @property
    def precision(self) -> float | None:
        """Share of what was found that is true; None where nothing was found."""
        return self.matched_count / self.found_count if self.found_count else None


def score(settings: Settings, truth: Path) -> list[Score]:
    """Return every score of the warehouse against the truth of a world.

    Args:
        settings: Where the warehouse is.
        truth: The folder `truth` that `gitopslab world generate` wrote.

    Raises:
        UsageError: There is no truth in that folder.
        LakeError: There is no warehouse yet.
    """
    tables = {f"truth_{file.stem}": file for file in sorted(truth.glob("*.parquet"))}
    if not tables:
        raise UsageError(f"{truth}: no truth there; `gitopslab world generate --out DIR` writes DIR/truth")
    with Warehouse(settings.warehouse.path) as warehouse:
        for name, file in tables.items():
            warehouse.read_also(name, file)
        asked = (
            (query.name, warehouse.run(query.name).dicts())
            for query in queries.room("scores")
            if set(query.reads) & tables.keys()
        )
        made = (
            (name, rows(warehouse))
            for name, (needed, rows) in capacity_scores.SCORES.items()
            if needed <= tables.keys()
        )
        return [found for name, rows in chain(asked, made) for found in _scores(name, rows)]


def _scores(subject: str, rows: Iterable[Mapping[str, Any]]) -> list[Score]:
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        parts.setdefault(row["part"], []).append(row)
    return [_score(subject.removesuffix("_scored"), part, parts[part]) for part in sorted(parts)]


def _score(subject: str, part: str, rows: list[Mapping[str, Any]]) -> Score:
    matched = [row for row in rows if row["is_true"] and row["is_found"]]
    errors = sorted((row["error_seconds"] for row in matched if row["error_seconds"] is not None), key=abs)
    return Score(
        subject,
        part,
        true_count=sum(row["is_true"] for row in rows),
        found_count=sum(row["is_found"] for row in rows),
        matched_count=len(matched),
        median_error_seconds=sorted(errors)[len(errors) // 2] if errors else None,
        worst_error_seconds=errors[-1] if errors else None,
    )
