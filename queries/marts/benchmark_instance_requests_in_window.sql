-- Benchmark instance requests of a window: one row a resource that pods of an instance were admitted with in it.
--
-- grain: cluster_uid, uid, pod_set, resource
-- reads: benchmark_instance_requests
-- params: since, until, cluster, cluster_queue
--
-- In the window are Workloads whose last admission lies in it. What one instance asks for in all is the sum over its
-- pod sets and Workloads. An empty $cluster or $cluster_queue is all of them.

SELECT
    cluster,
    cluster_uid,
    cluster_queue,
    workload,
    uid,
    admitted_at,
    benchmark_run_id,
    benchmark_instance_id,
    agent_app_id,
    pod_set,
    pod_count,
    resource,
    request_total
FROM benchmark_instance_requests
WHERE
    admitted_at >= $since
    AND admitted_at < $until
    AND ($cluster = '' OR cluster = $cluster)
    AND ($cluster_queue = '' OR cluster_queue = $cluster_queue)
