-- Benchmark sessions: one row each stretch in which pods of an instance of a run worked on it.
--
-- grain: cluster, benchmark_run_id, instance, session_number
-- reads: benchmark_leases, benchmark_run_instances, workload_attempts
-- params:
--
-- What loads the platform at once, and so what concurrency counts. `witness` says who saw it: `workload` (from pods
-- ready, or else admission, to the release of quota), or `lease` for instances of which no Workload was seen: the
-- lease of a sandbox, which holds the wait for quota too. Workloads of one instance at the same time are one session.
-- A run may be on another cluster than its database: where its Workloads were seen counts.
-- Labels hold a run's id without `_` and `-` at its ends; `benchmark_run_id` is the database's where it knows the run.
-- Outcomes are the instance's last and stand at its last session only (`is_last`); usage is of all its sessions.
-- `is_completed`: it is the only session, its Workload or lease ended of itself, and inference came to its end.
-- `ended_at` is NULL while it is open.

WITH instance AS (
    SELECT *, trim(BOTH '_-' FROM benchmark_run_id) AS run_label
    FROM benchmark_run_instances
    WHERE deleted_at IS NULL
),

pods AS (
    SELECT
        cluster,
        cluster_queue,
        trim(BOTH '_-' FROM benchmark_run_id) AS run_label,
        instance,
        'workload' AS witness,
        coalesce(pods_ready_at, admitted_at) AS started_at,
        ended_at,
        coalesce(ended_by = 'Succeeded', false) AS is_over,
        cpu_cores,
        memory_bytes
    FROM workload_attempts
    WHERE instance IS NOT NULL AND benchmark_run_id IS NOT NULL AND coalesce(pods_ready_at, admitted_at) IS NOT NULL
),

leases AS (
    SELECT
        coalesce(lease.cluster, lease.database) AS cluster,
        CAST(NULL AS VARCHAR) AS cluster_queue,
        trim(BOTH '_-' FROM lease.benchmark_run_id) AS run_label,
        lease.instance,
        'lease' AS witness,
        lease.acquired_at AS started_at,
        lease.ended_at,
        coalesce(lease.end_reason = 'released', false) AS is_over,
        CAST(NULL AS DECIMAL(38, 9)) AS cpu_cores,
        CAST(NULL AS DECIMAL(38, 0)) AS memory_bytes
    FROM benchmark_leases AS lease
    LEFT JOIN (SELECT DISTINCT run_label, instance FROM pods) AS seen
        ON trim(BOTH '_-' FROM lease.benchmark_run_id) = seen.run_label
        AND lease.instance = seen.instance
    WHERE lease.resource_type = 'openshell_sandbox' AND lease.acquired_at IS NOT NULL AND seen.instance IS NULL
),

spans AS (
    SELECT * FROM pods
    UNION ALL
    SELECT * FROM leases
),

placed AS (
    SELECT
        *,
        max(coalesce(ended_at, CAST('9999-12-31 00:00:00+00' AS TIMESTAMPTZ))) OVER (
            PARTITION BY cluster, run_label, instance
            ORDER BY started_at, ended_at
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS taken_until
    FROM spans
),

numbered AS (
    SELECT
        *,
        sum(CASE WHEN started_at < taken_until THEN 0 ELSE 1 END) OVER (
            PARTITION BY cluster, run_label, instance
            ORDER BY started_at, ended_at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS session_number
    FROM placed
),

session AS (
    SELECT
        cluster,
        run_label,
        instance,
        CAST(session_number AS BIGINT) AS session_number,
        max(cluster_queue) AS cluster_queue,
        max(witness) AS witness,
        min(started_at) AS started_at,
        CASE WHEN count(*) = count(ended_at) THEN max(ended_at) END AS ended_at,
        bool_and(is_over) AS is_over,
        sum(cpu_cores) AS cpu_cores,
        sum(memory_bytes) AS memory_bytes
    FROM numbered
    GROUP BY cluster, run_label, instance, session_number
),

counted AS (
    SELECT *, max(session_number) OVER (PARTITION BY cluster, run_label, instance) AS session_count
    FROM session
)

SELECT
    counted.cluster,
    coalesce(instance.benchmark_run_id, counted.run_label) AS benchmark_run_id,
    counted.instance,
    counted.session_number,
    counted.session_number = counted.session_count AS is_last,
    counted.cluster_queue,
    instance.model,
    counted.witness,
    counted.started_at,
    counted.ended_at,
    counted.session_count = 1 AND counted.is_over AND coalesce(instance.inference_status = 'inferred', false)
        AS is_completed,
    instance.status,
    instance.inference_status,
    instance.evaluation_status,
    instance.is_active,
    instance.evaluation_error,
    instance.harness_status,
    instance.termination_reason,
    instance.turn_count,
    instance.input_token_count,
    instance.output_token_count,
    instance.cost_usd,
    coalesce(instance.evaluated_at, instance.inference_completed_at) AS known_at,
    counted.cpu_cores,
    counted.memory_bytes
FROM counted
LEFT JOIN instance
    ON counted.run_label = instance.run_label
    AND counted.instance = instance.instance
