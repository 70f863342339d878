-- Results of Tekton TaskRuns: one row a value that a result had in an attempt.
--
-- grain: cluster_uid, uid, attempt_number, result_name, value
-- reads: parsed_tekton_task_run
-- params:
--
-- Attempts are numbered as in tekton_task_run_attempt; a retry starts without results. A step
-- that writes a result again makes a second row. v1beta1 calls them taskResults.
-- `value` is the text of a string, and JSON for an array or object. `value_type` is what the JSON
-- holds; `declared_type` is what the status says, and older versions say nothing.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS task_run,
    uid,
    resource_version,
    observed_at,
    coalesce(owner.uid, labels['tekton.dev/pipelineRunUID']) AS pipeline_run_uid,
    coalesce(owner.name, labels['tekton.dev/pipelineRun']) AS pipeline_run,
    attempt_number,
    result.name AS result_name,
    result.type AS declared_type,
    CASE json_type(result.value) WHEN 'VARCHAR' THEN 'string' ELSE lower(json_type(result.value)) END
        AS value_type,
    result.value ->> '$' AS value
FROM (
    SELECT
        * EXCLUDE (object),
        coalesce(len(object.status.retriesStatus), 0) + 1 AS attempt_number,
        unnest(coalesce(object.status.results, object.status.taskResults)) AS result,
        object.metadata.labels AS labels,
        list_filter(object.metadata.ownerReferences, lambda o: o.kind = 'PipelineRun')[1] AS owner
    FROM parsed_tekton_task_run
    UNION ALL
    SELECT * EXCLUDE (earlier, object), unnest(coalesce(earlier.results, earlier.taskResults)), object.metadata.labels,
        list_filter(object.metadata.ownerReferences, lambda o: o.kind = 'PipelineRun')[1]
    FROM (
        SELECT
            *,
            generate_subscripts(object.status.retriesStatus, 1) AS attempt_number,
            unnest(object.status.retriesStatus) AS earlier
        FROM parsed_tekton_task_run
    )
)
