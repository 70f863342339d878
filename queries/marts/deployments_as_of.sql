-- Deployments as of a time: one row a Deployment of a cluster, and how far it was rolled out when it was last seen.
--
-- grain: cluster_uid, namespace, deployment
-- reads: kubernetes_deployment
-- params: as_of, cluster
--
-- Rolled out: its controller has seen the newest generation, and as many replicas as are wanted are updated, ready and
-- available, with none left over. NULL where it has no status yet. A Deployment that was deleted by then has no row.

WITH latest AS (
    SELECT *
    FROM kubernetes_deployment
    WHERE cluster = $cluster AND observed_at <= $as_of
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, namespace, deployment
        ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
)

SELECT
    cluster,
    cluster_uid,
    namespace,
    deployment,
    wanted_replica_count,
    updated_replica_count,
    ready_replica_count,
    available_replica_count,
    observed_generation >= generation
        AND updated_replica_count >= wanted_replica_count
        AND ready_replica_count >= wanted_replica_count
        AND available_replica_count >= wanted_replica_count
        AND replica_count <= wanted_replica_count AS is_rolled_out,
    progressed_at,
    observed_at
FROM latest
WHERE event_type IS DISTINCT FROM 'DELETED'
ORDER BY namespace, deployment
