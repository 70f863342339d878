-- Benchmark status changes: one row each time a snapshot showed a run's instance in another state than the one before.
--
-- grain: database, run_instance_id, seen_at
-- reads: postgres_benchmark_run_instance, coverage
-- params:
--
-- The database keeps no history, so a change is known to lie after the last snapshot that still showed the state
-- before (`after_at`) and not after the one that showed this state (`seen_at`); states that came and went between
-- two snapshots were not seen. `after_at` is NULL for the first state. Only a snapshot that read the whole table
-- counts; of a run that was cut off, what it landed counts. A row that differs in anything but the three statuses
-- is no change here, and a deleted row is the status NULL.

WITH moment AS (
    SELECT database, id, snapshot_at, is_deleted, run_id, instance_id, status, inference_status, evaluation_status
    FROM postgres_benchmark_run_instance
),

compared AS (
    SELECT
        *,
        lag(snapshot_at) OVER (PARTITION BY database, id ORDER BY snapshot_at) AS version_before_at,
        lag(run_id) OVER (PARTITION BY database, id ORDER BY snapshot_at) AS run_id_before,
        lag(instance_id) OVER (PARTITION BY database, id ORDER BY snapshot_at) AS instance_id_before,
        lag(status) OVER (PARTITION BY database, id ORDER BY snapshot_at) AS status_before,
        lag(inference_status) OVER (PARTITION BY database, id ORDER BY snapshot_at) AS inference_status_before,
        lag(evaluation_status) OVER (PARTITION BY database, id ORDER BY snapshot_at) AS evaluation_status_before
    FROM moment
),

whole AS (
    SELECT DISTINCT cluster AS database, until AS read_at
    FROM coverage
    WHERE api_group = 'postgres' AND resource = 'benchmark_run_instances' AND state = 'read'
),

seen AS (
    SELECT database, read_at FROM whole
    UNION
    SELECT DISTINCT database, snapshot_at FROM moment
),

whole_before AS (
    SELECT
        seen.database,
        seen.read_at,
        max(whole.read_at) OVER (
            PARTITION BY seen.database ORDER BY seen.read_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS before_at
    FROM seen
    LEFT JOIN whole ON seen.database = whole.database AND seen.read_at = whole.read_at
)

SELECT
    compared.database,
    coalesce(compared.run_id, compared.run_id_before) AS benchmark_run_id,
    coalesce(compared.instance_id, compared.instance_id_before) AS instance,
    compared.id AS run_instance_id,
    compared.status_before,
    compared.status,
    compared.inference_status_before,
    compared.inference_status,
    compared.evaluation_status_before,
    compared.evaluation_status,
    compared.is_deleted,
    CASE
        WHEN compared.version_before_at IS NOT NULL
        THEN greatest(compared.version_before_at, coalesce(whole_before.before_at, compared.version_before_at))
    END AS after_at,
    compared.snapshot_at AS seen_at
FROM compared
JOIN whole_before ON compared.database = whole_before.database AND compared.snapshot_at = whole_before.read_at
WHERE
    compared.version_before_at IS NULL
    OR compared.status IS DISTINCT FROM compared.status_before
    OR compared.inference_status IS DISTINCT FROM compared.inference_status_before
    OR compared.evaluation_status IS DISTINCT FROM compared.evaluation_status_before
