-- Pipeline runs: one row a PipelineRun, in the last state that was seen.
--
-- grain: cluster_uid, uid
-- reads: tekton_pipeline_run, configured_service_pattern
-- params:
--
-- `outcome`, from status and reason of the condition Succeeded:
--   succeeded  True (Succeeded; or Completed, which is success with skipped tasks)
--   cancelled  False, Cancelled (PipelineRunCancelled in older versions)
--   timeout    False, PipelineRunTimeout
--   failed     False, any other reason; `condition_reason` keeps it
--   pending    no condition yet, or Unknown with PipelineRunPending
--   running    Unknown, with a reason known to mean so; it may be ending already (…RunningFinally)
--   unknown:<reason>  Unknown with any other reason, or deleted before its end was seen
-- A run whose tasks ran out of timeouts.tasks ends as Failed, so `timeout` counts whole runs only.
-- `queue_seconds` runs from creation to start, and holds the time a run was kept pending on purpose.
-- Tekton's times are whole seconds: a duration may be off by one.
-- `service` is the one whose pipeline patterns match; `service_count` says how many do, and where it is not 1
-- the service is not known.

WITH latest AS (
    SELECT *
    FROM tekton_pipeline_run
    QUALIFY
        row_number() OVER (
            PARTITION BY cluster_uid, uid
            ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
        ) = 1
),
seen AS (
    SELECT
        cluster_uid,
        uid,
        min(observed_at) AS first_observed_at,
        coalesce(bool_or(event_type = 'DELETED'), false) AS is_deleted
    FROM tekton_pipeline_run
    GROUP BY cluster_uid, uid
),
pipeline_service AS (
    SELECT pipeline, min(service) AS service, count(DISTINCT service) AS service_count
    FROM (SELECT DISTINCT pipeline FROM latest) AS named
    INNER JOIN configured_service_pattern
        ON
            configured_service_pattern.kind = 'pipeline'
            AND regexp_matches(named.pipeline, configured_service_pattern.pattern)
    GROUP BY pipeline
)
SELECT
    latest.cluster,
    latest.cluster_uid,
    latest.namespace,
    latest.pipeline_run,
    latest.uid,
    latest.pipeline,
    CASE WHEN pipeline_service.service_count = 1 THEN pipeline_service.service END AS service,
    coalesce(pipeline_service.service_count, 0) AS service_count,
    latest.event_id,
    latest.trigger_name,
    latest.managed_by,
    CASE
        WHEN latest.condition_status = 'True' THEN 'succeeded'
        WHEN latest.condition_status = 'False' AND latest.condition_reason IN ('Cancelled', 'PipelineRunCancelled')
        THEN 'cancelled'
        WHEN latest.condition_status = 'False' AND latest.condition_reason = 'PipelineRunTimeout' THEN 'timeout'
        WHEN latest.condition_status = 'False' THEN 'failed'
        WHEN seen.is_deleted THEN 'unknown:' || coalesce(latest.condition_reason, '')
        WHEN latest.condition_status IS NULL OR latest.condition_reason = 'PipelineRunPending' THEN 'pending'
        WHEN latest.condition_reason IN (
            'Started', 'Running', 'ResolvingPipelineRef', 'PipelineRunStopping', 'CancelledRunningFinally',
            'StoppedRunningFinally', 'PipelineRunTimeoutRunningFinally'
        ) THEN 'running'
        ELSE 'unknown:' || coalesce(latest.condition_reason, '')
    END AS outcome,
    latest.condition_reason,
    latest.condition_message,
    latest.created_at,
    latest.started_at,
    latest.finally_started_at,
    latest.completed_at,
    epoch(latest.started_at) - epoch(latest.created_at) AS queue_seconds,
    epoch(latest.completed_at) - epoch(latest.started_at) AS run_seconds,
    latest.child_count + latest.embedded_child_count AS child_count,
    latest.skipped_task_count,
    seen.is_deleted,
    seen.first_observed_at,
    latest.observed_at AS last_observed_at
FROM latest
INNER JOIN seen ON seen.cluster_uid = latest.cluster_uid AND seen.uid = latest.uid
LEFT JOIN pipeline_service ON pipeline_service.pipeline = latest.pipeline
