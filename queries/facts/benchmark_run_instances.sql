-- Benchmark run instances: one row a task in a run of the benchmark plane, as the database last showed it.
--
-- grain: database, benchmark_run_id, instance
-- reads: postgres_benchmark_run_instance, benchmark_runs
-- params:
--
-- `instance` is SWE-bench's own id. What is told apart here: `status` of all instances becomes `evaluating` with the
-- run, those whose inference failed among them, so `inference_status` says how inference went. A retry after a stall
-- erases times, usage and session of the attempt before; `retry_count` shows it only while the reason that it left
-- stands. `evaluated_at` is when the results of the whole run came back. Inference ends when a poll finds it ended,
-- up to 30 s late, and holds the wait for quota. Costs are the application's, at its own prices.
--
-- Usage is read under every name that its writers gave it; `{}` is never written, which is NULL and not 0. The
-- harness says `patch_failed` and `eval_failed` only in `harness_status`: the database calls both unresolved.

WITH version AS (
    SELECT
        *,
        max(CASE WHEN is_deleted THEN snapshot_at END) OVER (PARTITION BY database, id) AS last_deleted_at
    FROM postgres_benchmark_run_instance
),

latest AS (
    SELECT *
    FROM version
    WHERE NOT is_deleted
    QUALIFY row_number() OVER (PARTITION BY database, run_id, instance_id ORDER BY snapshot_at DESC, id DESC) = 1
)

SELECT
    latest.database,
    run.cluster,
    latest.run_id AS benchmark_run_id,
    latest.instance_id AS instance,
    latest.id AS run_instance_id,
    run.model,
    latest.status,
    latest.inference_status,
    latest.evaluation_status,
    latest.status IN ('queued', 'inferencing', 'inferred', 'evaluating') AS is_active,
    latest.status = 'resolved' AS is_resolved,
    latest.session_id,
    latest.workflow_execution_id,
    latest.sandbox_name,
    latest.error,
    latest.inference_error,
    latest.evaluation_error,
    latest.harness_result ->> '$.status' AS harness_status,
    latest.termination_reason,
    TRY_CAST(regexp_extract(latest.termination_reason, '^no_session_progress_retry_([0-9]+)$', 1) AS BIGINT)
        AS retry_count,
    coalesce(latest.patch_sha256, latest.model_patch_sha256) AS patch_sha256,
    coalesce(latest.patch_bytes, latest.model_patch_bytes) AS patch_bytes,
    latest.patch_files_touched,
    latest.patch_files_overlap_gold,
    latest.patch_well_formed AS is_patch_well_formed,
    latest.turn_count,
    latest.tool_call_count,
    latest.ttft_first_ms / 1000.0 AS first_token_seconds,
    TRY_CAST(coalesce(
        latest.usage ->> '$.input_tokens', latest.usage ->> '$.inputTokens',
        latest.usage ->> '$.prompt_tokens', latest.usage ->> '$.promptTokens'
    ) AS BIGINT) AS input_token_count,
    TRY_CAST(coalesce(
        latest.usage ->> '$.output_tokens', latest.usage ->> '$.outputTokens',
        latest.usage ->> '$.completion_tokens', latest.usage ->> '$.completionTokens'
    ) AS BIGINT) AS output_token_count,
    TRY_CAST(coalesce(
        latest.usage ->> '$.cache_read_input_tokens', latest.usage ->> '$.cacheReadInputTokens',
        latest.usage ->> '$.cacheReadTokens'
    ) AS BIGINT) AS cache_read_token_count,
    TRY_CAST(coalesce(latest.usage ->> '$.llm_call_count', latest.usage ->> '$.llmCallCount') AS BIGINT)
        AS llm_call_count,
    TRY_CAST(coalesce(latest.usage ->> '$.cost_usd', latest.usage ->> '$.costUsd', latest.usage ->> '$.cost') AS DOUBLE)
        AS cost_usd,
    TRY_CAST(latest.timings ->> '$.llm_duration_ms' AS DOUBLE) / 1000 AS llm_seconds,
    TRY_CAST(latest.timings ->> '$.tool_duration_ms' AS DOUBLE) / 1000 AS tool_seconds,
    TRY_CAST(latest.timings ->> '$.sandbox_startup_ms' AS DOUBLE) / 1000 AS sandbox_startup_seconds,
    TRY_CAST(latest.timings ->> '$.solve_duration_ms' AS DOUBLE) / 1000 AS solve_seconds,
    run.started_at AS run_started_at,
    latest.started_at,
    latest.inference_completed_at,
    latest.evaluated_at,
    epoch(latest.started_at) - epoch(run.started_at) AS slot_wait_seconds,
    epoch(latest.inference_completed_at) - epoch(latest.started_at) AS inference_seconds,
    latest.updated_at,
    latest.snapshot_at AS state_seen_at,
    CASE WHEN latest.last_deleted_at > latest.snapshot_at THEN latest.last_deleted_at END AS deleted_at
FROM latest
LEFT JOIN benchmark_runs AS run ON latest.database = run.database AND latest.run_id = run.benchmark_run_id
