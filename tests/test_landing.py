"""From files into the lake: once, without secrets, whatever is broken among them."""

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from gitopslab.datasets import COVERAGE, EXTRACT_RUNS, LANDED_FILES, OBJECT_VERSIONS, REJECTS
from gitopslab.extract import documents, files
from gitopslab.extract.files import Reading
from gitopslab.extract.landing import Landing
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake
from gitopslab.warehouse import Warehouse, build

from .conftest import project_settings

SEEN = datetime(2026, 1, 1, tzinfo=UTC)


def application(name: str, version: str = "1", **more: object) -> dict:
    metadata = {"name": name, "namespace": "argocd", "uid": f"uid-{name}", "resourceVersion": version}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata, **more}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def land(lake: Lake, *paths: Path, cluster: str = "dev", **options: object) -> Landing:
    with Landing(lake, Origin("files", cluster, "file")) as landing:
        found = [path for path in documents.find(paths) if isinstance(path, Path)]
        files.land(found, landing, Reading(**{"observed_at": SEEN, **options}))
    return landing


def rows(lake: Lake, dataset, *columns: str) -> list[dict]:
    return [row for table in lake.read(dataset, list(columns)) for row in table.to_pylist()]


def bodies(lake: Lake) -> list[str]:
    return [row["body"] for row in rows(lake, OBJECT_VERSIONS, "body")]


def test_what_kubectl_printed_lands_with_its_identity(lake, tmp_path):
    file = tmp_path / "apps.json"
    file.write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [application("a"), application("b", "2")]})
    )

    tally = land(lake, file).tally

    assert (tally.object_count, tally.landed_count, tally.reject_count) == (2, 2, 0)
    key = (
        "cluster",
        "cluster_uid",
        "api_group",
        "resource",
        "kind",
        "namespace",
        "name",
        "uid",
        "resource_version",
        "identity",
    )
    assert rows(lake, OBJECT_VERSIONS, *key)[1] == {
        "cluster": "dev",
        "cluster_uid": "name:dev",
        "api_group": "argoproj.io",
        "resource": "applications",
        "kind": "Application",
        "namespace": "argocd",
        "name": "b",
        "uid": "uid-b",
        "resource_version": "2",
        "identity": "server",
    }


def test_landing_twice_is_landing_once(lake, tmp_path):
    file = tmp_path / "apps.ndjson"
    file.write_text("\n".join(json.dumps(application("a", str(n))) for n in range(5)) + "\n{broken\n")

    land(lake, file)
    again = land(lake, file).tally

    assert again.object_count == 0
    assert len(bodies(lake)) == 5
    assert len(rows(lake, REJECTS, "reason")) == 1


def test_the_same_versions_in_another_file_are_known_already(lake, tmp_path):
    (tmp_path / "one.json").write_text(json.dumps(application("a")))
    (tmp_path / "two.json").write_text(json.dumps(application("a"), indent=1))

    tally = land(lake, tmp_path / "one.json", tmp_path / "two.json").tally

    assert (tally.landed_count, tally.known_count) == (1, 1)


def test_every_batch_keeps_its_own_bodies(lake, tmp_path):
    written = [json.dumps(application("a" * n, note="x" * (1_000 - n))) for n in (1, 20, 300)]

    with Landing(lake, Origin("files", "dev", "file")) as landing:
        for number, body in enumerate(written):
            file = tmp_path / f"{number}.json"
            file.write_text(body)
            files.land([file], landing)
            landing.flush()

    assert sorted(bodies(lake)) == sorted(written)


def test_a_version_of_another_cluster_is_another_version(lake, tmp_path):
    (tmp_path / "one.json").write_text(json.dumps(application("a")))

    land(lake, tmp_path / "one.json", cluster="dev")
    land(lake, tmp_path / "one.json", cluster="staging")

    assert len(bodies(lake)) == 2


def test_two_extractors_at_once_land_each_version_once_in_the_warehouse(tmp_path):
    settings = project_settings(tmp_path)
    lake = Lake(settings.lake.path)
    file = tmp_path / "apps.ndjson"
    file.write_text("\n".join(json.dumps(application(f"a{n}")) for n in range(100)))

    origin = Origin("files", "dev", "file")
    with Landing(lake, origin) as one, Landing(lake, origin) as two:
        files.land([file], one)
        files.land([file], two)
    build(settings)

    assert len(bodies(lake)) == 200
    with Warehouse(settings.warehouse.path) as warehouse:
        assert warehouse.sql("SELECT count(*) AS n FROM object_version").one()["n"] == 100
        assert warehouse.sql("SELECT count(*) AS n FROM argocd_application").one()["n"] == 100


def test_an_object_without_identity_is_known_by_name_and_content(lake, tmp_path):
    item = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "n"},
        "data": {"a": "1"},
    }
    other = {**item, "data": {"a": "2"}}
    (tmp_path / "x.ndjson").write_text("\n".join(map(json.dumps, (item, other, item))))

    tally = land(lake, tmp_path / "x.ndjson").tally

    assert (tally.landed_count, tally.known_count) == (2, 1)
    [first, second] = rows(lake, OBJECT_VERSIONS, "uid", "resource_version", "identity")
    assert (first["uid"], first["identity"]) == ("name:n/c", "content")
    assert first["resource_version"].startswith("content:")
    assert first["resource_version"] != second["resource_version"]


def test_what_is_broken_is_kept_with_file_and_line_and_the_rest_lands(lake, tmp_path):
    file = tmp_path / "mixed.ndjson"
    file.write_text(f'{json.dumps(application("a"))}\n{{"kind": \n{json.dumps(application("b"))}\n')

    tally = land(lake, file).tally

    assert (tally.landed_count, tally.reject_count) == (2, 1)
    [reject] = rows(lake, REJECTS, "source", "source_line", "reason", "excerpt")
    assert reject == {
        "source": file.as_posix(),
        "source_line": 2,
        "reason": "invalid_json",
        "excerpt": '{"kind":',
    }


def test_a_secret_is_refused_and_counted(lake, tmp_path):
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"password": "aHVudGVyMg=="},
    }
    (tmp_path / "list.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [secret, application("a")]})
    )

    tally = land(lake, tmp_path / "list.json").tally

    assert (tally.refused_secret_count, tally.landed_count, tally.object_count) == (1, 1, 1)


def test_no_planted_credential_is_in_any_file_of_the_lake(lake, tmp_path):
    planted = ("hunter2pass", "ghp_" + "a1B2" * 9, "s3cr3t-in-a-url")
    item = application(
        "a",
        spec={
            "env": [{"name": "DB_PASSWORD", "value": planted[0]}],
            "note": f"uses {planted[1]}",
            "source": {"repoURL": f"https://user:{planted[2]}@github.com/x/y.git"},
        },
    )
    (tmp_path / "a.ndjson").write_text(json.dumps(item) + "\n" + json.dumps(item)[:-20] + "\n")

    tally = land(lake, tmp_path / "a.ndjson").tally

    assert tally.redaction_count == 3
    assert len(rows(lake, REJECTS, "excerpt")) == 1
    texts = bodies(lake) + [
        row["excerpt"] + row["message"] for row in rows(lake, REJECTS, "excerpt", "message")
    ]
    assert not [secret for secret in planted for text in texts if secret in text]


def test_every_run_is_two_rows_and_says_what_it_did(lake, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(application("a")))

    landing = land(lake, tmp_path / "a.json")

    noted = rows(lake, EXTRACT_RUNS, "run_id", "state", "landed_count")
    assert sorted((row["state"], row["landed_count"]) for row in noted) == [("finished", 1), ("started", 0)]
    assert {row["run_id"] for row in noted} == {landing.run_id}


def test_coverage_says_what_each_file_showed_and_when(lake, tmp_path):
    (tmp_path / "a.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [application("a"), application("b")]})
    )

    land(lake, tmp_path / "a.json")

    assert rows(lake, COVERAGE, "resource", "state", "since", "until", "object_count") == [
        {"resource": "applications", "state": "file", "since": SEEN, "until": SEEN, "object_count": 2}
    ]


def test_a_file_that_does_not_say_when_was_seen_when_it_last_changed(lake, tmp_path):
    file = tmp_path / "a.json"
    file.write_text(json.dumps(application("a")))
    os.utime(file, (1_800_000_000, 1_800_000_000))

    land(lake, file, observed_at=None)

    assert rows(lake, OBJECT_VERSIONS, "observed_at") == [
        {"observed_at": datetime.fromtimestamp(1_800_000_000, UTC)}
    ]


def test_a_watch_event_says_itself_when_it_was_seen(lake, tmp_path):
    event = {"type": "DELETED", "observedAt": "2026-02-03T04:05:06.5Z", "object": application("a")}
    (tmp_path / "w.ndjson").write_text(json.dumps(event))

    land(lake, tmp_path / "w.ndjson")

    assert rows(lake, OBJECT_VERSIONS, "event_type", "observed_at") == [
        {"event_type": "DELETED", "observed_at": datetime(2026, 2, 3, 4, 5, 6, 500_000, tzinfo=UTC)}
    ]


def test_a_file_that_says_when_covers_no_later_time_than_that(lake, tmp_path):
    times = ("2026-02-03T04:05:06Z", "2026-02-01T00:00:00Z")
    events = [
        {"type": "MODIFIED", "observedAt": at, "object": application("a", str(n))}
        for n, at in enumerate(times)
    ]
    file = tmp_path / "watch.ndjson"
    file.write_text("\n".join(json.dumps(event) for event in events))
    land(lake, file, observed_at=None)

    assert rows(lake, COVERAGE, "since", "until") == [
        {"since": datetime(2026, 2, 1, tzinfo=UTC), "until": datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)}
    ]


def test_a_file_is_noted_when_it_was_read_to_its_end(lake, tmp_path):
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps(application("a")).encode()))

    land(lake, tmp_path / "a.json.gz")

    [note] = rows(lake, LANDED_FILES, "object_count", "reject_count", "size_bytes")
    assert note == {
        "object_count": 1,
        "reject_count": 0,
        "size_bytes": (tmp_path / "a.json.gz").stat().st_size,
    }


def test_what_was_rejected_for_want_of_a_kind_is_read_once_the_kind_is_given(lake, tmp_path):
    nameless = {key: value for key, value in application("a").items() if key not in ("apiVersion", "kind")}
    (tmp_path / "a.json").write_text(json.dumps(nameless))

    assert land(lake, tmp_path / "a.json").tally.reject_count == 1
    assert land(lake, tmp_path / "a.json").tally.object_count == 0
    assert (
        land(lake, tmp_path / "a.json", assume=("argoproj.io/v1alpha1", "Application")).tally.landed_count
        == 1
    )


def test_a_pipe_is_read_and_never_taken_for_known(lake, tmp_path):
    pipe = tmp_path / "pipe.ndjson"
    os.mkfifo(pipe)
    for version in ("1", "2"):
        writer = Thread(target=pipe.write_text, args=(json.dumps(application("a", version)) + "\n",))
        writer.start()
        assert land(lake, pipe).tally.landed_count == 1
        writer.join()

    assert len(bodies(lake)) == 2
    assert rows(lake, LANDED_FILES, "source") == []


def test_a_file_that_went_on_while_it_was_read_is_read_again(lake, tmp_path):
    file = tmp_path / "log.ndjson"
    file.write_text(json.dumps(application("a", "1")) + "\n")

    def append(_: int) -> None:
        if file.read_text().count("\n") == 1:
            with file.open("a") as stream:
                stream.write(json.dumps(application("a", "2")) + "\n")

    with Landing(lake, Origin("files", "dev", "file")) as landing:
        files.land([file], landing, progress=append)

    assert rows(lake, LANDED_FILES, "source") == []


def test_thousands_of_small_files_make_few_files_in_the_lake(lake, tmp_path):
    for n in range(300):
        (tmp_path / f"{n}.json").write_text(json.dumps(application(f"a{n}")))

    land(lake, *(tmp_path / f"{n}.json" for n in range(300)))

    assert len(lake.files(OBJECT_VERSIONS)) == 1
    assert len(lake.files(LANDED_FILES)) == 1
    assert len(rows(lake, LANDED_FILES, "source")) == 300
