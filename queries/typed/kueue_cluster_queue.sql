-- Kueue ClusterQueues: one row each state of a ClusterQueue that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_kueue_cluster_queue
-- params:
--
-- Only the Active condition carries a time: counts are gauges, as of the version that showed them. Go leaves out
-- a count of zero, so it is 0 here where there is a status, and NULL where there is none.
-- `when_can_borrow` and `when_can_preempt` are in v1beta2's words: v1beta1's `Borrow` and `Preempt` are its
-- `MayStopSearch`, as Kueue itself converts them.
-- Kueue writes 9223372036854775807 for a weighted share without bound: `is_weighted_share_infinite`, and no number.
-- A stopped queue admits nothing, but its quota still counts in its cohort.

SELECT
    cluster,
    cluster_uid,
    api_version,
    name AS cluster_queue,
    uid,
    resource_version,
    event_type,
    observed_at,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    TRY_CAST(object.metadata.generation AS BIGINT) AS generation,
    nullif(coalesce(object.spec.cohortName, object.spec.cohort), '') AS cohort,
    object.spec.queueingStrategy AS queueing_strategy,
    object.spec.stopPolicy AS stop_policy,
    object.spec.preemption.reclaimWithinCohort AS reclaim_within_cohort,
    object.spec.preemption.withinClusterQueue AS preempt_within_cluster_queue,
    object.spec.preemption.borrowWithinCohort.policy AS borrow_within_cohort,
    TRY_CAST(object.spec.preemption.borrowWithinCohort.maxPriorityThreshold AS BIGINT) AS borrow_maximum_priority,
    CASE object.spec.flavorFungibility.whenCanBorrow
        WHEN 'Borrow' THEN 'MayStopSearch'
        ELSE object.spec.flavorFungibility.whenCanBorrow
    END AS when_can_borrow,
    CASE object.spec.flavorFungibility.whenCanPreempt
        WHEN 'Preempt' THEN 'MayStopSearch'
        ELSE object.spec.flavorFungibility.whenCanPreempt
    END AS when_can_preempt,
    object.spec.flavorFungibility.preference AS flavor_preference,
    quantity(object.spec.fairSharing.weight) AS fair_sharing_weight,
    object.spec.fairSharing.weight AS fair_sharing_weight_text,
    TRY_CAST(nullif(object.status.fairSharing.weightedShare, '9223372036854775807') AS BIGINT) AS weighted_share,
    object.status.fairSharing.weightedShare = '9223372036854775807' AS is_weighted_share_infinite,
    coalesce(
        object.spec.admissionChecks,
        list_transform(object.spec.admissionChecksStrategy.admissionChecks, lambda c: c.name)
    ) AS admission_checks,
    TRY_CAST(CASE WHEN object.status IS NOT NULL THEN coalesce(object.status.pendingWorkloads, '0') END AS BIGINT)
        AS pending_count,
    TRY_CAST(CASE WHEN object.status IS NOT NULL THEN coalesce(object.status.reservingWorkloads, '0') END AS BIGINT)
        AS reserving_count,
    TRY_CAST(CASE WHEN object.status IS NOT NULL THEN coalesce(object.status.admittedWorkloads, '0') END AS BIGINT)
        AS admitted_count,
    active.status AS active_status,
    active.reason AS active_reason,
    active.message AS active_message,
    TRY_CAST(active.lastTransitionTime AS TIMESTAMPTZ) AS active_changed_at
FROM (
    SELECT *, list_filter(object.status.conditions, lambda c: c.type = 'Active')[1] AS active
    FROM parsed_kueue_cluster_queue
)
