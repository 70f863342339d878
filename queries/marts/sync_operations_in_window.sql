-- Sync operations in a window: one row an operation that began in it, whatever came of it.
--
-- grain: cluster_uid, uid, started_at
-- reads: sync_operations
-- params: environment, since, until
--
-- The window is [since, until) in UTC, on the start. An empty `environment` asks for all.
-- Dry runs and syncs of chosen resources are here, and say so.

SELECT
    environment,
    service,
    application,
    cluster,
    cluster_uid,
    uid,
    started_at,
    finished_at,
    operation_seconds,
    outcome,
    retry_count,
    is_dry_run,
    is_partial,
    revision,
    message
FROM sync_operations
WHERE ($environment = '' OR environment = $environment) AND started_at >= $since AND started_at < $until
ORDER BY started_at, application
