-- Conditions of Kueue Workloads: one row each status, reason and message a condition was seen with, since a time.
--
-- grain: cluster_uid, uid, condition_type, status, reason, changed_at, message
-- reads: parsed_kueue_workload
-- params:
--
-- `changed_at` is when the status changed; reason and message may change later, under the same time.
-- `observed_at` is when the row was first seen. What came and went between two observations is not here.
-- Re-admission turns Evicted and Preempted False under its own time and keeps the old message as
-- `Previously: …`.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS workload,
    uid,
    resource_version,
    observed_at,
    condition.type AS condition_type,
    condition.status AS status,
    condition.reason AS reason,
    condition.message AS message,
    TRY_CAST(condition.lastTransitionTime AS TIMESTAMPTZ) AS changed_at
FROM (SELECT * EXCLUDE (object), unnest(object.status.conditions) AS condition FROM parsed_kueue_workload)
