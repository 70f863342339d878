-- Syncs in a window: one row a sync that ended in it.
--
-- grain: cluster_uid, uid, sync_id, deployed_at
-- reads: syncs
-- params: environment, since, until
--
-- The window is [since, until) in UTC, on the end of the sync. An empty `environment` asks for all.

SELECT
    environment,
    service,
    application,
    cluster_uid,
    uid,
    sync_id,
    revision,
    started_at,
    deployed_at,
    sync_seconds,
    is_automated,
    is_deployment,
    is_rollback,
    forgotten_before_count
FROM syncs
WHERE ($environment = '' OR environment = $environment) AND deployed_at >= $since AND deployed_at < $until
ORDER BY deployed_at, application, sync_id
