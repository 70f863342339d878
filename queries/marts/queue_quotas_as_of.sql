-- Queue quotas as of a time: one row a flavor and resource of a ClusterQueue, its quota and what was taken of it then.
--
-- grain: cluster_uid, cluster_queue, flavor, resource
-- reads: kueue_cluster_queue, kueue_cluster_queue_quota, kueue_cluster_queue_usage
-- params: as_of, cluster
--
-- The last version that was seen at $as_of; Kueue gathers changes of a queue for a second before it writes them. A queue
-- that was deleted by then has no row. One that was there before anybody looked has the quota it was first seen with,
-- `is_seen_later`, and its use is unknown.
-- A limit is NULL where there is none, and `is_..._readable` false where there is one that could not be read. `is_active` is true where no condition says otherwise.
-- `reserved_total` is what Workloads with quota hold, `used_total` what the admitted ones among them do; NULL, which is
-- nothing, before Kueue first wrote a status.

WITH latest AS (
    SELECT *
    FROM kueue_cluster_queue
    WHERE (observed_at <= $as_of OR created_at <= $as_of) AND cluster = $cluster
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, cluster_queue
        ORDER BY
            CASE WHEN observed_at <= $as_of THEN observed_at END DESC NULLS LAST,
            CASE WHEN observed_at <= $as_of THEN length(resource_version) END DESC NULLS LAST,
            CASE WHEN observed_at <= $as_of THEN resource_version END DESC NULLS LAST,
            observed_at,
            length(resource_version),
            resource_version
    ) = 1
)

SELECT
    latest.cluster,
    latest.cluster_uid,
    latest.cluster_queue,
    latest.cohort,
    latest.stop_policy,
    latest.active_status IS DISTINCT FROM 'False' AS is_active,
    latest.active_reason,
    quota.resource_group_number,
    quota.flavor_number,
    quota.flavor,
    quota.resource,
    quota.nominal_quota,
    quota.borrowing_limit,
    quota.borrowing_limit_text IS NULL OR quota.borrowing_limit IS NOT NULL AS is_borrowing_limit_readable,
    quota.lending_limit,
    quota.lending_limit_text IS NULL OR quota.lending_limit IS NOT NULL AS is_lending_limit_readable,
    CASE WHEN latest.observed_at <= $as_of THEN usage.reserved_total END AS reserved_total,
    CASE WHEN latest.observed_at <= $as_of THEN usage.used_total END AS used_total,
    latest.observed_at > $as_of AS is_seen_later,
    latest.uid,
    latest.resource_version,
    latest.observed_at
FROM latest
JOIN kueue_cluster_queue_quota AS quota
    ON latest.cluster_uid = quota.cluster_uid
    AND latest.uid = quota.uid
    AND latest.resource_version = quota.resource_version
LEFT JOIN kueue_cluster_queue_usage AS usage
    ON quota.cluster_uid = usage.cluster_uid
    AND quota.uid = usage.uid
    AND quota.resource_version = usage.resource_version
    AND quota.flavor = usage.flavor
    AND quota.resource = usage.resource
WHERE latest.event_type IS DISTINCT FROM 'DELETED'
