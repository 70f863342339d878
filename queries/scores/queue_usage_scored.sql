-- Queue usage beside the truth: one row a resource of a Kueue ClusterQueue, reserved truly or by what was found.
--
-- grain: part, subject_key
-- reads: queue_usage_intervals, truth_workload
-- params:
--
-- `part` is the resource. Both are step functions of time: what Workloads truly held, and what the queue's status
-- said it had reserved. `error_seconds` is the area between them over the height of all true steps: by how much
-- time a step is off on average, never less than 0. Kueue gathers changes for a second before it writes them.
-- It writes no time beside usage, so a step is when it was seen: where nobody looked until all was over, as where a
-- world is replayed at once, the error is half of how long Workloads held their quota, by their size.

WITH true_steps AS (
    SELECT cluster, cluster_queue, 'cpu' AS resource, reserved_at AS changed_at, cpu_cores AS height
    FROM truth_workload
    UNION ALL
    SELECT cluster, cluster_queue, 'cpu' AS resource, released_at AS changed_at, -cpu_cores AS height
    FROM truth_workload
    WHERE released_at IS NOT NULL
    UNION ALL
    SELECT cluster, cluster_queue, 'memory' AS resource, reserved_at AS changed_at, memory_bytes AS height
    FROM truth_workload
    UNION ALL
    SELECT cluster, cluster_queue, 'memory' AS resource, released_at AS changed_at, -memory_bytes AS height
    FROM truth_workload
    WHERE released_at IS NOT NULL
),

found_steps AS (
    SELECT
        cluster,
        cluster_queue,
        resource,
        since AS changed_at,
        CAST(reserved_total AS DOUBLE)
        - coalesce(
            lag(CAST(reserved_total AS DOUBLE)) OVER (
                PARTITION BY cluster_uid, uid, flavor, resource ORDER BY since
            ),
            0
        ) AS height
    FROM queue_usage_intervals
    WHERE resource IN ('cpu', 'memory')
),

steps AS (
    SELECT cluster, cluster_queue, resource, changed_at, -height AS difference, abs(height) AS true_height, 0 AS found_height
    FROM true_steps
    UNION ALL
    SELECT cluster, cluster_queue, resource, changed_at, height AS difference, 0 AS true_height, abs(height) AS found_height
    FROM found_steps
),

moments AS (
    SELECT
        cluster,
        cluster_queue,
        resource,
        changed_at,
        sum(difference) AS difference,
        sum(true_height) AS true_height,
        sum(found_height) AS found_height
    FROM steps
    GROUP BY cluster, cluster_queue, resource, changed_at
),

differences AS (
    SELECT
        *,
        sum(difference) OVER in_order AS distance,
        epoch(lead(changed_at) OVER in_order) - epoch(changed_at) AS seconds
    FROM moments
    WINDOW in_order AS (PARTITION BY cluster, cluster_queue, resource ORDER BY changed_at)
)

SELECT
    resource AS part,
    concat(cluster, '/', cluster_queue) AS subject_key,
    sum(true_height) > 0 AS is_true,
    sum(found_height) > 0 AS is_found,
    CASE
        WHEN sum(true_height) > 0 AND sum(found_height) > 0
        THEN sum(abs(distance) * coalesce(seconds, 0)) / sum(true_height)
    END AS error_seconds
FROM differences
GROUP BY cluster, cluster_queue, resource
HAVING sum(true_height) > 0 OR sum(found_height) > 0
