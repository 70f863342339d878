-- Usage of Kueue ClusterQueues: one row a flavor and resource, in each state of a ClusterQueue that was seen.
--
-- grain: cluster_uid, uid, resource_version, flavor, resource
-- reads: parsed_kueue_cluster_queue
-- params:
--
-- `reserved_` counts Workloads that hold quota, `used_` the admitted ones among them. `_borrowed` is what goes beyond
-- the queue's own nominal quota; what it lends to others is not reported. What one of the two lists
-- lacks is NULL.

SELECT
    cluster,
    cluster_uid,
    name AS cluster_queue,
    uid,
    resource_version,
    observed_at,
    flavor,
    resource,
    quantity(reserved_total) AS reserved_total,
    reserved_total AS reserved_total_text,
    quantity(reserved_borrowed) AS reserved_borrowed,
    reserved_borrowed AS reserved_borrowed_text,
    quantity(used_total) AS used_total,
    used_total AS used_total_text,
    quantity(used_borrowed) AS used_borrowed,
    used_borrowed AS used_borrowed_text
FROM (
    SELECT
        cluster, cluster_uid, name, uid, resource_version, observed_at, flavor, resource.name AS resource,
        max(resource.total) FILTER (NOT is_usage) AS reserved_total,
        max(resource.borrowed) FILTER (NOT is_usage) AS reserved_borrowed,
        max(resource.total) FILTER (is_usage) AS used_total,
        max(resource.borrowed) FILTER (is_usage) AS used_borrowed
    FROM (
        SELECT * EXCLUDE (flavor), flavor.name AS flavor, unnest(flavor.resources) AS resource
        FROM (
            SELECT
                cluster, cluster_uid, name, uid, resource_version, observed_at,
                false AS is_usage, unnest(object.status.flavorsReservation) AS flavor
            FROM parsed_kueue_cluster_queue
            UNION ALL
            SELECT
                cluster, cluster_uid, name, uid, resource_version, observed_at,
                true, unnest(object.status.flavorsUsage)
            FROM parsed_kueue_cluster_queue
        )
    )
    GROUP BY ALL
)
