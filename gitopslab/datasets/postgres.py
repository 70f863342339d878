"""Rows of the application's database: the benchmark plane, agent sessions, and the stream of GitOps events.

A row of these tables is overwritten when its state changes, so what lands is versions: a row of the lake is
a row of the database as one snapshot saw it, and lands again only when it differs from what landed last.
Beside the columns of the source, in the source's words, each holds

- `database`: name of the database in gitopslab.toml;
- `snapshot_at`: when the database looked so, by its own clock; strictly rising for one row;
- `is_deleted`: the row was gone; every column of the source but the key is NULL then;
- `row_hash`: tells versions of one row apart; means nothing otherwise;
- `other_columns`: JSON of columns that gitopslab does not know, and of times that lie outside the years
  1 to 9999 (`infinity`); NULL where there is none.

The source writes times without a zone and means UTC. JSON stays text. `_bytes` and `_sha256` stand for texts
that are too large or too private to keep: problem statements, hints and patches. A column that an older
database lacks is NULL, and coverage says so.

Source: workflow-builder, drizzle `schema.ts` as of migration 0112.
"""

import pyarrow as pa

from gitopslab.datasets.dataset import (
    Dataset,
    optional_count,
    optional_text,
    optional_time,
    text,
    time,
)

OWN_COLUMNS = ("database", "snapshot_at", "is_deleted", "row_hash", "other_columns")
"""Columns that gitopslab adds to those of the source."""

_IDENTIFIER_ENDINGS = ("_id", "_uid", "_sha256", "_hash", "_commit", "digest")


def _versions(  # noqa: PLR0913 - a table has columns of these types
    name: str,
    table: str,
    doc: str,
    *,
    key: str = "id",
    texts: str = "",
    counts: str = "",
    numbers: str = "",
    truths: str = "",
    times: str = "",
    json: str = "",
) -> Dataset:
    """Return the dataset of one table's row versions; columns are named with blanks between."""
    texts_and_json = (*texts.split(), *json.split())
    return Dataset(
        f"postgres_{name}",
        table=f"postgres_{table}",
        doc=doc,
        grain=("database", key, "snapshot_at"),
        schema=pa.schema(
            [
                text("database"),
                text(key),
                time("snapshot_at"),
                pa.field("is_deleted", pa.bool_(), nullable=False),
                optional_count("row_hash"),
                *map(optional_text, texts_and_json),
                *map(optional_count, counts.split()),
                *(pa.field(column, pa.float64()) for column in numbers.split()),
                *(pa.field(column, pa.bool_()) for column in truths.split()),
                *map(optional_time, times.split()),
                optional_text("other_columns"),
            ]
        ),
        dated_by="snapshot_at",
        partitioned_by="database",
        json_columns=(*json.split(), "other_columns"),
        free_text_columns=tuple(
            column for column in texts.split() if not column.endswith(_IDENTIFIER_ENDINGS)
        ),
    )


BENCHMARK_SUITES = _versions(
    "benchmark_suites",
    "benchmark_suite",
    "Benchmark suites: one row each state of a suite that a snapshot of the database saw.",
    texts="slug name description dataset_name dataset_split source_url",
    counts="default_instance_limit",
    json="metadata",
    times="created_at updated_at",
)

BENCHMARK_INSTANCES = _versions(
    "benchmark_instances",
    "benchmark_instance",
    "Benchmark instances: one row each state of a suite's task that a snapshot of the database saw.",
    texts="suite_id instance_id repo base_commit problem_statement_sha256 hints_text_sha256 gold_patch_sha256"
    " mlflow_dataset_id mlflow_dataset_record_id",
    counts="problem_statement_bytes hints_text_bytes gold_patch_bytes",
    json="test_metadata metadata",
    times="created_at updated_at",
)
"""`test_metadata` is kept without `test_patch`."""

BENCHMARK_RUNS = _versions(
    "benchmark_runs",
    "benchmark_run",
    "Benchmark runs: one row each state of a run that a snapshot of the database saw.",
    texts="project_id user_id suite_id agent_id agent_runtime agent_runtime_app_id status model_name_or_path"
    " model_config_label evaluator_resource_class coordinator_execution_id evaluator_job_name"
    " predictions_path mlflow_experiment_id mlflow_run_id mlflow_dataset_id mlflow_eval_run_id error",
    counts="agent_version concurrency evaluation_concurrency timeout_seconds max_turns",
    json="selected_instance_ids summary tags",
    times="cancel_requested_at started_at completed_at created_at updated_at",
)
"""`concurrency` and `evaluation_concurrency` are effective values; what was asked for is in `summary`."""

BENCHMARK_RUN_INSTANCES = _versions(
    "benchmark_run_instances",
    "benchmark_run_instance",
    "Benchmark run instances: one row each state of an instance in a run that a snapshot saw.",
    texts="run_id benchmark_instance_id instance_id status inference_status evaluation_status session_id"
    " workflow_execution_id dapr_instance_id mlflow_run_id mlflow_trace_id mlflow_dataset_id"
    " mlflow_dataset_record_id sandbox_name workspace_ref model_patch_sha256 patch_sha256 error"
    " inference_error evaluation_error logs_path test_output_summary termination_reason",
    counts="model_patch_bytes patch_bytes patch_added_lines patch_removed_lines patch_files_touched"
    " patch_files_overlap_gold turn_count tool_call_count ttft_first_ms ttft_first_tool_ms",
    truths="patch_well_formed",
    json="usage timings trace_ids harness_result tool_histogram inference_environment",
    times="started_at inference_completed_at evaluated_at created_at updated_at",
)

BENCHMARK_RESOURCE_LEASES = _versions(
    "benchmark_resource_leases",
    "benchmark_resource_lease",
    "Benchmark resource leases: one row each state of a slot's lease that a snapshot of the database saw.",
    texts="run_id instance_id phase resource_type capacity_key holder_id status",
    counts="lease_count",
    json="metadata",
    times="acquired_at heartbeat_at expires_at released_at created_at updated_at",
)

BENCHMARK_RUN_INSTANCE_SCORES = _versions(
    "benchmark_run_instance_scores",
    "benchmark_run_instance_score",
    "Scores of run instances: one row each state of a scorer's score that a snapshot of the database saw.",
    texts="run_instance_id scorer_name reasoning",
    counts="scorer_version",
    numbers="score",
    json="metadata",
    times="created_at updated_at",
)

BENCHMARK_RUN_INSTANCE_ANNOTATIONS = _versions(
    "benchmark_run_instance_annotations",
    "benchmark_run_instance_annotation",
    "Annotations of run instances: one row each state of a person's verdict that a snapshot saw.",
    texts="run_instance_id user_id verdict reasoning",
    times="created_at updated_at",
)

ENVIRONMENT_IMAGE_BUILDS = _versions(
    "environment_image_builds",
    "environment_image_build",
    "Builds of environment images: one row each state of a specification's build that a snapshot saw.",
    texts="dataset suite repo version environment_setup_commit base_commit environment_key env_spec_hash"
    " build_strategy status sandbox_template sandbox_image digest image_name image_tag dockerfile_path"
    " validation_command validation_status validation_log_ref build_log_ref pipeline_run_name"
    " pipeline_run_namespace error",
    json="spec metadata",
    times="requested_at started_at completed_at built_at created_at updated_at",
)
"""One row of the source a specification, which a rebuild overwrites."""

ENVIRONMENT_BUILD_ACTIVITY_EVENTS = _versions(
    "environment_build_activity_events",
    "environment_build_activity_event",
    "Steps of environment image builds: one row each state of a step that a snapshot of the database saw.",
    texts="build_id environment_key event_key event_type pipeline_run_name pipeline_run_namespace"
    " task_run_name phase reason message",
    json="raw_metadata",
    times="event_timestamp created_at updated_at",
)

EVALUATION_RUNS = _versions(
    "evaluation_runs",
    "evaluation_run",
    "Evaluation runs, which are no benchmark: one row each state of a run that a snapshot saw.",
    texts="project_id user_id evaluation_id dataset_id status subject_type subject_id"
    " coordinator_execution_id error",
    json="execution_config summary usage",
    times="cancel_requested_at started_at completed_at created_at updated_at",
)

EVALUATION_RUN_ITEMS = _versions(
    "evaluation_run_items",
    "evaluation_run_item",
    "Items of evaluation runs: one row each state of an item, without what went in and came out.",
    texts="run_id dataset_row_id status session_id workflow_execution_id dapr_instance_id error",
    counts="row_index",
    json="grader_results scores usage trace_ids",
    times="started_at completed_at created_at updated_at",
)

SESSIONS = _versions(
    "sessions",
    "session",
    "Agent sessions: one row each state of a session that a snapshot of the database saw.",
    texts="status stop_requested_mode agent_id environment_id dapr_instance_id sandbox_name"
    " workspace_sandbox_name runtime_app_id runtime_sandbox_name workflow_execution_id parent_execution_id"
    " resumed_from_session_id user_id project_id error_message",
    counts="agent_version",
    json="stop_reason usage",
    times="stop_requested_at pause_requested_at created_at updated_at last_event_at completed_at archived_at",
)
"""Without title, vaults, pending input and launch specification, which are people's."""

SESSION_EVENTS = _versions(
    "session_events",
    "session_event",
    "Events of agent sessions, of types that tell durations, tokens and stops: one row each state of one.",
    texts="session_id type source_event_id producer_id",
    counts="sequence data_bytes",
    json="data",
    times="processed_at created_at",
)
"""`data` is NULL where it is what people, models and tools said; `data_bytes` tells its size."""

GITOPS_ACTIVITY_EVENTS = _versions(
    "gitops_activity_events",
    "gitops_activity_event",
    "GitOps activity events: one row each state of an event that was read.",
    key="event_id",
    texts="source activity_key activity_type phase reason message resource_group resource_version"
    " resource_resource resource_kind resource_namespace resource_name resource_uid",
    counts="sequence",
    json="correlation raw",
    times="observed_at created_at updated_at",
)
"""`resource_version` is an API version such as v1alpha1; `sequence` has gaps, and an update keeps it."""

DATASETS = (
    BENCHMARK_SUITES,
    BENCHMARK_INSTANCES,
    BENCHMARK_RUNS,
    BENCHMARK_RUN_INSTANCES,
    BENCHMARK_RESOURCE_LEASES,
    BENCHMARK_RUN_INSTANCE_SCORES,
    BENCHMARK_RUN_INSTANCE_ANNOTATIONS,
    ENVIRONMENT_IMAGE_BUILDS,
    ENVIRONMENT_BUILD_ACTIVITY_EVENTS,
    EVALUATION_RUNS,
    EVALUATION_RUN_ITEMS,
    SESSIONS,
    SESSION_EVENTS,
    GITOPS_ACTIVITY_EVENTS,
)
