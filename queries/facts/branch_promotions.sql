-- Branch promotions: one row each commit by which an environment's active branch moved, of all its history in git.
--
-- grain: repository, branch, sha
-- reads: branch_commits, git_commit, git_hydration, git_promotion, configured_environment
-- params:
--
-- GitOps Promoter keeps five promotions in Kubernetes; git keeps all, and what Promoter knew of them in trailers of
-- the merge commit, or in a note (`said_by`; where both, each value is the trailer's if it has one).
-- `is_manual`: without trailers, so somebody else moved the branch, whatever a note says; its first commit is one.
-- `merged_at` is Promoter's clock just before it asked for the merge, or else the committer time of the commit.
-- `dry_sha` is what the tree says that the environment runs since then, or else what was proposed. What it ran
-- before is the dry commit of the position before, or else what Promoter said (`previous_dry_sha`).
-- `proposed_hydrated_sha` is what was merged: as Promoter said, or else the second parent.

WITH environment_of_branch AS (
    SELECT branch, min(environment) AS environment
    FROM configured_environment
    WHERE branch <> ''
    GROUP BY branch
    HAVING count(*) = 1
),

told AS (
    SELECT
        repository,
        sha,
        max(said_by) AS said_by,
        coalesce(max(pull_request_id) FILTER (WHERE said_by = 'trailer'), max(pull_request_id)) AS pull_request_id,
        coalesce(max(pull_request_url) FILTER (WHERE said_by = 'trailer'), max(pull_request_url)) AS pull_request_url,
        coalesce(max(pull_request_created_at) FILTER (WHERE said_by = 'trailer'), max(pull_request_created_at))
            AS pull_request_created_at,
        coalesce(max(pull_request_merged_at) FILTER (WHERE said_by = 'trailer'), max(pull_request_merged_at))
            AS pull_request_merged_at,
        coalesce(max(active_dry_sha) FILTER (WHERE said_by = 'trailer'), max(active_dry_sha)) AS active_dry_sha,
        coalesce(max(proposed_dry_sha) FILTER (WHERE said_by = 'trailer'), max(proposed_dry_sha)) AS proposed_dry_sha,
        coalesce(max(proposed_hydrated_sha) FILTER (WHERE said_by = 'trailer'), max(proposed_hydrated_sha))
            AS proposed_hydrated_sha
    FROM git_promotion
    GROUP BY repository, sha
),

dry AS (
    SELECT
        repository,
        sha,
        min(dry_sha) AS dry_sha,
        min(dry_repository_url) AS dry_repository_url,
        min(dry_authored_at) AS dry_authored_at,
        min(dry_subject) AS dry_subject
    FROM git_hydration
    WHERE path = '' AND said_by = 'metadata'
    GROUP BY repository, sha
),

moved AS (
    SELECT
        branch_commits.repository,
        environment_of_branch.environment,
        branch_commits.branch,
        branch_commits.position,
        branch_commits.sha,
        branch_commits.is_boundary,
        git_commit.committed_at,
        git_commit.author_name,
        git_commit.subject,
        git_commit.observed_at,
        nullif(regexp_extract(git_commit.parent_shas, '^[0-9a-f]+ ([0-9a-f]+)', 1), '') AS second_parent_sha,
        coalesce(dry.dry_sha, told.proposed_dry_sha) AS dry_sha,
        dry.dry_repository_url,
        dry.dry_authored_at,
        dry.dry_subject,
        told.said_by,
        told.pull_request_id,
        told.pull_request_url,
        told.pull_request_created_at,
        told.pull_request_merged_at,
        told.active_dry_sha,
        told.proposed_hydrated_sha
    FROM branch_commits
    JOIN environment_of_branch ON environment_of_branch.branch = branch_commits.branch
    JOIN git_commit ON git_commit.repository = branch_commits.repository AND git_commit.sha = branch_commits.sha
    LEFT JOIN dry ON dry.repository = branch_commits.repository AND dry.sha = branch_commits.sha
    LEFT JOIN told ON told.repository = branch_commits.repository AND told.sha = branch_commits.sha
    WHERE branch_commits.is_on_line
),

merged AS (
    SELECT
        *,
        coalesce(proposed_hydrated_sha, second_parent_sha) AS merged_sha,
        lag(dry_sha) OVER (PARTITION BY repository, branch ORDER BY position) AS dry_sha_before
    FROM moved
)

SELECT
    merged.repository,
    merged.environment,
    merged.branch,
    merged.position,
    merged.sha,
    merged.committed_at,
    merged.author_name,
    merged.subject,
    merged.dry_sha,
    coalesce(merged.dry_sha_before, merged.active_dry_sha) AS previous_dry_sha,
    merged.dry_repository_url,
    merged.dry_authored_at,
    merged.dry_subject,
    merged.merged_sha AS proposed_hydrated_sha,
    proposed.committed_at AS proposed_hydrated_committed_at,
    merged.pull_request_id,
    merged.pull_request_url,
    merged.pull_request_created_at,
    merged.pull_request_merged_at,
    coalesce(merged.pull_request_merged_at, merged.committed_at) AS merged_at,
    CASE
        WHEN merged.pull_request_merged_at IS NOT NULL THEN 'pull_request_merge_time'
        WHEN merged.committed_at IS NOT NULL THEN 'hydrated_commit_time'
    END AS merged_at_source,
    coalesce(merged.said_by, '') <> 'trailer' AS is_manual,
    merged.said_by,
    merged.is_boundary,
    merged.observed_at
FROM merged
LEFT JOIN git_commit AS proposed
    ON proposed.repository = merged.repository AND proposed.sha = merged.merged_sha
