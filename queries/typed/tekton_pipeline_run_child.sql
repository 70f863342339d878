-- Children of Tekton PipelineRuns: one row a run that a PipelineRun started.
--
-- grain: cluster_uid, uid, child_kind, child
-- reads: parsed_tekton_pipeline_run
-- params:
--
-- The sure way from a run to its TaskRuns: long names and those of a matrix are hashed, so they
-- cannot be made from the run's name. A matrix gives one `pipeline_task` several children.
-- `observed_at` is when the child was first seen listed, at or after its creation.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS pipeline_run,
    uid,
    resource_version,
    observed_at,
    child.apiVersion AS child_api_version,
    child.kind AS child_kind,
    child.name AS child,
    child.displayName AS display_name,
    child.pipelineTaskName AS pipeline_task,
    child.whenExpressions AS when_expressions
FROM (SELECT * EXCLUDE (object), unnest(object.status.childReferences) AS child FROM parsed_tekton_pipeline_run)
