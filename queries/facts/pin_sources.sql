-- Sources of pins: one row a pin of a service, with the commit of code that its image was built from.
--
-- grain: repository, branch, sha, path, pin_key
-- reads: pins, built_images, run_source_commits, pipeline_runs, git_commit, git_reference
-- params:
--
-- Rules, the first that names a commit holds; the others are `alternatives` where they name another one:
--   1  digest        a run built the pinned digest, and says from which commit (confidence 1)
--   2  pipeline_run  the pin names the run (0.98)
--   3  source_sha    the pin names the commit (0.97)
--   4  tag           the tag is the commit's 40 or 64 hexadecimal digits, after `git-` or `sha-` or bare (0.96)
--   5  short_tag     the tag is its first 7 or more digits, and one landed commit alone begins so (0.92)
--   6  reference     the commit that pins refers to it in its trailers, and pins one image only (0.91)
-- Where rules disagree the confidence is 0.6 and both stand here: an image that was built anew under an
-- old tag is one way to it. `is_landed`: the commit is one of a landed repository.
-- A pin that is removed, or names nothing that leads to a commit, has no source.

WITH build AS (
    SELECT
        built_images.digest,
        run_source_commits.source_commit,
        count(DISTINCT run_source_commits.source_commit) OVER (PARTITION BY built_images.digest) AS commit_count
    FROM built_images
    JOIN run_source_commits
        ON run_source_commits.cluster_uid = built_images.cluster_uid
        AND run_source_commits.run_uid = built_images.run_uid
    WHERE run_source_commits.source_commit IS NOT NULL
    GROUP BY built_images.digest, run_source_commits.source_commit
),

named_run AS (
    SELECT pipeline_runs.pipeline_run, min(run_source_commits.source_commit) AS source_commit
    FROM pipeline_runs
    JOIN run_source_commits
        ON run_source_commits.cluster_uid = pipeline_runs.cluster_uid
        AND run_source_commits.run_uid = pipeline_runs.uid
    WHERE run_source_commits.source_commit IS NOT NULL
    GROUP BY pipeline_runs.pipeline_run
    HAVING count(DISTINCT run_source_commits.source_commit) = 1
),

pin AS (
    SELECT
        *,
        nullif(regexp_extract(tag, '^(?:git-|sha-|v?)([0-9a-f]{40}|[0-9a-f]{64})$', 1), '') AS tag_sha,
        nullif(regexp_extract(tag, '^(?:git-|sha-)?([0-9a-f]{7,39})$', 1), '') AS tag_start,
        count(*) OVER (PARTITION BY repository, sha) AS pinned_count
    FROM pins
),

started AS (
    SELECT pin.tag_start, min(git_commit.sha) AS sha
    FROM (SELECT DISTINCT tag_start FROM pin WHERE tag_start IS NOT NULL) AS pin
    JOIN git_commit ON starts_with(git_commit.sha, pin.tag_start)
    GROUP BY pin.tag_start
    HAVING count(DISTINCT git_commit.sha) = 1
),

referred AS (
    SELECT repository, sha, min(reference_sha) AS reference_sha
    FROM git_reference
    GROUP BY repository, sha
    HAVING count(DISTINCT reference_sha) = 1
),

said AS (
    SELECT pin.repository, pin.branch, pin.path, pin.pin_key, pin.sha, 1 AS rule_number, 'digest' AS rule, 1.0 AS confidence, build.source_commit AS source_sha, pin.digest AS evidence
    FROM pin JOIN build ON build.digest = pin.digest AND build.commit_count = 1
    UNION ALL
    SELECT pin.repository, pin.branch, pin.path, pin.pin_key, pin.sha, 2, 'pipeline_run', 0.98, named_run.source_commit, pin.pipeline_run
    FROM pin JOIN named_run ON named_run.pipeline_run = pin.pipeline_run
    UNION ALL
    SELECT repository, branch, path, pin_key, sha, 3, 'source_sha', 0.97, source_sha, path
    FROM pin WHERE source_sha IS NOT NULL
    UNION ALL
    SELECT repository, branch, path, pin_key, sha, 4, 'tag', 0.96, tag_sha, tag
    FROM pin WHERE tag_sha IS NOT NULL
    UNION ALL
    SELECT pin.repository, pin.branch, pin.path, pin.pin_key, pin.sha, 5, 'short_tag', 0.92, started.sha, pin.tag
    FROM pin JOIN started ON started.tag_start = pin.tag_start
    UNION ALL
    SELECT pin.repository, pin.branch, pin.path, pin.pin_key, pin.sha, 6, 'reference', 0.91, referred.reference_sha, pin.sha
    FROM pin JOIN referred ON referred.repository = pin.repository AND referred.sha = pin.sha
    WHERE pin.pinned_count = 1
),

chosen AS (
    SELECT
        repository,
        branch,
        path,
        pin_key,
        sha,
        min_by(source_sha, rule_number) AS source_sha,
        min_by(rule, rule_number) AS rule,
        min_by(confidence, rule_number) AS confidence,
        min_by(evidence, rule_number) AS evidence,
        count(DISTINCT source_sha) AS source_count,
        string_agg(rule || '=' || source_sha, ' ' ORDER BY rule_number) AS alternatives
    FROM said
    GROUP BY repository, branch, path, pin_key, sha
)

SELECT
    pin.* EXCLUDE (source_sha, tag_sha, tag_start, pinned_count),
    CASE WHEN pin.change_kind != 'removed' THEN chosen.source_sha END AS source_sha,
    chosen.rule,
    CASE WHEN chosen.source_count > 1 THEN 0.6 ELSE chosen.confidence END AS confidence,
    chosen.evidence,
    CASE WHEN chosen.source_count > 1 THEN chosen.alternatives END AS alternatives,
    landed.sha IS NOT NULL AS is_landed
FROM pin
LEFT JOIN chosen USING (repository, branch, path, pin_key, sha)
LEFT JOIN (SELECT DISTINCT sha FROM git_commit) AS landed ON landed.sha = chosen.source_sha
