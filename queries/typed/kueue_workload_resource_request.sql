-- What pending Kueue Workloads ask for: one row a resource of a pod set, in each state that was seen.
--
-- grain: cluster_uid, uid, resource_version, pod_set, resource
-- reads: parsed_kueue_workload
-- params:
--
-- Kueue's own reckoning (defaults, overhead and resource transformations applied) for all pods of the pod set. It
-- is written while a Workload waits and removed when quota is reserved.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS workload,
    uid,
    resource_version,
    observed_at,
    pod_set,
    request.key AS resource,
    quantity(request.value) AS quantity_total,
    request.value AS quantity_total_text
FROM (
    SELECT * EXCLUDE (asked), asked.name AS pod_set, unnest(map_entries(asked.resources)) AS request
    FROM (
        SELECT
            cluster, cluster_uid, namespace, name, uid, resource_version, observed_at,
            unnest(object.status.resourceRequests) AS asked
        FROM parsed_kueue_workload
    )
)
