"""Events of a cluster, as rows: two API groups say the same under other names, and count in three ways."""

import json
from pathlib import Path
from typing import Any

import pytest

RECORDS = Path(__file__).parent / "records"


def event(**fields: Any) -> dict[str, Any]:
    metadata = {"name": "e", "namespace": "dev", "uid": "e", "resourceVersion": "1"}
    return {"apiVersion": "v1", "kind": "Event", "metadata": metadata, **fields}


def recorded(folder: Path) -> list[Any]:
    files = sorted(folder.glob("events*.json"))
    return [item for file in files for item in json.loads(file.read_text(encoding="utf-8"))["items"]]


@pytest.fixture
def rows_of(warehouse_of):
    """Build a warehouse from Events and return their rows."""

    def build_rows(events: list[Any]) -> list[dict[str, Any]]:
        return warehouse_of(events).sql("SELECT * FROM kubernetes_event").dicts()

    return build_rows


def test_every_column_has_a_value_in_the_records_and_no_row_repeats_its_grain(rows_of):
    rows = rows_of([*recorded(RECORDS), *recorded(RECORDS / "later")])

    assert [column for column in rows[0] if all(row[column] is None for row in rows)] == []
    assert len({(row["uid"], row["event_count"], row["last_occurred_at"]) for row in rows}) == len(rows) == 4


def test_an_event_reads_the_same_from_both_api_groups(rows_of):
    pod = {"apiVersion": "v1", "kind": "Pod", "namespace": "dev", "name": "p", "uid": "pod"}
    core = event(
        involvedObject=pod,
        message="Back-off",
        source={"component": "kubelet", "host": "node-1"},
        count=4,
        firstTimestamp="2026-05-04T09:00:00Z",
        lastTimestamp="2026-05-04T09:05:00Z",
    )
    newer = event(
        regarding=pod,
        note="Back-off",
        deprecatedSource={"component": "kubelet", "host": "node-1"},
        deprecatedCount=4,
        deprecatedFirstTimestamp="2026-05-04T09:00:00Z",
        deprecatedLastTimestamp="2026-05-04T09:05:00Z",
    )
    newer["apiVersion"], newer["metadata"] = "events.k8s.io/v1", {**newer["metadata"], "uid": "f"}

    first, second = ({**row, "uid": None} for row in rows_of([core, newer]))
    assert first == second
    assert (first["involved_uid"], first["reporting_component"], first["event_count"]) == (
        "pod",
        "kubelet",
        4,
    )


def test_a_series_counts_and_an_event_without_a_count_occurred_once(rows_of):
    series = {"count": 7, "lastObservedTime": "2026-05-04T09:09:00.500000Z"}
    repeated = event(eventTime="2026-05-04T09:00:00.250000Z", series=series, reportingComponent="")
    once = event(eventTime="2026-05-04T09:00:00.250000Z", count=None)
    once["metadata"] = {**once["metadata"], "uid": "once"}

    rows = {row["uid"]: row for row in rows_of([repeated, once])}
    assert (rows["e"]["event_count"], rows["e"]["reporting_component"]) == (7, None)
    assert (rows["e"]["last_occurred_at"] - rows["e"]["first_occurred_at"]).total_seconds() == 540.25
    assert rows["once"]["event_count"] == 1
    assert rows["once"]["last_occurred_at"] == rows["once"]["first_occurred_at"]


def test_an_event_that_is_counted_up_is_a_row_each_count(rows_of):
    versions = [event(count=1), event(count=5), event(count=5)]
    for number, version in enumerate(versions, 1):
        version["metadata"] = {**version["metadata"], "resourceVersion": str(number)}

    assert sorted(row["event_count"] for row in rows_of(versions)) == [1, 5]
