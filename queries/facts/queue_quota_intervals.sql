-- Queue quota intervals: one row a stretch of time in which a ClusterQueue's quota of a flavor and resource, and its
-- cohort, stayed the same.
--
-- grain: cluster_uid, uid, flavor, resource, since
-- reads: kueue_cluster_queue, kueue_cluster_queue_quota
-- params:
--
-- A change is taken to be when its version was seen: the moment itself under a watch, later where lists are apart.
-- [since, until) ends when the queue was next seen otherwise, or deleted; the last one has no `until`. `limit_total` is
-- the most that the queue may take: its nominal quota and what it may borrow, NULL without a limit; a queue without
-- a cohort borrows and lends nothing. `lendable_total` is what of its nominal quota others may take.

WITH versions AS (
    SELECT
        cluster, cluster_uid, cluster_queue, uid, resource_version, event_type, cohort, observed_at,
        lead(observed_at) OVER (
            PARTITION BY cluster_uid, uid ORDER BY observed_at, length(resource_version), resource_version
        ) AS next_observed_at
    FROM kueue_cluster_queue
),

states AS (
    SELECT
        versions.cluster,
        versions.cluster_uid,
        versions.cluster_queue,
        versions.uid,
        versions.cohort,
        versions.observed_at,
        versions.next_observed_at,
        quota.flavor,
        quota.resource,
        quota.nominal_quota,
        CASE
            WHEN versions.cohort IS NULL THEN quota.nominal_quota
            WHEN quota.borrowing_limit_text IS NOT NULL THEN quota.nominal_quota + quota.borrowing_limit
        END AS limit_total,
        CASE
            WHEN versions.cohort IS NULL THEN 0
            WHEN quota.lending_limit_text IS NULL THEN quota.nominal_quota
            ELSE least(quota.lending_limit, quota.nominal_quota)
        END AS lendable_total
    FROM versions
    JOIN kueue_cluster_queue_quota AS quota
        ON versions.cluster_uid = quota.cluster_uid
        AND versions.uid = quota.uid
        AND versions.resource_version = quota.resource_version
    WHERE
        versions.event_type IS DISTINCT FROM 'DELETED'
        AND (versions.next_observed_at IS NULL OR versions.next_observed_at > versions.observed_at)
),

compared AS (
    SELECT
        *,
        lag(next_observed_at) OVER in_order IS NOT DISTINCT FROM observed_at
            AND lag(cohort) OVER in_order IS NOT DISTINCT FROM cohort
            AND lag(nominal_quota) OVER in_order IS NOT DISTINCT FROM nominal_quota
            AND lag(limit_total) OVER in_order IS NOT DISTINCT FROM limit_total
            AND lag(lendable_total) OVER in_order IS NOT DISTINCT FROM lendable_total AS is_same
    FROM states
    WINDOW in_order AS (PARTITION BY cluster_uid, uid, flavor, resource ORDER BY observed_at)
),

numbered AS (
    SELECT
        *,
        sum(CASE WHEN is_same THEN 0 ELSE 1 END) OVER (
            PARTITION BY cluster_uid, uid, flavor, resource ORDER BY observed_at
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
    min(observed_at) AS since,
    CASE WHEN count(next_observed_at) = count(*) THEN max(next_observed_at) END AS until,
    nominal_quota,
    limit_total,
    lendable_total
FROM numbered
GROUP BY
    cluster, cluster_uid, cluster_queue, uid, cohort, flavor, resource, step_number,
    nominal_quota, limit_total, lendable_total
