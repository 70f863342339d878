-- Waits in a window: one row an attempt that queued for quota during it, with how long it waited as of a time.
--
-- grain: cluster_uid, uid, attempt_number
-- reads: workload_attempts
-- params: since, until, as_of, cluster_queue
--
-- In the window are attempts whose `queued_at` is in it; an empty $cluster_queue is all of them. What happened after
-- $as_of is not known yet. `wait_seconds` runs to the reservation of quota; without one `open_seconds` is how long it
-- is known to have waited, and `is_waiting` whether it still does: if not, it left the queue without quota. Both
-- durations are NULL where it ran and nobody saw its reservation. `ahead_count` is how many waited before it in its ClusterQueue when it queued: with a
-- higher priority, or the same and queued earlier (in the same second: the lower uid).

WITH known AS (
    SELECT
        *,
        CASE WHEN quota_reserved_at <= $as_of THEN quota_reserved_at END AS reserved_at,
        coalesce(quota_reserved_at, ended_at) AS left_at
    FROM workload_attempts
    WHERE queued_at <= $as_of AND cluster_queue IS NOT NULL
),

asked AS (
    SELECT *
    FROM known
    WHERE
        queued_at >= $since
        AND queued_at < $until
        AND ($cluster_queue = '' OR cluster_queue = $cluster_queue)
),

ahead AS (
    SELECT asked.cluster_uid, asked.uid, asked.attempt_number, count(*) AS ahead_count
    FROM asked
    JOIN known AS other
        ON asked.cluster_uid = other.cluster_uid
        AND asked.cluster_queue = other.cluster_queue
        AND other.queued_at <= asked.queued_at
        AND (other.left_at IS NULL OR other.left_at > asked.queued_at)
    WHERE
        other.uid <> asked.uid
        AND (other.quota_reserved_at IS NOT NULL OR other.end_kind IS NULL OR other.end_kind IN ('deleted', 'vanished'))
        AND (
            coalesce(other.priority, 0) > coalesce(asked.priority, 0)
            OR (
                coalesce(other.priority, 0) = coalesce(asked.priority, 0)
                AND (other.queued_at < asked.queued_at OR other.uid < asked.uid)
            )
        )
    GROUP BY asked.cluster_uid, asked.uid, asked.attempt_number
)

SELECT
    asked.cluster,
    asked.cluster_uid,
    asked.namespace,
    asked.workload,
    asked.uid,
    asked.attempt_number,
    asked.benchmark_run_id,
    asked.instance,
    asked.cluster_queue,
    asked.local_queue,
    asked.priority,
    asked.priority_class,
    asked.queued_at,
    asked.reserved_at AS quota_reserved_at,
    coalesce(ahead.ahead_count, 0) AS ahead_count,
    epoch(asked.reserved_at) - epoch(asked.queued_at) AS wait_seconds,
    CASE
        WHEN asked.reserved_at IS NULL AND (asked.waited_seconds IS NOT NULL OR asked.quota_reserved_at IS NOT NULL)
        THEN greatest(
            least(
                coalesce(asked.waited_seconds, epoch(asked.quota_reserved_at) - epoch(asked.queued_at)),
                epoch($as_of) - epoch(asked.queued_at)
            ),
            0
        )
    END AS open_seconds,
    CASE
        WHEN asked.reserved_at IS NULL
        THEN asked.quota_reserved_at IS NOT NULL OR asked.ended_at IS NULL OR asked.ended_at > $as_of
    END AS is_waiting
FROM asked
LEFT JOIN ahead
    ON asked.cluster_uid = ahead.cluster_uid
    AND asked.uid = ahead.uid
    AND asked.attempt_number = ahead.attempt_number
ORDER BY asked.queued_at, asked.uid, asked.attempt_number
