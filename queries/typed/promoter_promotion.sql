-- Promotions: one row an entry of the history of a PromotionStrategy's environment or a ChangeTransferPolicy.
--
-- grain: cluster_uid, uid, branch, hydrated_sha, dry_sha, pull_request_id
-- reads: parsed_promoter_promotion_strategy, parsed_promoter_change_transfer_policy
-- params:
--
-- An entry is a first-parent commit of the active branch, told from the trailers of its message; the list
-- holds the newest 5, and both kinds of object list the same ones (`kind`, `uid`: whose list it is).
-- `hydrated_sha` is the merge, `proposed_hydrated_sha` what was merged. A commit made by hand has no
-- trailers: no pull request, nothing proposed.
-- `pull_request_merged_at` is the controller's clock just before it asked the forge to merge.
-- `observed_at` is when the entry was first seen.

SELECT
    cluster,
    cluster_uid,
    namespace,
    kind,
    name AS object_name,
    uid,
    resource_version,
    observed_at,
    promotion_strategy,
    git_repository,
    branch,
    active_path,
    entry.active.dry.sha AS dry_sha,
    entry.active.dry.repoURL AS repository_url,
    TRY_CAST(entry.active.dry.commitTime AS TIMESTAMPTZ) AS dry_authored_at,
    entry.active.dry.subject AS dry_subject,
    entry.active.hydrated.sha AS hydrated_sha,
    TRY_CAST(entry.active.hydrated.commitTime AS TIMESTAMPTZ) AS hydrated_committed_at,
    entry.active.hydrated.subject AS hydrated_subject,
    entry.proposed.hydrated.sha AS proposed_hydrated_sha,
    TRY_CAST(entry.proposed.hydrated.commitTime AS TIMESTAMPTZ) AS proposed_hydrated_committed_at,
    entry.proposed.hydrated.subject AS proposed_hydrated_subject,
    nullif(entry.pullRequest.id, '') AS pull_request_id,
    entry.pullRequest.url AS pull_request_url,
    TRY_CAST(entry.pullRequest.prCreationTime AS TIMESTAMPTZ) AS pull_request_created_at,
    TRY_CAST(entry.pullRequest.prMergeTime AS TIMESTAMPTZ) AS pull_request_merged_at
FROM (
    SELECT
        * EXCLUDE (object, environment),
        'PromotionStrategy' AS kind,
        name AS promotion_strategy,
        object.spec.gitRepositoryRef.name AS git_repository,
        environment.branch AS branch,
        coalesce(
            list_filter(object.spec.environments, lambda wish: wish.branch = environment.branch)[1].activePath,
            object.spec.activePath
        ) AS active_path,
        unnest(environment.history) AS entry
    FROM (SELECT *, unnest(object.status.environments) AS environment FROM parsed_promoter_promotion_strategy)
    UNION ALL
    SELECT
        * EXCLUDE (object),
        'ChangeTransferPolicy',
        coalesce(
            list_filter(object.metadata.ownerReferences, lambda o: o.kind = 'PromotionStrategy')[1].name,
            object.metadata.labels."promoter.argoproj.io/promotion-strategy"
        ),
        object.spec.gitRepositoryRef.name,
        object.spec.activeBranch,
        object.spec.activePath,
        unnest(object.status.history)
    FROM parsed_promoter_change_transfer_policy
)
