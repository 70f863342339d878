-- Usage of Kueue LocalQueues: one row a flavor and resource, in each state of a LocalQueue that was seen.
--
-- grain: cluster_uid, uid, resource_version, flavor, resource
-- reads: parsed_kueue_local_queue
-- params:
--
-- `reserved_` counts Workloads that hold quota, `used_` the admitted ones among them. Borrowing is not known by
-- LocalQueue. What one of the two lists lacks is NULL.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS local_queue,
    uid,
    resource_version,
    observed_at,
    flavor,
    resource,
    quantity(reserved_total) AS reserved_total,
    reserved_total AS reserved_total_text,
    quantity(used_total) AS used_total,
    used_total AS used_total_text
FROM (
    SELECT
        cluster, cluster_uid, namespace, name, uid, resource_version, observed_at, flavor, resource.name AS resource,
        max(resource.total) FILTER (NOT is_usage) AS reserved_total,
        max(resource.total) FILTER (is_usage) AS used_total
    FROM (
        SELECT * EXCLUDE (flavor), flavor.name AS flavor, unnest(flavor.resources) AS resource
        FROM (
            SELECT
                cluster, cluster_uid, namespace, name, uid, resource_version, observed_at,
                false AS is_usage, unnest(object.status.flavorsReservation) AS flavor
            FROM parsed_kueue_local_queue
            UNION ALL
            SELECT
                cluster, cluster_uid, namespace, name, uid, resource_version, observed_at,
                true, unnest(coalesce(object.status.flavorsUsage, object.status.flavorUsage))
            FROM parsed_kueue_local_queue
        )
    )
    GROUP BY ALL
)
