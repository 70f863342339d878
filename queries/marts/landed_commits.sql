-- Commits by how their sha begins: one row a landed commit of a repository, and the change it came in with.
--
-- grain: repository, sha
-- reads: git_commit, branch_commits, default_branches, changes
-- params: sha
--
-- `line_sha` is the commit of the branch that people merge to with which it came in: itself, or the merge of
-- its branch; NULL where it is not on that branch. `change_count` is how many services that one concerns.

WITH came AS (
    SELECT brought.repository, brought.sha, line.sha AS line_sha
    FROM branch_commits AS brought
    JOIN default_branches AS main ON main.repository = brought.repository AND main.branch = brought.branch
    JOIN branch_commits AS line
        ON line.repository = brought.repository
        AND line.branch = brought.branch
        AND line.position = brought.position
        AND line.is_on_line
)

SELECT
    git_commit.repository,
    git_commit.sha,
    git_commit.subject,
    git_commit.author_name,
    git_commit.committed_at,
    came.line_sha,
    count(changes.service) AS change_count
FROM git_commit
LEFT JOIN came ON came.repository = git_commit.repository AND came.sha = git_commit.sha
LEFT JOIN changes ON changes.repository = git_commit.repository AND changes.sha = came.line_sha
WHERE starts_with(git_commit.sha, $sha)
GROUP BY
    git_commit.repository, git_commit.sha, git_commit.subject, git_commit.author_name, git_commit.committed_at, came.line_sha
ORDER BY git_commit.committed_at, git_commit.repository, git_commit.sha
