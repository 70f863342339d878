-- Queue usage intervals: one row a stretch of time in which a ClusterQueue's use of a flavor and resource stayed
-- the same.
--
-- grain: cluster_uid, uid, flavor, resource, since
-- reads: kueue_cluster_queue_quota, kueue_cluster_queue_usage, queue_version_intervals
-- params:
--
-- Kueue writes no time beside usage, so a step is taken to be when its version was seen. That is the moment itself
-- under a watch; where `since_how` is `list` or `file` it changed earlier, and peaks in between are not here.
-- [since, until) ends when the queue was next seen otherwise, or deleted. The last one has no `until`: it is known up
-- to `last_observed_at` at least. What `coverage` calls a gap is not cut out.
-- A change of nominal quota starts a new row too; the quota is NULL where the queue has none for what is still used.

WITH states AS (
    SELECT
        version.cluster,
        version.cluster_uid,
        version.cluster_queue,
        version.uid,
        version.how,
        version.since,
        version.until,
        usage.flavor,
        usage.resource,
        usage.reserved_total,
        usage.reserved_borrowed,
        usage.used_total,
        usage.used_borrowed,
        quota.nominal_quota
    FROM queue_version_intervals AS version
    JOIN kueue_cluster_queue_usage AS usage
        ON version.cluster_uid = usage.cluster_uid
        AND version.uid = usage.uid
        AND version.resource_version = usage.resource_version
    LEFT JOIN kueue_cluster_queue_quota AS quota
        ON usage.cluster_uid = quota.cluster_uid
        AND usage.uid = quota.uid
        AND usage.resource_version = quota.resource_version
        AND usage.flavor = quota.flavor
        AND usage.resource = quota.resource
),

compared AS (
    SELECT
        *,
        lag(until) OVER in_order IS NOT DISTINCT FROM since
            AND lag(reserved_total) OVER in_order IS NOT DISTINCT FROM reserved_total
            AND lag(reserved_borrowed) OVER in_order IS NOT DISTINCT FROM reserved_borrowed
            AND lag(used_total) OVER in_order IS NOT DISTINCT FROM used_total
            AND lag(used_borrowed) OVER in_order IS NOT DISTINCT FROM used_borrowed
            AND lag(nominal_quota) OVER in_order IS NOT DISTINCT FROM nominal_quota AS is_same
    FROM states
    WINDOW in_order AS (PARTITION BY cluster_uid, uid, flavor, resource ORDER BY since)
),

numbered AS (
    SELECT
        *,
        sum(CASE WHEN is_same THEN 0 ELSE 1 END) OVER (
            PARTITION BY cluster_uid, uid, flavor, resource ORDER BY since
        ) AS step_number
    FROM compared
)

SELECT
    cluster,
    cluster_uid,
    cluster_queue,
    uid,
    flavor,
    resource,
    min(since) AS since,
    CASE WHEN count(until) = count(*) THEN max(until) END AS until,
    max(since) AS last_observed_at,
    max(CASE WHEN NOT is_same THEN how END) AS since_how,
    reserved_total,
    reserved_borrowed,
    used_total,
    used_borrowed,
    nominal_quota,
    CASE WHEN count(until) = count(*) THEN epoch(max(until)) - epoch(min(since)) END AS interval_seconds
FROM numbered
GROUP BY
    cluster, cluster_uid, cluster_queue, uid, flavor, resource, step_number,
    reserved_total, reserved_borrowed, used_total, used_borrowed, nominal_quota
