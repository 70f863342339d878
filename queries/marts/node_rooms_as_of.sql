-- Room on Nodes as of a time: one row a resource of a Node, what its Pods left of it.
--
-- grain: cluster_uid, node, resource
-- reads: kubernetes_node, kubernetes_node_condition, kubernetes_node_resource, kubernetes_node_taint, node_pod_requests
-- params: as_of, cluster
--
-- Each Node as it was last seen by then; a deleted one has no row. `room` is what is allocatable less what Pods bound to
-- it ask for, whether they run yet or not; NULL where no Pod of the cluster was seen by then, or one asks for what could
-- not be read. `takes_pods` is true where the Node is Ready, not unschedulable, under no pressure, and has no taint that
-- keeps Pods away but those of a dedicated pool, which its Pods tolerate: of taints only Kubernetes' own
-- (node.kubernetes.io/…, node.cloudprovider.kubernetes.io/…) count. A sum over Nodes overstates what fits, since a Pod
-- runs on one.

WITH latest AS (
    SELECT *
    FROM kubernetes_node
    WHERE cluster = $cluster AND observed_at <= $as_of
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
),

held AS (
    SELECT
        cluster_uid,
        node,
        resource,
        CASE WHEN count(request) = count(*) THEN sum(request) END AS requested,
        count(*) AS pod_count
    FROM node_pod_requests
    WHERE cluster = $cluster AND since <= $as_of AND (until IS NULL OR until > $as_of)
    GROUP BY cluster_uid, node, resource
),

watched AS (
    SELECT cluster_uid, count(*) AS seen_count
    FROM node_pod_requests
    WHERE cluster = $cluster AND since <= $as_of
    GROUP BY cluster_uid
)

SELECT
    latest.cluster,
    latest.cluster_uid,
    latest.node,
    resource.resource,
    resource.allocatable,
    CASE
        WHEN watched.seen_count IS NOT NULL AND held.node IS NULL THEN resource.allocatable
        WHEN watched.seen_count IS NOT NULL THEN resource.allocatable - held.requested
    END AS room,
    coalesce(held.pod_count, 0) AS pod_count,
    latest.labels,
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
LEFT JOIN held
    ON latest.cluster_uid = held.cluster_uid AND latest.node = held.node AND resource.resource = held.resource
LEFT JOIN watched ON latest.cluster_uid = watched.cluster_uid
WHERE latest.event_type IS DISTINCT FROM 'DELETED'
ORDER BY latest.node, resource.resource
