-- Syncs beside the truth: one row a sync that truly brought a change of its service.
--
-- grain: part, subject_key
-- reads: syncs, truth_change_environment
-- params:
--
-- `part` is the environment. Argo CD syncs an Application for commits of other services too, so what was found
-- beyond the truth is not wrong, and has no row.
-- `error_seconds` is the end of the first sync of that revision less the true one.

WITH truly AS (
    SELECT environment, service, sync_revision, min(synced_at) AS synced_at
    FROM truth_change_environment
    WHERE synced_at IS NOT NULL
    GROUP BY environment, service, sync_revision
),

found AS (
    SELECT environment, application, revision, min(deployed_at) AS deployed_at
    FROM syncs
    GROUP BY environment, application, revision
)

SELECT
    truly.environment AS part,
    concat(truly.service, '@', truly.sync_revision) AS subject_key,
    true AS is_true,
    found.revision IS NOT NULL AS is_found,
    epoch(found.deployed_at) - epoch(truly.synced_at) AS error_seconds
FROM truly
LEFT JOIN found
    ON found.environment = truly.environment
    AND found.application = truly.service
    AND found.revision = truly.sync_revision
