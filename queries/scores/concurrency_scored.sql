-- Concurrency beside the truth: one row a ClusterQueue, with Workloads admitted at once, truly and by what was found.
--
-- grain: part, subject_key
-- reads: observed_concurrency, truth_workload
-- params:
--
-- `part` is the ClusterQueue. `error_seconds` is the area between the two step functions of time over the number of
-- true steps: by how much time a step is off on average, never less than 0.

WITH true_steps AS (
    SELECT cluster, cluster_queue, admitted_at AS changed_at, 1 AS height
    FROM truth_workload
    WHERE admitted_at IS NOT NULL
    UNION ALL
    SELECT cluster, cluster_queue, released_at AS changed_at, -1 AS height
    FROM truth_workload
    WHERE admitted_at IS NOT NULL AND released_at IS NOT NULL
),

found_steps AS (
    SELECT
        cluster,
        subject AS cluster_queue,
        since AS changed_at,
        concurrency - coalesce(lag(concurrency) OVER (PARTITION BY cluster, subject ORDER BY since), 0) AS height
    FROM observed_concurrency
    WHERE kind = 'workload'
),

steps AS (
    SELECT cluster, cluster_queue, changed_at, -height AS difference, abs(height) AS true_height, 0 AS found_height
    FROM true_steps
    UNION ALL
    SELECT cluster, cluster_queue, changed_at, height AS difference, 0 AS true_height, abs(height) AS found_height
    FROM found_steps
),

moments AS (
    SELECT
        cluster,
        cluster_queue,
        changed_at,
        sum(difference) AS difference,
        sum(true_height) AS true_height,
        sum(found_height) AS found_height
    FROM steps
    GROUP BY cluster, cluster_queue, changed_at
),

distances AS (
    SELECT
        *,
        sum(difference) OVER in_order AS distance,
        epoch(lead(changed_at) OVER in_order) - epoch(changed_at) AS seconds
    FROM moments
    WINDOW in_order AS (PARTITION BY cluster, cluster_queue ORDER BY changed_at)
)

SELECT
    cluster_queue AS part,
    concat(cluster, '/', cluster_queue) AS subject_key,
    sum(true_height) > 0 AS is_true,
    sum(found_height) > 0 AS is_found,
    CASE
        WHEN sum(true_height) > 0 AND sum(found_height) > 0
        THEN sum(abs(distance) * coalesce(seconds, 0)) / sum(true_height)
    END AS error_seconds
FROM distances
GROUP BY cluster, cluster_queue
