-- Launch capacity as of a time: one row, what the application saw of its limits at the last launch by then.
--
-- grain: database, benchmark_run_id
-- reads: run_capacities
-- params: as_of, cluster, cluster_queue
--
-- No row means that no run was launched there by then, or that its queue is not known. Where the application did not
-- look at a ClusterQueue, the class that the run was executed in stands for it, as the application itself has it. An
-- empty $cluster or $cluster_queue is any. Values are the application's model; NULL is what it did not know.

SELECT
    database,
    cluster,
    benchmark_run_id,
    created_at,
    captured_at,
    coalesce(cluster_queue, execution_class) AS cluster_queue,
    capacity_mode,
    requested_concurrency,
    selected_instance_count,
    effective_concurrency,
    cap_reason,
    runtime_slot_count,
    dapr_workflow_capacity,
    parent_workflow_capacity,
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
FROM run_capacities
WHERE
    created_at <= $as_of
    AND ($cluster = '' OR cluster = $cluster)
    AND ($cluster_queue = '' OR coalesce(cluster_queue, execution_class) = $cluster_queue)
QUALIFY row_number() OVER (ORDER BY created_at DESC, benchmark_run_id) = 1
