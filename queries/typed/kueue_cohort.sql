-- Kueue Cohorts: one row each state of a Cohort that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_kueue_cohort
-- params:
--
-- A cohort that ClusterQueues name needs no Cohort object: without one it is a root with no quota of its own.
-- A ring of parents stops every queue in it.
-- Kueue writes 9223372036854775807 for a weighted share without bound: `is_weighted_share_infinite`, and no number.

SELECT
    cluster,
    cluster_uid,
    api_version,
    name AS cohort,
    uid,
    resource_version,
    event_type,
    observed_at,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    TRY_CAST(object.metadata.generation AS BIGINT) AS generation,
    nullif(coalesce(object.spec.parentName, object.spec.parent), '') AS parent_cohort,
    quantity(object.spec.fairSharing.weight) AS fair_sharing_weight,
    object.spec.fairSharing.weight AS fair_sharing_weight_text,
    TRY_CAST(nullif(object.status.fairSharing.weightedShare, '9223372036854775807') AS BIGINT) AS weighted_share,
    object.status.fairSharing.weightedShare = '9223372036854775807' AS is_weighted_share_infinite
FROM parsed_kueue_cohort
