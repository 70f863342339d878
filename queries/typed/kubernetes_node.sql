-- Kubernetes Nodes: one row each state of a Node that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_kubernetes_node
-- params:
--
-- A Node takes new pods while Ready is True, it is not unschedulable, and a pod tolerates its taints
-- (`kubernetes_node_taint`). Ready is Unknown where its kubelet is not heard of.

SELECT
    cluster,
    cluster_uid,
    name AS node,
    uid,
    resource_version,
    event_type,
    observed_at,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    object.metadata.labels AS labels,
    coalesce(TRY_CAST(object.spec.unschedulable AS BOOLEAN), false) AS is_unschedulable,
    object.status.nodeInfo.kubeletVersion AS kubelet_version,
    ready.status AS ready_status,
    ready.reason AS ready_reason,
    TRY_CAST(ready.lastTransitionTime AS TIMESTAMPTZ) AS ready_changed_at
FROM (
    SELECT *, list_filter(object.status.conditions, lambda c: c.type = 'Ready')[1] AS ready
    FROM parsed_kubernetes_node
)
