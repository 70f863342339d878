-- Tekton TaskRuns: one row each state of a TaskRun that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_tekton_task_run
-- params:
--
-- `pod_name`, `started_at` and `completed_at` are of the present attempt only: a retry resets them. The
-- earlier ones are in tekton_task_run_attempt; `retry_count` is how many there were (0 where Go
-- leaves the list out), `retry_limit` how many were allowed.
-- `condition_` columns are the condition Succeeded, as in tekton_pipeline_run.
-- The pipeline's run is the owner of that kind, or else the labels. `member_of` is tasks or finally.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS task_run,
    uid,
    resource_version,
    event_type,
    observed_at,
    api_version,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    object.metadata.labels AS labels,
    coalesce(owner.name, object.metadata.labels['tekton.dev/pipelineRun']) AS pipeline_run,
    coalesce(owner.uid, object.metadata.labels['tekton.dev/pipelineRunUID']) AS pipeline_run_uid,
    object.metadata.labels['tekton.dev/pipeline'] AS pipeline_label,
    object.metadata.labels['tekton.dev/pipelineTask'] AS pipeline_task,
    object.metadata.labels['tekton.dev/memberOf'] AS member_of,
    coalesce(object.spec.taskRef.name, object.metadata.labels['tekton.dev/task']) AS task,
    object.spec.taskRef.kind AS task_kind,
    object.spec.taskRef.resolver AS task_resolver,
    object.spec.taskSpec IS NOT NULL AS is_embedded,
    object.metadata.labels['triggers.tekton.dev/triggers-eventid'] AS event_id,
    object.spec.serviceAccountName AS service_account,
    object.spec.status AS requested_status,
    object.spec.statusMessage AS requested_status_message,
    object.spec.managedBy AS managed_by,
    object.spec.timeout AS timeout_text,
    go_duration_seconds(object.spec.timeout) AS timeout_seconds,
    TRY_CAST(object.spec.retries AS BIGINT) AS retry_limit,
    coalesce(len(object.status.retriesStatus), 0) AS retry_count,
    condition.status AS condition_status,
    condition.reason AS condition_reason,
    condition.message AS condition_message,
    TRY_CAST(condition.lastTransitionTime AS TIMESTAMPTZ) AS condition_changed_at,
    nullif(object.status.podName, '') AS pod_name,
    TRY_CAST(object.status.startTime AS TIMESTAMPTZ) AS started_at,
    TRY_CAST(object.status.completionTime AS TIMESTAMPTZ) AS completed_at,
    coalesce(len(object.status.steps), 0) AS step_count,
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
    object.metadata.annotations."results.tekton.dev/stored" AS results_stored
FROM (
    SELECT
        *,
        list_filter(object.status.conditions, lambda c: c.type = 'Succeeded')[1] AS condition,
        list_filter(object.metadata.ownerReferences, lambda o: o.kind = 'PipelineRun')[1] AS owner
    FROM parsed_tekton_task_run
)
