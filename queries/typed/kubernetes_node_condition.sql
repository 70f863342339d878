-- Conditions of Kubernetes Nodes: one row a condition, in each state of a Node that was seen.
--
-- grain: cluster_uid, uid, resource_version, type
-- reads: parsed_kubernetes_node
-- params:
--
-- MemoryPressure, DiskPressure and PIDPressure are True under pressure; Ready is True without. Others may be there.

SELECT
    cluster,
    cluster_uid,
    name AS node,
    uid,
    resource_version,
    observed_at,
    condition.type AS type,
    condition.status AS status,
    condition.reason AS reason,
    condition.message AS message,
    TRY_CAST(condition.lastHeartbeatTime AS TIMESTAMPTZ) AS heard_at,
    TRY_CAST(condition.lastTransitionTime AS TIMESTAMPTZ) AS changed_at
FROM (SELECT *, unnest(object.status.conditions) AS condition FROM parsed_kubernetes_node)
