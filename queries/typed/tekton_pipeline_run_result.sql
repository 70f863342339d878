-- Results of Tekton PipelineRuns: one row a value that a result had.
--
-- grain: cluster_uid, uid, result_name, value
-- reads: parsed_tekton_pipeline_run
-- params:
--
-- Results are written when the run ends. v1beta1 calls them pipelineResults.
-- `value` is the text of a string, and JSON for an array or object; `value_type` tells which. Text is
-- as the step wrote it, often with a line break at its end.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS pipeline_run,
    uid,
    resource_version,
    observed_at,
    result.name AS result_name,
    CASE json_type(result.value) WHEN 'VARCHAR' THEN 'string' ELSE lower(json_type(result.value)) END
        AS value_type,
    result.value ->> '$' AS value
FROM (
    SELECT * EXCLUDE (object), unnest(coalesce(object.status.results, object.status.pipelineResults)) AS result
    FROM parsed_tekton_pipeline_run
)
