-- Use unlike attempts: one row a look at a ClusterQueue whose status said that it had reserved something else than the
-- attempts of its Workloads add up to, and for a minute or more.
--
-- grain: cluster_uid, cluster_queue, resource, since
-- reads: queue_use, workload_attempts
-- params:
--
-- Two witnesses of the same: the queue's status, and its Workloads. Where they differ for longer than Kueue gathers
-- its writes (a second), one of them was not seen: Workloads that came and went between two looks, or ended after the
-- last one. Between looks nothing is compared: `since` is one. Of an end that is not known to the second, the
-- latest counts.

WITH changes AS (
    SELECT cluster, cluster_uid, cluster_queue, resource, since AS changed_at, reserved_total AS stated, 0 AS added, 1 AS look
    FROM queue_use
    WHERE resource IN ('cpu', 'memory')
    UNION ALL
    SELECT cluster, cluster_uid, cluster_queue, resource, until AS changed_at, -reserved_total AS stated, 0 AS added, 0 AS look
    FROM queue_use
    WHERE resource IN ('cpu', 'memory') AND until IS NOT NULL
    UNION ALL
    SELECT cluster, cluster_uid, cluster_queue, 'cpu' AS resource, quota_reserved_at AS changed_at, 0 AS stated, cpu_cores AS added, 0 AS look
    FROM workload_attempts
    WHERE quota_reserved_at IS NOT NULL AND cpu_cores IS NOT NULL
    UNION ALL
    SELECT cluster, cluster_uid, cluster_queue, 'cpu' AS resource, ended_at AS changed_at, 0 AS stated, -cpu_cores AS added, 0 AS look
    FROM workload_attempts
    WHERE quota_reserved_at IS NOT NULL AND cpu_cores IS NOT NULL AND ended_at IS NOT NULL
    UNION ALL
    SELECT cluster, cluster_uid, cluster_queue, 'memory' AS resource, quota_reserved_at AS changed_at, 0 AS stated, memory_bytes AS added, 0 AS look
    FROM workload_attempts
    WHERE quota_reserved_at IS NOT NULL AND memory_bytes IS NOT NULL
    UNION ALL
    SELECT cluster, cluster_uid, cluster_queue, 'memory' AS resource, ended_at AS changed_at, 0 AS stated, -memory_bytes AS added, 0 AS look
    FROM workload_attempts
    WHERE quota_reserved_at IS NOT NULL AND memory_bytes IS NOT NULL AND ended_at IS NOT NULL
),

moments AS (
    SELECT cluster, cluster_uid, cluster_queue, resource, changed_at, sum(stated) AS stated, sum(added) AS added, max(look) AS look
    FROM changes
    GROUP BY cluster, cluster_uid, cluster_queue, resource, changed_at
),

steps AS (
    SELECT
        cluster,
        cluster_uid,
        cluster_queue,
        resource,
        changed_at AS since,
        lead(changed_at) OVER in_order AS until,
        look,
        sum(stated) OVER in_order AS stated_total,
        sum(added) OVER in_order AS added_total
    FROM moments
    WINDOW in_order AS (PARTITION BY cluster_uid, cluster_queue, resource ORDER BY changed_at)
)

SELECT cluster, cluster_uid, cluster_queue, resource, since, until, stated_total, added_total
FROM steps
WHERE look = 1 AND stated_total <> added_total AND epoch(until) - epoch(since) >= 60
