-- Kueue LocalQueues: one row each state of a LocalQueue that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_kueue_local_queue
-- params:
--
-- Counts are gauges, as of the version that showed them. Go leaves out a count of zero, so it is 0 here where there
-- is a status, and NULL where there is none.
-- Older Kueue fails to write the status of a LocalQueue whose ClusterQueue has more than 16 flavors, which then
-- shows what was true before.
-- `consumed_resources` is what admission fair sharing remembers, decayed: not usage.

SELECT
    cluster,
    cluster_uid,
    api_version,
    namespace,
    name AS local_queue,
    uid,
    resource_version,
    event_type,
    observed_at,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    TRY_CAST(object.metadata.generation AS BIGINT) AS generation,
    object.spec.clusterQueue AS cluster_queue,
    object.spec.stopPolicy AS stop_policy,
    quantity(object.spec.fairSharing.weight) AS fair_sharing_weight,
    object.spec.fairSharing.weight AS fair_sharing_weight_text,
    TRY_CAST(nullif(object.status.fairSharing.weightedShare, '9223372036854775807') AS BIGINT) AS weighted_share,
    object.status.fairSharing.weightedShare = '9223372036854775807' AS is_weighted_share_infinite,
    object.status.fairSharing.admissionFairSharingStatus.consumedResources AS consumed_resources,
    TRY_CAST(object.status.fairSharing.admissionFairSharingStatus.lastUpdate AS TIMESTAMPTZ) AS consumed_updated_at,
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
    FROM parsed_kueue_local_queue
)
