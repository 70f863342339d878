-- Side commits: one row a commit that was built or pinned beside the branch that people merge to, and a commit it holds.
--
-- grain: repository, built_sha, sha
-- reads: branch_commits, default_branches, commit_parents, git_commit, pins, run_source_commits
-- params:
--
-- Beside is what is not on the branch's first-parent line: a branch that was built before its merge, a release
-- branch. `built_sha` holds itself and what it was made on, up to where that is on the line, at most 50 commits
-- before. `position` is the place of a commit that is on the line, and NULL for one that is not.

WITH RECURSIVE line AS (
    SELECT branch_commits.repository, branch_commits.sha, branch_commits.position
    FROM branch_commits
    JOIN default_branches
        ON default_branches.repository = branch_commits.repository AND default_branches.branch = branch_commits.branch
    WHERE branch_commits.is_on_line
),

named AS (
    SELECT source_sha AS sha FROM pins WHERE source_sha IS NOT NULL
    UNION
    SELECT source_commit FROM run_source_commits WHERE source_commit IS NOT NULL
),

held AS (
    SELECT git_commit.repository, git_commit.sha AS built_sha, git_commit.sha, 0 AS distance
    FROM git_commit
    JOIN named ON named.sha = git_commit.sha
    LEFT JOIN line ON line.repository = git_commit.repository AND line.sha = git_commit.sha
    WHERE line.sha IS NULL
    UNION
    SELECT held.repository, held.built_sha, parent.parent_sha, held.distance + 1
    FROM held
    JOIN commit_parents AS parent ON parent.repository = held.repository AND parent.sha = held.sha
    LEFT JOIN line ON line.repository = held.repository AND line.sha = held.sha
    WHERE held.distance < 50 AND line.sha IS NULL
)

SELECT DISTINCT held.repository, held.built_sha, held.sha, line.position
FROM held
LEFT JOIN line ON line.repository = held.repository AND line.sha = held.sha
