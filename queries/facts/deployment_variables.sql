-- Deployment variables: one row a stretch of time in which an environment variable of a container was set the same.
--
-- grain: cluster_uid, namespace, deployment, container, name, since
-- reads: kubernetes_deployment, kubernetes_deployment_environment
-- params:
--
-- Only variables on the allow-list, which have values or say what they refer to; the effective one of two of a name.
-- [since, until) is in the time at which versions were seen; the last stretch has no `until` unless the Deployment was
-- deleted. What is set in the Deployment runs in its pods only when the rollout is over (`kubernetes_deployment`).
-- A variable that was taken away ends; one that is set again the same later is a stretch of its own.

WITH versions AS (
    SELECT
        cluster,
        cluster_uid,
        namespace,
        deployment,
        uid,
        resource_version,
        event_type,
        observed_at,
        row_number() OVER in_order AS version_number,
        lead(observed_at) OVER in_order AS next_observed_at
    FROM kubernetes_deployment
    WINDOW in_order AS (
        PARTITION BY cluster_uid, namespace, deployment
        ORDER BY observed_at, length(resource_version), resource_version
    )
),

settings AS (
    SELECT
        versions.cluster,
        versions.cluster_uid,
        versions.namespace,
        versions.deployment,
        variable.container,
        variable.name,
        variable.value,
        variable.reference,
        versions.observed_at,
        versions.next_observed_at,
        versions.version_number
    FROM versions
    JOIN kubernetes_deployment_environment AS variable
        ON versions.cluster_uid = variable.cluster_uid
        AND versions.uid = variable.uid
        AND versions.resource_version = variable.resource_version
    WHERE
        variable.is_effective
        AND (variable.value IS NOT NULL OR variable.reference IS NOT NULL)
        AND versions.event_type IS DISTINCT FROM 'DELETED'
        AND (versions.next_observed_at IS NULL OR versions.next_observed_at > versions.observed_at)
),

compared AS (
    SELECT
        *,
        lag(next_observed_at) OVER in_order IS NOT DISTINCT FROM observed_at
            AND lag(value) OVER in_order IS NOT DISTINCT FROM value
            AND lag(reference) OVER in_order IS NOT DISTINCT FROM reference AS is_same
    FROM settings
    WINDOW in_order AS (
        PARTITION BY cluster_uid, namespace, deployment, container, name ORDER BY version_number
    )
),

numbered AS (
    SELECT
        *,
        sum(CASE WHEN is_same THEN 0 ELSE 1 END) OVER (
            PARTITION BY cluster_uid, namespace, deployment, container, name ORDER BY version_number
        ) AS stretch_number
    FROM compared
)

SELECT
    cluster,
    cluster_uid,
    namespace,
    deployment,
    container,
    name,
    value,
    reference,
    min(observed_at) AS since,
    CASE WHEN count(next_observed_at) = count(*) THEN max(next_observed_at) END AS until
FROM numbered
GROUP BY cluster, cluster_uid, namespace, deployment, container, name, value, reference, stretch_number
