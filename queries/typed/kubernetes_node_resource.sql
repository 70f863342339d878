-- Resources of Kubernetes Nodes: one row a resource, in each state of a Node that was seen.
--
-- grain: cluster_uid, uid, resource_version, resource
-- reads: parsed_kubernetes_node
-- params:
--
-- Allocatable is what pods may ask for: capacity without what the system and eviction thresholds keep back. Amounts are
-- in the resource's own unit (cores, bytes, pods, devices). What Pods asked for is in node_pod_requests.

SELECT
    cluster,
    cluster_uid,
    name AS node,
    uid,
    resource_version,
    observed_at,
    resource,
    quantity(object.status.allocatable[resource]) AS allocatable,
    quantity(object.status.capacity[resource]) AS capacity
FROM (SELECT *, unnest(map_keys(object.status.allocatable)) AS resource FROM parsed_kubernetes_node)
