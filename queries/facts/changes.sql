-- Changes: one row what came into a repository's own branch in one step, for each service it concerns.
--
-- grain: repository, sha, service
-- reads: source_commits, branch_commits, default_branches, git_commit, git_changed_path, applications, git_pin, pipeline_runs, run_source_commits
-- params:
--
-- A step is a commit of the branch's first-parent line: a squashed or rebased commit, or the merge of a branch.
-- `kind` is `code` for commits of a service's source repository that touch its paths. It is `config` for commits of a
-- repository that Applications have their source in: those that touch a file at or below an Application's
-- folder, and pin nothing; such a change concerns that Application's environments alone.
-- `committed_at` is the committer time: when it came in. `authored_at` is when its author made it, by his clock.
-- `author_class`: `robot` where the author's name says so (`[bot]`, renovate, dependabot, a name ending in bot).
-- `reverted_by_sha`: a later commit of the branch says `This reverts commit …` of it; `reverts_sha` is what it takes
-- back itself. `build_outcome` is of the newest run that built this very commit; NULL: none did.

WITH line AS (
    SELECT branch_commits.repository, branch_commits.sha, branch_commits.position
    FROM branch_commits
    JOIN default_branches
        ON default_branches.repository = branch_commits.repository AND default_branches.branch = branch_commits.branch
    WHERE branch_commits.is_on_line AND NOT branch_commits.is_boundary
),

revert AS (
    SELECT
        line.repository,
        line.sha,
        line.position,
        git_commit.committed_at,
        regexp_extract(git_commit.body, 'This reverts commit ([0-9a-f]{7,64})', 1) AS reverted_start
    FROM line
    JOIN git_commit ON git_commit.repository = line.repository AND git_commit.sha = line.sha
    WHERE contains(git_commit.body, 'This reverts commit ')
),

pinning AS (
    SELECT DISTINCT repository, sha FROM git_pin
),

configuring AS (
    SELECT DISTINCT line.repository, line.sha, line.position, application.service
    FROM line
    JOIN git_changed_path AS changed ON changed.repository = line.repository AND changed.sha = line.sha
    JOIN (
        SELECT DISTINCT service, source_path FROM applications WHERE is_counted AND source_path != ''
    ) AS application ON starts_with(changed.path, application.source_path || '/')
    LEFT JOIN pinning ON pinning.repository = line.repository AND pinning.sha = line.sha
    LEFT JOIN source_commits AS source ON source.repository = line.repository AND source.sha = line.sha
    WHERE pinning.sha IS NULL AND source.sha IS NULL
),

step AS (
    SELECT line.repository, line.sha, line.position, source.service, 'code' AS kind
    FROM line
    JOIN source_commits AS source ON source.repository = line.repository AND source.sha = line.sha
    WHERE source.service IS NOT NULL
    UNION ALL
    SELECT repository, sha, position, service, 'config' FROM configuring
),

built AS (
    SELECT
        source.source_commit AS sha,
        run.service,
        max_by(run.outcome, run.created_at) AS build_outcome,
        max_by(run.pipeline_run, run.created_at) AS pipeline_run
    FROM pipeline_runs AS run
    JOIN run_source_commits AS source ON source.cluster_uid = run.cluster_uid AND source.run_uid = run.uid
    WHERE run.service IS NOT NULL
    GROUP BY source.source_commit, run.service
)

SELECT
    step.repository,
    step.sha,
    step.service,
    step.kind,
    step.position,
    git_commit.subject,
    git_commit.author_name,
    CASE
        WHEN regexp_matches(lower(git_commit.author_name), '\[bot\]|renovate|dependabot|(^|[^a-z])bot$|-bot$') THEN 'robot'
        ELSE 'person'
    END AS author_class,
    git_commit.authored_at,
    git_commit.committed_at,
    git_commit.parent_count > 1 AS is_merge,
    taken_back.sha AS reverted_by_sha,
    taken_back.committed_at AS reverted_at,
    nullif(own.reverted_start, '') AS reverts_sha,
    built.build_outcome,
    built.pipeline_run AS own_pipeline_run
FROM step
JOIN git_commit ON git_commit.repository = step.repository AND git_commit.sha = step.sha
LEFT JOIN revert AS own ON own.repository = step.repository AND own.sha = step.sha
LEFT JOIN (
    SELECT
        line.repository,
        line.sha AS reverted_sha,
        min_by(revert.sha, revert.position) AS sha,
        min_by(revert.committed_at, revert.position) AS committed_at
    FROM revert
    JOIN line
        ON line.repository = revert.repository
        AND line.position < revert.position
        AND starts_with(line.sha, revert.reverted_start)
    WHERE revert.reverted_start != ''
    GROUP BY line.repository, line.sha
) AS taken_back ON taken_back.repository = step.repository AND taken_back.reverted_sha = step.sha
LEFT JOIN built ON built.sha = step.sha AND built.service = step.service AND step.kind = 'code'
