-- Parameters of Tekton PipelineRuns: one row a parameter given to a run.
--
-- grain: cluster_uid, uid, parameter_name
-- reads: parsed_tekton_pipeline_run
-- params:
--
-- What the run was given, not the defaults of its pipeline. They cannot change once the run exists.
-- `value` is the text of a string, and JSON for an array or object; `value_type` tells which.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS pipeline_run,
    uid,
    resource_version,
    observed_at,
    parameter.name AS parameter_name,
    CASE json_type(parameter.value) WHEN 'VARCHAR' THEN 'string' ELSE lower(json_type(parameter.value)) END
        AS value_type,
    parameter.value ->> '$' AS value
FROM (SELECT * EXCLUDE (object), unnest(object.spec.params) AS parameter FROM parsed_tekton_pipeline_run)
