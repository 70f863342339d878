-- Kueue ResourceFlavors: one row each state of a ResourceFlavor that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_kueue_resource_flavor
-- params:
--
-- A flavor without node labels fits any node. A ResourceFlavor has no status.

SELECT
    cluster,
    cluster_uid,
    name AS flavor,
    uid,
    resource_version,
    event_type,
    observed_at,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    TRY_CAST(object.metadata.generation AS BIGINT) AS generation,
    object.spec.nodeLabels AS node_labels,
    list_transform(object.spec.nodeTaints, lambda t: concat(t.key, '=', t.value, ':', t.effect)) AS node_taints,
    coalesce(len(object.spec.tolerations), 0) AS toleration_count,
    object.spec.topologyName AS topology
FROM parsed_kueue_resource_flavor
