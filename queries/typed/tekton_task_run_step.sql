-- Steps of Tekton TaskRuns: one row a step of an attempt, once it ended.
--
-- grain: cluster_uid, uid, attempt_number, step
-- reads: parsed_tekton_task_run
-- params:
--
-- Attempts are numbered as in tekton_task_run_attempt. A step that waits or runs has no row yet.
-- After a failed step the others end too, with an exit code of their own and the termination reason Skipped;
-- `reason` is the container's (Error, OOMKilled), `termination_reason` is Tekton's and newer.
-- Between a retry and its pod the status still lists the steps of the attempt before; those are
-- not taken for the new attempt's.
-- An exit code of 0 is written out by Tekton, so NULL is one that is not known.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS task_run,
    uid,
    resource_version,
    observed_at,
    attempt_number,
    step_number,
    step.name AS step,
    step.container AS container,
    step.imageID AS image_id,
    TRY_CAST(step.terminated.exitCode AS BIGINT) AS exit_code,
    TRY_CAST(step.terminated.signal AS BIGINT) AS signal,
    step.terminated.reason AS reason,
    step.terminationReason AS termination_reason,
    TRY_CAST(step.terminated.startedAt AS TIMESTAMPTZ) AS started_at,
    TRY_CAST(step.terminated.finishedAt AS TIMESTAMPTZ) AS finished_at
FROM (
    SELECT * EXCLUDE (steps), generate_subscripts(steps, 1) AS step_number, unnest(steps) AS step
    FROM (
        SELECT
            * EXCLUDE (object),
            coalesce(len(object.status.retriesStatus), 0) + 1 AS attempt_number,
            object.status.steps AS steps
        FROM parsed_tekton_task_run
        WHERE nullif(object.status.podName, '') IS NOT NULL OR coalesce(len(object.status.retriesStatus), 0) = 0
        UNION ALL
        SELECT * EXCLUDE (earlier), earlier.steps
        FROM (
            SELECT
                * EXCLUDE (object),
                generate_subscripts(object.status.retriesStatus, 1) AS attempt_number,
                unnest(object.status.retriesStatus) AS earlier
            FROM parsed_tekton_task_run
        )
    )
)
WHERE step.terminated IS NOT NULL
