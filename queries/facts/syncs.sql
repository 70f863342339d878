-- Syncs: one row a complete, successful sync of an Application.
--
-- grain: cluster_uid, uid, sync_id, deployed_at
-- reads: applications, argocd_application_sync
-- params:
--
-- From the Application's own history, so failed syncs are not here: see sync_operations.
-- `sync_seconds` runs from the start of the first attempt to the end of the sync, retries and their
-- back-off included; its resolution is one second. It does not reach to healthy pods.
-- A sync deploys (`is_deployment`) when its revisions differ from those of the sync before it; a
-- self-heal or a sync by hand of the same revisions does not. For the oldest sync that is kept
-- nothing is known of the one before: `is_deployment` is NULL there, unless its id is 0.
-- It rolls back (`is_rollback`) when it deploys revisions that an earlier one, not the last, had.
-- Where syncs right before it were forgotten (`forgotten_before_count`), what it has may have come with one of those:
-- after `earliest_deployed_at`, the end of the last one that is known.
-- Mirrors whose original was landed too are left out.

WITH first_deployments AS (
    SELECT cluster_uid, uid, revisions_text, min(deployed_at) AS first_deployed_at
    FROM argocd_application_sync
    GROUP BY cluster_uid, uid, revisions_text
),

ordered AS (
    SELECT
        sync.*,
        first_deployments.first_deployed_at,
        lag(sync.revisions_text) OVER history AS previous_revisions_text,
        lag(sync.sync_id) OVER history AS previous_sync_id,
        lag(sync.deployed_at) OVER history AS previous_deployed_at
    FROM argocd_application_sync AS sync
    JOIN first_deployments
        ON first_deployments.cluster_uid = sync.cluster_uid
        AND first_deployments.uid = sync.uid
        AND first_deployments.revisions_text IS NOT DISTINCT FROM sync.revisions_text
    WINDOW history AS (PARTITION BY sync.cluster_uid, sync.uid ORDER BY sync.deployed_at, sync.sync_id)
)

SELECT
    application.environment,
    application.service,
    application.runs_in_cluster,
    ordered.cluster,
    ordered.cluster_uid,
    ordered.namespace,
    ordered.application,
    ordered.uid,
    ordered.sync_id,
    ordered.revision,
    ordered.revisions_text,
    ordered.started_at,
    ordered.deployed_at,
    epoch(ordered.deployed_at) - epoch(ordered.started_at) AS sync_seconds,
    ordered.initiated_by,
    ordered.is_automated,
    CASE
        WHEN ordered.previous_sync_id IS NULL AND ordered.sync_id > 0 THEN NULL
        ELSE ordered.revisions_text IS DISTINCT FROM ordered.previous_revisions_text
    END AS is_deployment,
    ordered.previous_sync_id IS NOT NULL
        AND ordered.revisions_text IS DISTINCT FROM ordered.previous_revisions_text
        AND ordered.first_deployed_at < ordered.deployed_at AS is_rollback,
    coalesce(ordered.sync_id - ordered.previous_sync_id - 1, 0) AS forgotten_before_count,
    CASE WHEN ordered.sync_id - ordered.previous_sync_id > 1 THEN ordered.previous_deployed_at END AS earliest_deployed_at,
    ordered.observed_at
FROM ordered
JOIN applications AS application
    ON application.cluster_uid = ordered.cluster_uid AND application.uid = ordered.uid
WHERE application.is_counted
