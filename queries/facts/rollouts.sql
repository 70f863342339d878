-- Rollouts: one row a sync that brought other revisions to an Application, and what came of it.
--
-- grain: cluster_uid, uid, sync_id, synced_at
-- reads: syncs, health_intervals, argocd_application
-- params:
--
-- A sync ends before the pods it replaces are ready, so health is read after it. A stretch of other health
-- that began at most 10 s after the sync's end belongs to it: Argo CD hears of new pods a moment later. The
-- rollout is healthy from the first Healthy stretch after the last such one; or, where health was seen to
-- stay as it was, at once, as with a change that replaces no pod; or from a transition time that tells
-- of a flap nobody saw. Never before the end of its sync; health after the next rollout began is the next one's.
-- The true time lies between `healthy_earliest_at` and `healthy_at`: they differ where Argo CD wrote no
-- transition time.
-- `outcome`:
--   healthy     it was healthy before it was replaced
--   degraded    it was not, and was seen Degraded
--   replaced    it was not, and the next rollout began
--   unobserved  the Application was not looked at between its sync and the next, so nobody knows
--   pending     it is the newest and not healthy yet
-- `is_first_known`: what ran before it is not known.
-- `failed_at` is when it was first Degraded, at most an hour after its sync: later trouble has other causes too.
-- `restored_at` is when the Application was Healthy again after that, whichever rollout brought it.
-- `is_failure`: it was Degraded so, or the next rollout went back to older revisions (`failure_reason`:
-- `degraded`, `rolled_back`). NULL is not yet known: unobserved, or the newest and seen for less than that hour.

WITH deploying AS (
    SELECT
        *,
        lead(started_at) OVER later AS replaced_at,
        lead(is_rollback) OVER later AS is_rolled_back
    FROM syncs
    WHERE is_deployment IS DISTINCT FROM false
    WINDOW later AS (PARTITION BY cluster_uid, uid ORDER BY deployed_at, sync_id)
),

observed AS (
    SELECT
        deploying.cluster_uid,
        deploying.uid,
        deploying.sync_id,
        deploying.deployed_at,
        count(*) AS observation_count,
        max(version.observed_at) AS last_observed_at
    FROM deploying
    JOIN argocd_application AS version
        ON version.cluster_uid = deploying.cluster_uid
        AND version.uid = deploying.uid
        AND version.observed_at >= deploying.deployed_at
        AND (deploying.replaced_at IS NULL OR version.observed_at < deploying.replaced_at)
    GROUP BY deploying.cluster_uid, deploying.uid, deploying.sync_id, deploying.deployed_at
),

troubled AS (
    SELECT
        deploying.cluster_uid,
        deploying.uid,
        deploying.sync_id,
        deploying.deployed_at,
        max(health.since) FILTER (health.since <= deploying.deployed_at + INTERVAL 10 SECOND) AS last_troubled_since,
        min(health.since) FILTER (
            health.health_status = 'Degraded' AND health.since >= deploying.started_at
        ) AS failed_at
    FROM deploying
    JOIN health_intervals AS health
        ON health.cluster_uid = deploying.cluster_uid
        AND health.uid = deploying.uid
        AND health.health_status != 'Healthy'
        AND NOT health.is_sync_unknown
        AND (health.until IS NULL OR health.until > deploying.started_at)
        AND (deploying.replaced_at IS NULL OR health.since < deploying.replaced_at)
        AND health.since <= deploying.deployed_at + INTERVAL 1 HOUR
    GROUP BY deploying.cluster_uid, deploying.uid, deploying.sync_id, deploying.deployed_at
),

followed AS (
    SELECT
        deploying.*,
        coalesce(observed.observation_count, 0) AS observation_count,
        observed.last_observed_at,
        troubled.last_troubled_since,
        troubled.failed_at
    FROM deploying
    LEFT JOIN observed
        ON observed.cluster_uid = deploying.cluster_uid
        AND observed.uid = deploying.uid
        AND observed.sync_id = deploying.sync_id
        AND observed.deployed_at = deploying.deployed_at
    LEFT JOIN troubled
        ON troubled.cluster_uid = deploying.cluster_uid
        AND troubled.uid = deploying.uid
        AND troubled.sync_id = deploying.sync_id
        AND troubled.deployed_at = deploying.deployed_at
),

healed AS (
    SELECT
        followed.cluster_uid,
        followed.uid,
        followed.sync_id,
        followed.deployed_at,
        min(health.since) FILTER (
            health.since >= coalesce(followed.last_troubled_since, followed.started_at)
            AND (followed.replaced_at IS NULL OR health.since < followed.replaced_at)
        ) AS healthy_since,
        bool_or(health.since < followed.started_at AND health.last_observed_at >= followed.deployed_at) AS is_steady,
        bool_or(
            health.since < followed.started_at
            AND health.last_observed_at >= followed.deployed_at + INTERVAL 10 SECOND
        ) AS is_steady_seen,
        min(health.since) FILTER (health.since >= followed.failed_at) AS restored_at
    FROM followed
    JOIN health_intervals AS health
        ON health.cluster_uid = followed.cluster_uid
        AND health.uid = followed.uid
        AND health.health_status = 'Healthy'
        AND (health.until IS NULL OR health.until > followed.started_at)
    GROUP BY followed.cluster_uid, followed.uid, followed.sync_id, followed.deployed_at
),

timed AS (
    SELECT
        followed.*,
        CASE
            WHEN followed.last_troubled_since IS NOT NULL THEN healed.healthy_since
            WHEN healed.is_steady_seen THEN followed.deployed_at
            WHEN healed.healthy_since IS NOT NULL THEN healed.healthy_since
            WHEN healed.is_steady THEN followed.deployed_at
        END AS healthy_since,
        healed.restored_at
    FROM followed
    LEFT JOIN healed
        ON healed.cluster_uid = followed.cluster_uid
        AND healed.uid = followed.uid
        AND healed.sync_id = followed.sync_id
        AND healed.deployed_at = followed.deployed_at
),

sighted AS (
    SELECT
        cluster_uid,
        uid,
        since,
        lag(last_observed_at) OVER (PARTITION BY cluster_uid, uid ORDER BY interval_number) AS seen_before_at,
        is_start_observed
    FROM health_intervals
)

SELECT
    timed.environment,
    timed.service,
    timed.runs_in_cluster,
    timed.cluster,
    timed.cluster_uid,
    timed.namespace,
    timed.application,
    timed.uid,
    timed.sync_id,
    timed.revision,
    timed.revisions_text,
    timed.started_at,
    timed.deployed_at AS synced_at,
    CASE
        WHEN timed.healthy_since IS NOT NULL
        THEN greatest(timed.deployed_at, coalesce(sighted.seen_before_at, timed.healthy_since))
    END AS healthy_earliest_at,
    CASE WHEN timed.healthy_since IS NOT NULL THEN greatest(timed.deployed_at, timed.healthy_since) END AS healthy_at,
    timed.replaced_at,
    CASE
        WHEN timed.healthy_since IS NOT NULL THEN 'healthy'
        WHEN timed.failed_at IS NOT NULL THEN 'degraded'
        WHEN timed.observation_count = 0 AND timed.replaced_at IS NOT NULL THEN 'unobserved'
        WHEN timed.replaced_at IS NOT NULL THEN 'replaced'
        ELSE 'pending'
    END AS outcome,
    timed.is_deployment IS NULL OR timed.sync_id = 0 AS is_first_known,
    timed.is_rollback,
    timed.failed_at,
    timed.restored_at,
    CASE
        WHEN timed.failed_at IS NOT NULL OR timed.is_rolled_back THEN true
        WHEN timed.observation_count = 0 THEN NULL
        WHEN timed.replaced_at IS NOT NULL THEN false
        WHEN timed.last_observed_at >= timed.deployed_at + INTERVAL 1 HOUR THEN false
    END AS is_failure,
    CASE
        WHEN timed.failed_at IS NOT NULL THEN 'degraded'
        WHEN timed.is_rolled_back THEN 'rolled_back'
    END AS failure_reason,
    timed.observed_at
FROM timed
LEFT JOIN sighted
    ON sighted.cluster_uid = timed.cluster_uid
    AND sighted.uid = timed.uid
    AND sighted.since = timed.healthy_since
    AND sighted.is_start_observed
