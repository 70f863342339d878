-- Healthy before sync: one row a rollout whose health began before its sync had ended.
--
-- grain: cluster_uid, uid, sync_id, found_at
-- reads: rollouts
-- params: since, until
--
-- Health before the end of the sync is the health of what ran before, so a lead time must not end with it.

SELECT
    cluster_uid,
    uid,
    sync_id,
    environment,
    service,
    cluster || '/' || namespace || '/' || application || ' sync ' || CAST(sync_id AS VARCHAR) AS subject,
    synced_at AS found_at,
    'healthy ' || CAST(epoch(synced_at) - epoch(healthy_at) AS VARCHAR) || ' s before its sync ended' AS message
FROM rollouts
WHERE healthy_at < synced_at AND synced_at >= $since AND synced_at < $until
