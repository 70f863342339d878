-- Queue quota samples: one row a flavor and resource of a ClusterQueue and time, as Kueue's metrics showed quota and use.
--
-- grain: prometheus, cluster_queue, flavor, resource, sampled_at
-- reads: metric_sample
-- params:
--
-- Kueue exposes these only with `metrics.enableClusterQueueResources: true`; no row means that it does not.
-- +Inf is how it says that there is no limit: the limit is NULL then, and `is_..._unlimited` true. Without a sample of
-- the limit both are NULL. Amounts are in the resource's own unit, cores and bytes among them.
-- Of several replicas the leader counts, as in `queue_workload_samples`.

WITH samples AS (
    SELECT
        prometheus,
        cluster,
        metric,
        series,
        sampled_at,
        value,
        json_extract_string(labels, '$.cluster_queue') AS cluster_queue,
        nullif(json_extract_string(labels, '$.cohort'), '') AS cohort,
        json_extract_string(labels, '$.flavor') AS flavor,
        json_extract_string(labels, '$.resource') AS resource,
        coalesce(json_extract_string(labels, '$.replica_role'), '') AS replica_role
    FROM metric_sample
    WHERE
        metric IN (
            'kueue_cluster_queue_nominal_quota', 'kueue_cluster_queue_borrowing_limit',
            'kueue_cluster_queue_lending_limit', 'kueue_cluster_queue_resource_reservation',
            'kueue_cluster_queue_resource_usage'
        )
),

led AS (
    SELECT *
    FROM samples
    WHERE
        replica_role <> 'follower'
        AND cluster_queue IS NOT NULL
        AND flavor IS NOT NULL
        AND resource IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY prometheus, metric, cluster_queue, flavor, resource, sampled_at
        ORDER BY CASE WHEN replica_role = 'leader' THEN 0 ELSE 1 END, series
    ) = 1
),

sampled AS (
    SELECT
        prometheus,
        min(cluster) AS cluster,
        min(cohort) AS cohort,
        cluster_queue,
        flavor,
        resource,
        sampled_at,
        max(CASE WHEN metric = 'kueue_cluster_queue_nominal_quota' THEN value END) AS nominal_quota,
        max(CASE WHEN metric = 'kueue_cluster_queue_borrowing_limit' THEN value END) AS borrowing_limit,
        max(CASE WHEN metric = 'kueue_cluster_queue_lending_limit' THEN value END) AS lending_limit,
        max(CASE WHEN metric = 'kueue_cluster_queue_resource_reservation' THEN value END) AS reserved_total,
        max(CASE WHEN metric = 'kueue_cluster_queue_resource_usage' THEN value END) AS used_total
    FROM led
    GROUP BY prometheus, cluster_queue, flavor, resource, sampled_at
)

SELECT
    prometheus,
    cluster,
    cohort,
    cluster_queue,
    flavor,
    resource,
    sampled_at,
    nominal_quota,
    CASE WHEN borrowing_limit < CAST('Infinity' AS DOUBLE) THEN borrowing_limit END AS borrowing_limit,
    borrowing_limit = CAST('Infinity' AS DOUBLE) AS is_borrowing_unlimited,
    CASE WHEN lending_limit < CAST('Infinity' AS DOUBLE) THEN lending_limit END AS lending_limit,
    lending_limit = CAST('Infinity' AS DOUBLE) AS is_lending_unlimited,
    reserved_total,
    used_total
FROM sampled
