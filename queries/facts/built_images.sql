-- Built images: one row an image digest that a run produced, under one name.
--
-- grain: cluster_uid, run_uid, digest, image_name
-- reads: tekton_pipeline_run_result, tekton_task_run_result, pipeline_runs, task_runs, run_source_commits
-- params:
--
-- A run is a PipelineRun with its TaskRuns, or a TaskRun without one; what a TaskRun says and its
-- PipelineRun repeats is one row. `found_by` is the first of these that says so:
--   IMAGE_DIGEST      result ending so, with IMAGE_URL or IMAGE_REF of the same prefix beside it, in either case
--   IMAGES            items name@sha256:… of that result, between commas or line breaks
--   ARTIFACT_OUTPUTS  object result ending so, with uri and digest; it may be an artifact that is no image
-- `is_build_artifact` is false only for outputs that do not say isBuildArtifact: Tekton Chains takes those
-- for by-products. A digest is sha256: and 64 hexadecimal digits; anything else is no evidence of an image.
-- `image_name` has neither scheme nor tag nor digest, and is NULL where the run names the digest nowhere.
-- `built_at` is the earliest end of a TaskRun that says so, else the end of the PipelineRun: the push was
-- before it. A run that failed later may have pushed all the same; `run_outcome` tells.

WITH result AS (
    SELECT
        cluster, cluster_uid, namespace, 'PipelineRun' AS run_kind, pipeline_run AS run_name, uid AS run_uid,
        uid AS holder_uid, 0 AS attempt_number, result_name, value_type, value
    FROM tekton_pipeline_run_result
    UNION ALL
    SELECT
        cluster, cluster_uid, namespace, CASE WHEN pipeline_run_uid IS NULL THEN 'TaskRun' ELSE 'PipelineRun' END,
        CASE WHEN pipeline_run_uid IS NULL THEN task_run ELSE pipeline_run END, coalesce(pipeline_run_uid, uid),
        uid, attempt_number, result_name, value_type, value
    FROM tekton_task_run_result
),
run AS (
    SELECT
        cluster_uid, run_uid, min(cluster) AS cluster, min(namespace) AS namespace, min(run_kind) AS run_kind,
        min(run_name) AS run_name
    FROM result
    GROUP BY cluster_uid, run_uid
),
named AS (
    SELECT
        cluster_uid, holder_uid, attempt_number, value,
        regexp_replace(lower(result_name), 'image_(url|ref)$', '') AS prefix
    FROM result
    WHERE value_type = 'string' AND regexp_matches(lower(result_name), 'image_(url|ref)$')
),
said AS (
    SELECT
        result.cluster_uid, result.run_uid, result.holder_uid, 1 AS rule, 'IMAGE_DIGEST' AS found_by,
        named.value AS reference_text, result.value AS digest_text, true AS is_build_artifact
    FROM result
    LEFT JOIN named
        ON
            named.cluster_uid = result.cluster_uid
            AND named.holder_uid = result.holder_uid
            AND named.attempt_number = result.attempt_number
            AND named.prefix = regexp_replace(lower(result.result_name), 'image_digest$', '')
    WHERE result.value_type = 'string' AND regexp_matches(lower(result.result_name), 'image_digest$')
    UNION ALL
    SELECT cluster_uid, run_uid, holder_uid, 2, 'IMAGES', item, right(item, 71), true
    FROM (
        SELECT
            cluster_uid, run_uid, holder_uid,
            unnest(regexp_extract_all(value, '([A-Za-z0-9._:/-]+@sha256:[0-9a-f]{64})', 1)) AS item
        FROM result
        WHERE result_name = 'IMAGES'
    ) AS listed
    UNION ALL
    SELECT
        cluster_uid, run_uid, holder_uid, 3, 'ARTIFACT_OUTPUTS', document ->> '$.uri', document ->> '$.digest',
        coalesce(document ->> '$.isBuildArtifact', '') = 'true'
    FROM (
        SELECT cluster_uid, run_uid, holder_uid, CASE WHEN value_type = 'object' THEN value ELSE '{}' END AS document
        FROM result
        WHERE result_name LIKE '%ARTIFACT_OUTPUTS'
    ) AS objects
),
referred AS (
    SELECT
        cluster_uid, run_uid, holder_uid, rule, found_by, is_build_artifact,
        regexp_extract(digest_text, '^[^!-~]*(sha256:[0-9a-f]{64})[^!-~]*$', 1) AS digest,
        regexp_replace(regexp_extract(reference_text, '[!-?A-~]+', 0), '^[a-z]+://', '') AS reference
    FROM said
),
split AS (
    SELECT
        cluster_uid, run_uid, holder_uid, rule, found_by, is_build_artifact, digest,
        nullif(regexp_replace(reference, ':[^/:]*$', ''), '') AS image_name,
        nullif(regexp_extract(reference, ':([^/:]+)$', 1), '') AS image_tag
    FROM referred
    WHERE digest <> ''
),
image AS (
    SELECT
        split.cluster_uid,
        split.run_uid,
        split.digest,
        split.image_name,
        max(split.image_tag) AS image_tag,
        min_by(split.found_by, split.rule) AS found_by,
        bool_or(split.is_build_artifact) AS is_build_artifact,
        min(task_runs.completed_at) AS task_completed_at,
        max(CASE WHEN split.image_name IS NULL THEN 0 ELSE 1 END)
            OVER (PARTITION BY split.cluster_uid, split.run_uid, split.digest) AS has_name
    FROM split
    LEFT JOIN task_runs ON task_runs.cluster_uid = split.cluster_uid AND task_runs.uid = split.holder_uid
    GROUP BY split.cluster_uid, split.run_uid, split.digest, split.image_name
)
SELECT
    run.cluster,
    image.cluster_uid,
    run.namespace,
    run.run_kind,
    run.run_name,
    image.run_uid,
    pipeline_runs.pipeline,
    pipeline_runs.service,
    coalesce(pipeline_runs.outcome, task_runs.outcome) AS run_outcome,
    image.image_name,
    image.image_tag,
    image.digest,
    image.found_by,
    image.is_build_artifact,
    coalesce(image.task_completed_at, pipeline_runs.completed_at) AS built_at,
    run_source_commits.source_commit,
    run_source_commits.source_repository_url,
    run_source_commits.source_rule,
    coalesce(run_source_commits.source_commit_count, 0) AS source_commit_count
FROM image
INNER JOIN run ON run.cluster_uid = image.cluster_uid AND run.run_uid = image.run_uid
LEFT JOIN pipeline_runs ON pipeline_runs.cluster_uid = image.cluster_uid AND pipeline_runs.uid = image.run_uid
LEFT JOIN task_runs ON task_runs.cluster_uid = image.cluster_uid AND task_runs.uid = image.run_uid
LEFT JOIN run_source_commits
    ON run_source_commits.cluster_uid = image.cluster_uid AND run_source_commits.run_uid = image.run_uid
WHERE image.image_name IS NOT NULL OR image.has_name = 0
