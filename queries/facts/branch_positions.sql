-- Branch positions: one row a commit of the branch that people merge to, or one built beside it, and where it stands there.
--
-- grain: repository, sha
-- reads: branch_commits, default_branches, git_commit, side_commits, picked_positions
-- params:
--
-- A commit holds every change of the line up to `position`; what one beside the line holds on top of that is in
-- `picked_positions`. Of commits that are not on the branch's first-parent line, those that pins or runs name are
-- here. `rule`:
--   line      it is on the line: its own place
--   tree      a commit of the line has the same tree, as after a squash: that one's place, of several the first after
--             it left the line; one before has the same tree where a branch takes back what came since
--   ancestor  the place where it left the line, at most 50 commits before; NULL where that is not known

WITH line AS (
    SELECT branch_commits.repository, branch_commits.sha, branch_commits.position, git_commit.tree_sha
    FROM branch_commits
    JOIN default_branches
        ON default_branches.repository = branch_commits.repository AND default_branches.branch = branch_commits.branch
    JOIN git_commit ON git_commit.repository = branch_commits.repository AND git_commit.sha = branch_commits.sha
    WHERE branch_commits.is_on_line
),

beside AS (
    SELECT side.repository, side.built_sha AS sha, git_commit.tree_sha, max(side.position) AS left_at_position
    FROM side_commits AS side
    JOIN git_commit ON git_commit.repository = side.repository AND git_commit.sha = side.built_sha
    GROUP BY side.repository, side.built_sha, git_commit.tree_sha
),

stood AS (
    SELECT beside.repository, beside.sha, beside.left_at_position, min(line.position) AS same_position
    FROM beside
    LEFT JOIN line
        ON line.repository = beside.repository
        AND line.tree_sha = beside.tree_sha
        AND line.position >= coalesce(beside.left_at_position, 0)
    GROUP BY beside.repository, beside.sha, beside.left_at_position
)

SELECT repository, sha, position, 'line' AS rule
FROM line
UNION ALL
SELECT
    stood.repository,
    stood.sha,
    coalesce(stood.same_position, stood.left_at_position),
    CASE WHEN stood.same_position IS NULL THEN 'ancestor' ELSE 'tree' END
FROM stood
LEFT JOIN (SELECT DISTINCT repository, sha FROM picked_positions) AS picked
    ON picked.repository = stood.repository AND picked.sha = stood.sha
WHERE stood.same_position IS NOT NULL OR stood.left_at_position IS NOT NULL OR picked.sha IS NOT NULL
