-- Admission checks of Kueue Workloads: one row each state a check was seen in, since a time.
--
-- grain: cluster_uid, uid, admission_check, state, changed_at, message, retry_count
-- reads: parsed_kueue_workload
-- params:
--
-- `state` is Pending, Ready, Retry or Rejected. Eviction sets every check back to Pending, and keeps the old message
-- after `Previously:`.
-- Go leaves out a retry count of zero; Kueue 0.14 and older does not count retries, which reads the same.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS workload,
    uid,
    resource_version,
    observed_at,
    admission_check.name AS admission_check,
    admission_check.state AS state,
    admission_check.message AS message,
    TRY_CAST(admission_check.lastTransitionTime AS TIMESTAMPTZ) AS changed_at,
    TRY_CAST(coalesce(admission_check.retryCount, '0') AS BIGINT) AS retry_count,
    TRY_CAST(admission_check.requeueAfterSeconds AS BIGINT) AS requeue_after_seconds
FROM (SELECT * EXCLUDE (object), unnest(object.status.admissionChecks) AS admission_check FROM parsed_kueue_workload)
