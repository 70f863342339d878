-- Queue quota intervals: one row a stretch of time in which a ClusterQueue's quota of a flavor and resource, and its
-- cohort, stayed the same.
--
-- grain: cluster_uid, uid, flavor, resource, since
-- reads: kueue_cluster_queue_quota, queue_version_intervals
-- params:
--
-- A change is taken to be when its version was seen: the moment itself under a watch, later where lists are apart.
-- [since, until) ends when the queue was next seen otherwise, or deleted; the last one has no `until`. `limit_total` is
-- the most that the queue may take: its nominal quota and what it may borrow, NULL without a limit; a queue without
-- a cohort borrows and lends nothing. `lendable_total` is what of its nominal quota others may take.

WITH states AS (
    SELECT
        version.cluster,
        version.cluster_uid,
        version.cluster_queue,
        version.uid,
        version.cohort,
        version.since,
        version.until,
        quota.flavor,
        quota.resource,
        quota.nominal_quota,
        CASE
            WHEN version.cohort IS NULL THEN quota.nominal_quota
            WHEN quota.borrowing_limit_text IS NOT NULL THEN quota.nominal_quota + quota.borrowing_limit
        END AS limit_total,
        CASE
            WHEN version.cohort IS NULL THEN 0
            WHEN quota.lending_limit_text IS NULL THEN quota.nominal_quota
            ELSE least(quota.lending_limit, quota.nominal_quota)
        END AS lendable_total
    FROM queue_version_intervals AS version
    JOIN kueue_cluster_queue_quota AS quota
        ON version.cluster_uid = quota.cluster_uid
        AND version.uid = quota.uid
        AND version.resource_version = quota.resource_version
),

compared AS (
    SELECT
        *,
        lag(until) OVER in_order IS NOT DISTINCT FROM since
            AND lag(cohort) OVER in_order IS NOT DISTINCT FROM cohort
            AND lag(nominal_quota) OVER in_order IS NOT DISTINCT FROM nominal_quota
            AND lag(limit_total) OVER in_order IS NOT DISTINCT FROM limit_total
            AND lag(lendable_total) OVER in_order IS NOT DISTINCT FROM lendable_total AS is_same
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
    cohort,
    flavor,
    resource,
    min(since) AS since,
    CASE WHEN count(until) = count(*) THEN max(until) END AS until,
    nominal_quota,
    limit_total,
    lendable_total
FROM numbered
GROUP BY
    cluster, cluster_uid, cluster_queue, uid, cohort, flavor, resource, step_number,
    nominal_quota, limit_total, lendable_total
