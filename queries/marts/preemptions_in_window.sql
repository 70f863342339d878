-- Preemptions in a window: one row a Workload that lost its quota to another in it.
--
-- grain: cluster_uid, uid, attempt_number
-- reads: preemptions
-- params: since, until, as_of, cluster_queue
--
-- The window is [since, until) in UTC, on the eviction, or where its time is not known on the release of its quota. An
-- empty $cluster_queue is all of them; else it is the victim's or the preemptor's. What happened after $as_of is not
-- known yet.

SELECT
    cluster,
    cluster_uid,
    namespace,
    workload,
    uid,
    attempt_number,
    cluster_queue,
    priority,
    benchmark_run_id,
    instance,
    evicted_at,
    time_quality,
    preemption_cause,
    preemptor_namespace,
    preemptor_workload,
    preemptor_uid,
    preemptor_cluster_queue,
    preemptor_priority,
    lost_seconds,
    CASE WHEN ended_at <= $as_of THEN held_seconds END AS held_seconds,
    CASE WHEN ended_at <= $as_of THEN held_cpu_core_seconds END AS held_cpu_core_seconds,
    CASE WHEN ended_at <= $as_of THEN held_memory_byte_seconds END AS held_memory_byte_seconds,
    CASE WHEN epoch(ended_at) + requeue_wait_seconds <= epoch($as_of) THEN requeue_wait_seconds END
        AS requeue_wait_seconds
FROM preemptions
WHERE
    coalesce(evicted_at, ended_at) >= $since
    AND coalesce(evicted_at, ended_at) < $until
    AND coalesce(evicted_at, ended_at) <= $as_of
    AND ($cluster_queue = '' OR cluster_queue = $cluster_queue OR preemptor_cluster_queue = $cluster_queue)
ORDER BY coalesce(evicted_at, ended_at), uid, attempt_number
