-- Skipped tasks of Tekton PipelineRuns: one row a task of the pipeline that was not run, and why.
--
-- grain: cluster_uid, uid, pipeline_task, reason
-- reads: parsed_tekton_pipeline_run
-- params:
--
-- `reason` is a sentence, not a word: `When Expressions evaluated to false`, `PipelineRun timeout has been
-- reached`.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS pipeline_run,
    uid,
    resource_version,
    observed_at,
    skipped.name AS pipeline_task,
    skipped.reason AS reason,
    skipped.whenExpressions AS when_expressions
FROM (SELECT * EXCLUDE (object), unnest(object.status.skippedTasks) AS skipped FROM parsed_tekton_pipeline_run)
