-- Queue workload samples: one row a ClusterQueue and time, with how many workloads Kueue's metrics counted there.
--
-- grain: prometheus, cluster_queue, sampled_at
-- reads: metric_sample
-- params:
--
-- Gauges at the distance of the scrapes or of the step: what came and went between two samples is not here, and a peak
-- is at least as high. ClusterQueues that are watched tell every step (`queue_usage_intervals`).
-- Every replica of Kueue has the metrics, and only those of the leader are right: a follower's are left out, and of
-- several that say they lead, or run alone, one counts. A gauge that has no sample is NULL, and not 0.
-- Pending is active (waits for its turn) and inadmissible (fits in no way until something changes).

WITH samples AS (
    SELECT
        prometheus,
        cluster,
        metric,
        series,
        sampled_at,
        value,
        json_extract_string(labels, '$.cluster_queue') AS cluster_queue,
        coalesce(json_extract_string(labels, '$.status'), '') AS status,
        coalesce(json_extract_string(labels, '$.replica_role'), '') AS replica_role
    FROM metric_sample
    WHERE
        metric IN (
            'kueue_pending_workloads', 'kueue_reserving_active_workloads', 'kueue_admitted_active_workloads'
        )
),

led AS (
    SELECT *
    FROM samples
    WHERE replica_role <> 'follower' AND cluster_queue IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY prometheus, metric, cluster_queue, status, sampled_at
        ORDER BY CASE WHEN replica_role = 'leader' THEN 0 ELSE 1 END, series
    ) = 1
)

SELECT
    prometheus,
    min(cluster) AS cluster,
    cluster_queue,
    sampled_at,
    TRY_CAST(max(CASE WHEN metric = 'kueue_pending_workloads' AND status = 'active' THEN value END) AS BIGINT)
        AS pending_active_count,
    TRY_CAST(max(CASE WHEN metric = 'kueue_pending_workloads' AND status = 'inadmissible' THEN value END) AS BIGINT)
        AS pending_inadmissible_count,
    TRY_CAST(max(CASE WHEN metric = 'kueue_reserving_active_workloads' THEN value END) AS BIGINT) AS reserving_count,
    TRY_CAST(max(CASE WHEN metric = 'kueue_admitted_active_workloads' THEN value END) AS BIGINT) AS admitted_count
FROM led
GROUP BY prometheus, cluster_queue, sampled_at
