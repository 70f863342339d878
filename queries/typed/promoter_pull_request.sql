-- GitOps Promoter PullRequests: one row each state of a PullRequest that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_promoter_pull_request
-- params:
--
-- A PullRequest is deleted within a reconcile of its merge, and the next one of the same two branches
-- takes its name: only `uid` tells them apart.
-- `desired_state` is the spec's, open when left out; `state` is what the forge answered, '' when others
-- merged or closed it. Desired merged beside state open means: the merge was asked for.
-- `created_at` is the object's, `pull_request_created_at` the forge's. Labels hold names cut to what a label
-- may hold; the target branch is exact.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS object_name,
    uid,
    resource_version,
    event_type,
    observed_at,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    TRY_CAST(object.metadata.generation AS BIGINT) AS generation,
    TRY_CAST(object.status.observedGeneration AS BIGINT) AS observed_generation,
    object.metadata.finalizers AS finalizers,
    list_filter(object.metadata.ownerReferences, lambda o: o.kind = 'ChangeTransferPolicy')[1].name
        AS change_transfer_policy,
    object.metadata.labels."promoter.argoproj.io/change-transfer-policy" AS change_transfer_policy_label,
    object.metadata.labels."promoter.argoproj.io/promotion-strategy" AS promotion_strategy_label,
    object.metadata.labels."promoter.argoproj.io/environment" AS environment_label,
    object.spec.gitRepositoryRef.name AS git_repository,
    object.spec.sourceBranch AS source_branch,
    object.spec.targetBranch AS target_branch,
    object.spec.title AS title,
    object.spec.mergeSha AS merge_sha,
    coalesce(object.spec.state, 'open') AS desired_state,
    object.spec.labels AS labels,
    object.status.appliedLabels AS applied_labels,
    object.status.scmSyncedSpecDigest AS synced_spec_digest,
    object.status.id AS pull_request_id,
    object.status.state AS state,
    object.status.url AS pull_request_url,
    TRY_CAST(object.status.prCreationTime AS TIMESTAMPTZ) AS pull_request_created_at,
    coalesce(object.status.externallyMergedOrClosed, 'false') = 'true' AS is_externally_merged_or_closed,
    object.status.instanceID AS instance_id
FROM parsed_promoter_pull_request
