-- Commit parents: one row each commit and a commit that it was made on.
--
-- grain: repository, sha, parent_sha
-- reads: git_commit
-- params:
--
-- Of the first commit, and at the end of a shallow clone, there is none.

SELECT DISTINCT
    repository,
    sha,
    parent_sha,
    starts_with(parent_shas, parent_sha) AS is_first_parent
FROM (
    SELECT repository, sha, parent_shas, unnest(string_split(parent_shas, ' ')) AS parent_sha
    FROM git_commit
    WHERE parent_shas <> ''
)
