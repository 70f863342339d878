-- Benchmark runs: one row a run of the benchmark plane, as the database last showed it.
--
-- grain: database, benchmark_run_id
-- reads: postgres_benchmark_run, postgres_benchmark_suite, configured_database, benchmark_run_clusters
-- params:
--
-- A run that was deleted keeps its last state; `deleted_at` is the snapshot that missed it. Statuses are free text,
-- and one that is not known is neither active nor ended. The run's row becomes `inferencing` when every image is
-- ready, so `preparation_seconds` is queueing and image builds, not capacity. A completed run normally has an
-- error, "<n> benchmark instances did not resolve". Concurrencies here are the effective ones; what was asked for,
-- and what bounded it, is in run_capacities. `summary` counts only what its last recomputation saw, so counts are
-- to be taken from benchmark_run_instances. `cluster` is where its instances were admitted, or else the database's.

WITH version AS (
    SELECT
        *,
        max(CASE WHEN is_deleted THEN snapshot_at END) OVER (PARTITION BY database, id) AS last_deleted_at,
        min(snapshot_at) OVER (PARTITION BY database, id) AS first_seen_at
    FROM postgres_benchmark_run
),

latest AS (
    SELECT *
    FROM version
    WHERE NOT is_deleted
    QUALIFY row_number() OVER (PARTITION BY database, id ORDER BY snapshot_at DESC) = 1
),

suite AS (
    SELECT *
    FROM postgres_benchmark_suite
    WHERE NOT is_deleted
    QUALIFY row_number() OVER (PARTITION BY database, id ORDER BY snapshot_at DESC) = 1
)

SELECT
    latest.database,
    coalesce(seen.cluster, configured.cluster) AS cluster,
    latest.id AS benchmark_run_id,
    suite.slug AS suite,
    latest.status,
    latest.status IN ('queued', 'inferencing', 'evaluating') AS is_active,
    latest.status IN ('completed', 'failed', 'cancelled') AS is_ended,
    latest.model_name_or_path AS model,
    latest.model_config_label,
    latest.agent_id,
    latest.agent_version,
    latest.agent_runtime,
    latest.summary ->> '$.execution.backend' AS execution_backend,
    latest.summary ->> '$.execution.class' AS execution_class,
    json_array_length(latest.selected_instance_ids) AS selected_instance_count,
    latest.concurrency AS effective_concurrency,
    latest.evaluation_concurrency AS effective_evaluation_concurrency,
    latest.timeout_seconds,
    latest.max_turns,
    latest.evaluator_resource_class,
    latest.coordinator_execution_id,
    latest.tags,
    latest.error,
    latest.created_at,
    latest.started_at,
    latest.completed_at,
    latest.cancel_requested_at,
    latest.updated_at,
    epoch(latest.started_at) - epoch(latest.created_at) AS preparation_seconds,
    epoch(latest.completed_at) - epoch(latest.started_at) AS run_seconds,
    latest.first_seen_at,
    latest.snapshot_at AS state_seen_at,
    CASE WHEN latest.last_deleted_at > latest.snapshot_at THEN latest.last_deleted_at END AS deleted_at
FROM latest
LEFT JOIN suite ON latest.database = suite.database AND latest.suite_id = suite.id
LEFT JOIN configured_database AS configured ON latest.database = configured.database
LEFT JOIN benchmark_run_clusters AS seen ON seen.benchmark_run_id = latest.id
