-- Kubernetes Deployments: one row each state of a Deployment that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_kubernetes_deployment
-- params:
--
-- Go leaves out a count of zero, so it is 0 here where there is a status, and NULL where there is none.
-- A rollout is over when the generation is observed and as many replicas as wanted are updated, ready and available.
-- `available_at` is when Available last changed, and does not move in a rollout that is never short of replicas;
-- `progressed_at` is when Progressing was last written, which does.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS deployment,
    uid,
    resource_version,
    event_type,
    observed_at,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    TRY_CAST(object.metadata.generation AS BIGINT) AS generation,
    TRY_CAST(object.status.observedGeneration AS BIGINT) AS observed_generation,
    object.spec.strategy.type AS strategy,
    coalesce(TRY_CAST(object.spec.paused AS BOOLEAN), false) AS is_paused,
    TRY_CAST(coalesce(object.spec.replicas, '1') AS BIGINT) AS wanted_replica_count,
    TRY_CAST(CASE WHEN object.status IS NOT NULL THEN coalesce(object.status.replicas, '0') END AS BIGINT)
        AS replica_count,
    TRY_CAST(CASE WHEN object.status IS NOT NULL THEN coalesce(object.status.updatedReplicas, '0') END AS BIGINT)
        AS updated_replica_count,
    TRY_CAST(CASE WHEN object.status IS NOT NULL THEN coalesce(object.status.readyReplicas, '0') END AS BIGINT)
        AS ready_replica_count,
    TRY_CAST(CASE WHEN object.status IS NOT NULL THEN coalesce(object.status.availableReplicas, '0') END AS BIGINT)
        AS available_replica_count,
    TRY_CAST(
        CASE WHEN object.status IS NOT NULL THEN coalesce(object.status.unavailableReplicas, '0') END AS BIGINT
    ) AS unavailable_replica_count,
    available.status AS available_status,
    TRY_CAST(available.lastTransitionTime AS TIMESTAMPTZ) AS available_at,
    progressing.status AS progressing_status,
    progressing.reason AS progressing_reason,
    progressing.message AS progressing_message,
    TRY_CAST(progressing.lastUpdateTime AS TIMESTAMPTZ) AS progressed_at
FROM (
    SELECT
        *,
        list_filter(object.status.conditions, lambda c: c.type = 'Available')[1] AS available,
        list_filter(object.status.conditions, lambda c: c.type = 'Progressing')[1] AS progressing
    FROM parsed_kubernetes_deployment
)
