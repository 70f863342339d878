-- Attempts of Tekton TaskRuns: one row each state of an attempt that was seen.
--
-- grain: cluster_uid, uid, attempt_number, pod_name, started_at, completed_at, condition_status, condition_reason
-- reads: parsed_tekton_task_run
-- params:
--
-- An attempt is an element of retriesStatus, oldest first from 1, or the present status, which comes after
-- them. The ended state of an attempt is the same row whether it was seen as the present one or among
-- the retries. A retry that waits to start (ToBeRetried) is an attempt without a start.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS task_run,
    uid,
    resource_version,
    observed_at,
    attempt_number,
    nullif(attempt.podName, '') AS pod_name,
    TRY_CAST(attempt.startTime AS TIMESTAMPTZ) AS started_at,
    TRY_CAST(attempt.completionTime AS TIMESTAMPTZ) AS completed_at,
    condition.status AS condition_status,
    condition.reason AS condition_reason,
    condition.message AS condition_message
FROM (
    SELECT *, list_filter(attempt.conditions, lambda c: c.type = 'Succeeded')[1] AS condition
    FROM (
        SELECT
            * EXCLUDE (object),
            coalesce(len(object.status.retriesStatus), 0) + 1 AS attempt_number,
            {
                'podName': object.status.podName, 'startTime': object.status.startTime,
                'completionTime': object.status.completionTime, 'conditions': object.status.conditions
            } AS attempt
        FROM parsed_tekton_task_run
        UNION ALL
        SELECT
            * EXCLUDE (earlier),
            {
                'podName': earlier.podName, 'startTime': earlier.startTime,
                'completionTime': earlier.completionTime, 'conditions': earlier.conditions
            }
        FROM (
            SELECT
                * EXCLUDE (object),
                generate_subscripts(object.status.retriesStatus, 1) AS attempt_number,
                unnest(object.status.retriesStatus) AS earlier
            FROM parsed_tekton_task_run
        )
    )
)
WHERE attempt.startTime IS NOT NULL OR condition.status IS NOT NULL
