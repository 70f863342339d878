-- Sync operations: one row an operation of Argo CD on an Application, succeeded or not, that was seen.
--
-- grain: cluster_uid, uid, started_at
-- reads: applications, argocd_application_operation
-- params:
--
-- Operations are overwritten by the next, so those that came and went between two observations are
-- missing: counts of failures are lower bounds unless every version was watched.
-- `outcome` is the last phase seen, in lower case; `running` where none but Running or Terminating was.
-- `finished_at` is known only for an operation that was seen in its end.

WITH last_seen AS (
    SELECT *
    FROM argocd_application_operation
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, uid, started_at
        ORDER BY phase IN ('Running', 'Terminating'), observed_at DESC, retry_count DESC
    ) = 1
)

SELECT
    application.environment,
    application.service,
    last_seen.cluster,
    last_seen.cluster_uid,
    last_seen.namespace,
    last_seen.application,
    last_seen.uid,
    last_seen.started_at,
    CASE WHEN last_seen.phase NOT IN ('Running', 'Terminating') THEN last_seen.finished_at END AS finished_at,
    CASE
        WHEN last_seen.phase NOT IN ('Running', 'Terminating')
        THEN epoch(last_seen.finished_at) - epoch(last_seen.started_at)
    END AS operation_seconds,
    CASE WHEN last_seen.phase IN ('Running', 'Terminating') THEN 'running' ELSE lower(last_seen.phase) END AS outcome,
    last_seen.phase,
    last_seen.retry_count,
    last_seen.retry_limit,
    last_seen.message,
    coalesce(last_seen.revision, last_seen.requested_revision) AS revision,
    last_seen.initiated_by,
    last_seen.is_automated,
    last_seen.is_dry_run,
    last_seen.is_partial,
    last_seen.resource_count,
    last_seen.failed_resource_count,
    last_seen.observed_at
FROM last_seen
JOIN applications AS application
    ON application.cluster_uid = last_seen.cluster_uid AND application.uid = last_seen.uid
WHERE application.is_counted
