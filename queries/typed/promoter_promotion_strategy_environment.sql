-- Environments of PromotionStrategies: one row an environment in each state that was seen.
--
-- grain: cluster_uid, uid, resource_version, branch
-- reads: parsed_promoter_promotion_strategy
-- params:
--
-- The controller copies this from the environment's ChangeTransferPolicy, whose status is the fresher one.
-- A dry commit's time is its author's clock, a hydrated commit's time is when it was committed; an active
-- hydrated commit is the merge, so its time is about when the branch moved.
-- After a hydration that changed nothing the note names a newer dry commit than the proposed branch does.
-- The pull request is the last one there was, and may be merged or closed; a state is missing when it was
-- merged or closed by others, which of the two is not known. When it was merged is in the history only.
-- The history is cut at 5, so `history_count` counts no promotions.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS promotion_strategy,
    uid,
    resource_version,
    observed_at,
    branch,
    environment_number,
    object.spec.gitRepositoryRef.name AS git_repository,
    coalesce(wanted.activePath, object.spec.activePath) AS active_path,
    CASE WHEN wanted IS NOT NULL THEN coalesce(wanted.autoMerge, 'true') = 'true' END AS is_auto_merge,
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
    coalesce(len(history), 0) AS history_count
FROM (
    SELECT
        *,
        environment.branch AS branch,
        environment.active AS active,
        environment.proposed AS proposed,
        environment.pullRequest AS pull_request,
        environment.history AS history,
        list_filter(object.spec.environments, lambda wish: wish.branch = environment.branch)[1] AS wanted
    FROM (
        SELECT
            *,
            unnest(object.status.environments) AS environment,
            generate_subscripts(object.status.environments, 1) AS environment_number
        FROM parsed_promoter_promotion_strategy
    )
)
