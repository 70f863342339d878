-- GitOps Promoter PromotionStrategies: one row each state of a PromotionStrategy that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_promoter_promotion_strategy
-- params:
--
-- A status is current only while `observed_generation` is `generation`; before, it describes an older spec.
-- `environment_count` is what the spec asks for, `reported_environment_count` what the status tells of.
-- Gate keys are the ones that hold for every environment; an environment may add its own.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS promotion_strategy,
    uid,
    resource_version,
    event_type,
    observed_at,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    TRY_CAST(object.metadata.generation AS BIGINT) AS generation,
    TRY_CAST(object.status.observedGeneration AS BIGINT) AS observed_generation,
    object.spec.gitRepositoryRef.name AS git_repository,
    object.spec.activePath AS active_path,
    list_transform(object.spec.activeCommitStatuses, lambda gate: gate.key) AS active_gate_keys,
    list_transform(object.spec.proposedCommitStatuses, lambda gate: gate.key) AS proposed_gate_keys,
    coalesce(len(object.spec.environments), 0) AS environment_count,
    coalesce(len(object.status.environments), 0) AS reported_environment_count,
    ready.status AS ready_status,
    ready.reason AS ready_reason,
    ready.message AS ready_message,
    TRY_CAST(ready.lastTransitionTime AS TIMESTAMPTZ) AS ready_changed_at,
    object.status.instanceID AS instance_id
FROM (
    SELECT *, list_filter(object.status.conditions, lambda condition: condition.type = 'Ready')[1] AS ready
    FROM parsed_promoter_promotion_strategy
)
