-- Source commits of runs: one row a Tekton run that names the commit it built from.
--
-- grain: cluster_uid, run_uid
-- reads: tekton_pipeline_run_result, tekton_pipeline_run_parameter, tekton_task_run_result, tekton_task_run_parameter
-- params:
--
-- A run is a PipelineRun with its TaskRuns, or a TaskRun without one. The first rule that finds a commit holds:
--   1  result CHAINS-GIT_COMMIT of the run or of one of its TaskRuns (the type hints of Tekton Chains)
--   2  parameter CHAINS-GIT_COMMIT of the same
--   3  parameter of the run itself that is called revision, commit, sha, commit-sha or git- and one of the first
--      three, in either case, with - or _. Those of its TaskRuns are not asked: they may be
--      about another repository, such as the one that is pinned in the end.
-- A commit is 40 or 64 hexadecimal digits; a branch, a tag or a shortened commit is none.
-- Where a rule finds several, `source_commit_count` says so and `source_commit` is NULL: a guess would
-- be a wrong lead time. `source_repository_url` stands beside that commit, by whichever rule: CHAINS-GIT_URL, or
-- for rule 3 a parameter git-url, repo-url or repository-url.

WITH said AS (
    SELECT
        cluster_uid, uid AS run_uid, uid AS holder_uid, 'result' AS origin, result_name AS name, value
    FROM tekton_pipeline_run_result
    UNION ALL
    SELECT cluster_uid, coalesce(pipeline_run_uid, uid), uid, 'result', result_name, value
    FROM tekton_task_run_result
    UNION ALL
    SELECT cluster_uid, uid, uid, 'parameter', parameter_name, value
    FROM tekton_pipeline_run_parameter
    UNION ALL
    SELECT cluster_uid, coalesce(pipeline_run_uid, uid), uid, 'parameter', parameter_name, value
    FROM tekton_task_run_parameter
),
ruled AS (
    SELECT
        *,
        CASE
            WHEN name IN ('CHAINS-GIT_COMMIT', 'CHAINS-GIT_URL') AND origin = 'result' THEN 1
            WHEN name IN ('CHAINS-GIT_COMMIT', 'CHAINS-GIT_URL') THEN 2
            WHEN origin = 'parameter' AND holder_uid = run_uid THEN 3
        END AS rule,
        CASE
            WHEN name = 'CHAINS-GIT_COMMIT' OR replace(lower(name), '_', '-') IN (
                'revision', 'commit', 'sha', 'commit-sha', 'git-revision', 'git-commit', 'git-sha'
            ) THEN 'commit'
            WHEN name = 'CHAINS-GIT_URL' OR replace(lower(name), '_', '-') IN ('git-url', 'repo-url', 'repository-url')
            THEN 'url'
        END AS subject
    FROM said
),
commits AS (
    SELECT
        cluster_uid,
        run_uid,
        holder_uid,
        rule,
        origin || ' ' || name AS source_rule,
        regexp_extract(lower(value), '^[^0-9a-z]*([0-9a-f]{40}([0-9a-f]{24})?)[^0-9a-z]*$', 1) AS source_commit
    FROM ruled
    WHERE rule IS NOT NULL AND subject = 'commit'
),
urls AS (
    SELECT cluster_uid, holder_uid, rule, regexp_extract(min(value), '[!-~]+', 0) AS repository_url
    FROM ruled
    WHERE rule IS NOT NULL AND subject = 'url' AND value <> ''
    GROUP BY cluster_uid, holder_uid, rule
),
found AS (
    SELECT commits.*, urls.repository_url
    FROM commits
    LEFT JOIN urls
        ON urls.cluster_uid = commits.cluster_uid AND urls.holder_uid = commits.holder_uid AND urls.rule = commits.rule
    WHERE commits.source_commit <> ''
),
best AS (
    SELECT cluster_uid, run_uid, source_commit, source_rule
    FROM found
    QUALIFY rank() OVER (PARTITION BY cluster_uid, run_uid ORDER BY rule) = 1
),
chosen AS (
    SELECT
        cluster_uid,
        run_uid,
        CASE WHEN count(DISTINCT source_commit) = 1 THEN min(source_commit) END AS source_commit,
        min(source_rule) AS source_rule,
        count(DISTINCT source_commit) AS source_commit_count
    FROM best
    GROUP BY cluster_uid, run_uid
),
address AS (
    SELECT cluster_uid, run_uid, source_commit, repository_url
    FROM found
    WHERE repository_url IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY cluster_uid, run_uid, source_commit ORDER BY rule, repository_url) = 1
)
SELECT
    chosen.cluster_uid,
    chosen.run_uid,
    chosen.source_commit,
    address.repository_url AS source_repository_url,
    chosen.source_rule,
    chosen.source_commit_count
FROM chosen
LEFT JOIN address
    ON
        address.cluster_uid = chosen.cluster_uid
        AND address.run_uid = chosen.run_uid
        AND address.source_commit = chosen.source_commit
