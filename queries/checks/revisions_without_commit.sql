-- Revisions without a commit: one row a rollout of a revision that no landed branch of the environment holds.
--
-- grain: cluster_uid, uid, sync_id, found_at
-- reads: rollout_releases
-- params: since, until
--
-- Somebody synced another branch or tag, the branch was rewritten, or its repository was not read as far. The
-- changes such a rollout brought are not known, so none is delivered by it.

SELECT
    cluster_uid,
    uid,
    sync_id,
    environment,
    service,
    application || ' sync ' || CAST(sync_id AS VARCHAR) AS subject,
    synced_at AS found_at,
    'no landed commit of the environment''s branch is ' || coalesce(substr(revision, 1, 12), 'its revision') AS message
FROM rollout_releases
WHERE config_position IS NULL AND synced_at >= $since AND synced_at < $until
