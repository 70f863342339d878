-- Health intervals: one row a stretch of time in which an Application was seen with one health status.
--
-- grain: cluster_uid, uid, interval_number
-- reads: applications, argocd_application
-- params:
--
-- A stretch starts at the transition time that Argo CD wrote, or, where it wrote none, when the status
-- was first seen (`is_start_observed` is then true, and the true start lies before it). It ends
-- where the next one starts; the last one is open: `until` is NULL, `last_observed_at` says how long
-- it was seen.
-- `Unknown` beside an `Unknown` sync status is a comparison that failed, not an outage.

WITH changes AS (
    SELECT
        *,
        health_status IS DISTINCT FROM lag(health_status) OVER versions
            OR coalesce(health_changed_at > lag(health_changed_at) OVER versions, false) AS is_change
    FROM argocd_application
    WHERE health_status IS NOT NULL
    WINDOW versions AS (
        PARTITION BY cluster_uid, uid ORDER BY observed_at, length(resource_version), resource_version
    )
),

numbered AS (
    SELECT
        *,
        count(*) FILTER (is_change) OVER (
            PARTITION BY cluster_uid, uid ORDER BY observed_at, length(resource_version), resource_version
        ) AS interval_number
    FROM changes
),

stretches AS (
    SELECT
        cluster_uid,
        uid,
        interval_number,
        min(health_status) AS health_status,
        min(health_changed_at) AS changed_at,
        min(observed_at) AS first_observed_at,
        max(observed_at) AS last_observed_at,
        bool_and(sync_status IS NOT DISTINCT FROM 'Unknown') AS is_sync_unknown,
        max_by(health_message, observed_at) AS health_message
    FROM numbered
    GROUP BY cluster_uid, uid, interval_number
)

SELECT
    application.environment,
    application.service,
    application.cluster,
    stretches.cluster_uid,
    application.namespace,
    application.application,
    stretches.uid,
    stretches.interval_number,
    stretches.health_status,
    stretches.health_message,
    stretches.is_sync_unknown,
    coalesce(stretches.changed_at, stretches.first_observed_at) AS since,
    lead(coalesce(stretches.changed_at, stretches.first_observed_at)) OVER (
        PARTITION BY stretches.cluster_uid, stretches.uid ORDER BY stretches.interval_number
    ) AS until,
    stretches.changed_at IS NULL AS is_start_observed,
    stretches.first_observed_at,
    stretches.last_observed_at
FROM stretches
JOIN applications AS application
    ON application.cluster_uid = stretches.cluster_uid AND application.uid = stretches.uid
WHERE application.is_counted
