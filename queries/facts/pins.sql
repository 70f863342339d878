-- Pins: one row each time that an image was pinned, or a pin taken away, on a branch of a config repository.
--
-- grain: repository, branch, sha, path, pin_key
-- reads: git_pin, git_pin_file, git_commit, branch_commits, configured_service, configured_service_pattern
-- params:
--
-- `pinned_at` is the committer time of the commit by which the pin came into the branch, which for a merge is the
-- merge. `written_at` is what release pins say, a build's clock. A file that was only moved pins nothing
-- anew (`change_kind` is moved), but ends what stood at its old path.
-- `is_first_seen`: in force where what is read begins; when it was pinned is not known, so it starts no lead time.
-- `is_revert`: the same file pinned this image before, and another one since; by digest where there is one, else
-- by tag. `reverted_sha` is what the commit says that it takes back.
-- A pin ends with the next of its file and key (`replaced_at`, `replaced_by_sha`), or with its removal.
-- `unreadable_at`: since then the file could not be read while this pin was in force, so it may have ended unseen.
-- The service is the one of that name (release pins), or the only one whose `images` fit; a name that release
-- pins give and nobody configured stands all the same.

WITH change AS (
    SELECT git_pin.*, coalesce(git_pin.digest, git_pin.tag) AS version
    FROM git_pin
    JOIN branch_commits
        ON
            branch_commits.repository = git_pin.repository
            AND branch_commits.branch = git_pin.branch
            AND branch_commits.sha = git_pin.sha
            AND branch_commits.is_on_line
),

ordered AS (
    SELECT
        *,
        min(position) OVER (PARTITION BY repository, branch, path, pin_key) AS first_position,
        min(position) OVER (PARTITION BY repository, branch, path, pin_key, image_name, version) AS first_position_of_version,
        lead(sha) OVER (PARTITION BY repository, branch, path, pin_key ORDER BY position) AS replaced_by_sha,
        lead(committed_at) OVER (PARTITION BY repository, branch, path, pin_key ORDER BY position) AS replaced_at,
        lead(position) OVER (PARTITION BY repository, branch, path, pin_key ORDER BY position) AS replaced_position
    FROM change
),

unreadable AS (
    SELECT
        git_pin_file.repository,
        git_pin_file.branch,
        git_pin_file.path,
        git_pin_file.committed_at,
        branch_commits.position
    FROM git_pin_file
    JOIN branch_commits
        ON
            branch_commits.repository = git_pin_file.repository
            AND branch_commits.branch = git_pin_file.branch
            AND branch_commits.sha = git_pin_file.sha
            AND branch_commits.is_on_line
    WHERE git_pin_file.state = 'unreadable'
),

doubt AS (
    SELECT
        ordered.repository, ordered.branch, ordered.sha, ordered.path, ordered.pin_key,
        min(unreadable.committed_at) AS unreadable_at
    FROM ordered
    JOIN unreadable
        ON
            unreadable.repository = ordered.repository
            AND unreadable.branch = ordered.branch
            AND unreadable.path = ordered.path
            AND unreadable.position > ordered.position
            AND (ordered.replaced_position IS NULL OR unreadable.position < ordered.replaced_position)
    GROUP BY ordered.repository, ordered.branch, ordered.sha, ordered.path, ordered.pin_key
),

image_service AS (
    SELECT image.image_name, min(configured_service_pattern.service) AS service
    FROM (SELECT DISTINCT coalesce(image_name, previous_image_name) AS image_name FROM git_pin) AS image
    JOIN configured_service_pattern
        ON
            configured_service_pattern.kind = 'image'
            AND regexp_matches(image.image_name, configured_service_pattern.pattern)
    GROUP BY image.image_name
    HAVING count(DISTINCT configured_service_pattern.service) = 1
)

SELECT
    ordered.repository,
    ordered.branch,
    ordered.sha,
    ordered.position,
    ordered.path,
    ordered.pin_format,
    ordered.pin_key,
    coalesce(
        configured_service.service,
        image_service.service,
        CASE WHEN ordered.pin_format = 'release_pins' THEN ordered.pin_key END
    ) AS service,
    ordered.change_kind,
    ordered.image_name,
    ordered.tag,
    ordered.digest,
    ordered.source_sha,
    ordered.pipeline_run,
    ordered.committed_at AS pinned_at,
    ordered.written_at,
    ordered.previous_image_name,
    ordered.previous_tag,
    ordered.previous_digest,
    ordered.previous_source_sha,
    ordered.is_first_seen,
    ordered.is_after_unreadable,
    ordered.change_kind = 'removed' AS is_removed,
    ordered.change_kind IN ('added', 'changed')
    AND ordered.first_position_of_version < ordered.position
    AND ordered.version IS DISTINCT FROM coalesce(ordered.previous_digest, ordered.previous_tag) AS is_revert,
    nullif(regexp_extract(git_commit.body, 'This reverts commit ([0-9a-f]{7,64})', 1), '') AS reverted_sha,
    git_commit.subject AS commit_subject,
    git_commit.author_name AS commit_author_name,
    ordered.replaced_at,
    ordered.replaced_by_sha,
    doubt.unreadable_at
FROM ordered
LEFT JOIN git_commit ON git_commit.repository = ordered.repository AND git_commit.sha = ordered.sha
LEFT JOIN configured_service
    ON ordered.pin_format = 'release_pins' AND configured_service.service = ordered.pin_key
LEFT JOIN image_service
    ON image_service.image_name = coalesce(ordered.image_name, ordered.previous_image_name)
LEFT JOIN doubt
    ON
        doubt.repository = ordered.repository
        AND doubt.branch = ordered.branch
        AND doubt.sha = ordered.sha
        AND doubt.path = ordered.path
        AND doubt.pin_key = ordered.pin_key
WHERE
    ordered.change_kind <> 'moved_away'
    AND NOT (ordered.is_first_seen AND ordered.first_position < ordered.position)
