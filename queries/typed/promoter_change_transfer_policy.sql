-- GitOps Promoter ChangeTransferPolicies: one row each state of a ChangeTransferPolicy that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_promoter_change_transfer_policy
-- params:
--
-- A ChangeTransferPolicy moves one branch; a PromotionStrategy owns one for each environment. The owner's
-- name is exact, the label in its place is cut to what a label may hold.
-- Commits, notes, pull request and history are as in promoter_promotion_strategy_environment.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS change_transfer_policy,
    uid,
    resource_version,
    event_type,
    observed_at,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    TRY_CAST(object.metadata.generation AS BIGINT) AS generation,
    TRY_CAST(object.status.observedGeneration AS BIGINT) AS observed_generation,
    coalesce(owner.name, object.metadata.labels."promoter.argoproj.io/promotion-strategy") AS promotion_strategy,
    object.metadata.labels."promoter.argoproj.io/environment" AS environment_label,
    object.spec.gitRepositoryRef.name AS git_repository,
    object.spec.activeBranch AS branch,
    object.spec.proposedBranch AS proposed_branch,
    object.spec.activePath AS active_path,
    coalesce(object.spec.autoMerge, 'true') = 'true' AS is_auto_merge,
    list_transform(object.spec.activeCommitStatuses, lambda gate: gate.key) AS active_gate_keys,
    list_transform(object.spec.proposedCommitStatuses, lambda gate: gate.key) AS proposed_gate_keys,
    active.dry.sha AS active_dry_sha,
    active.dry.repoURL AS active_repository_url,
    TRY_CAST(active.dry.commitTime AS TIMESTAMPTZ) AS active_dry_authored_at,
    active.dry.subject AS active_dry_subject,
    active.hydrated.sha AS active_hydrated_sha,
    TRY_CAST(active.hydrated.commitTime AS TIMESTAMPTZ) AS active_hydrated_committed_at,
    active.hydrated.subject AS active_hydrated_subject,
    proposed.dry.sha AS proposed_dry_sha,
    proposed.dry.repoURL AS proposed_repository_url,
    TRY_CAST(proposed.dry.commitTime AS TIMESTAMPTZ) AS proposed_dry_authored_at,
    proposed.dry.subject AS proposed_dry_subject,
    proposed.note.drySha AS proposed_note_dry_sha,
    proposed.hydrated.sha AS proposed_hydrated_sha,
    TRY_CAST(proposed.hydrated.commitTime AS TIMESTAMPTZ) AS proposed_hydrated_committed_at,
    proposed.hydrated.subject AS proposed_hydrated_subject,
    pull_request.id AS pull_request_id,
    nullif(pull_request.state, '') AS pull_request_state,
    pull_request.url AS pull_request_url,
    TRY_CAST(pull_request.prCreationTime AS TIMESTAMPTZ) AS pull_request_created_at,
    CASE
        WHEN pull_request.id IS NOT NULL THEN coalesce(pull_request.externallyMergedOrClosed, 'false') = 'true'
    END AS is_pull_request_externally_merged_or_closed,
    coalesce(len(history), 0) AS history_count,
    ready.status AS ready_status,
    ready.reason AS ready_reason,
    ready.message AS ready_message,
    TRY_CAST(ready.lastTransitionTime AS TIMESTAMPTZ) AS ready_changed_at,
    object.status.instanceID AS instance_id
FROM (
    SELECT
        *,
        object.status.active AS active,
        object.status.proposed AS proposed,
        object.status.pullRequest AS pull_request,
        object.status.history AS history,
        list_filter(object.metadata.ownerReferences, lambda o: o.kind = 'PromotionStrategy')[1] AS owner,
        list_filter(object.status.conditions, lambda condition: condition.type = 'Ready')[1] AS ready
    FROM parsed_promoter_change_transfer_policy
)
