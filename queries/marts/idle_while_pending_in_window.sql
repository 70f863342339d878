-- Idle while pending in a window: one row a ClusterQueue that left a Workload waiting for quota that it had.
--
-- grain: cluster_uid, cluster_queue
-- reads: idle_while_pending
-- params: since, until, as_of, cluster_queue
--
-- The window is [since, until) in UTC, up to $as_of; an empty $cluster_queue is all of them. `idle_seconds` is the
-- time in which at least one such Workload waited, `waiting_seconds` the sum over all of them. As they would not all
-- have fitted together, `cpu_core_seconds` and `memory_byte_seconds` count the largest of those that waited at each
-- time: so much at least lay idle.

WITH cut AS (
    SELECT
        *,
        greatest(since, $since) AS cut_since,
        least(until, $until, $as_of) AS cut_until
    FROM idle_while_pending
    WHERE
        since < $until
        AND since < $as_of
        AND until > $since
        AND ($cluster_queue = '' OR cluster_queue = $cluster_queue)
),

moments AS (
    SELECT cluster_uid, cluster_queue, cut_since AS moment FROM cut
    UNION
    SELECT cluster_uid, cluster_queue, cut_until AS moment FROM cut
),

steps AS (
    SELECT
        *,
        lead(moment) OVER (PARTITION BY cluster_uid, cluster_queue ORDER BY moment) AS next_moment
    FROM moments
),

filled AS (
    SELECT
        cut.cluster,
        steps.cluster_uid,
        steps.cluster_queue,
        steps.moment,
        epoch(steps.next_moment) - epoch(steps.moment) AS seconds,
        count(*) AS waiting_count,
        max(cut.cpu_cores) AS cpu_cores,
        max(cut.memory_bytes) AS memory_bytes
    FROM steps
    JOIN cut
        ON steps.cluster_uid = cut.cluster_uid
        AND steps.cluster_queue = cut.cluster_queue
        AND cut.cut_since <= steps.moment
        AND cut.cut_until >= steps.next_moment
    GROUP BY cut.cluster, steps.cluster_uid, steps.cluster_queue, steps.moment, steps.next_moment
),

attempts AS (
    SELECT cluster_uid, cluster_queue, count(*) AS attempt_count
    FROM (SELECT DISTINCT cluster_uid, cluster_queue, uid, attempt_number FROM cut) AS each_attempt
    GROUP BY cluster_uid, cluster_queue
)

SELECT
    filled.cluster,
    filled.cluster_uid,
    filled.cluster_queue,
    max(attempts.attempt_count) AS attempt_count,
    sum(filled.seconds) AS idle_seconds,
    sum(filled.seconds * filled.waiting_count) AS waiting_seconds,
    sum(filled.seconds * CAST(filled.cpu_cores AS DOUBLE)) AS cpu_core_seconds,
    sum(filled.seconds * CAST(filled.memory_bytes AS DOUBLE)) AS memory_byte_seconds
FROM filled
JOIN attempts ON filled.cluster_uid = attempts.cluster_uid AND filled.cluster_queue = attempts.cluster_queue
GROUP BY filled.cluster, filled.cluster_uid, filled.cluster_queue
ORDER BY idle_seconds DESC, filled.cluster, filled.cluster_queue
