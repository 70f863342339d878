-- Task runs: one row a TaskRun, in the last state that was seen, over all its attempts.
--
-- grain: cluster_uid, uid
-- reads: tekton_task_run, tekton_task_run_attempt, tekton_task_run_step
-- params:
--
-- `started_at` is the start of the first attempt: a retry resets the status's own start, so that alone
-- makes a retried run look short and its queue long. `last_attempt_started_at` is the present attempt's.
-- `attempt_count` counts attempts that started: a retry that waits for its start is none yet.
-- `outcome`, from status and reason of the condition Succeeded:
--   succeeded  True
--   cancelled  False, TaskRunCancelled
--   timeout    False, TaskRunTimeout
--   failed     False, any other reason. FailureIgnored is one: the task failed, its pipeline went on
--   pending    no condition yet, or Unknown while it waits for its pod or for a retry's start
--   running    Unknown, with a reason known to mean so
--   unknown:<reason>  Unknown with any other reason, or deleted before its end was seen
-- `failed_step` is the first step of the last attempt that exited with other than 0 and was not told to
-- continue; NULL where the run did not end badly, or failed outside of a step (no pod, no image).

WITH latest AS (
    SELECT *
    FROM tekton_task_run
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
    FROM tekton_task_run
    GROUP BY cluster_uid, uid
),
attempts AS (
    SELECT cluster_uid, uid, min(started_at) AS first_started_at
    FROM tekton_task_run_attempt
    GROUP BY cluster_uid, uid
),
failing_step AS (
    SELECT cluster_uid, uid, attempt_number, step, exit_code, reason
    FROM tekton_task_run_step
    WHERE exit_code <> 0 AND coalesce(termination_reason, '') NOT IN ('Continued', 'Skipped')
    QUALIFY row_number() OVER (PARTITION BY cluster_uid, uid, attempt_number ORDER BY step_number) = 1
)
SELECT
    latest.cluster,
    latest.cluster_uid,
    latest.namespace,
    latest.task_run,
    latest.uid,
    latest.pipeline_run,
    latest.pipeline_run_uid,
    latest.pipeline_task,
    latest.task,
    latest.event_id,
    latest.pod_name,
    CASE
        WHEN latest.condition_status = 'True' THEN 'succeeded'
        WHEN latest.condition_status = 'False' AND latest.condition_reason = 'TaskRunCancelled' THEN 'cancelled'
        WHEN latest.condition_status = 'False' AND latest.condition_reason = 'TaskRunTimeout' THEN 'timeout'
        WHEN latest.condition_status = 'False' THEN 'failed'
        WHEN seen.is_deleted THEN 'unknown:' || coalesce(latest.condition_reason, '')
        WHEN latest.condition_status IS NULL OR latest.condition_reason IN (
            'Pending', 'TaskRunPending', 'ToBeRetried', 'ExceededResourceQuota', 'ExceededNodeResources',
            'PullImageFailed', 'PodAdmissionFailed'
        ) THEN 'pending'
        WHEN latest.condition_reason IN ('Started', 'Running', 'ResolvingTaskRef', 'ResolvingStepActionRef')
        THEN 'running'
        ELSE 'unknown:' || coalesce(latest.condition_reason, '')
    END AS outcome,
    latest.condition_reason,
    latest.condition_message,
    latest.created_at,
    attempts.first_started_at AS started_at,
    latest.started_at AS last_attempt_started_at,
    latest.completed_at,
    epoch(attempts.first_started_at) - epoch(latest.created_at) AS queue_seconds,
    epoch(latest.completed_at) - epoch(attempts.first_started_at) AS run_seconds,
    latest.retry_count + CASE WHEN latest.started_at IS NULL THEN 0 ELSE 1 END AS attempt_count,
    failing_step.step AS failed_step,
    failing_step.exit_code AS failed_step_exit_code,
    failing_step.reason AS failed_step_reason,
    seen.is_deleted,
    seen.first_observed_at,
    latest.observed_at AS last_observed_at
FROM latest
INNER JOIN seen ON seen.cluster_uid = latest.cluster_uid AND seen.uid = latest.uid
LEFT JOIN attempts ON attempts.cluster_uid = latest.cluster_uid AND attempts.uid = latest.uid
LEFT JOIN failing_step
    ON
        failing_step.cluster_uid = latest.cluster_uid
        AND failing_step.uid = latest.uid
        AND failing_step.attempt_number = latest.retry_count + 1
        AND latest.condition_status = 'False'
