-- Taints of Kubernetes Nodes: one row a taint, in each state of a Node that was seen.
--
-- grain: cluster_uid, uid, resource_version, key, effect
-- reads: parsed_kubernetes_node
-- params:
--
-- NoSchedule keeps pods away that do not tolerate it, NoExecute drives out those that run, PreferNoSchedule is a wish.

SELECT
    cluster,
    cluster_uid,
    name AS node,
    uid,
    resource_version,
    observed_at,
    taint.key AS key,
    taint.value AS value,
    taint.effect AS effect,
    TRY_CAST(taint.timeAdded AS TIMESTAMPTZ) AS added_at
FROM (SELECT *, unnest(object.spec.taints) AS taint FROM parsed_kubernetes_node)
