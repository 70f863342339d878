"""Prometheus: samples at multiples of the step land once, whatever the hour a run begins."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitopslab import http
from gitopslab.datasets import COVERAGE, REJECTS
from gitopslab.datasets.prometheus import METRIC_SAMPLES
from gitopslab.errors import BadRequestError, SourceError, UnreachableError
from gitopslab.extract.prometheus import Extraction, Range
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Origin, Tally
from gitopslab.extract.samples import Target
from gitopslab.lake import Lake

from .httpserver import Answer, Asked, as_json, serve

QUICK = http.Patience(attempts=2, first_pause_seconds=0.01)
TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
ELEVEN = datetime(2026, 3, 2, 11, tzinfo=UTC)


def matrix(*series: dict[str, Any], **more: Any) -> Answer:
    return as_json({"status": "success", "data": {"resultType": "matrix", "result": series}, **more})


def every_step(asked: Asked) -> Answer:
    """Answer as a Prometheus with one gauge that always shows the minute of the hour."""
    first, last, step = (int(asked.query[name]) for name in ("start", "end", "step"))
    values = [[at, str(at // 60 % 60)] for at in range(first, last + 1, step)]
    return matrix({"metric": {"__name__": "pending", "cluster_queue": "q"}, "values": values})


def extract(
    url: str, lake: Lake, *selectors: str, step: int = 60, until: datetime = ELEVEN, since: Any = None
) -> Tally:
    with RowLanding(lake, Origin("prometheus", "dev", "prometheus")) as landing:
        source = http.connect("prometheus dev", url, patience=QUICK)
        extraction = Extraction(source, landing, Target("dev", "dev", step))
        extraction.land(selectors or ("pending",), until=until, since=since)
    return landing.tally


def landed(lake: Lake, *columns: str, dataset: Any = METRIC_SAMPLES) -> list[dict[str, Any]]:
    return [row for rows in lake.read(dataset, list(columns)) for row in rows.to_pylist()]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def test_times_are_multiples_of_the_step_and_the_last_two_minutes_settle_first(lake):
    with serve(every_step) as server:
        extract(server.url, lake, since=datetime(2026, 3, 2, 10, 40, 13, tzinfo=UTC))

    rows = landed(lake, "metric", "labels", "value", "sampled_at", "step_seconds")
    assert len(rows) == 18
    assert rows[0] == {
        "metric": "pending",
        "labels": '{"cluster_queue":"q"}',
        "value": 41,
        "sampled_at": datetime(2026, 3, 2, 10, 41, tzinfo=UTC),
        "step_seconds": 60,
    }
    assert rows[-1]["sampled_at"] == datetime(2026, 3, 2, 10, 58, tzinfo=UTC)


def test_a_run_begins_where_the_one_before_ended_and_looks_ten_minutes_back(lake):
    with serve(every_step) as server:
        extract(server.url, lake, since=TEN, until=datetime(2026, 3, 2, 10, 32, tzinfo=UTC))
        tally = extract(server.url, lake, until=datetime(2026, 3, 2, 10, 42, 30, tzinfo=UTC))

    assert len(landed(lake, "value")) == 41
    assert (tally.landed_count, tally.known_count) == (10, 11)


def test_the_first_run_reads_two_weeks(lake):
    with serve(every_step) as server:
        extract(server.url, lake, step=3600)

    assert int(server.asked[0].query["start"]) == int(ELEVEN.timestamp()) - 14 * 86_400


def test_no_answer_has_more_points_than_prometheus_gives(lake):
    with serve(every_step) as server:
        extract(server.url, lake, step=1, since=TEN)

    points = [
        (int(asked.query["end"]) - int(asked.query["start"])) / int(asked.query["step"]) + 1
        for asked in server.asked
    ]
    assert max(points) <= 11_000
    assert sum(points) == len(landed(lake, "value")) == 3481


def test_a_source_that_finds_it_too_much_is_asked_for_less(lake):
    def modest(asked: Asked) -> Answer:
        points = (int(asked.query["end"]) - int(asked.query["start"])) // 60 + 1
        refusal = {"status": "error", "error": "query processing would load too many samples into memory"}
        return every_step(asked) if points <= 10 else Answer(json.dumps(refusal).encode(), 422)

    with serve(modest) as server:
        extract(server.url, lake, since=TEN)

    assert len(landed(lake, "value")) == 59


def test_a_selector_that_is_no_promql_is_an_error_with_what_prometheus_says(lake):
    refusal = Answer(b'{"status":"error","error":"1:1: parse error: unexpected character"}', 400)
    with serve(lambda _: refusal) as server, pytest.raises(BadRequestError, match="parse error"):
        extract(server.url, lake, "{{", since=TEN)


def test_infinity_and_nan_are_values(lake):
    at = TEN.timestamp()
    values = [[at, "+Inf"], [at + 60, "NaN"], [at + 120, "-Inf"], [at + 180, "0.5"]]
    with serve(lambda _: matrix({"metric": {"__name__": "limit"}, "values": values})) as server:
        extract(server.url, lake, since=TEN)

    found = [row["value"] for row in landed(lake, "value")]
    assert (found[0], found[2:]) == (math.inf, [-math.inf, 0.5])
    assert math.isnan(found[1])


def test_native_histograms_are_counted_and_not_landed(lake):
    native = {"metric": {"__name__": "wait"}, "histograms": [[TEN.timestamp(), {"count": "1"}]]}
    with serve(lambda _: matrix(native)) as server:
        extract(server.url, lake, since=TEN)

    assert [row["reason"] for row in landed(lake, "reason", dataset=REJECTS)] == ["native_histogram"]


def test_what_was_answered_with_a_warning_is_asked_for_again(lake):
    with serve(lambda _: matrix(warnings=["a store did not answer"])) as server:
        extract(server.url, lake, step=3600, since=TEN)
        extract(server.url, lake, step=3600)

    covered = landed(lake, "message", "since", dataset=COVERAGE)
    assert {row["message"] for row in covered} == {"a store did not answer"}
    assert sorted(row["since"].day for row in covered) == [2, 16]


def test_selectors_that_find_nothing_are_covered_all_the_same(lake):
    with serve(lambda _: matrix()) as server:
        extract(server.url, lake, "a", "b", since=TEN)

    covered = landed(lake, "resource", "object_count", dataset=COVERAGE)
    assert {(row["resource"], row["object_count"]) for row in covered} == {("a", 0), ("b", 0)}


def test_what_was_read_before_the_source_broke_off_is_landed(lake):
    def breaks_off(asked: Asked) -> Answer:
        return every_step(asked) if asked.query["query"] == "a" else Answer(status=503)

    with serve(breaks_off) as server, pytest.raises(SourceError, match="503"):
        extract(server.url, lake, "a", "b", since=TEN)

    assert len(landed(lake, "value")) == 59


@pytest.mark.parametrize(
    "answer",
    [
        as_json({"status": "error"}),
        as_json({"status": "success", "data": {"resultType": "vector", "result": []}}),
        matrix({"metric": {}, "values": [[1, "many"]]}),
        Answer(b"<html>"),
    ],
)
def test_an_answer_that_is_no_range_is_an_error(lake, answer):
    with serve(lambda _: answer) as server, pytest.raises(UnreachableError, match="prometheus dev"):
        extract(server.url, lake, since=TEN)


def test_a_range_is_within_its_times():
    times = Range.between(
        datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 5, tzinfo=UTC), 60
    )

    assert times.points == 5
    assert [chunk.points for chunk in times.chunks(2)] == [2, 2, 1]
