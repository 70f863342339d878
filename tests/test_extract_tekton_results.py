"""Tekton Results: runs that the cluster pruned land from records, newest first, and only once."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitopslab import http
from gitopslab.datasets import COVERAGE, OBJECT_VERSIONS, REJECTS
from gitopslab.errors import SourceError, UnreachableError
from gitopslab.extract import tekton_results
from gitopslab.extract.landing import Landing
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake

from .httpserver import Answer, Asked, as_json, serve

QUICK = http.Patience(attempts=2, first_pause_seconds=0.01)
ORIGIN = Origin("tekton-results", "hub", "results")


def run_object(name: str, kind: str = "PipelineRun", version: str = "v1") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "ci", "uid": f"uid-{name}", "resourceVersion": "7"}
    return {"apiVersion": f"tekton.dev/{version}", "kind": kind, "metadata": metadata}


def record(name: str, at: str, value: Any = None, kind: str = "tekton.dev/v1.PipelineRun") -> dict[str, Any]:
    text = value if isinstance(value, bytes) else json.dumps(value or run_object(name)).encode()
    return {
        "name": f"ci/results/r/records/{name}",
        "uid": f"record-{name}",
        "etag": f"record-{name}-1",
        "data": {"type": kind, "value": base64.b64encode(text).decode()},
        "create_time": "2026-03-01T00:00:00Z",
        "update_time": at,
    }


def pages(*groups: list[dict[str, Any]]):
    """Answer with one group of records after another, each behind the token of the one before."""

    def answer(asked: Asked) -> Answer:
        number = int(asked.query.get("page_token", "0"))
        following = str(number + 1) if number + 1 < len(groups) else ""
        return as_json({"records": groups[number], "next_page_token": following})

    return answer


def extract(url: str, lake: Lake, **options: Any) -> tuple[Landing, tekton_results.Outcome]:
    with Landing(lake, ORIGIN) as landing:
        outcome = tekton_results.land(http.connect("results hub", url, patience=QUICK), landing, **options)
    return landing, outcome


def landed(lake: Lake, *columns: str, dataset: Any = OBJECT_VERSIONS) -> list[dict[str, Any]]:
    return [row for rows in lake.read(dataset, list(columns)) for row in rows.to_pylist()]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def test_records_become_object_versions_as_the_cluster_had_them(lake):
    with serve(pages([record("a", "2026-03-02T10:00:00Z")])) as server:
        extract(server.url, lake)

    [version] = landed(
        lake, "uid", "resource_version", "api_group", "api_version", "resource", "how", "observed_at"
    )
    assert version == {
        "uid": "uid-a",
        "resource_version": "7",
        "api_group": "tekton.dev",
        "api_version": "v1",
        "resource": "pipelineruns",
        "how": "results",
        "observed_at": datetime(2026, 3, 2, 10, tzinfo=UTC),
    }


def test_pages_are_followed_in_the_size_and_order_that_the_api_knows(lake):
    first, second = record("b", "2026-03-02T11:00:00Z"), record("a", "2026-03-02T10:00:00Z")
    with serve(pages([first], [second])) as server:
        _, outcome = extract(server.url, lake)

    assert outcome.record_count == 2
    assert server.asked[0].path == "/apis/results.tekton.dev/v1alpha2/parents/-/results/-/records"
    assert server.asked[0].query == {"page_size": "500", "order_by": "update_time desc"}
    assert server.asked[1].query.keys() - server.asked[0].query.keys() == {"page_token"}


def test_the_next_run_lands_only_what_is_new(lake):
    old = [record("a", "2026-03-02T10:00:00Z")]
    new = [record("c", "2026-03-03T10:00:00Z"), *old]
    with serve(pages(old)) as server:
        extract(server.url, lake)
    with serve(pages(new, [record("never", "2026-03-01T10:00:00Z")])) as server:
        landing, _ = extract(server.url, lake)

    assert (landing.tally.landed_count, landing.tally.known_count) == (1, 1)


def test_records_older_than_the_overlap_are_not_asked_for_again(lake):
    with serve(pages([record("a", "2026-03-02T10:00:00Z")])) as server:
        extract(server.url, lake)
    later = [record("b", "2026-03-02T12:00:00Z"), record("x", "2026-03-02T09:00:00Z")]
    with serve(pages(later, [record("y", "2026-03-02T08:00:00Z")])) as server:
        landing, _ = extract(server.url, lake)

    assert len(server.asked) == 1
    assert landing.tally.landed_count == 1


def test_an_api_that_does_not_keep_the_order_is_read_to_its_end(lake):
    with serve(pages([record("a", "2026-03-02T10:00:00Z")])) as server:
        extract(server.url, lake)
    mixed = [record("x", "2026-03-01T09:00:00Z"), record("b", "2026-03-02T12:00:00Z")]
    with serve(pages(mixed, [record("c", "2026-03-02T13:00:00Z")])) as server:
        landing, _ = extract(server.url, lake)

    assert landing.tally.landed_count == 2


def test_a_run_that_was_watched_and_stored_lands_once(lake):
    with serve(pages([record("a", "2026-03-02T10:00:00Z")])) as server:
        extract(server.url, lake)
        landing, _ = extract(server.url, lake, since=datetime(2026, 1, 1, tzinfo=UTC))

    assert (landing.tally.landed_count, landing.tally.known_count) == (0, 1)


def test_older_records_keep_their_api_version_and_what_lacks_a_kind_gets_that_of_its_record(lake):
    bare = run_object("b", "TaskRun")
    del bare["apiVersion"], bare["kind"]
    old = record(
        "a", "2026-03-02T10:00:00Z", run_object("a", "TaskRun", "v1beta1"), "tekton.dev/v1beta1.TaskRun"
    )
    with serve(pages([old, record("b", "2026-03-02T09:00:00Z", bare, "tekton.dev/v1.TaskRun")])) as server:
        extract(server.url, lake)

    versions = landed(lake, "name", "api_version", "kind")
    assert sorted((row["name"], row["api_version"], row["kind"]) for row in versions) == [
        ("a", "v1beta1", "TaskRun"),
        ("b", "v1", "TaskRun"),
    ]


def test_events_of_a_run_land_as_events(lake):
    event = {
        "metadata": {"name": "a.1", "namespace": "ci", "uid": "e", "resourceVersion": "9"},
        "reason": "Started",
    }
    events = {"metadata": {}, "items": [event]}
    with serve(
        pages([record("a", "2026-03-02T10:00:00Z", events, "results.tekton.dev/v1.EventList")])
    ) as server:
        extract(server.url, lake)

    assert landed(lake, "resource", "kind", "uid") == [{"resource": "events", "kind": "Event", "uid": "e"}]


def test_logs_and_types_that_nobody_knows_are_counted_and_not_landed(lake):
    log = record("l", "2026-03-02T10:00:00Z", {}, "results.tekton.dev/v1alpha3.Log")
    strange = record("s", "2026-03-02T09:00:00Z", {}, "example.dev/v1.Thing")
    with serve(pages([log, strange])) as server:
        extract(server.url, lake)

    covered = landed(lake, "resource", "state", "object_count", dataset=COVERAGE)
    assert landed(lake, "uid") == []
    assert {(row["resource"], row["object_count"]) for row in covered if row["state"] == "refused"} == {
        ("results.tekton.dev/v1alpha3.Log", 1),
        ("example.dev/v1.Thing", 1),
    }


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"data": {"type": "tekton.dev/v1.TaskRun", "value": "VGhpcw==="}}, "undecodable_record"),
        ({"data": {"type": "tekton.dev/v1.TaskRun", "value": "e30"}}, "undecodable_record"),
        ({"data": "no data"}, "undecodable_record"),
        (record("x", "2026-03-02T10:00:00Z", b"not json"), "invalid_json"),
        (record("x", "2026-03-02T10:00:00Z", b"[1]"), "not_an_object"),
        (record("x", "yesterday"), "undecodable_record"),
    ],
)
def test_a_record_that_cannot_be_read_is_kept_and_the_others_land(lake, broken, reason):
    with serve(pages([record("a", "2026-03-02T10:00:00Z"), broken])) as server:
        extract(server.url, lake)

    assert [row["reason"] for row in landed(lake, "reason", dataset=REJECTS)] == [reason]
    assert [row["uid"] for row in landed(lake, "uid")] == ["uid-a"]


def test_a_credential_in_a_record_that_cannot_be_read_is_hidden(lake):
    params = [{"name": "password", "value": "hunter2hunter2"}]
    run = run_object("x") | {"spec": {"params": params}}
    ends_early = record("x", "2026-03-02T10:00:00Z", run)
    ends_early["data"]["value"] += "="
    with serve(pages([record("y", "yesterday", run), ends_early])) as server:
        extract(server.url, lake)

    for row in landed(lake, "excerpt", dataset=REJECTS):
        assert '"value": "[redacted]"' in row["excerpt"]


def test_a_secret_in_a_record_is_refused(lake):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ci"}}
    with serve(pages([record("a", "2026-03-02T10:00:00Z", secret)])) as server:
        landing, _ = extract(server.url, lake)

    assert landing.tally.refused_secret_count == 1
    assert landed(lake, "uid") == []


def test_what_was_read_before_the_api_broke_off_is_landed_and_read_again(lake):
    def breaks_off(asked: Asked) -> Answer:
        if "page_token" in asked.query:
            return Answer(status=500)
        return as_json({"records": [record("a", "2026-03-02T10:00:00Z")], "next_page_token": "1"})

    with serve(breaks_off) as server, pytest.raises(SourceError, match=r"results hub: .* answered 500"):
        extract(server.url, lake)
    assert [row["uid"] for row in landed(lake, "uid")] == ["uid-a"]

    both = [record("a", "2026-03-02T10:00:00Z")], [record("b", "2026-02-01T10:00:00Z")]
    with serve(pages(*both)) as server:
        landing, _ = extract(server.url, lake)
    assert landing.tally.landed_count == 1


def test_pages_that_lead_to_themselves_are_an_error(lake):
    answer = as_json({"records": [], "next_page_token": "again"})
    with serve(lambda _: answer) as server, pytest.raises(UnreachableError, match="do not come to an end"):
        extract(server.url, lake)
