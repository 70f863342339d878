-- Resource flavors as of a time: one row a ResourceFlavor of a cluster, and which Nodes it stands for.
--
-- grain: cluster_uid, flavor
-- reads: kueue_resource_flavor
-- params: as_of, cluster
--
-- As last seen by then; a deleted one has no row. A flavor without labels stands for every Node.

WITH latest AS (
    SELECT *
    FROM kueue_resource_flavor
    WHERE cluster = $cluster AND observed_at <= $as_of
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, flavor
        ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
)

SELECT cluster, cluster_uid, flavor, node_labels
FROM latest
WHERE event_type IS DISTINCT FROM 'DELETED'
ORDER BY flavor
