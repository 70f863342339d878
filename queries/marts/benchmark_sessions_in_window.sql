-- Benchmark sessions in a window: one row a session that was in flight during it, as it was known at a time.
--
-- grain: cluster, benchmark_run_id, instance, session_number
-- reads: benchmark_sessions
-- params: since, until, as_of, cluster, model
--
-- The window is [since, until) in UTC; an empty $cluster or $model is all of them. A session that ended after $as_of is
-- open, and an instance whose outcome came later is active, whatever came of it.

SELECT
    cluster,
    benchmark_run_id,
    instance,
    session_number,
    is_last,
    cluster_queue,
    model,
    witness,
    started_at,
    CASE WHEN ended_at <= $as_of THEN ended_at END AS ended_at,
    is_completed AND coalesce(ended_at <= $as_of, false) AS is_completed,
    status,
    inference_status,
    evaluation_status,
    is_active OR coalesce(known_at > $as_of, false) AS is_active,
    evaluation_error,
    harness_status,
    termination_reason,
    turn_count,
    input_token_count,
    output_token_count,
    cost_usd,
    cpu_cores,
    memory_bytes
FROM benchmark_sessions
WHERE
    started_at < $until
    AND started_at <= $as_of
    AND (ended_at IS NULL OR ended_at > $since)
    AND ($cluster = '' OR cluster = $cluster)
    AND ($model = '' OR model = $model)
ORDER BY started_at, benchmark_run_id, instance, session_number
