-- Applications: one row an Argo CD Application, as it was last seen.
--
-- grain: cluster_uid, uid
-- reads: argocd_application, configured_cluster, configured_environment, configured_environment_application, configured_service_pattern
-- params:
--
-- A mirror is the copy that argocd-agent keeps on the hub. Where its original was landed too,
-- `is_counted` is false for the mirror, so that nothing is counted twice.
-- `runs_in_cluster` is where its pods are: the cluster it was read from, or, for a mirror or an
-- Application with another destination, the configured cluster that its namespace or its
-- destination's name says.
-- `environment` is the first one in gitopslab.toml whose cluster and patterns fit; where none is
-- configured for that cluster, the cluster's name stands for it.
-- `is_deleted` means a DELETED event or a deletion time was seen; an Application that merely was not
-- seen again is not deleted.

WITH latest AS (
    SELECT *
    FROM argocd_application
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, uid ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
),

seen AS (
    SELECT cluster_uid, uid, min(observed_at) AS first_observed_at, count(*) AS version_count
    FROM argocd_application
    GROUP BY cluster_uid, uid
),

placed AS (
    SELECT
        latest.*,
        coalesce(by_destination.cluster, by_namespace.cluster, latest.cluster) AS runs_in_cluster,
        latest.source_uid IS NOT NULL AS is_mirror,
        latest.source_uid IS NULL OR original.uid IS NULL AS is_counted
    FROM latest
    LEFT JOIN configured_cluster AS by_destination ON by_destination.cluster = latest.destination_name
    LEFT JOIN configured_cluster AS by_namespace
        ON by_namespace.cluster = latest.namespace AND latest.source_uid IS NOT NULL
    LEFT JOIN (SELECT DISTINCT uid FROM latest WHERE source_uid IS NULL) AS original ON original.uid = latest.source_uid
),

environments AS (
    SELECT placed.cluster_uid, placed.uid, environment.environment, environment.lane
    FROM placed
    JOIN configured_environment AS environment ON environment.cluster = placed.runs_in_cluster
    JOIN configured_environment_application AS pattern ON pattern.environment = environment.environment
    WHERE regexp_matches(placed.application, pattern.application_pattern)
    QUALIFY row_number() OVER (PARTITION BY placed.cluster_uid, placed.uid ORDER BY environment.environment_number) = 1
),

services AS (
    SELECT placed.cluster_uid, placed.uid, min(pattern.service) AS service
    FROM placed
    JOIN configured_service_pattern AS pattern
        ON pattern.kind = 'application' AND regexp_matches(placed.application, pattern.pattern)
    GROUP BY placed.cluster_uid, placed.uid
)

SELECT
    placed.cluster,
    placed.cluster_uid,
    placed.namespace,
    placed.application,
    placed.uid,
    placed.source_uid,
    placed.is_mirror,
    placed.is_counted,
    placed.runs_in_cluster,
    coalesce(environments.environment, placed.runs_in_cluster) AS environment,
    environments.environment IS NOT NULL AS is_environment_configured,
    environments.lane,
    coalesce(services.service, placed.application) AS service,
    services.service IS NOT NULL AS is_service_configured,
    placed.project,
    placed.repository_url,
    placed.source_path,
    placed.target_revision,
    placed.hydrated_branch,
    placed.sync_status,
    placed.sync_revision,
    placed.health_status,
    placed.health_changed_at,
    placed.operation_phase,
    placed.history_count,
    placed.revision_history_limit,
    placed.created_at,
    coalesce(placed.event_type = 'DELETED', false) OR placed.deleted_at IS NOT NULL AS is_deleted,
    seen.first_observed_at,
    placed.observed_at AS last_observed_at,
    seen.version_count
FROM placed
JOIN seen ON seen.cluster_uid = placed.cluster_uid AND seen.uid = placed.uid
LEFT JOIN environments ON environments.cluster_uid = placed.cluster_uid AND environments.uid = placed.uid
LEFT JOIN services ON services.cluster_uid = placed.cluster_uid AND services.uid = placed.uid
