-- Workload requests as of a time: one row a resource that a Workload asks its queue for, all its pods together.
--
-- grain: cluster_uid, uid, resource
-- reads: kueue_workload_assignment, kueue_workload_resource_request, workload_pod_requests
-- params: as_of, cluster
--
-- What Kueue reserved last, as seen at $as_of; of a Workload that was never seen with quota, what Kueue wrote that it
-- asks for, or else what its pods request by the API server's rule, with `pods` for their count. `source` says
-- which: reserved, pending or pods. Amounts are exact, in cores and bytes.

WITH reserved AS (
    SELECT cluster_uid, uid, resource_version, resource, sum(quantity_total) AS amount, max(observed_at) AS observed_at
    FROM kueue_workload_assignment
    WHERE observed_at <= $as_of AND cluster = $cluster
    GROUP BY cluster_uid, uid, resource_version, resource
),

pending AS (
    SELECT cluster_uid, uid, resource_version, resource, sum(quantity_total) AS amount, max(observed_at) AS observed_at
    FROM kueue_workload_resource_request
    WHERE observed_at <= $as_of AND cluster = $cluster
    GROUP BY cluster_uid, uid, resource_version, resource
),

pods AS (
    SELECT cluster_uid, uid, resource, sum(request * pod_count) AS amount
    FROM workload_pod_requests
    WHERE cluster = $cluster
    GROUP BY cluster_uid, uid, resource
),

pod_counts AS (
    SELECT cluster_uid, uid, sum(pod_count) AS amount
    FROM (
        SELECT DISTINCT cluster_uid, uid, pod_set, pod_count
        FROM workload_pod_requests
        WHERE cluster = $cluster
    ) AS pod_sets
    GROUP BY cluster_uid, uid
),

told AS (
    SELECT cluster_uid, uid, resource, amount, 1 AS preference, 'reserved' AS source, observed_at, resource_version
    FROM reserved
    UNION ALL
    SELECT cluster_uid, uid, resource, amount, 2 AS preference, 'pending' AS source, observed_at, resource_version
    FROM pending
    UNION ALL
    SELECT cluster_uid, uid, resource, amount, 3 AS preference, 'pods' AS source, NULL AS observed_at, '' AS resource_version
    FROM pods
    UNION ALL
    SELECT cluster_uid, uid, 'pods' AS resource, amount, 3 AS preference, 'pods' AS source, NULL AS observed_at, '' AS resource_version
    FROM pod_counts
),

ranked AS (
    SELECT
        *,
        dense_rank() OVER (
            PARTITION BY cluster_uid, uid
            ORDER BY preference, observed_at DESC, length(resource_version) DESC, resource_version DESC
        ) AS place
    FROM told
)

SELECT cluster_uid, uid, resource, amount, source
FROM ranked
WHERE place = 1 AND amount IS NOT NULL
ORDER BY cluster_uid, uid, resource
