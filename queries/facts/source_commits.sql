-- Source commits: one row each commit of a source repository and a service that it may change.
--
-- grain: repository, sha, service
-- reads: git_commit, git_changed_path, git_patch_id, configured_repository, configured_service, configured_service_pattern
-- params:
--
-- A service is changed by the files that its `paths` name (`service_rule` is `path`); without `paths`, by every
-- commit of its repository (`repository`), and what is built from it decides. A commit may change several; one
-- that changes none has a row without a service. A merge changes what it brings, beside its first parent.
-- Lead time starts at `committed_at`, when the commit took its present form: a squash or rebase writes it anew.
-- `authored_at` is when it was first written, by its author's clock. Commits of one `patch_id` make the same change.
-- `pull_request_number` is what the subject says, as GitHub writes it of merges and squashes. `reverted_sha` and
-- `cherry_picked_sha` are what git itself writes into a message; either may be short, or of nowhere.

WITH rule AS (
    SELECT
        configured_service.service,
        configured_service.repository,
        configured_service_pattern.pattern
    FROM configured_service
    LEFT JOIN configured_service_pattern
        ON
            configured_service_pattern.service = configured_service.service
            AND configured_service_pattern.kind = 'path'
),

path AS (
    SELECT DISTINCT repository, path
    FROM git_changed_path
    UNION
    SELECT DISTINCT repository, old_path
    FROM git_changed_path
    WHERE old_path IS NOT NULL
),

service_path AS (
    SELECT path.repository, path.path, rule.service
    FROM path
    JOIN rule ON rule.repository = path.repository AND regexp_matches(path.path, rule.pattern)
),

touched AS (
    SELECT git_changed_path.repository, git_changed_path.sha, service_path.service, 'path' AS service_rule
    FROM git_changed_path
    JOIN service_path
        ON service_path.repository = git_changed_path.repository AND service_path.path = git_changed_path.path
    UNION
    SELECT git_changed_path.repository, git_changed_path.sha, service_path.service, 'path'
    FROM git_changed_path
    JOIN service_path
        ON service_path.repository = git_changed_path.repository AND service_path.path = git_changed_path.old_path
    UNION
    SELECT git_commit.repository, git_commit.sha, rule.service, 'repository'
    FROM git_commit
    JOIN rule ON rule.repository = git_commit.repository
    WHERE rule.pattern IS NULL
)

SELECT
    git_commit.repository,
    git_commit.sha,
    touched.service,
    touched.service_rule,
    git_commit.subject,
    git_commit.author_name,
    git_commit.author_email_hash,
    git_commit.authored_at,
    git_commit.committed_at,
    git_commit.is_merge,
    git_commit.is_boundary,
    git_patch_id.patch_id,
    nullif(coalesce(
        nullif(regexp_extract(git_commit.subject, '\(#([0-9]+)\)$', 1), ''),
        regexp_extract(git_commit.subject, '^Merge pull request #([0-9]+)', 1)
    ), '') AS pull_request_number,
    nullif(regexp_extract(git_commit.body, 'This reverts commit ([0-9a-f]{7,64})', 1), '') AS reverted_sha,
    nullif(regexp_extract(git_commit.body, 'cherry picked from commit ([0-9a-f]{7,64})', 1), '') AS cherry_picked_sha,
    git_commit.observed_at
FROM git_commit
JOIN configured_repository
    ON configured_repository.repository = git_commit.repository AND configured_repository.role = 'source'
LEFT JOIN touched ON touched.repository = git_commit.repository AND touched.sha = git_commit.sha
LEFT JOIN git_patch_id ON git_patch_id.repository = git_commit.repository AND git_patch_id.sha = git_commit.sha
