-- Benchmark instance requests: one row a resource that pods of a benchmark instance were admitted with.
--
-- grain: cluster_uid, uid, pod_set, resource
-- reads: kueue_workload, kueue_workload_assignment, kueue_workload_pod_set
-- params:
--
-- An instance is told by the labels of its pods, and of one instance each attempt has an app of its own; its pods are
-- one Workload, or several. Of a Workload the last admission that was seen.
-- `request_total` is what Kueue took for all pods of the pod set, of the resources that the queue counts: overhead and
-- transformations are in it. Evaluators are no instances.

WITH admitted AS (
    SELECT cluster, cluster_uid, uid, resource_version, workload, cluster_queue, admitted_changed_at AS admitted_at
    FROM kueue_workload
    WHERE admitted_status = 'True' AND cluster_queue IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, uid ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
)

SELECT
    admitted.cluster,
    admitted.cluster_uid,
    admitted.cluster_queue,
    admitted.workload,
    admitted.uid,
    admitted.admitted_at,
    pod_set.pod_labels['benchmark-run-id'] AS benchmark_run_id,
    pod_set.pod_labels['benchmark-instance-id'] AS benchmark_instance_id,
    coalesce(pod_set.pod_labels['agent-app-id'], admitted.uid) AS agent_app_id,
    assignment.pod_set,
    coalesce(assignment.pod_count, pod_set.pod_count) AS pod_count,
    assignment.resource,
    assignment.flavor,
    assignment.quantity_total AS request_total
FROM admitted
JOIN kueue_workload_assignment AS assignment
    ON admitted.cluster_uid = assignment.cluster_uid
    AND admitted.uid = assignment.uid
    AND admitted.resource_version = assignment.resource_version
JOIN kueue_workload_pod_set AS pod_set
    ON assignment.cluster_uid = pod_set.cluster_uid
    AND assignment.uid = pod_set.uid
    AND assignment.resource_version = pod_set.resource_version
    AND assignment.pod_set = pod_set.pod_set
WHERE pod_set.pod_labels['benchmark-instance-id'] IS NOT NULL
