-- Argo CD operations: one row each phase of an operation that was seen.
--
-- grain: cluster_uid, uid, started_at, phase, retry_count, finished_at
-- reads: parsed_argocd_application
-- params:
--
-- `operationState` is replaced whole: by the next request, and by each retry, which keeps `started_at`.
-- `finished_at` beside phase Running means: waiting for the next retry.
-- An operation that came and went between two observations is not here.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS application,
    uid,
    resource_version,
    observed_at,
    object.status.operationState.phase AS phase,
    TRY_CAST(object.status.operationState.startedAt AS TIMESTAMPTZ) AS started_at,
    TRY_CAST(object.status.operationState.finishedAt AS TIMESTAMPTZ) AS finished_at,
    coalesce(TRY_CAST(object.status.operationState.retryCount AS BIGINT), 0) AS retry_count,
    TRY_CAST(object.status.operationState.operation.retry."limit" AS BIGINT) AS retry_limit,
    object.status.operationState.message AS message,
    object.status.operationState.operation.initiatedBy.username AS initiated_by,
    coalesce(object.status.operationState.operation.initiatedBy.automated, 'false') = 'true' AS is_automated,
    coalesce(object.status.operationState.operation.sync.dryRun, 'false') = 'true' AS is_dry_run,
    coalesce(len(object.status.operationState.operation.sync.resources), 0) > 0 AS is_partial,
    TRY_CAST(object.status.operationState.operation.sync.autoHealAttemptsCount AS BIGINT) AS self_heal_attempt_count,
    nullif(object.status.operationState.operation.sync.revision, '') AS requested_revision,
    nullif(object.status.operationState.syncResult.revision, '') AS revision,
    CASE
        WHEN len(object.status.operationState.syncResult.revisions) > 0 THEN object.status.operationState.syncResult.revisions
        WHEN nullif(object.status.operationState.syncResult.revision, '') IS NOT NULL
        THEN [object.status.operationState.syncResult.revision]
    END AS revisions,
    len(object.status.operationState.syncResult.resources) AS resource_count,
    len(list_filter(object.status.operationState.syncResult.resources, lambda r: r.status = 'SyncFailed'))
        AS failed_resource_count
FROM parsed_argocd_application
WHERE object.status.operationState.startedAt IS NOT NULL
