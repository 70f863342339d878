-- Picked positions: one row a commit beside the branch that people merge to, and a place there whose change it holds.
--
-- grain: repository, sha, position
-- reads: side_commits, branch_commits, default_branches, commit_parents, git_commit, git_patch_id
-- params:
--
-- Only that change: not what came before it on the branch, which `branch_positions` has. So only places after the
-- one where the commit left the line are here. `rule` is of the commit, or of one that it was made on:
--   merged       the line merged it, with all that its branch held then (confidence 1)
--   cherry_pick  a commit of the line is `(cherry picked from commit …)` it, or it is picked from one (0.95)
--   patch_id     a commit of the line makes the same change, as after a rebase (0.94)
-- Where one commit is found at several places, the surest and then the first counts.

WITH line AS (
    SELECT branch_commits.repository, branch_commits.sha, branch_commits.position
    FROM branch_commits
    JOIN default_branches
        ON default_branches.repository = branch_commits.repository AND default_branches.branch = branch_commits.branch
    WHERE branch_commits.is_on_line
),

side AS (
    SELECT *, coalesce(max(position) OVER (PARTITION BY repository, built_sha), 0) AS left_at_position
    FROM side_commits
),

beside AS (
    SELECT repository, built_sha, sha, left_at_position
    FROM side
    WHERE position IS NULL
),

pick AS (
    SELECT
        repository,
        sha,
        unnest(regexp_extract_all(body, 'cherry picked from commit ([0-9a-f]{40,64})', 1)) AS picked_sha
    FROM git_commit
    WHERE contains(body, 'cherry picked from commit ')
),

same AS (
    SELECT repository, parent_sha AS sha, sha AS line_sha, 'merged' AS rule, 1.0 AS confidence
    FROM commit_parents
    UNION ALL
    SELECT repository, picked_sha, sha, 'cherry_pick', 0.95
    FROM pick
    UNION ALL
    SELECT repository, sha, picked_sha, 'cherry_pick', 0.95
    FROM pick
    UNION ALL
    SELECT own.repository, own.sha, other.sha, 'patch_id', 0.94
    FROM git_patch_id AS own
    JOIN beside ON beside.repository = own.repository AND beside.sha = own.sha
    JOIN git_patch_id AS other ON other.repository = own.repository AND other.patch_id = own.patch_id
),

found AS (
    SELECT beside.repository, beside.built_sha, line.position, same.rule, same.confidence
    FROM beside
    JOIN same ON same.repository = beside.repository AND same.sha = beside.sha
    JOIN line ON line.repository = same.repository AND line.sha = same.line_sha
    WHERE line.position > beside.left_at_position
    QUALIFY row_number() OVER (
        PARTITION BY beside.repository, beside.built_sha, beside.sha ORDER BY same.confidence DESC, line.position
    ) = 1
)

SELECT repository, built_sha AS sha, position, rule, confidence
FROM found
QUALIFY row_number() OVER (PARTITION BY repository, built_sha, position ORDER BY confidence DESC, rule) = 1
