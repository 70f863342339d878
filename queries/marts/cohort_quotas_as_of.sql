-- Cohort quotas as of a time: one row a flavor and resource of a Kueue Cohort object, or one row without, as then.
--
-- grain: cluster_uid, cohort, flavor, resource
-- reads: kueue_cohort, kueue_cohort_quota
-- params: as_of, cluster
--
-- The last version that was seen at $as_of; of one that was there before anybody looked, the first that was seen
-- later, `is_seen_later`. A Cohort without quota has one row, for its parent's sake, with neither
-- flavor nor resource. A limit is NULL where there is none, and `is_..._readable` false where one could not be read.

WITH latest AS (
    SELECT *
    FROM kueue_cohort
    WHERE (observed_at <= $as_of OR created_at <= $as_of) AND cluster = $cluster
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, cohort
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
    latest.cohort,
    latest.parent_cohort,
    quota.flavor,
    quota.resource,
    quota.nominal_quota,
    quota.borrowing_limit,
    quota.borrowing_limit_text IS NULL OR quota.borrowing_limit IS NOT NULL AS is_borrowing_limit_readable,
    quota.lending_limit,
    quota.lending_limit_text IS NULL OR quota.lending_limit IS NOT NULL AS is_lending_limit_readable,
    latest.observed_at > $as_of AS is_seen_later,
    latest.uid,
    latest.resource_version,
    latest.observed_at
FROM latest
LEFT JOIN kueue_cohort_quota AS quota
    ON latest.cluster_uid = quota.cluster_uid
    AND latest.uid = quota.uid
    AND latest.resource_version = quota.resource_version
WHERE latest.event_type IS DISTINCT FROM 'DELETED'
