-- Parameters of Tekton TaskRuns: one row a parameter given to a run.
--
-- grain: cluster_uid, uid, parameter_name
-- reads: parsed_tekton_task_run
-- params:
--
-- What the run was given, with the pipeline's values filled in; not the defaults of its task.
-- `value` is the text of a string, and JSON for an array or object; `value_type` tells which.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS task_run,
    uid,
    resource_version,
    observed_at,
    coalesce(owner.uid, labels['tekton.dev/pipelineRunUID']) AS pipeline_run_uid,
    parameter.name AS parameter_name,
    CASE json_type(parameter.value) WHEN 'VARCHAR' THEN 'string' ELSE lower(json_type(parameter.value)) END
        AS value_type,
    parameter.value ->> '$' AS value
FROM (
    SELECT
        * EXCLUDE (object),
        unnest(object.spec.params) AS parameter,
        object.metadata.labels AS labels,
        list_filter(object.metadata.ownerReferences, lambda o: o.kind = 'PipelineRun')[1] AS owner
    FROM parsed_tekton_task_run
)
