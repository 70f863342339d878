-- Conditions of GitOps Promoter's objects: one row a condition, for each time, reason and message it had.
--
-- grain: cluster_uid, uid, condition_type, status, reason, message, changed_at
-- reads: parsed_promoter_promotion_strategy, parsed_promoter_change_transfer_policy, parsed_promoter_pull_request, parsed_promoter_commit_status, parsed_promoter_timed_commit_status, parsed_promoter_argocd_commit_status
-- params:
--
-- There is one type, Ready: False with ReconciliationError while the controller fails. The time moves with
-- the status only, so `observed_at` is what orders the reasons and messages of one stretch.

SELECT
    cluster,
    cluster_uid,
    namespace,
    kind,
    name AS object_name,
    uid,
    resource_version,
    observed_at,
    condition.type AS condition_type,
    condition.status AS status,
    condition.reason AS reason,
    condition.message AS message,
    TRY_CAST(condition.lastTransitionTime AS TIMESTAMPTZ) AS changed_at,
    TRY_CAST(condition.observedGeneration AS BIGINT) AS observed_generation
FROM (
    SELECT *, unnest(conditions) AS condition
    FROM (
        SELECT * EXCLUDE (object), 'PromotionStrategy' AS kind, object.status.conditions AS conditions
        FROM parsed_promoter_promotion_strategy
        UNION ALL
        SELECT * EXCLUDE (object), 'ChangeTransferPolicy', object.status.conditions
        FROM parsed_promoter_change_transfer_policy
        UNION ALL
        SELECT * EXCLUDE (object), 'PullRequest', object.status.conditions
        FROM parsed_promoter_pull_request
        UNION ALL
        SELECT * EXCLUDE (object), 'CommitStatus', object.status.conditions
        FROM parsed_promoter_commit_status
        UNION ALL
        SELECT * EXCLUDE (object), 'TimedCommitStatus', object.status.conditions
        FROM parsed_promoter_timed_commit_status
        UNION ALL
        SELECT * EXCLUDE (object), 'ArgoCDCommitStatus', object.status.conditions
        FROM parsed_promoter_argocd_commit_status
    )
)
