-- Hydrated commits: one row each commit of an environment's branches and a dry commit that it holds the manifests of.
--
-- grain: repository, branch, sha, dry_sha
-- reads: git_hydration, git_commit, branch_commits, configured_environment
-- params:
--
-- Said by the metadata at the root of the tree, or only by a note (`said_by`): a hydration that changed no manifest
-- leaves no commit, and a note that names the newer dry commit. `hydrated_at` is the committer time of whichever
-- said it first; of an active branch it is when the manifests came there.
-- `is_in_tree`: the metadata names it; the others gave the same manifests.
-- An environment's active branch is the one that is configured, its proposed one has `-next` behind (`side`).
-- A dry commit that is hydrated after a newer one has no row on its own: the proposed branch is only overwritten.

WITH environment_branch AS (
    SELECT environment, branch, 'active' AS side
    FROM configured_environment
    WHERE branch <> ''
    UNION ALL
    SELECT environment, branch || '-next', 'proposed'
    FROM configured_environment
    WHERE branch <> ''
),

side_of_branch AS (
    SELECT branch, min(environment) AS environment, min(side) AS side
    FROM environment_branch
    GROUP BY branch
    HAVING count(*) = 1
),

said AS (
    SELECT
        repository,
        sha,
        dry_sha,
        max(dry_repository_url) AS dry_repository_url,
        max(dry_authored_at) AS dry_authored_at,
        max(dry_subject) AS dry_subject,
        min(said_at) AS hydrated_at,
        bool_or(said_by = 'metadata') AS is_in_tree
    FROM git_hydration
    WHERE path = ''
    GROUP BY repository, sha, dry_sha
)

SELECT
    branch_commits.repository,
    side_of_branch.environment,
    branch_commits.branch,
    side_of_branch.side,
    branch_commits.position,
    branch_commits.sha,
    git_commit.committed_at,
    said.dry_sha,
    said.dry_repository_url,
    said.dry_authored_at,
    said.dry_subject,
    said.hydrated_at,
    CASE WHEN said.is_in_tree THEN 'metadata' ELSE 'note' END AS said_by,
    said.is_in_tree
FROM said
JOIN branch_commits
    ON branch_commits.repository = said.repository AND branch_commits.sha = said.sha AND branch_commits.is_on_line
JOIN side_of_branch ON side_of_branch.branch = branch_commits.branch
JOIN git_commit ON git_commit.repository = said.repository AND git_commit.sha = said.sha
