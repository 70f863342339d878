"""Every typed column gets a value from records as kubectl prints them, and real captures come out right."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitopslab import queries, settings
from gitopslab.extract import documents, files
from gitopslab.extract.landing import Landing
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake
from gitopslab.warehouse import Warehouse, build

from .conftest import RECORDS, SHARED, needs_shared

TYPED = [query.name for query in queries.room("typed")]
SAMPLES = SHARED / "data" / "samples"

# Cut out of documents with ellipses, so that they are no YAML any more; or no object, but another answer.
ELIDED = {
    "kueue/admissioncheckstates.yaml",
    "kueue/workload-podsetassignments.yaml",
    "kueue/workload-status-admitted.yaml",
    "tekton/pipelinerun-git-resolver-provenance.yaml",
    "tekton/pipelinerun-matrix-status.yaml",
}
NO_OBJECT = {
    "argocd/hydrator.metadata.json",
    "kueue/pendingworkloads-summary.json",
    "tekton/results-records-list.json",
    "tekton/results-result.json",
    "tekton/results-summary.json",
}
KINDS = {
    "kueue/clusterqueue": "kueue.x-k8s.io/v1beta1/ClusterQueue",
    "kueue/localqueue": "kueue.x-k8s.io/v1beta1/LocalQueue",
    "kueue/": "kueue.x-k8s.io/v1beta2/Workload",
    "tekton/chains-pipelinerun": "tekton.dev/v1/PipelineRun",
    "tekton/pipelinerun": "tekton.dev/v1/PipelineRun",
    "tekton/": "tekton.dev/v1/TaskRun",
}


def land(lake: Lake, path: Path, kind: str = "") -> Landing:
    """Land one file as cluster `dev`; `kind` is that of objects that name none."""
    api_version, _, name = kind.rpartition("/")
    with Landing(lake, Origin("files", "dev", "file")) as landing:
        files.land([path], landing, files.Reading(assume=(api_version, name) if kind else None))
    return landing


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Iterator[Warehouse]:
    """The records, as files, and their later versions, as a watch delivered them."""
    folder = tmp_path_factory.mktemp("records")
    (folder / "gitopslab.toml").write_text('[[clusters]]\nname = "dev"\n')
    configured = settings.load(folder / "gitopslab.toml")
    lake = Lake(configured.lake.path)
    for file in sorted(RECORDS.glob("*.json")):
        assert land(lake, file).tally.reject_count == 0, file
    watched = folder / "watched.ndjson"
    with watched.open("w") as stream:
        for file in sorted(RECORDS.glob("*.json")):
            later = RECORDS / "later" / file.name
            for item in json.loads((later if later.exists() else file).read_text())["items"]:
                if not later.exists():
                    item["metadata"]["resourceVersion"] += "0"
                event = {"type": "MODIFIED", "observedAt": "2026-06-01T00:00:00Z", "object": item}
                stream.write(json.dumps(event) + "\n")
    land(lake, watched)
    build(configured)
    with Warehouse(configured.warehouse.path) as warehouse:
        yield warehouse


@pytest.mark.parametrize("table", TYPED)
def test_every_column_has_a_value(records, table):
    rows = records.sql(f"FROM {table}").table

    assert [name for name in rows.column_names if rows[name].null_count == len(rows)] == []


def test_no_value_of_a_record_is_lost_on_the_way(records):
    assert records.sql("SELECT table_name, column_name, value FROM unreadable_value").dicts() == []


def test_every_version_of_a_record_is_there(records):
    versions = records.sql("SELECT count(*) AS n, count(DISTINCT uid) AS objects FROM object_version").one()
    first = {file.name: len(json.loads(file.read_text())["items"]) for file in RECORDS.glob("*.json")}
    later = {
        file.name: len(json.loads(file.read_text())["items"]) for file in (RECORDS / "later").glob("*.json")
    }

    assert versions["objects"] == sum(first.values())
    assert versions["n"] == sum(first.values()) + sum((first | later).values())


def test_a_sync_with_several_sources_keeps_them_all(records):
    [sync] = records.sql(
        "SELECT revision, revisions, sources FROM argocd_application_sync WHERE application = 'observability'"
    ).dicts()

    assert sync["revision"] is None
    assert sync["revisions"][0] == "27.0.2"
    assert [source["chart"] or source["path"] for source in sync["sources"]] == [
        "prometheus",
        "values/prometheus",
    ]


def test_a_mirror_knows_its_original(records):
    [mirror] = records.sql(
        "SELECT is_mirror, is_counted, source_uid FROM applications WHERE namespace = 'dev'"
    ).dicts()

    assert (mirror["is_mirror"], mirror["is_counted"]) == (True, False)


def test_an_image_is_told_apart_in_name_tag_and_digest(records):
    images = records.sql(
        "SELECT image_name, image_tag, digest FROM argocd_application_image ORDER BY image"
    ).dicts()

    assert images[0] == {"image_name": "ghcr.io/example/db-migrate", "image_tag": "v41", "digest": None}
    assert (images[1]["image_tag"], images[1]["digest"]) == ("git-3c3c3c3c3c3c", "sha256:" + "7a" * 32)


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> Iterator[tuple[Warehouse, dict[str, Landing]]]:
    folder = tmp_path_factory.mktemp("samples")
    (folder / "gitopslab.toml").write_text('[[clusters]]\nname = "dev"\n')
    configured = settings.load(folder / "gitopslab.toml")
    lake = Lake(configured.lake.path)
    landed = {}
    for file in documents.find([SAMPLES]):
        if isinstance(file, Path):
            name = file.relative_to(SAMPLES).as_posix()
            kind = next((kind for prefix, kind in KINDS.items() if name.startswith(prefix)), "")
            landed[name] = land(lake, file, "" if name in NO_OBJECT else kind)
    build(configured)
    with Warehouse(configured.warehouse.path) as warehouse:
        yield warehouse, landed


@needs_shared
def test_every_status_bearing_sample_lands(samples):
    _, landed = samples
    not_whole = {name for name, landing in landed.items() if landing.tally.reject_count}

    assert not_whole == ELIDED | NO_OBJECT
    assert not [
        name for name, landing in landed.items() if not landing.tally.object_count and name not in not_whole
    ]


@needs_shared
def test_the_real_argo_cd_capture_comes_out_right(samples):
    warehouse, _ = samples
    syncs = warehouse.sql("FROM syncs WHERE application = 'velero-test' ORDER BY deployed_at").dicts()

    assert [sync["sync_id"] for sync in syncs] == list(range(14, 24))
    assert {sync["revision"] for sync in syncs} == {"ea8759964626a583667a2bfd08f334ec2070040a"}
    assert [sync["is_deployment"] for sync in syncs] == [None, *[False] * 9]
    assert sum(sync["sync_seconds"] for sync in syncs) == 4
    [operation] = warehouse.sql("FROM sync_operations WHERE application = 'velero-test'").dicts()
    assert (operation["outcome"], operation["resource_count"], operation["retry_limit"]) == (
        "succeeded",
        2,
        10,
    )
    assert operation["initiated_by"].startswith("email:")


@needs_shared
def test_the_real_promoter_captures_come_out_right(samples):
    warehouse, _ = samples
    requests = warehouse.sql(
        "SELECT desired_state, state FROM promoter_pull_request WHERE pull_request_id = '2986' ORDER BY ALL"
    ).dicts()
    [active] = warehouse.sql(
        "SELECT phase FROM promoter_environment_commit_status"
        " WHERE uid = '90374a1e-978c-4643-8631-6606d4248be3' AND side = 'active'"
    ).dicts()

    assert [tuple(request.values()) for request in requests] == [("merged", "open"), ("open", "open")]
    assert active["phase"] == "pending"


@needs_shared
def test_the_real_tekton_capture_comes_out_right(samples):
    warehouse, _ = samples
    [run] = warehouse.sql(
        "SELECT namespace, condition_status FROM tekton_task_run WHERE task_run = 'curl-run-6gplk'"
    ).dicts()

    assert (run["namespace"], run["condition_status"]) == ("default", "Unknown")
