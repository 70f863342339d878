-- Node pod requests: one row a resource of a Node that a Pod held, and when.
--
-- grain: cluster_uid, uid, resource
-- reads: kubernetes_pod, kubernetes_pod_request
-- params:
--
-- A Pod holds from when it was bound until it was first seen Succeeded, Failed or deleted; `until` is NULL while it
-- holds. `since` is when the scheduler says, or else when it was first seen on its Node. Itself it holds one of `pods`.
-- What it asks for is the API server's rule: what its containers and sidecars (init containers that restart Always)
-- need together, or what an init container needs beside the sidecars started before it, whichever is more; a request of
-- the Pod as a whole stands in for that; overhead comes on top. NULL where any part could not be read.

WITH stays AS (
    SELECT
        cluster,
        cluster_uid,
        namespace,
        pod,
        uid,
        max(node) AS node,
        coalesce(min(scheduled_at), min(CASE WHEN node IS NOT NULL THEN observed_at END)) AS since,
        min(CASE WHEN event_type = 'DELETED' OR phase IN ('Succeeded', 'Failed') THEN observed_at END) AS until
    FROM kubernetes_pod
    GROUP BY cluster, cluster_uid, namespace, pod, uid
),

asked AS (
    SELECT *, container_kind = 'init_container' AND restart_policy IS NOT DISTINCT FROM 'Always' AS is_sidecar
    FROM kubernetes_pod_request
),

beside_sidecars AS (
    SELECT
        *,
        request + coalesce(sum(CASE WHEN is_sidecar THEN request END) OVER (
            PARTITION BY cluster_uid, uid, resource, container_kind ORDER BY container_number
        ), 0) AS request_while_starting
    FROM asked
),

parts AS (
    SELECT
        cluster_uid,
        uid,
        resource,
        sum(request) FILTER (WHERE container_kind = 'container' OR is_sidecar) AS running,
        max(request_while_starting) FILTER (WHERE container_kind = 'init_container' AND NOT is_sidecar) AS starting,
        max(request) FILTER (WHERE container_kind = 'pod') AS whole_pod,
        max(request) FILTER (WHERE container_kind = 'overhead') AS overhead,
        count(request) = count(*) AS is_readable
    FROM beside_sidecars
    GROUP BY cluster_uid, uid, resource
),

requests AS (
    SELECT
        cluster_uid,
        uid,
        resource,
        CASE
            WHEN is_readable
            THEN coalesce(whole_pod, greatest(coalesce(running, 0), coalesce(starting, 0))) + coalesce(overhead, 0)
        END AS request
    FROM parts
    UNION ALL
    SELECT cluster_uid, uid, 'pods' AS resource, 1 AS request
    FROM stays
)

SELECT
    stays.cluster,
    stays.cluster_uid,
    stays.node,
    stays.namespace,
    stays.pod,
    stays.uid,
    requests.resource,
    requests.request,
    stays.since,
    stays.until
FROM stays
JOIN requests ON stays.cluster_uid = requests.cluster_uid AND stays.uid = requests.uid
WHERE stays.node IS NOT NULL
