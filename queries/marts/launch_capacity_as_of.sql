-- Launch capacity as of a time: one row, what the application saw of its limits at the last launch by then.
--
-- grain: database, benchmark_run_id
-- reads: benchmark_runs, run_capacities
-- params: as_of, cluster, cluster_queue
--
-- No row means that no run was launched there by then, or that its queue is not known. Where the application did not
-- look at a ClusterQueue, the class that the run was executed in stands for it, as the application itself has it. An
-- empty $cluster or $cluster_queue is any. Values are the application's model; NULL is what it did not know.

SELECT
    launch.database,
    launch.cluster,
    launch.benchmark_run_id,
    launch.created_at,
    captured_at,
    coalesce(launch.cluster_queue, launch.execution_class) AS cluster_queue,
    run.model,
    run.timeout_seconds,
    capacity_mode,
    requested_concurrency,
    launch.selected_instance_count,
    launch.effective_concurrency,
    cap_reason,
    kueue_bound,
    requested_evaluation_concurrency,
    launch.effective_evaluation_concurrency,
    evaluation_cap_reason,
    evaluator_cluster_queue,
    evaluator_slot_count,
    runtime_slot_count,
    dapr_workflow_capacity,
    parent_workflow_capacity,
    parent_worker_pod_count,
    is_parent_under_pressure,
    is_agent_host_under_pressure,
    agent_turn_limit,
    global_limit,
    sandbox_limit,
    model_request_limit,
    quota_slot_count,
    borrowing_slot_count,
    schedulable_slot_count,
    schedulable_sandbox_count,
    node_count,
    nodes_available_cpu_cores,
    nodes_available_memory_bytes,
    nodes_available_ephemeral_storage_bytes,
    instance_cpu_cores,
    instance_memory_bytes,
    instance_ephemeral_storage_bytes,
    instance_pod_count,
    disk_pressure_node_count,
    is_hard_pressure,
    pressure_factor,
    pressure_reasons,
    is_cluster_queue_active
FROM run_capacities AS launch
LEFT JOIN benchmark_runs AS run
    ON launch.database = run.database AND launch.benchmark_run_id = run.benchmark_run_id
WHERE
    launch.created_at <= $as_of
    AND ($cluster = '' OR launch.cluster = $cluster)
    AND ($cluster_queue = '' OR coalesce(launch.cluster_queue, launch.execution_class) = $cluster_queue)
QUALIFY row_number() OVER (ORDER BY launch.created_at DESC, launch.benchmark_run_id) = 1
