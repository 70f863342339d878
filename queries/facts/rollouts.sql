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
-- `is_first_known`: what ran before it is not known. `synced_earliest_at` is there where syncs right before it were
-- forgotten: what it brought came with one of them, at any time since then, or with this one.
-- `failed_at` is when it was first Degraded, at most an hour after its sync: later trouble has other causes too.
-- `restored_at` is when the Application was Healthy again after that, whichever rollout brought it.
-- `is_failure`: it was Degraded so, or the next rollout went back to older revisions (`failure_reason`:
-- `degraded`, `rolled_back`). NULL is not yet known: unobserved, or the newest and seen for less than that hour.

WITH deploying AS (
    SELECT
        *,
        row_number() OVER later AS rollout_number,
        lead(started_at) OVER later AS replaced_at,
        lead(is_rollback) OVER later AS is_rolled_back
    FROM syncs
    WHERE is_deployment IS DISTINCT FROM false
    WINDOW later AS (PARTITION BY cluster_uid, uid ORDER BY started_at, deployed_at, sync_id)
),

health AS (
    SELECT
        cluster_uid,
        uid,
        interval_number,
        health_status,
        since,
        last_observed_at,
        is_sync_unknown,
        min(CASE WHEN health_status = 'Healthy' THEN since END) OVER (
            PARTITION BY cluster_uid, uid
            ORDER BY interval_number
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS next_healthy_since
    FROM health_intervals
),

-- Everything that tells of one Application in the order of time, so that each row knows the rollout it falls into.
line AS (
    SELECT cluster_uid, uid, started_at AS happened_at, 1 AS place, rollout_number, CAST(NULL AS BIGINT) AS interval_number
    FROM deploying
    UNION ALL
    SELECT cluster_uid, uid, since, 2, NULL, interval_number
    FROM health
    UNION ALL
    SELECT cluster_uid, uid, observed_at, 3, NULL, NULL
    FROM argocd_application
),

told AS (
    SELECT
        cluster_uid,
        uid,
        happened_at,
        place,
        interval_number AS own_interval_number,
        max(rollout_number) OVER told_before AS rollout_number,
        max(interval_number) OVER told_before AS interval_number
    FROM line
    WINDOW told_before AS (
        PARTITION BY cluster_uid, uid ORDER BY happened_at, place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
),

observed AS (
    SELECT
        told.cluster_uid,
        told.uid,
        told.rollout_number,
        count(*) AS observation_count,
        max(told.happened_at) AS last_observed_at
    FROM told
    JOIN deploying
        ON deploying.cluster_uid = told.cluster_uid
        AND deploying.uid = told.uid
        AND deploying.rollout_number = told.rollout_number
        AND told.happened_at >= deploying.deployed_at
    WHERE told.place = 3
    GROUP BY told.cluster_uid, told.uid, told.rollout_number
),

standing AS (
    SELECT
        told.cluster_uid,
        told.uid,
        told.rollout_number,
        health.health_status,
        health.since,
        health.last_observed_at,
        health.is_sync_unknown
    FROM told
    JOIN health
        ON health.cluster_uid = told.cluster_uid
        AND health.uid = told.uid
        AND health.interval_number = told.interval_number
    WHERE told.place = 1
),

troubled AS (
    SELECT
        told.cluster_uid,
        told.uid,
        told.rollout_number,
        max(health.since) FILTER (health.since <= deploying.deployed_at + INTERVAL 10 SECOND) AS last_troubled_since,
        min(health.since) FILTER (
            health.health_status = 'Degraded' AND health.since <= deploying.deployed_at + INTERVAL 1 HOUR
        ) AS failed_at
    FROM told
    JOIN health
        ON health.cluster_uid = told.cluster_uid
        AND health.uid = told.uid
        AND health.interval_number = told.own_interval_number
        AND health.health_status <> 'Healthy'
        AND NOT health.is_sync_unknown
    JOIN deploying
        ON deploying.cluster_uid = told.cluster_uid
        AND deploying.uid = told.uid
        AND deploying.rollout_number = told.rollout_number
    GROUP BY told.cluster_uid, told.uid, told.rollout_number
),

followed AS (
    SELECT
        deploying.*,
        coalesce(observed.observation_count, 0) AS observation_count,
        observed.last_observed_at,
        coalesce(
            troubled.last_troubled_since,
            CASE WHEN standing.health_status <> 'Healthy' AND NOT standing.is_sync_unknown THEN standing.since END
        ) AS last_troubled_since,
        troubled.failed_at,
        standing.health_status = 'Healthy' AND standing.last_observed_at >= deploying.deployed_at AS is_steady,
        standing.health_status = 'Healthy'
        AND standing.last_observed_at >= deploying.deployed_at + INTERVAL 10 SECOND AS is_steady_seen
    FROM deploying
    LEFT JOIN observed
        ON observed.cluster_uid = deploying.cluster_uid
        AND observed.uid = deploying.uid
        AND observed.rollout_number = deploying.rollout_number
    LEFT JOIN standing
        ON standing.cluster_uid = deploying.cluster_uid
        AND standing.uid = deploying.uid
        AND standing.rollout_number = deploying.rollout_number
    LEFT JOIN troubled
        ON troubled.cluster_uid = deploying.cluster_uid
        AND troubled.uid = deploying.uid
        AND troubled.rollout_number = deploying.rollout_number
),

healed AS (
    SELECT told.cluster_uid, told.uid, told.rollout_number, min(health.since) AS healthy_since
    FROM told
    JOIN health
        ON health.cluster_uid = told.cluster_uid
        AND health.uid = told.uid
        AND health.interval_number = told.own_interval_number
        AND health.health_status = 'Healthy'
    JOIN followed
        ON followed.cluster_uid = told.cluster_uid
        AND followed.uid = told.uid
        AND followed.rollout_number = told.rollout_number
        AND health.since >= coalesce(followed.last_troubled_since, followed.started_at)
    GROUP BY told.cluster_uid, told.uid, told.rollout_number
),

timed AS (
    SELECT
        followed.*,
        CASE
            WHEN followed.last_troubled_since IS NOT NULL THEN healed.healthy_since
            WHEN followed.is_steady_seen THEN followed.deployed_at
            WHEN healed.healthy_since IS NOT NULL THEN healed.healthy_since
            WHEN followed.is_steady THEN followed.deployed_at
        END AS healthy_since,
        failing.next_healthy_since AS restored_at
    FROM followed
    LEFT JOIN healed
        ON healed.cluster_uid = followed.cluster_uid
        AND healed.uid = followed.uid
        AND healed.rollout_number = followed.rollout_number
    LEFT JOIN health AS failing
        ON failing.cluster_uid = followed.cluster_uid
        AND failing.uid = followed.uid
        AND failing.since = followed.failed_at
        AND failing.health_status = 'Degraded'
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
    timed.earliest_deployed_at AS synced_earliest_at,
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
