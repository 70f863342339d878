-- Workload pod requests: one row a resource that a pod of a Kueue Workload's pod set asks for, as last seen.
--
-- grain: cluster_uid, uid, pod_set, resource
-- reads: kueue_workload, kueue_workload_container_request, kueue_workload_pod_set
-- params:
--
-- The API server's rule: a pod needs what its containers and sidecars (init containers that restart Always) need
-- together, or what an init container needs beside the sidecars started before it, whichever is more. A request of
-- the pod as a whole stands in for all of that; overhead comes on top.
-- `request` is NULL where any part could not be read. A Workload that was admitted shows what Kueue reserved in
-- kueue_workload_assignment, which transformations of resources can make something else.

WITH latest AS (
    SELECT cluster_uid, uid, resource_version
    FROM kueue_workload
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, uid ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
),

requests AS (
    SELECT
        asked.*,
        pod_set.pod_count,
        asked.container_kind = 'init_container' AND asked.restart_policy IS NOT DISTINCT FROM 'Always' AS is_sidecar
    FROM latest
    JOIN kueue_workload_container_request AS asked
        ON latest.cluster_uid = asked.cluster_uid
        AND latest.uid = asked.uid
        AND latest.resource_version = asked.resource_version
    JOIN kueue_workload_pod_set AS pod_set
        ON asked.cluster_uid = pod_set.cluster_uid
        AND asked.uid = pod_set.uid
        AND asked.resource_version = pod_set.resource_version
        AND asked.pod_set = pod_set.pod_set
),

beside_sidecars AS (
    SELECT
        *,
        request + coalesce(sum(CASE WHEN is_sidecar THEN request END) OVER (
            PARTITION BY cluster_uid, uid, pod_set, resource, container_kind ORDER BY container_number
        ), 0) AS request_while_starting
    FROM requests
),

parts AS (
    SELECT
        cluster,
        cluster_uid,
        namespace,
        workload,
        uid,
        pod_set,
        pod_count,
        resource,
        sum(request) FILTER (WHERE container_kind = 'container' OR is_sidecar) AS running,
        max(request_while_starting) FILTER (WHERE container_kind = 'init_container' AND NOT is_sidecar) AS starting,
        max(request) FILTER (WHERE container_kind = 'pod') AS whole_pod,
        max(request) FILTER (WHERE container_kind = 'overhead') AS overhead,
        count(request) = count(*) AS is_readable
    FROM beside_sidecars
    GROUP BY cluster, cluster_uid, namespace, workload, uid, pod_set, pod_count, resource
)

SELECT
    cluster,
    cluster_uid,
    namespace,
    workload,
    uid,
    pod_set,
    pod_count,
    resource,
    CASE
        WHEN is_readable
        THEN coalesce(whole_pod, greatest(coalesce(running, 0), coalesce(starting, 0))) + coalesce(overhead, 0)
    END AS request
FROM parts
