-- Tekton PipelineRuns: one row each state of a PipelineRun that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_tekton_pipeline_run
-- params:
--
-- `condition_` columns are the condition Succeeded: status Unknown is under way, True and False are ends;
-- the reason says more, and a reason that Tekton adds later is passed through.
-- `pipeline` is the name in the reference or, with a resolver, the label the controller sets. A run with
-- an embedded spec bears its own name in that label; that is no pipeline, so it is NULL there.
-- `requested_status` is what somebody asked for (spec.status: Cancelled, PipelineRunPending, …).
-- `managed_by` other than Tekton's own means that another controller writes the status.
-- `child_count` is 0 where there are none: Go leaves an empty list out. v1beta1 before 0.45 embedded the
-- children's statuses instead (`embedded_child_count`); those are not typed.
-- Of provenance the newer name refSource wins over configSource.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS pipeline_run,
    uid,
    resource_version,
    event_type,
    observed_at,
    api_version,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    object.metadata.generateName AS generate_name,
    object.metadata.labels AS labels,
    coalesce(object.spec.pipelineRef.name, nullif(object.metadata.labels['tekton.dev/pipeline'], name)) AS pipeline,
    object.spec.pipelineRef.resolver AS pipeline_resolver,
    object.spec.pipelineSpec IS NOT NULL AS is_embedded,
    object.metadata.labels['triggers.tekton.dev/triggers-eventid'] AS event_id,
    object.metadata.labels['triggers.tekton.dev/eventlistener'] AS event_listener,
    object.metadata.labels['triggers.tekton.dev/trigger'] AS trigger_name,
    coalesce(object.spec.taskRunTemplate.serviceAccountName, object.spec.serviceAccountName) AS service_account,
    object.spec.status AS requested_status,
    object.spec.managedBy AS managed_by,
    coalesce(object.spec.timeouts.pipeline, object.spec.timeout) AS timeout_text,
    go_duration_seconds(coalesce(object.spec.timeouts.pipeline, object.spec.timeout)) AS timeout_seconds,
    condition.status AS condition_status,
    condition.reason AS condition_reason,
    condition.message AS condition_message,
    TRY_CAST(condition.lastTransitionTime AS TIMESTAMPTZ) AS condition_changed_at,
    TRY_CAST(object.status.startTime AS TIMESTAMPTZ) AS started_at,
    TRY_CAST(object.status.completionTime AS TIMESTAMPTZ) AS completed_at,
    TRY_CAST(object.status.finallyStartTime AS TIMESTAMPTZ) AS finally_started_at,
    coalesce(len(object.status.childReferences), 0) AS child_count,
    coalesce(cardinality(object.status.taskRuns), 0) + coalesce(cardinality(object.status.runs), 0)
        AS embedded_child_count,
    coalesce(len(object.status.skippedTasks), 0) AS skipped_task_count,
    coalesce(object.status.provenance.refSource.uri, object.status.provenance.configSource.uri) AS provenance_uri,
    coalesce(object.status.provenance.refSource.digest, object.status.provenance.configSource.digest)
        AS provenance_digests,
    coalesce(object.status.provenance.refSource.entryPoint, object.status.provenance.configSource.entryPoint)
        AS provenance_entry_point,
    object.metadata.annotations."chains.tekton.dev/signed" AS chains_signed,
    object.metadata.annotations."chains.tekton.dev/transparency" AS chains_transparency,
    object.metadata.annotations."results.tekton.dev/result" AS results_result,
    object.metadata.annotations."results.tekton.dev/record" AS results_record,
    object.metadata.annotations."results.tekton.dev/log" AS results_log,
    object.metadata.annotations."results.tekton.dev/eventlist" AS results_event_list,
    object.metadata.annotations."results.tekton.dev/stored" AS results_stored
FROM (
    SELECT *, list_filter(object.status.conditions, lambda c: c.type = 'Succeeded')[1] AS condition
    FROM parsed_tekton_pipeline_run
)
