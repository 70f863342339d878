"""Rows of the application's database: the benchmark plane, and the stream of GitOps events.

One class is one table, its fields the columns in their order; `TABLES` says which, and `postgres` writes
them. Every time is in seconds since the epoch, UTC; the database holds it without a zone, in milliseconds.
A default is the column's default. `{}` means never written, not zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

Time = Annotated[float, "timestamp without time zone"]
Json = Annotated[Any, "jsonb"]
Serial = Annotated[int, "serial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSuite:
    """A data set: SWE-bench Verified, or Lite."""

    id: str
    slug: str
    name: str
    description: str | None = None
    dataset_name: str
    dataset_split: str = "test"
    source_url: str | None = None
    default_instance_limit: int | None = None
    metadata: Json = field(default_factory=dict)
    created_at: Time
    updated_at: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkInstance:
    """A task of a suite. `test_metadata` names the tests, `metadata` may hold the difficulty."""

    id: str
    suite_id: str
    instance_id: str
    repo: str
    base_commit: str
    problem_statement: str = ""
    hints_text: str | None = None
    test_metadata: Json = field(default_factory=dict)
    gold_patch: str | None = None
    mlflow_dataset_id: str | None = None
    mlflow_dataset_record_id: str | None = None
    metadata: Json = field(default_factory=dict)
    created_at: Time
    updated_at: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRun:
    """One agent on chosen instances.

    `concurrency` and `evaluation_concurrency` are the effective values; what was asked for is only in
    `summary.capacity`. `started_at` is when every image was ready. A completed run whose instances did
    not all resolve has an `error`.
    """

    id: str
    project_id: str
    user_id: str
    suite_id: str
    agent_id: str
    agent_version: int | None = None
    agent_runtime: str | None = None
    agent_runtime_app_id: str | None = None
    status: str = "queued"
    model_name_or_path: str
    model_config_label: str | None = None
    selected_instance_ids: Json = field(default_factory=list)
    concurrency: int = 1
    evaluation_concurrency: int = 24
    timeout_seconds: int = 7200
    max_turns: int | None = None
    evaluator_resource_class: str = "standard"
    coordinator_execution_id: str | None = None
    evaluator_job_name: str | None = None
    predictions_path: str | None = None
    mlflow_experiment_id: str | None = None
    mlflow_run_id: str | None = None
    mlflow_dataset_id: str | None = None
    mlflow_eval_run_id: str | None = None
    summary: Json = field(default_factory=dict)
    tags: Json = field(default_factory=list)
    error: str | None = None
    cancel_requested_at: Time | None = None
    started_at: Time | None = None
    completed_at: Time | None = None
    created_at: Time
    updated_at: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRunInstance:
    """One instance in one run, as it is now: a retry has erased what the attempt before it left.

    `evaluated_at` is when the results of the whole batch came back, so it is the same for all of it.
    """

    id: str
    run_id: str
    benchmark_instance_id: str | None = None
    instance_id: str
    status: str = "queued"
    inference_status: str = "queued"
    evaluation_status: str = "pending"
    session_id: str | None = None
    workflow_execution_id: str | None = None
    dapr_instance_id: str | None = None
    mlflow_run_id: str | None = None
    mlflow_trace_id: str | None = None
    mlflow_dataset_id: str | None = None
    mlflow_dataset_record_id: str | None = None
    sandbox_name: str | None = None
    workspace_ref: str | None = None
    model_patch: str | None = None
    patch_sha256: str | None = None
    patch_bytes: int | None = None
    usage: Json = field(default_factory=dict)
    timings: Json = field(default_factory=dict)
    trace_ids: Json = field(default_factory=list)
    error: str | None = None
    inference_error: str | None = None
    evaluation_error: str | None = None
    logs_path: str | None = None
    test_output_summary: str | None = None
    harness_result: Json | None = None
    patch_added_lines: int | None = None
    patch_removed_lines: int | None = None
    patch_files_touched: int | None = None
    patch_files_overlap_gold: int | None = None
    patch_well_formed: bool | None = None
    turn_count: int | None = None
    tool_call_count: int | None = None
    termination_reason: str | None = None
    ttft_first_ms: int | None = None
    ttft_first_tool_ms: int | None = None
    tool_histogram: Json | None = None
    inference_environment: Json | None = None
    started_at: Time | None = None
    inference_completed_at: Time | None = None
    evaluated_at: Time | None = None
    created_at: Time
    updated_at: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A slot that an instance held from `acquired_at` to `released_at`: the only intervals there are.

    `holder_id` is `<phase>:<run_id>:<instance_id>`. Releasing replaces `metadata` by `{releaseReason}`.
    """

    id: str
    run_id: str
    instance_id: str | None = None
    phase: str = "inference"
    resource_type: str
    capacity_key: str = "default"
    holder_id: str
    lease_count: int = 1
    status: str = "active"
    metadata: Json = field(default_factory=dict)
    acquired_at: Time
    heartbeat_at: Time
    expires_at: Time
    released_at: Time | None = None
    created_at: Time
    updated_at: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBuild:
    """An environment image: one row a spec hash, which a rebuild overwrites."""

    id: str
    dataset: str
    suite: str
    repo: str
    version: str
    environment_setup_commit: str | None = None
    base_commit: str | None = None
    environment_key: str
    env_spec_hash: str
    build_strategy: str = "swebench-harness"
    status: str = "queued"
    sandbox_template: str = "dapr-agent"
    sandbox_image: str | None = None
    digest: str | None = None
    image_name: str | None = None
    image_tag: str | None = None
    dockerfile_path: str | None = None
    validation_command: str | None = None
    validation_status: str | None = None
    validation_log_ref: str | None = None
    build_log_ref: str | None = None
    pipeline_run_name: str | None = None
    pipeline_run_namespace: str = "tekton-pipelines"
    spec: Json = field(default_factory=dict)
    metadata: Json = field(default_factory=dict)
    error: str | None = None
    requested_at: Time
    started_at: Time | None = None
    completed_at: Time | None = None
    built_at: Time | None = None
    created_at: Time
    updated_at: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBuildEvent:
    """One step of an image build; these stay when a rebuild overwrites the build's row."""

    id: str
    build_id: str
    environment_key: str
    event_key: str
    event_type: str
    pipeline_run_name: str | None = None
    pipeline_run_namespace: str | None = None
    task_run_name: str | None = None
    phase: str | None = None
    reason: str | None = None
    message: str | None = None
    event_timestamp: Time
    raw_metadata: Json = field(default_factory=dict)
    created_at: Time
    updated_at: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceScore:
    """What one scorer says of one instance of a run."""

    id: str
    run_instance_id: str
    scorer_name: str
    scorer_version: int = 1
    score: float
    reasoning: str | None = None
    metadata: Json = field(default_factory=dict)
    created_at: Time
    updated_at: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceAnnotation:
    """What one person says of one instance of a run: correct, incorrect, partial or unsure."""

    id: str
    run_instance_id: str
    user_id: str
    verdict: str
    reasoning: str | None = None
    created_at: Time
    updated_at: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkArtifact:
    """A file that a run left: predictions, a patch, a harness result, logs."""

    id: str
    run_id: str
    run_instance_id: str | None = None
    kind: str
    path: str
    content_type: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    metadata: Json = field(default_factory=dict)
    created_at: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityEvent:
    """One change of a watched object, as the application normalised it; see `activity`.

    `sequence` has gaps where a later event replaced an earlier one of the same id. `resource_version`
    is the API version, such as v1alpha1.
    """

    event_id: str
    sequence: Serial
    source: str
    activity_key: str
    activity_type: str
    phase: str | None = None
    reason: str | None = None
    message: str | None = None
    resource_group: str | None = None
    resource_version: str | None = None
    resource_resource: str | None = None
    resource_kind: str | None = None
    resource_namespace: str | None = None
    resource_name: str | None = None
    resource_uid: str | None = None
    observed_at: Time
    correlation: Json = field(default_factory=dict)
    raw: Json = field(default_factory=dict)
    created_at: Time
    updated_at: Time


@dataclass(frozen=True)
class Table:
    """How a class is a table.

    Attributes:
        name: Its name in the database.
        unique: Columns that are unique together.
        references: Column to the table whose id it holds. Projects, users, agents and sessions are not
            in the dump, so columns that hold their ids reference nothing.
        indexes: Further indexes, as the SQL that makes them.
    """

    name: str
    unique: tuple[tuple[str, ...], ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    indexes: tuple[str, ...] = ()


_ONE_ACTIVE_LEASE = (
    "CREATE UNIQUE INDEX ON benchmark_resource_leases (holder_id, resource_type, capacity_key) "
    "WHERE status = 'active'"
)

TABLES: Mapping[type, Table] = {
    BenchmarkSuite: Table("benchmark_suites", (("slug",),)),
    BenchmarkInstance: Table(
        "benchmark_instances", (("suite_id", "instance_id"),), {"suite_id": "benchmark_suites"}
    ),
    BenchmarkRun: Table(
        "benchmark_runs",
        (),
        {"suite_id": "benchmark_suites"},
        ("CREATE INDEX ON benchmark_runs USING gin (tags)",),
    ),
    BenchmarkRunInstance: Table(
        "benchmark_run_instances",
        (("run_id", "instance_id"),),
        {"run_id": "benchmark_runs", "benchmark_instance_id": "benchmark_instances"},
    ),
    Lease: Table(
        "benchmark_resource_leases",
        (),
        {"run_id": "benchmark_runs"},
        (_ONE_ACTIVE_LEASE,),
    ),
    ImageBuild: Table("environment_image_builds", (("env_spec_hash",),)),
    ImageBuildEvent: Table(
        "environment_build_activity_events",
        (("build_id", "event_key"),),
        {"build_id": "environment_image_builds"},
    ),
    InstanceScore: Table(
        "benchmark_run_instance_scores",
        (("run_instance_id", "scorer_name", "scorer_version"),),
        {"run_instance_id": "benchmark_run_instances"},
    ),
    InstanceAnnotation: Table(
        "benchmark_run_instance_annotations",
        (("run_instance_id", "user_id"),),
        {"run_instance_id": "benchmark_run_instances"},
    ),
    BenchmarkArtifact: Table(
        "benchmark_artifacts",
        (),
        {"run_id": "benchmark_runs", "run_instance_id": "benchmark_run_instances"},
    ),
    ActivityEvent: Table(
        "gitops_activity_events",
        (("sequence",),),
        {},
        tuple(
            f"CREATE INDEX ON gitops_activity_events {columns}"
            for columns in (
                "(activity_key, observed_at)",
                "(resource_kind, resource_namespace, resource_name)",
                "(observed_at)",
                "(source)",
                "((correlation ->> 'gitSha')) WHERE correlation ? 'gitSha'",
                "((correlation ->> 'imageName')) WHERE correlation ? 'imageName'",
                "((correlation ->> 'pipelineRun')) WHERE correlation ? 'pipelineRun'",
                "((correlation ->> 'argocdApp')) WHERE correlation ? 'argocdApp'",
            )
        ),
    ),
}
"""Every table of the dump; a table comes after those that it references."""
