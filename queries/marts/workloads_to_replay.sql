-- Workloads to replay: one row a Workload that wanted or held quota in a window, with what is known of its work.
--
-- grain: cluster_uid, uid
-- reads: workload_attempts
-- params: since, until, as_of, cluster
--
-- The window is [since, until) in UTC; what happened after $as_of is not known. A Workload is taken by its first
-- attempt and its last: between them others pushed it out, or its pods were not ready, `unready_count` times.
-- `held_since` is when it reserved the quota that it held at $since. `run_seconds` is how long its pods ran until it was
-- finished, or was deleted while it ran; where that is not known, `ran_seconds` is how long it is known to have run at
-- least. `start_seconds` is from the reservation until its pods were ready, or it was admitted if that is all that is
-- known. `left_at` is when it went away without quota. `wait_seconds` and `first_reserved_at` are of its first attempt.
-- Of those created in the same second the record tells who was first: rows are in that order.

WITH known AS (
    SELECT
        *,
        CASE WHEN quota_reserved_at <= $as_of THEN quota_reserved_at END AS reserved_at,
        CASE WHEN coalesce(pods_ready_at, admitted_at) <= $as_of THEN coalesce(pods_ready_at, admitted_at) END
            AS started_at,
        CASE WHEN ended_at <= $as_of THEN ended_at END AS done_at,
        CASE WHEN ended_at <= $as_of THEN end_kind END AS done_kind
    FROM workload_attempts
    WHERE cluster = $cluster AND queued_at <= $as_of AND queued_at < $until
),

measured AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY cluster_uid, uid ORDER BY attempt_number) AS place,
        row_number() OVER (PARTITION BY cluster_uid, uid ORDER BY attempt_number DESC) AS place_from_last,
        done_kind IN ('finished', 'deleted') AND time_quality = 'precise' AND started_at IS NOT NULL AS is_run_known,
        epoch(started_at) - epoch(reserved_at) AS start_seconds,
        CASE WHEN started_at IS NOT NULL THEN greatest(epoch(coalesce(done_at, $as_of)) - epoch(started_at), 0) END
            AS started_seconds
    FROM known
)

SELECT
    cluster,
    cluster_uid,
    uid,
    any_value(workload) AS workload,
    max(CASE WHEN place_from_last = 1 THEN cluster_queue END) AS cluster_queue,
    coalesce(max(CASE WHEN place_from_last = 1 THEN priority END), 0) AS priority,
    max(CASE WHEN place_from_last = 1 THEN priority_class END) AS priority_class,
    max(benchmark_run_id) AS benchmark_run_id,
    min(queued_at) AS created_at,
    max(CASE WHEN reserved_at < $since AND (done_at IS NULL OR done_at > $since) THEN reserved_at END) AS held_since,
    max(CASE WHEN place_from_last = 1 THEN start_seconds END) AS start_seconds,
    max(CASE WHEN place_from_last = 1 AND is_run_known THEN started_seconds END) AS run_seconds,
    max(started_seconds) AS ran_seconds,
    count(CASE WHEN ended_by = 'PodsReadyTimeout' AND done_at >= $since THEN 1 END) AS unready_count,
    max(CASE WHEN place_from_last = 1 AND reserved_at IS NULL AND done_kind IN ('deleted', 'vanished') THEN done_at END)
        AS left_at,
    max(CASE WHEN place_from_last = 1 THEN done_at END) AS ended_at,
    max(CASE WHEN place = 1 THEN reserved_at END) AS first_reserved_at,
    max(CASE WHEN place = 1 AND reserved_at IS NOT NULL THEN wait_seconds END) AS wait_seconds,
    count(CASE WHEN ended_by = 'Preempted' AND done_at >= $since AND done_at < $until THEN 1 END) AS preempted_count
FROM measured
GROUP BY cluster, cluster_uid, uid
HAVING max(CASE WHEN place_from_last = 1 THEN coalesce(done_at, $as_of) END) >= $since
ORDER BY created_at, first_reserved_at NULLS LAST, uid
