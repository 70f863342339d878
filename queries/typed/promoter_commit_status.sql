-- GitOps Promoter CommitStatuses: one row each state of a CommitStatus that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_promoter_commit_status
-- params:
--
-- One object a gate and environment, rewritten for each commit and phase, without a time of its own: when a
-- phase began is known only from `observed_at` of a watched object.
-- `sha` and `phase` are what the gate says, `reported_` what the forge was last told. `gate_key` is what
-- policies select by, `title` what the forge shows. Labels hold names cut to what a label may hold.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS commit_status,
    uid,
    resource_version,
    event_type,
    observed_at,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    TRY_CAST(object.metadata.generation AS BIGINT) AS generation,
    TRY_CAST(object.status.observedGeneration AS BIGINT) AS observed_generation,
    object.metadata.ownerReferences[1].kind AS owner_kind,
    object.metadata.ownerReferences[1].name AS owner_name,
    object.metadata.labels."promoter.argoproj.io/commit-status" AS gate_key,
    object.metadata.labels."promoter.argoproj.io/promotion-strategy" AS promotion_strategy_label,
    object.metadata.labels."promoter.argoproj.io/change-transfer-policy" AS change_transfer_policy_label,
    object.metadata.labels."promoter.argoproj.io/environment" AS environment_label,
    object.spec.gitRepositoryRef.name AS git_repository,
    object.spec.name AS title,
    object.spec.sha AS sha,
    coalesce(object.spec.phase, 'pending') AS phase,
    object.spec.url AS url,
    object.spec.description AS description,
    object.status.id AS report_id,
    object.status.sha AS reported_sha,
    nullif(object.status.phase, '') AS reported_phase,
    object.status.instanceID AS instance_id
FROM parsed_promoter_commit_status
