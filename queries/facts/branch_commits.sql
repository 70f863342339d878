-- Branch commits: one row each commit that a followed branch holds now, and where it came into it.
--
-- grain: repository, branch, sha
-- reads: git_branch_commit, git_ref
-- params:
--
-- `position` counts along the first-parent line, so what is on the line (`is_on_line`) contains exactly the
-- commits up to its own position: a revision on it holds a change if its position is not the smaller one.
-- What came by a merge has the merge's position. Where a forced push rewrote the line, what it dropped has no
-- row. A branch that is gone holds what it held last.
-- `is_boundary`: nothing is known of what lies behind it (`since`, or a shallow clone).

WITH tip AS (
    SELECT repository, regexp_replace(ref, '^refs/(heads|remotes/origin)/', '') AS branch, position AS tip_position
    FROM git_ref
    WHERE position > 0
    QUALIFY row_number() OVER (
        PARTITION BY repository, regexp_replace(ref, '^refs/(heads|remotes/origin)/', '')
        ORDER BY observed_at DESC, ref
    ) = 1
),

rewrite AS (
    SELECT repository, branch, rewrite_number, min(position) AS first_position
    FROM git_branch_commit
    GROUP BY repository, branch, rewrite_number
),

extent AS (
    SELECT
        *,
        min(first_position) OVER (
            PARTITION BY repository, branch
            ORDER BY rewrite_number
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS next_first_position
    FROM rewrite
)

SELECT
    git_branch_commit.repository,
    git_branch_commit.branch,
    git_branch_commit.sha,
    git_branch_commit.position,
    git_branch_commit.is_on_line,
    git_branch_commit.is_boundary
FROM git_branch_commit
JOIN extent
    ON
        extent.repository = git_branch_commit.repository
        AND extent.branch = git_branch_commit.branch
        AND extent.rewrite_number = git_branch_commit.rewrite_number
JOIN tip ON tip.repository = git_branch_commit.repository AND tip.branch = git_branch_commit.branch
WHERE
    git_branch_commit.position <= tip.tip_position
    AND (extent.next_first_position IS NULL OR git_branch_commit.position < extent.next_first_position)
QUALIFY row_number() OVER (
    PARTITION BY git_branch_commit.repository, git_branch_commit.branch, git_branch_commit.sha
    ORDER BY git_branch_commit.rewrite_number DESC
) = 1
