-- Rollouts of a window: one row a sync of it that deployed, and what came of it, as of a time.
--
-- grain: cluster_uid, uid, sync_id, synced_at
-- reads: rollouts, rollout_releases, change_environments
-- params: since, until, as_of, environment
--
-- In the window are rollouts whose sync ended in it. What happened after $as_of is not known yet: whether a rollout
-- failed is known when it did, or when it was replaced, or an hour after it; see the fact. An empty $environment is
-- all of them. `change_count` is how many changes were first synced by it.

WITH carried AS (
    SELECT environment, service, synced_revision, count(*) AS change_count
    FROM change_environments
    WHERE synced_revision IS NOT NULL
    GROUP BY environment, service, synced_revision
)

SELECT
    rollout.environment,
    rollout.service,
    rollout.application,
    rollout.cluster,
    rollout.cluster_uid,
    rollout.uid,
    rollout.sync_id,
    rollout.revision,
    release.config_sha,
    release.source_sha,
    release.image_name,
    release.tag,
    rollout.started_at,
    rollout.synced_at,
    CASE WHEN rollout.healthy_at <= $as_of THEN rollout.healthy_at END AS healthy_at,
    CASE WHEN rollout.replaced_at <= $as_of THEN rollout.replaced_at END AS replaced_at,
    CASE
        WHEN rollout.healthy_at <= $as_of THEN 'healthy'
        WHEN rollout.failed_at <= $as_of THEN 'degraded'
        WHEN rollout.replaced_at <= $as_of AND rollout.outcome = 'unobserved' THEN 'unobserved'
        WHEN rollout.replaced_at <= $as_of THEN 'replaced'
        ELSE 'pending'
    END AS outcome,
    rollout.is_first_known,
    rollout.is_rollback OR release.is_step_back AS is_rollback,
    CASE
        WHEN rollout.failed_at <= $as_of THEN true
        WHEN rollout.failure_reason = 'rolled_back' AND rollout.replaced_at <= $as_of THEN true
        WHEN rollout.is_failure IS NULL THEN NULL
        WHEN rollout.replaced_at <= $as_of OR rollout.synced_at + INTERVAL 1 HOUR <= $as_of THEN false
    END AS is_failure,
    CASE
        WHEN rollout.failed_at <= $as_of THEN 'degraded'
        WHEN rollout.failure_reason = 'rolled_back' AND rollout.replaced_at <= $as_of THEN 'rolled_back'
    END AS failure_reason,
    CASE WHEN rollout.failed_at <= $as_of THEN rollout.failed_at END AS failed_at,
    CASE WHEN rollout.restored_at <= $as_of THEN rollout.restored_at END AS restored_at,
    coalesce(carried.change_count, 0) AS change_count
FROM rollouts AS rollout
JOIN rollout_releases AS release
    ON release.cluster_uid = rollout.cluster_uid
    AND release.uid = rollout.uid
    AND release.sync_id = rollout.sync_id
    AND release.synced_at = rollout.synced_at
LEFT JOIN carried
    ON carried.environment = rollout.environment
    AND carried.service = rollout.service
    AND carried.synced_revision = rollout.revision
WHERE
    rollout.synced_at >= $since
    AND rollout.synced_at < $until
    AND rollout.synced_at <= $as_of
    AND ($environment = '' OR rollout.environment = $environment)
