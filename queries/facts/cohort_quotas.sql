-- Cohort quotas: one row a flavor and resource of a Kueue Cohort's own quota, as last seen.
--
-- grain: cluster_uid, cohort, flavor, resource
-- reads: cohorts, kueue_cohort, kueue_cohort_quota
-- params:
--
-- On top of what its ClusterQueues have. Limits are towards the parent: a root borrows and lends nothing. No
-- limit is NULL and `is_..._unlimited`; one that was there and could not be read is NULL, and not unlimited.

WITH latest AS (
    SELECT *
    FROM kueue_cohort
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, cohort ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
)

SELECT
    latest.cluster,
    latest.cluster_uid,
    latest.cohort,
    latest.uid,
    latest.parent_cohort,
    cohorts.root_cohort,
    quota.flavor,
    quota.resource,
    quota.nominal_quota,
    latest.parent_cohort IS NOT NULL AND quota.borrowing_limit_text IS NULL AS is_borrowing_unlimited,
    CASE WHEN latest.parent_cohort IS NULL THEN 0 ELSE quota.borrowing_limit END AS borrowing_limit,
    latest.parent_cohort IS NOT NULL AND quota.lending_limit_text IS NULL AS is_lending_unlimited,
    CASE WHEN latest.parent_cohort IS NULL THEN 0 ELSE quota.lending_limit END AS lending_limit,
    latest.observed_at
FROM latest
JOIN kueue_cohort_quota AS quota
    ON latest.cluster_uid = quota.cluster_uid
    AND latest.uid = quota.uid
    AND latest.resource_version = quota.resource_version
LEFT JOIN cohorts ON latest.cluster_uid = cohorts.cluster_uid AND latest.cohort = cohorts.cohort
WHERE latest.event_type IS DISTINCT FROM 'DELETED'
