"""Rows of other sources: landed once, and without their credentials."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from gitopslab import redaction
from gitopslab.datasets import COVERAGE, EXTRACT_RUNS
from gitopslab.datasets.dataset import Dataset, count, text, time
from gitopslab.errors import LakeError, UnreachableError
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake

NOTES = Dataset(
    "notes",
    table="note",
    doc="Notes: one row a note.",
    grain=("book", "number"),
    schema=pa.schema([text("book"), count("number"), text("words"), text("details"), time("written_at")]),
    dated_by="written_at",
    partitioned_by="book",
    json_columns=("details",),
    free_text_columns=("words",),
)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORIGIN = Origin("notebooks", "red", how="paper")


def notes(*numbers: int, words: str = "plain", details: str = "{}") -> pa.Table:
    rows = [
        {"book": "red", "number": n, "words": words, "details": details, "written_at": NOON} for n in numbers
    ]
    return pa.Table.from_pylist(rows, schema=NOTES.schema)


def landed(lake: Lake, dataset: Dataset, *columns: str) -> list[dict[str, object]]:
    return [row for table in lake.read(dataset, list(columns)) for row in table.to_pylist()]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def test_a_row_lands_once_however_often_it_is_read(lake: Lake):
    with RowLanding(lake, ORIGIN) as first:
        first.add(NOTES, notes(1, 2, 2))
    with RowLanding(lake, ORIGIN) as second:
        second.add(NOTES, notes(2, 3))

    assert sorted(row["number"] for row in landed(lake, NOTES, "number")) == [1, 2, 3]
    assert (first.tally.landed_count, first.tally.known_count) == (2, 1)
    assert (second.tally.landed_count, second.tally.known_count) == (1, 1)


def test_rows_lie_under_what_their_dataset_is_partitioned_by(lake: Lake):
    with RowLanding(lake, ORIGIN) as run:
        run.add(NOTES, notes(1))

    [file] = lake.files(NOTES, "red")
    assert file.path.startswith("raw/notes/book=red/date=2026-03-01/")
    assert lake.files(NOTES, "blue") == []


def test_credentials_are_hidden_in_the_columns_that_may_hold_them(lake: Lake):
    with RowLanding(lake, ORIGIN) as run:
        run.add(
            NOTES,
            notes(
                1,
                words="see https://me:hunter2@host/x",
                details='{"password": "hunter2", "by": "a@b.example"}',
            ),
        )

    [row] = landed(lake, NOTES, "words", "details")
    assert "hunter2" not in str(row)
    assert "a@b.example" not in str(row)
    assert run.tally.redaction_count == 3


def test_what_was_seen_of_a_source_is_noted_after_its_rows(lake: Lake):
    with RowLanding(lake, ORIGIN) as run:
        run.add(NOTES, notes(1))
        run.saw("notes", NOON, NOON, row_count=1)

    assert landed(lake, COVERAGE, "cluster", "api_group", "resource", "state", "object_count") == [
        {"cluster": "red", "api_group": "paper", "resource": "notes", "state": "read", "object_count": 1}
    ]


def test_a_column_that_does_not_fit_is_an_error_and_lands_nothing(lake: Lake):
    with pytest.raises(LakeError, match="notes"), RowLanding(lake, ORIGIN) as run:
        run.add(NOTES, notes(1).drop_columns("written_at"))

    assert lake.files(NOTES) == []


def test_a_source_that_breaks_off_leaves_what_was_flushed_and_a_note_of_the_failure(lake: Lake):
    def breaks_off() -> None:
        with RowLanding(lake, ORIGIN) as run:
            run.add(NOTES, notes(1))
            run.flush()
            raise UnreachableError("red: nobody answers at https://me:hunter2@host")

    with pytest.raises(UnreachableError):
        breaks_off()

    assert len(landed(lake, NOTES, "number")) == 1
    states = landed(lake, EXTRACT_RUNS, "state", "message")
    assert {row["state"] for row in states} == {"started", "failed"}
    assert "hunter2" not in str(states)


def test_rows_that_are_told_apart_by_their_time_are_compared_with_those_of_their_day(lake: Lake):
    dated = replace(NOTES, name="dated_notes", grain=("book", "number", "written_at"))
    [row] = notes(1).to_pylist()
    other_day = pa.Table.from_pylist([row | {"written_at": NOON - timedelta(days=9)}], schema=NOTES.schema)
    with RowLanding(lake, ORIGIN) as first:
        first.add(dated, pa.concat_tables([notes(1), other_day]))
    with RowLanding(lake, ORIGIN) as second:
        second.add(dated, notes(1, 2))
        second.flush()
        second.add(dated, other_day)

    assert (first.tally.landed_count, second.tally.landed_count, second.tally.known_count) == (2, 1, 2)


def test_texts_are_redacted_together_as_each_would_be_alone():
    texts = ["plain", None, "", "see https://me:hunter2@host/x", "password=hunter2", "ada@lovelace.example"]
    together = redaction.redact_texts(pa.array(texts))

    assert together.bodies.to_pylist() == [text and redaction.redact_text(text) for text in texts]
    assert together.counts.to_pylist() == [0, 0, 0, 1, 1, 1]
