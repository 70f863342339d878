-- Promotions: one row each commit that moved an environment's active branch.
--
-- grain: cluster_uid, namespace, promotion_strategy, branch, active_path, hydrated_sha
-- reads: promoter_promotion, promoter_change_transfer_policy, promoter_promotion_strategy_environment, branch_promotions, configured_environment
-- params:
--
-- Histories in Kubernetes hold the newest 5. The branch in git holds all, where it is landed (branch_promotions);
-- what was only seen active is a promotion too, told with less: `evidence` is `history`, `git` or `active`.
-- A promotion that only git tells of is of the strategy that Kubernetes names for the branch; where it names none,
-- it has no strategy, and `git:` with the repository stands for the cluster. Of a branch that several repositories
-- have, or that strategies share by path (`active_path`), git says nothing here.
-- `merged_at` is when the branch moved: Promoter's clock just before it asked for the merge, or else the
-- committer time of the commit (`merged_at_source`). `dry_authored_at` is the dry commit's author's
-- clock, `…_committed_at` are committer times: differences between the two may be negative, and are kept.
-- `is_manual`: made without Promoter, no trailers in its message; the branch's first commit is one. NULL
-- where only the active state was seen.
-- An environment is the configured one of its branch; where none or several claim it, the branch itself.
-- A dry commit may pass an environment by: the proposed branch is overwritten by the next hydration.

WITH kubernetes_sighting AS (
    SELECT
        cluster,
        cluster_uid,
        namespace,
        promotion_strategy,
        git_repository,
        branch,
        active_path,
        dry_sha,
        repository_url,
        dry_authored_at,
        dry_subject,
        hydrated_sha,
        hydrated_committed_at,
        proposed_hydrated_sha,
        proposed_hydrated_committed_at,
        pull_request_id,
        pull_request_url,
        pull_request_created_at,
        pull_request_merged_at,
        'history' AS evidence,
        pull_request_id IS NULL AND proposed_hydrated_sha IS NULL AS is_manual,
        observed_at,
        CASE WHEN kind = 'ChangeTransferPolicy' THEN 1 ELSE 2 END AS preference
    FROM promoter_promotion
    UNION ALL
    SELECT
        cluster,
        cluster_uid,
        namespace,
        promotion_strategy,
        git_repository,
        branch,
        active_path,
        active_dry_sha,
        active_repository_url,
        active_dry_authored_at,
        active_dry_subject,
        active_hydrated_sha,
        active_hydrated_committed_at,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        'active',
        NULL,
        observed_at,
        4
    FROM promoter_change_transfer_policy
    UNION ALL
    SELECT
        cluster,
        cluster_uid,
        namespace,
        promotion_strategy,
        git_repository,
        branch,
        active_path,
        active_dry_sha,
        active_repository_url,
        active_dry_authored_at,
        active_dry_subject,
        active_hydrated_sha,
        active_hydrated_committed_at,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        'active',
        NULL,
        observed_at,
        5
    FROM promoter_promotion_strategy_environment
),

branch_of_one_repository AS (
    SELECT branch
    FROM branch_promotions
    GROUP BY branch
    HAVING count(DISTINCT repository) = 1
),

strategy AS (
    SELECT DISTINCT cluster, cluster_uid, namespace, promotion_strategy, git_repository, branch, active_path
    FROM kubernetes_sighting
    WHERE branch IS NOT NULL
),

sighting AS (
    SELECT * FROM kubernetes_sighting
    UNION ALL
    SELECT
        strategy.cluster,
        coalesce(strategy.cluster_uid, 'git:' || branch_promotions.repository),
        strategy.namespace,
        strategy.promotion_strategy,
        strategy.git_repository,
        branch_promotions.branch,
        strategy.active_path,
        branch_promotions.dry_sha,
        branch_promotions.dry_repository_url,
        branch_promotions.dry_authored_at,
        branch_promotions.dry_subject,
        branch_promotions.sha,
        branch_promotions.committed_at,
        branch_promotions.proposed_hydrated_sha,
        branch_promotions.proposed_hydrated_committed_at,
        branch_promotions.pull_request_id,
        branch_promotions.pull_request_url,
        branch_promotions.pull_request_created_at,
        branch_promotions.pull_request_merged_at,
        'git',
        branch_promotions.is_manual,
        branch_promotions.observed_at,
        3
    FROM branch_promotions
    JOIN branch_of_one_repository ON branch_of_one_repository.branch = branch_promotions.branch
    LEFT JOIN strategy ON strategy.branch = branch_promotions.branch
    WHERE coalesce(strategy.active_path, '') = ''
),

promotion AS (
    SELECT
        *,
        min(observed_at) OVER (
            PARTITION BY cluster_uid, namespace, promotion_strategy, branch, active_path, hydrated_sha
        ) AS first_seen_at,
        coalesce(pull_request_merged_at, hydrated_committed_at) AS merged_at
    FROM sighting
    WHERE branch IS NOT NULL AND hydrated_sha IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, namespace, promotion_strategy, branch, active_path, hydrated_sha
        ORDER BY preference, observed_at
    ) = 1
),

environment_of_branch AS (
    SELECT branch, min(environment) AS environment
    FROM configured_environment
    WHERE branch <> ''
    GROUP BY branch
    HAVING count(*) = 1
)

SELECT
    promotion.cluster,
    promotion.cluster_uid,
    promotion.namespace,
    promotion.promotion_strategy,
    promotion.git_repository,
    coalesce(environment_of_branch.environment, promotion.branch) AS environment,
    promotion.branch,
    promotion.active_path,
    promotion.repository_url,
    promotion.dry_sha,
    promotion.dry_subject,
    promotion.dry_authored_at,
    promotion.hydrated_sha,
    promotion.hydrated_committed_at,
    promotion.proposed_hydrated_sha,
    promotion.proposed_hydrated_committed_at,
    promotion.pull_request_id,
    promotion.pull_request_url,
    promotion.pull_request_created_at,
    promotion.pull_request_merged_at,
    promotion.merged_at,
    CASE
        WHEN promotion.pull_request_merged_at IS NOT NULL THEN 'pull_request_merge_time'
        WHEN promotion.hydrated_committed_at IS NOT NULL THEN 'hydrated_commit_time'
    END AS merged_at_source,
    promotion.is_manual,
    promotion.evidence,
    promotion.first_seen_at,
    epoch(promotion.proposed_hydrated_committed_at) - epoch(promotion.dry_authored_at) AS dry_to_hydrated_seconds,
    epoch(promotion.pull_request_created_at) - epoch(promotion.dry_authored_at) AS dry_to_pull_request_seconds,
    epoch(promotion.pull_request_merged_at) - epoch(promotion.pull_request_created_at) AS pull_request_seconds,
    epoch(promotion.merged_at) - epoch(promotion.dry_authored_at) AS dry_to_merge_seconds
FROM promotion
LEFT JOIN environment_of_branch ON environment_of_branch.branch = promotion.branch
