"""What Tekton writes, and what its objects do not say, as rows."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitopslab import queries

TESTS = Path(__file__).parent
SHARED = TESTS.parents[1] / "shared" / "data"
SAMPLES = SHARED / "samples" / "tekton"
CRDS = SHARED / "crds" / "tekton-pipeline"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared sample data is not beside this checkout"
)

TYPED = [query for query in queries.room("typed") if query.name.startswith("tekton_")]
ONLY_WATCHED = {"event_type"}
"""Columns that a list cannot fill: kubectl prints no event."""
SERVER_OWNED = "metadata."
"""The API server's fields, which a CRD's schema does not list."""
WITHOUT_SCHEMA = ("spec.pipelineSpec.", "spec.taskSpec.", "status.retriesStatus")
"""Where the CRD preserves unknown fields instead of naming them."""


def run(kind: str, *, version: str = "v1", spec: Any = None, status: Any = None, **metadata: Any) -> Any:
    return {
        "apiVersion": f"tekton.dev/{version}",
        "kind": kind,
        "metadata": {"name": "a", "namespace": "ci", "uid": "u", "resourceVersion": "1", **metadata},
        "spec": spec or {},
        "status": status or {},
    }


def pipeline_run(**fields: Any) -> Any:
    return run("PipelineRun", **fields)


def task_run(**fields: Any) -> Any:
    return run("TaskRun", **fields)


def succeeded(status: str, reason: str) -> list[dict[str, str]]:
    return [{"type": "Succeeded", "status": status, "reason": reason}]


def step(name: str, exit_code: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "container": f"step-{name}", "terminated": {"exitCode": exit_code}, **more}


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-01-01T{text}").replace(tzinfo=UTC)


def recorded(folder: Path) -> list[Any]:
    files = sorted(folder.glob("*.tekton.dev.json"))
    return [item for file in files for item in json.loads(file.read_text(encoding="utf-8"))["items"]]


def sample(name: str, kind: str, uid: str) -> Any:
    found = json.loads((SAMPLES / name).read_text(encoding="utf-8"))
    metadata = {"name": "a", **found.get("metadata", {}), "uid": uid, "resourceVersion": "1"}
    return {**found, "apiVersion": "tekton.dev/v1", "kind": kind, "metadata": metadata}


@pytest.fixture
def rows_of(warehouse_of):
    """Build a warehouse from objects, once, and return the rows of one of its tables."""

    def rows(table: str, *objects: Any) -> list[dict[str, Any]]:
        return warehouse_of(objects).sql(f"FROM {table}").dicts()

    return rows


def test_duration_of_a_run_that_has_not_started_is_unknown(rows_of):
    [row] = rows_of("pipeline_runs", pipeline_run(creationTimestamp="2026-01-01T00:00:00Z"))

    assert (row["outcome"], row["queue_seconds"], row["run_seconds"]) == ("pending", None, None)


def test_only_the_condition_succeeded_is_the_state_of_a_run(rows_of):
    conditions = [{"type": "Other", "status": "False", "reason": "No"}, *succeeded("True", "Completed")]

    [row] = rows_of("tekton_pipeline_run", pipeline_run(status={"conditions": conditions}))

    assert (row["condition_status"], row["condition_reason"]) == ("True", "Completed")


def test_reason_that_nobody_knows_is_passed_through(rows_of):
    [row] = rows_of(
        "tekton_pipeline_run", pipeline_run(status={"conditions": succeeded("Unknown", "InventedLater")})
    )

    assert row["condition_reason"] == "InventedLater"


def test_pipeline_is_the_reference_or_else_the_label(rows_of):
    named = pipeline_run(uid="1", spec={"pipelineRef": {"name": "outer-loop"}})
    resolved = pipeline_run(
        uid="2", spec={"pipelineRef": {"resolver": "git"}}, labels={"tekton.dev/pipeline": "outer-loop"}
    )

    rows = rows_of("tekton_pipeline_run", named, resolved)

    assert {row["uid"]: (row["pipeline"], row["pipeline_resolver"]) for row in rows} == {
        "1": ("outer-loop", None),
        "2": ("outer-loop", "git"),
    }


def test_run_with_an_embedded_spec_is_no_pipeline_of_its_own_name(rows_of):
    embedded = pipeline_run(
        name="a-x7", spec={"pipelineSpec": {"tasks": []}}, labels={"tekton.dev/pipeline": "a-x7"}
    )

    [row] = rows_of("tekton_pipeline_run", embedded)

    assert (row["pipeline"], row["is_embedded"]) == (None, True)


def test_runs_of_one_webhook_share_its_event(rows_of):
    labels = {"triggers.tekton.dev/triggers-eventid": "e1"}

    rows = rows_of(
        "pipeline_runs", pipeline_run(uid="1", labels=labels), pipeline_run(uid="2", labels=labels)
    )

    assert [row["event_id"] for row in rows] == ["e1", "e1"]


def test_v1beta1_names_are_read_into_the_same_columns(rows_of):
    old = pipeline_run(
        version="v1beta1",
        spec={"serviceAccountName": "builder", "timeout": "1h30m"},
        status={
            "provenance": {
                "configSource": {"uri": "git+https://git.example.org/p", "digest": {"sha1": "f00"}}
            }
        },
    )

    [row] = rows_of("tekton_pipeline_run", old)

    assert (row["service_account"], row["timeout_text"], row["timeout_seconds"]) == (
        "builder",
        "1h30m",
        5400.0,
    )
    assert (row["provenance_uri"], dict(row["provenance_digests"])) == (
        "git+https://git.example.org/p",
        {"sha1": "f00"},
    )


def test_children_embedded_by_v1beta1_are_counted(rows_of):
    old = pipeline_run(
        version="v1beta1",
        status={
            "taskRuns": {"a-clone": {"pipelineTaskName": "clone"}, "a-build": {}},
            "runs": {"a-approve": {}},
        },
    )

    [row] = rows_of("tekton_pipeline_run", old)

    assert (row["embedded_child_count"], row["child_count"]) == (3, 0)


def test_child_of_a_matrix_is_named_as_the_controller_named_it(rows_of):
    children = [
        {"kind": "TaskRun", "name": f"a-build-{hashed}", "pipelineTaskName": "build"}
        for hashed in ("0", "9f3c")
    ]

    rows = rows_of("tekton_pipeline_run_child", pipeline_run(status={"childReferences": children}))

    assert {(row["pipeline_task"], row["child"]) for row in rows} == {
        ("build", "a-build-0"),
        ("build", "a-build-9f3c"),
    }


def test_skipped_task_keeps_the_sentence_that_says_why(rows_of):
    skipped = {
        "name": "deploy",
        "reason": "When Expressions evaluated to false",
        "whenExpressions": [{"input": "x"}],
    }

    [row] = rows_of("tekton_pipeline_run_skipped_task", pipeline_run(status={"skippedTasks": [skipped]}))

    assert (row["pipeline_task"], row["reason"], row["when_expressions"]) == (
        "deploy",
        "When Expressions evaluated to false",
        '[{"input":"x"}]',
    )


VALUES = [
    {"name": "text", "value": "main"},
    {"name": "looks like a list", "value": '["a"]'},
    {"name": "list", "value": ["a", "b"]},
    {"name": "object", "value": {"uri": "x"}},
    {"name": "unset"},
]
TYPED_VALUES = {
    "text": ("string", "main"),
    "looks like a list": ("string", '["a"]'),
    "list": ("array", '["a","b"]'),
    "object": ("object", '{"uri":"x"}'),
    "unset": (None, None),
}


def test_value_is_kept_as_text_with_its_type_beside_it(warehouse_of):
    warehouse = warehouse_of(
        [
            pipeline_run(uid="v1", spec={"params": VALUES}, status={"results": VALUES}),
            pipeline_run(uid="v1beta1", spec={"params": VALUES}, status={"pipelineResults": VALUES}),
            task_run(uid="v1", spec={"params": VALUES}, status={"results": VALUES}),
            task_run(uid="v1beta1", spec={"params": VALUES}, status={"taskResults": VALUES}),
        ]
    )

    for kind in ("pipeline_run", "task_run"):
        for subject in ("parameter", "result"):
            for uid in ("v1", "v1beta1"):
                rows = warehouse.sql(f"FROM tekton_{kind}_{subject} WHERE uid = '{uid}'").dicts()
                kept = {row[f"{subject}_name"]: (row["value_type"], row["value"]) for row in rows}
                assert kept == TYPED_VALUES, (kind, subject, uid)


def test_task_run_belongs_to_the_pipeline_run_that_owns_it(rows_of):
    owned = task_run(uid="1", ownerReferences=[{"kind": "PipelineRun", "name": "p", "uid": "p-uid"}])
    labelled = task_run(uid="2", labels={"tekton.dev/pipelineRun": "q", "tekton.dev/pipelineRunUID": "q-uid"})
    alone = task_run(uid="3", ownerReferences=[{"kind": "Job", "name": "j", "uid": "j-uid"}])

    rows = rows_of("tekton_task_run", owned, labelled, alone)

    assert {row["uid"]: (row["pipeline_run"], row["pipeline_run_uid"]) for row in rows} == {
        "1": ("p", "p-uid"),
        "2": ("q", "q-uid"),
        "3": (None, None),
    }


RETRIED = {
    "startTime": "2026-01-01T00:05:00Z",
    "completionTime": "2026-01-01T00:06:00Z",
    "podName": "a-pod-retry1",
    "conditions": succeeded("True", "Succeeded"),
    "steps": [step("build", 0)],
    "results": [{"name": "digest", "type": "string", "value": "sha256:2"}],
    "retriesStatus": [
        {
            "startTime": "2026-01-01T00:00:02Z",
            "completionTime": "2026-01-01T00:04:00Z",
            "podName": "a-pod",
            "conditions": succeeded("False", "Failed"),
            "steps": [step("build", 137)],
            "results": [{"name": "digest", "type": "string", "value": "sha256:1"}],
        }
    ],
}


def test_retried_run_starts_with_its_first_attempt(rows_of):
    [row] = rows_of("task_runs", task_run(creationTimestamp="2026-01-01T00:00:00Z", status=RETRIED))

    assert (row["started_at"], row["last_attempt_started_at"]) == (at("00:00:02"), at("00:05:00"))
    assert (row["queue_seconds"], row["run_seconds"], row["attempt_count"]) == (2.0, 358.0, 2)


def test_each_attempt_keeps_what_it_did(warehouse_of):
    warehouse = warehouse_of([task_run(status=RETRIED)])

    def by_attempt(table: str, column: str) -> Any:
        return {row["attempt_number"]: row[column] for row in warehouse.sql(f"FROM {table}").dicts()}

    assert by_attempt("tekton_task_run_attempt", "pod_name") == {1: "a-pod", 2: "a-pod-retry1"}
    assert by_attempt("tekton_task_run_attempt", "condition_reason") == {1: "Failed", 2: "Succeeded"}
    assert by_attempt("tekton_task_run_step", "exit_code") == {1: 137, 2: 0}
    assert by_attempt("tekton_task_run_result", "value") == {1: "sha256:1", 2: "sha256:2"}


def test_attempt_seen_before_and_after_its_retry_is_one_row(rows_of):
    before = task_run(status=RETRIED["retriesStatus"][0])
    after = task_run(resourceVersion="2", status=RETRIED)

    rows = rows_of(
        "tekton_task_run_attempt", (before, "2026-01-01T00:04:01Z"), (after, "2026-01-01T00:07:00Z")
    )

    assert sorted((row["attempt_number"], row["resource_version"]) for row in rows) == [(1, "1"), (2, "2")]


def test_steps_left_from_the_attempt_before_are_not_the_retry_s(rows_of):
    waiting = {
        "conditions": succeeded("Unknown", "ToBeRetried"),
        "steps": [step("build", 137)],
        "retriesStatus": RETRIED["retriesStatus"],
    }

    [row] = rows_of("tekton_task_run_step", task_run(status=waiting))

    assert (row["attempt_number"], row["exit_code"]) == (1, 137)


def test_step_gets_its_row_when_it_ended(rows_of):
    running = {"name": "build", "container": "step-build", "running": {"startedAt": "2026-01-01T00:00:05Z"}}
    early = task_run(status={"podName": "a-pod", "steps": [step("clone", 0), running]})
    late = task_run(
        resourceVersion="2", status={"podName": "a-pod", "steps": [step("clone", 0), step("build", 2)]}
    )

    rows = rows_of("tekton_task_run_step", (early, "2026-01-01T00:00:06Z"), (late, "2026-01-01T00:01:00Z"))

    assert {(row["step"], row["step_number"], row["exit_code"], row["resource_version"]) for row in rows} == {
        ("clone", 1, 0, "1"),
        ("build", 2, 2, "2"),
    }


def test_step_after_the_failed_one_is_not_blamed(rows_of):
    status = {
        "podName": "a-pod",
        "conditions": succeeded("False", "Failed"),
        "steps": [
            step("lint", 1, terminationReason="Continued"),
            step("build", 2, terminationReason="Error"),
            step("push", 1, terminationReason="Skipped"),
        ],
    }

    [row] = rows_of("task_runs", task_run(status=status))

    assert (row["failed_step"], row["failed_step_exit_code"]) == ("build", 2)


def test_value_that_does_not_fit_its_column_is_counted(warehouse_of):
    warehouse = warehouse_of(
        [
            pipeline_run(spec={"timeouts": {"pipeline": "soon"}}, status={"startTime": "yesterday"}),
            task_run(spec={"retries": "many"}, status={"steps": [step("build", "x")], "podName": "p"}),
        ]
    )

    rows = warehouse.sql("SELECT column_name, value FROM unreadable_value").dicts()

    assert {(row["column_name"], row["value"]) for row in rows} == {
        ("timeout_seconds", "soon"),
        ("started_at", "yesterday"),
        ("retry_limit", "many"),
        ("exit_code", "x"),
    }


def test_run_that_is_deleted_keeps_its_last_state(rows_of):
    item = pipeline_run(
        deletionTimestamp="2026-01-02T00:00:00Z", status={"conditions": succeeded("True", "Succeeded")}
    )

    [row] = rows_of("tekton_pipeline_run", item)

    assert (row["deleted_at"], row["condition_status"]) == (datetime(2026, 1, 2, tzinfo=UTC), "True")


def test_records_fill_every_column(warehouse_of):
    warehouse = warehouse_of([*recorded(TESTS / "records"), *recorded(TESTS / "records" / "later")])

    tables = {query.name: warehouse.sql(f"FROM {query.name}").table for query in TYPED}

    empty = {
        f"{name}.{column}"
        for name, table in tables.items()
        for column in table.column_names
        if table[column].null_count == len(table) and column not in ONLY_WATCHED
    }
    assert not empty
    assert len(warehouse.sql("FROM unreadable_value")) == 0


def test_records_tell_one_story(warehouse_of):
    early = [(item, "2026-07-06T12:00:00Z") for item in recorded(TESTS / "records")]
    later = [(item, "2026-07-06T13:00:00Z") for item in recorded(TESTS / "records" / "later")]
    warehouse = warehouse_of([*early, *later])

    runs = warehouse.sql("SELECT pipeline_run, outcome FROM pipeline_runs").dicts()
    images = warehouse.sql("SELECT image_name, found_by FROM built_images").dicts()

    assert {row["pipeline_run"]: row["outcome"] for row in runs} == {
        "inner-loop-workflow-builder-2c8vq": "succeeded",
        "outer-loop-session-host-m4w9d": "failed",
        "outer-loop-workflow-builder-7xk2p": "succeeded",
        "swe-env-django-11099": "cancelled",
        "swe-env-sympy-20590": "pending",
    }
    registry = "registry.example.org/platform"
    assert {(row["image_name"], row["found_by"]) for row in images} == {
        (f"{registry}/workflow-builder", "IMAGE_DIGEST"),
        (f"{registry}/workflow-builder-sbom", "ARTIFACT_OUTPUTS"),
        (f"{registry}/workflow-builder", "IMAGES"),
        (f"{registry}/workflow-builder-migrations", "IMAGES"),
    }


@needs_shared
def test_samples_read_as_in_their_text(warehouse_of):
    captured = json.loads((SAMPLES / "taskrun-real-cloudevent.json").read_text(encoding="utf-8"))["taskRun"]
    warehouse = warehouse_of(
        [
            sample("chains-pipelinerun1.json", "PipelineRun", uid="embedded children"),
            sample("chains-pipelinerun-childrefs.json", "PipelineRun", uid="listed children"),
            sample("chains-taskrun3.json", "TaskRun", uid="three steps"),
            {"apiVersion": "tekton.dev/v1beta1", "kind": "TaskRun", **captured},
        ]
    )

    runs = warehouse.sql("SELECT uid, pipeline, outcome, run_seconds, child_count FROM pipeline_runs").dicts()
    tasks = warehouse.sql("SELECT task, outcome, attempt_count, pod_name FROM task_runs").dicts()
    images = warehouse.sql("SELECT run_uid, image_name, found_by FROM built_images").dicts()

    assert {tuple(row.values()) for row in runs} == {
        ("embedded children", "test-pipeline", "succeeded", 15.0, 2),
        ("listed children", "test-pipeline", "succeeded", 15.0, 2),
    }
    assert {tuple(row.values()) for row in tasks} == {
        ("build", "succeeded", 1, "test-pod-name"),
        ("curl", "pending", 1, "curl-run-6gplk-pod"),
    }
    assert {tuple(row.values()) for row in images} == {
        ("embedded children", "test.io/test/image", "IMAGE_DIGEST"),
        ("embedded children", "abc", "ARTIFACT_OUTPUTS"),
        ("listed children", "test.io/test/image", "IMAGE_DIGEST"),
        ("three steps", "gcr.io/my/image", "IMAGE_DIGEST"),
        ("three steps", "gcr.io/common/image", "IMAGES"),
        ("three steps", "gcr.io/task1/result", "IMAGES"),
    }
    assert len(warehouse.sql("FROM tekton_pipeline_run_result WHERE uid = 'embedded children'")) == 8
    assert len(warehouse.sql("FROM tekton_pipeline_run_child")) == 2
    assert len(warehouse.sql("FROM tekton_task_run_step")) == 0


def leaves(structure: Any, path: str = "") -> set[str]:
    """Return the paths of a structure that end in a value; lists and objects are both just steps."""
    if isinstance(structure, list):
        return leaves(structure[0], path)
    if isinstance(structure, dict):
        return {
            leaf
            for key, value in structure.items()
            for leaf in leaves(value, f"{path}.{key}" if path else key)
        }
    return {path}


def has_path(schema: Any, path: list[str]) -> bool:
    while schema.get("type") == "array":
        schema = schema["items"]
    return not path or (
        path[0] in schema.get("properties", {}) and has_path(schema["properties"][path[0]], path[1:])
    )


@needs_shared
@pytest.mark.parametrize("kind", ["pipeline_run", "task_run"])
def test_every_field_that_is_read_is_in_the_crd(kind):
    sql = queries.query(f"parsed_tekton_{kind}").sql
    structure = json.loads(re.search(r"body, '(\{.*\})'\)", sql, re.DOTALL)[1])
    definition = yaml.safe_load((CRDS / f"300-{kind.replace('_', '')}.yaml").read_text(encoding="utf-8"))
    schemas = [version["schema"]["openAPIV3Schema"] for version in definition["spec"]["versions"]]

    unknown = {
        leaf
        for leaf in leaves(structure)
        if not leaf.startswith((SERVER_OWNED, *WITHOUT_SCHEMA))
        and not any(has_path(schema, leaf.split(".")) for schema in schemas)
    }

    assert not unknown
