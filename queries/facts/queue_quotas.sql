-- Queue quotas: one row a flavor and resource of a Kueue ClusterQueue, as its quota was last seen.
--
-- grain: cluster_uid, cluster_queue, flavor, resource
-- reads: kueue_cluster_queue, kueue_cluster_queue_quota
-- params:
--
-- Of a queue that was made anew under its name, the last; a deleted one has no quota and no row.
-- No borrowing limit means no limit, but only in a cohort: a queue without one borrows nothing. No lending limit
-- means that all of the nominal quota may be lent, to a cohort again. A limit that was there and could not be read is
-- NULL, and not unlimited.
-- Flavors of a resource group are alternatives for a pod, not a sum. What queues of a cohort could have at most must
-- not be added up either: what one lends another borrows.

WITH latest AS (
    SELECT *
    FROM kueue_cluster_queue
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, cluster_queue
        ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
)

SELECT
    latest.cluster,
    latest.cluster_uid,
    latest.cluster_queue,
    latest.uid,
    latest.cohort,
    latest.stop_policy,
    quota.flavor,
    quota.resource,
    quota.resource_group_number,
    quota.flavor_number,
    quota.nominal_quota,
    quota.nominal_quota_text,
    latest.cohort IS NOT NULL AND (quota.borrowing_limit_text IS NULL OR quota.borrowing_limit > 0) AS can_borrow,
    latest.cohort IS NOT NULL AND quota.borrowing_limit_text IS NULL AS is_borrowing_unlimited,
    CASE WHEN latest.cohort IS NULL THEN 0 ELSE quota.borrowing_limit END AS borrowing_limit,
    latest.cohort IS NOT NULL AND quota.lending_limit_text IS NULL AS is_lending_unlimited,
    CASE
        WHEN latest.cohort IS NULL THEN 0
        WHEN quota.lending_limit_text IS NULL THEN quota.nominal_quota
        ELSE quota.lending_limit
    END AS lending_limit,
    latest.observed_at
FROM latest
JOIN kueue_cluster_queue_quota AS quota
    ON latest.cluster_uid = quota.cluster_uid
    AND latest.uid = quota.uid
    AND latest.resource_version = quota.resource_version
WHERE latest.event_type IS DISTINCT FROM 'DELETED'
