-- Workload attempts in a window: one row an attempt that was queued, or held quota, during it.
--
-- grain: cluster_uid, uid, attempt_number
-- reads: workload_attempts
-- params: since, until, as_of, cluster_queue
--
-- The window is [since, until) in UTC; an empty $cluster_queue is all of them. What happened after $as_of is not known
-- yet, so an attempt that ended later is open. Durations are of the whole attempt, not of its part in the window.

SELECT
    cluster,
    cluster_uid,
    namespace,
    workload,
    uid,
    attempt_number,
    owner_kind,
    owner_name,
    benchmark_run_id,
    instance,
    cluster_queue,
    local_queue,
    priority,
    priority_class,
    queued_at,
    CASE WHEN quota_reserved_at <= $as_of THEN quota_reserved_at END AS quota_reserved_at,
    CASE WHEN admitted_at <= $as_of THEN admitted_at END AS admitted_at,
    CASE WHEN pods_ready_at <= $as_of THEN pods_ready_at END AS pods_ready_at,
    CASE WHEN evicted_at <= $as_of THEN evicted_at END AS evicted_at,
    CASE WHEN ended_at <= $as_of THEN ended_at END AS ended_at,
    CASE WHEN ended_at <= $as_of THEN end_kind END AS end_kind,
    CASE WHEN ended_at <= $as_of THEN ended_by END AS ended_by,
    time_quality,
    CASE WHEN quota_reserved_at <= $as_of THEN wait_seconds END AS wait_seconds,
    CASE WHEN pods_ready_at <= $as_of THEN startup_seconds END AS startup_seconds,
    CASE WHEN ended_at <= $as_of THEN run_seconds END AS run_seconds,
    flavors,
    cpu_cores,
    memory_bytes,
    ephemeral_storage_bytes,
    pod_count
FROM workload_attempts
WHERE
    queued_at < $until
    AND queued_at <= $as_of
    AND (ended_at IS NULL OR ended_at >= $since)
    AND ($cluster_queue = '' OR cluster_queue = $cluster_queue)
ORDER BY queued_at, uid, attempt_number
