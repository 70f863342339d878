-- Clusters of benchmark runs: one row a run whose instances were seen to be admitted somewhere.
--
-- grain: benchmark_run_id
-- reads: benchmark_instance_requests
-- params:
--
-- One database may hold the runs of several clusters, and does not say where each one is: the labels of admitted pods
-- do. Where a run's instances were seen in two, the cluster of most of them counts.

SELECT benchmark_run_id, cluster
FROM (
    SELECT benchmark_run_id, cluster, count(DISTINCT uid) AS workload_count
    FROM benchmark_instance_requests
    WHERE benchmark_run_id IS NOT NULL
    GROUP BY benchmark_run_id, cluster
)
QUALIFY row_number() OVER (PARTITION BY benchmark_run_id ORDER BY workload_count DESC, cluster) = 1
