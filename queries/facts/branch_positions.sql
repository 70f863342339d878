-- Branch positions: one row a commit of the branch that people merge to, or one built beside it, and where it stands there.
--
-- grain: repository, sha
-- reads: branch_commits, default_branches, commit_parents, git_commit, git_patch_id, pins, run_source_commits
-- params:
--
-- A commit holds every change of the line up to `position`, and the one at `own_position` beside them. Of commits that
-- are not on the branch's first-parent line, those that pins or runs name are here. `rule` is of `position`:
--   line      it is on the line: its own place
--   tree      a commit of the line has the same tree, as after a squash: that one's place (the first's of several)
--   ancestor  the place where it left the line, at most 50 commits before
-- `own_rule` is of `own_position`, the place where its own change came into the line:
--   merged       with a merge (confidence 1)
--   cherry_pick  as a commit that is `(cherry picked from commit …)` it, or that it is picked from (0.95)
--   patch_id     as a commit that makes the same change, as after a rebase (0.94)

WITH RECURSIVE line AS (
    SELECT
        branch_commits.repository,
        branch_commits.sha,
        branch_commits.position,
        git_commit.tree_sha,
        git_commit.body
    FROM branch_commits
    JOIN default_branches
        ON default_branches.repository = branch_commits.repository AND default_branches.branch = branch_commits.branch
    JOIN git_commit ON git_commit.repository = branch_commits.repository AND git_commit.sha = branch_commits.sha
    WHERE branch_commits.is_on_line
),

named AS (
    SELECT source_sha AS sha FROM pins WHERE source_sha IS NOT NULL
    UNION
    SELECT source_commit FROM run_source_commits WHERE source_commit IS NOT NULL
),

beside AS (
    SELECT git_commit.repository, git_commit.sha, git_commit.tree_sha, git_commit.body
    FROM git_commit
    JOIN named ON named.sha = git_commit.sha
    LEFT JOIN line ON line.repository = git_commit.repository AND line.sha = git_commit.sha
    WHERE line.sha IS NULL
),

earlier AS (
    SELECT repository, sha AS subject, sha, 0 AS distance FROM beside
    UNION
    SELECT earlier.repository, earlier.subject, parent.parent_sha, earlier.distance + 1
    FROM earlier
    JOIN commit_parents AS parent ON parent.repository = earlier.repository AND parent.sha = earlier.sha
    LEFT JOIN line ON line.repository = earlier.repository AND line.sha = earlier.sha
    WHERE earlier.distance < 50 AND line.sha IS NULL
),

stood AS (
    SELECT beside.repository, beside.sha, min(line.position) AS position, 'tree' AS rule
    FROM beside
    JOIN line ON line.repository = beside.repository AND line.tree_sha = beside.tree_sha
    GROUP BY beside.repository, beside.sha
    UNION ALL
    SELECT earlier.repository, earlier.subject, max(line.position), 'ancestor'
    FROM earlier
    JOIN line ON line.repository = earlier.repository AND line.sha = earlier.sha
    GROUP BY earlier.repository, earlier.subject
),

came_in AS (
    SELECT beside.repository, beside.sha, merged.position, 'merged' AS rule, 1.0 AS confidence
    FROM beside
    JOIN branch_commits AS merged ON merged.repository = beside.repository AND merged.sha = beside.sha
    JOIN default_branches
        ON default_branches.repository = merged.repository AND default_branches.branch = merged.branch
    UNION ALL
    SELECT beside.repository, beside.sha, line.position, 'cherry_pick', 0.95
    FROM beside
    JOIN line
        ON line.repository = beside.repository
        AND (
            contains(line.body, 'cherry picked from commit ' || beside.sha)
            OR contains(beside.body, 'cherry picked from commit ' || line.sha)
        )
    UNION ALL
    SELECT beside.repository, beside.sha, line.position, 'patch_id', 0.94
    FROM beside
    JOIN git_patch_id AS own ON own.repository = beside.repository AND own.sha = beside.sha
    JOIN git_patch_id AS same ON same.repository = own.repository AND same.patch_id = own.patch_id
    JOIN line ON line.repository = same.repository AND line.sha = same.sha
),

stands AS (
    SELECT *
    FROM stood
    QUALIFY row_number() OVER (PARTITION BY repository, sha ORDER BY rule = 'tree' DESC) = 1
),

came AS (
    SELECT *
    FROM came_in
    QUALIFY row_number() OVER (PARTITION BY repository, sha ORDER BY confidence DESC, position) = 1
)

SELECT
    repository,
    sha,
    position,
    'line' AS rule,
    CAST(NULL AS BIGINT) AS own_position,
    CAST(NULL AS VARCHAR) AS own_rule,
    CAST(NULL AS DOUBLE) AS own_confidence
FROM line
UNION ALL
SELECT
    beside.repository,
    beside.sha,
    stands.position,
    stands.rule,
    CASE WHEN stands.position IS NULL OR came.position > stands.position THEN came.position END,
    CASE WHEN stands.position IS NULL OR came.position > stands.position THEN came.rule END,
    CASE WHEN stands.position IS NULL OR came.position > stands.position THEN came.confidence END
FROM beside
LEFT JOIN stands ON stands.repository = beside.repository AND stands.sha = beside.sha
LEFT JOIN came ON came.repository = beside.repository AND came.sha = beside.sha
WHERE stands.position IS NOT NULL OR came.position IS NOT NULL
