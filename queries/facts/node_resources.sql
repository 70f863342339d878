-- Node resources: one row a resource of a Node, as it was last seen.
--
-- grain: cluster_uid, node, resource
-- reads: kubernetes_node, kubernetes_node_condition, kubernetes_node_resource, kubernetes_node_taint
-- params:
--
-- Of a Node that was made anew under its name, the last; a deleted one has no row.
-- `takes_pods` is true where the Node is Ready, not unschedulable, under no pressure, and has no taint that keeps pods
-- away but those of a dedicated pool, which its pods tolerate: of taints only Kubernetes' own (node.kubernetes.io/…,
-- node.cloudprovider.kubernetes.io/…) count.
-- Allocatable is what pods may ask for in all, not what is left: Pods are not landed. A sum over nodes overstates what
-- fits, since a pod runs on one.

WITH latest AS (
    SELECT *
    FROM kubernetes_node
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, node
        ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
),

pressures AS (
    SELECT cluster_uid, uid, resource_version, count(*) AS pressure_count
    FROM kubernetes_node_condition
    WHERE type IN ('MemoryPressure', 'DiskPressure', 'PIDPressure', 'NetworkUnavailable') AND status = 'True'
    GROUP BY cluster_uid, uid, resource_version
),

taints AS (
    SELECT cluster_uid, uid, resource_version, count(*) AS taint_count
    FROM kubernetes_node_taint
    WHERE
        effect IN ('NoSchedule', 'NoExecute')
        AND (key LIKE 'node.kubernetes.io/%' OR key LIKE 'node.cloudprovider.kubernetes.io/%')
    GROUP BY cluster_uid, uid, resource_version
)

SELECT
    latest.cluster,
    latest.cluster_uid,
    latest.node,
    latest.uid,
    resource.resource,
    resource.allocatable,
    resource.capacity,
    latest.labels,
    latest.ready_status,
    latest.is_unschedulable,
    coalesce(pressures.pressure_count, 0) AS pressure_count,
    coalesce(latest.ready_status = 'True', false)
        AND NOT latest.is_unschedulable
        AND pressures.pressure_count IS NULL
        AND taints.taint_count IS NULL AS takes_pods,
    latest.observed_at
FROM latest
JOIN kubernetes_node_resource AS resource
    ON latest.cluster_uid = resource.cluster_uid
    AND latest.uid = resource.uid
    AND latest.resource_version = resource.resource_version
LEFT JOIN pressures
    ON latest.cluster_uid = pressures.cluster_uid
    AND latest.uid = pressures.uid
    AND latest.resource_version = pressures.resource_version
LEFT JOIN taints
    ON latest.cluster_uid = taints.cluster_uid
    AND latest.uid = taints.uid
    AND latest.resource_version = taints.resource_version
WHERE latest.event_type IS DISTINCT FROM 'DELETED'
