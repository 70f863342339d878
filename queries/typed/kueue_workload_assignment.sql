-- Assignments of Kueue Workloads: one row a resource of a pod set that quota was reserved for, in each state
-- that was seen.
--
-- grain: cluster_uid, uid, resource_version, pod_set, resource
-- reads: parsed_kueue_workload
-- params:
--
-- `quantity_total` is for all pods of the pod set; `pod_count` is how many were admitted, which partial admission
-- makes fewer than were asked for. NULL where no assignment says. Eviction empties the list.
-- Resource `pods`, where a queue has quota for it, counts pods.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS workload,
    uid,
    resource_version,
    observed_at,
    cluster_queue,
    assignment.name AS pod_set,
    TRY_CAST(assignment.count AS BIGINT) AS pod_count,
    usage.key AS resource,
    assignment.flavors[usage.key] AS flavor,
    quantity(usage.value) AS quantity_total,
    usage.value AS quantity_total_text
FROM (
    SELECT *, unnest(map_entries(assignment.resourceUsage)) AS usage
    FROM (
        SELECT
            cluster, cluster_uid, namespace, name, uid, resource_version, observed_at,
            object.status.admission.clusterQueue AS cluster_queue,
            unnest(object.status.admission.podSetAssignments) AS assignment
        FROM parsed_kueue_workload
    )
)
