-- Run capacities: one row a benchmark run, what concurrency it asked for and got, and what the application saw bound it.
--
-- grain: database, benchmark_run_id
-- reads: postgres_benchmark_run, configured_database, benchmark_run_clusters
-- params:
--
-- From `summary.capacity`, which preflight overwrites: it is what held when `captured_at` says, or unknown where the
-- application took no sample. Values are the application's model, not measurements. Where it could not look,
-- it writes zeros beside an `error`: those numbers are NULL here, and the error stands beside them. An effective
-- concurrency of 0 without error is a launch that pressure paused. `nodes_available_` is room on all its eligible
-- nodes together, for no pod lies across them. `cluster` is where its instances were admitted, or else the database's.
--
-- `kueue_capacity` does not prove that quota was the limit: the application takes the smaller of quota and free
-- nodes. `kueue_bound` says which: `queue_stopped`, `nodes` (no ClusterQueue was read, or quota had room),
-- `quota`, or `unknown`; NULL where kueue_capacity is no reason. In kueue mode `runtime_capacity` and
-- `dapr_workflow_capacity` are no bounds, though they may be listed.

WITH latest AS (
    SELECT *, summary ->> '$.capacity' AS capacity
    FROM postgres_benchmark_run
    WHERE NOT is_deleted
    QUALIFY row_number() OVER (PARTITION BY database, id ORDER BY snapshot_at DESC) = 1
),

part AS (
    SELECT
        *,
        capacity ->> '$.sandboxCapacity' AS sandbox,
        capacity ->> '$.clusterPressure' AS pressure,
        capacity ->> '$.evaluatorCapacity' AS evaluator
    FROM latest
),

judged AS (
    SELECT
        *,
        sandbox ->> '$.error' AS sandbox_error,
        CASE WHEN (sandbox ->> '$.error') IS NULL THEN sandbox END AS sandbox_read,
        evaluator ->> '$.error' AS evaluator_error,
        CASE WHEN (evaluator ->> '$.error') IS NULL THEN evaluator ->> '$.kueue' END AS evaluator_queue_read,
        pressure ->> '$.error' AS pressure_error,
        CASE WHEN (pressure ->> '$.error') IS NULL THEN pressure END AS pressure_read
    FROM part
),

read AS (
    SELECT
        *,
        capacity ->> '$.capReason' AS cap_reason,
        sandbox_read ->> '$.kueueClusterQueueName' AS cluster_queue,
        TRY_CAST(sandbox_read ->> '$.kueueClusterQueueActive' AS BOOLEAN) AS is_cluster_queue_active,
        TRY_CAST(sandbox_read ->> '$.kueueAvailableInstanceSlots' AS BIGINT) AS quota_slot_count,
        TRY_CAST(sandbox_read ->> '$.schedulableKueueInstanceCapacity' AS BIGINT) AS schedulable_slot_count
    FROM judged
)

SELECT
    read.database,
    coalesce(seen.cluster, configured.cluster) AS cluster,
    read.id AS benchmark_run_id,
    read.created_at,
    TRY_CAST(read.sandbox ->> '$.sampledAt' AS TIMESTAMPTZ) AS captured_at,
    read.capacity ->> '$.capacityMode' AS capacity_mode,
    read.summary ->> '$.execution.class' AS execution_class,
    json_array_length(read.selected_instance_ids) AS selected_instance_count,
    TRY_CAST(read.capacity ->> '$.requestedConcurrency' AS BIGINT) AS requested_concurrency,
    TRY_CAST(read.capacity ->> '$.deterministicConcurrency' AS BIGINT) AS deterministic_concurrency,
    TRY_CAST(read.capacity ->> '$.pressureAdjustedConcurrency' AS BIGINT) AS pressure_adjusted_concurrency,
    coalesce(TRY_CAST(read.capacity ->> '$.effectiveConcurrency' AS BIGINT), read.concurrency)
        AS effective_concurrency,
    read.concurrency AS run_concurrency,
    read.cap_reason,
    read.capacity ->> '$.primaryLimiter' AS primary_limiter,
    read.capacity ->> '$.capacityLimiters' AS capacity_limiters,
    CASE
        WHEN read.cap_reason IS NULL OR strpos(read.cap_reason, 'kueue_capacity') = 0 THEN NULL
        WHEN NOT read.is_cluster_queue_active THEN 'queue_stopped'
        WHEN read.sandbox_read IS NULL OR read.schedulable_slot_count IS NULL THEN 'unknown'
        WHEN read.cluster_queue IS NULL OR read.quota_slot_count > read.schedulable_slot_count THEN 'nodes'
        WHEN read.quota_slot_count = read.schedulable_slot_count THEN 'quota'
        ELSE 'unknown'
    END AS kueue_bound,
    TRY_CAST(read.capacity ->> '$.runtimeSlots' AS BIGINT) AS runtime_slot_count,
    TRY_CAST(read.capacity ->> '$.daprWorkflowEffectiveCapacity' AS BIGINT) AS dapr_workflow_capacity,
    TRY_CAST(read.capacity ->> '$.parentWorkflowEffectiveCapacity' AS BIGINT) AS parent_workflow_capacity,
    TRY_CAST(read.capacity ->> '$.parentWorkflowConnectedWorkerPods' AS BIGINT) AS parent_worker_pod_count,
    TRY_CAST(read.capacity ->> '$.daprRuntimePressure' AS BOOLEAN) AS is_parent_under_pressure,
    TRY_CAST(read.capacity ->> '$.agentHostDaprRuntimePressure' AS BOOLEAN) AS is_agent_host_under_pressure,
    TRY_CAST(read.capacity ->> '$.agentWorkflowMaxActiveTurns' AS BIGINT) AS agent_turn_limit,
    TRY_CAST(read.capacity ->> '$.maxActiveInferenceInstances' AS BIGINT) AS global_limit,
    TRY_CAST(read.capacity ->> '$.configuredMaxActiveSandboxes' AS BIGINT) AS sandbox_limit,
    TRY_CAST(read.capacity ->> '$.modelMaxActiveRequests' AS BIGINT) AS model_request_limit,
    read.sandbox_error,
    read.cluster_queue,
    read.is_cluster_queue_active,
    read.quota_slot_count,
    TRY_CAST(read.sandbox_read ->> '$.kueueBorrowAvailableInstanceSlots' AS BIGINT) AS borrowing_slot_count,
    read.schedulable_slot_count,
    TRY_CAST(read.sandbox_read ->> '$.schedulableSandboxCapacity' AS BIGINT) AS schedulable_sandbox_count,
    TRY_CAST(read.sandbox_read ->> '$.kueueInstanceCpuLimitedCapacity' AS BIGINT) AS cpu_slot_count,
    TRY_CAST(read.sandbox_read ->> '$.kueueInstanceMemoryLimitedCapacity' AS BIGINT) AS memory_slot_count,
    TRY_CAST(read.sandbox_read ->> '$.kueueInstanceEphemeralStorageLimitedCapacity' AS BIGINT)
        AS ephemeral_storage_slot_count,
    TRY_CAST(read.sandbox_read ->> '$.kueueInstancePodLimitedCapacity' AS BIGINT) AS pod_slot_count,
    read.sandbox_read ->> '$.kueueInstanceRequestMode' AS instance_request_mode,
    TRY_CAST(read.sandbox_read ->> '$.kueueInstanceRequestCpuMilli' AS DOUBLE) / 1000 AS instance_cpu_cores,
    TRY_CAST(read.sandbox_read ->> '$.kueueInstanceRequestMemoryBytes' AS BIGINT) AS instance_memory_bytes,
    TRY_CAST(read.sandbox_read ->> '$.kueueInstanceRequestEphemeralStorageBytes' AS BIGINT)
        AS instance_ephemeral_storage_bytes,
    TRY_CAST(read.sandbox_read ->> '$.kueueInstancePodCount' AS BIGINT) AS instance_pod_count,
    TRY_CAST(read.sandbox_read ->> '$.nodeCount' AS BIGINT) AS node_count,
    TRY_CAST(read.sandbox_read ->> '$.availableCpuMilli' AS DOUBLE) / 1000 AS nodes_available_cpu_cores,
    TRY_CAST(read.sandbox_read ->> '$.availableMemoryBytes' AS BIGINT) AS nodes_available_memory_bytes,
    TRY_CAST(read.sandbox_read ->> '$.availableEphemeralStorageBytes' AS BIGINT)
        AS nodes_available_ephemeral_storage_bytes,
    TRY_CAST(read.sandbox_read ->> '$.activeSwebenchPods' AS BIGINT) AS active_pod_count,
    TRY_CAST(read.sandbox_read ->> '$.pendingSwebenchPods' AS BIGINT) AS pending_pod_count,
    TRY_CAST(read.sandbox_read ->> '$.diskPressureNodeCount' AS BIGINT) AS disk_pressure_node_count,
    read.pressure_error,
    TRY_CAST(read.pressure_read ->> '$.hardBlock' AS BOOLEAN) AS is_hard_pressure,
    TRY_CAST(read.pressure_read ->> '$.reductionFactor' AS DOUBLE) AS pressure_factor,
    read.pressure_read ->> '$.reasons' AS pressure_reasons,
    TRY_CAST(coalesce(
        read.capacity ->> '$.requestedEvaluationConcurrency', read.evaluator ->> '$.requestedEvaluationConcurrency'
    ) AS BIGINT) AS requested_evaluation_concurrency,
    coalesce(
        TRY_CAST(read.capacity ->> '$.effectiveEvaluationConcurrency' AS BIGINT), read.evaluation_concurrency
    ) AS effective_evaluation_concurrency,
    coalesce(read.capacity ->> '$.evaluationConcurrencyReason', read.evaluator ->> '$.reason')
        AS evaluation_cap_reason,
    read.evaluator_error,
    read.evaluator ->> '$.clusterQueueName' AS evaluator_cluster_queue,
    TRY_CAST(read.evaluator_queue_read ->> '$.availableSlots' AS BIGINT) AS evaluator_slot_count
FROM read
LEFT JOIN configured_database AS configured ON read.database = configured.database
LEFT JOIN benchmark_run_clusters AS seen ON seen.benchmark_run_id = read.id
