-- Workloads beside the truth: one row a stage of a Kueue Workload, true or found.
--
-- grain: part, subject_key
-- reads: workloads, truth_workload
-- params:
--
-- `part` is the stage: created, reserved, admitted, started, finished. Truth knows Workloads that held quota once;
-- those that never did have no row.
-- What is known of a Workload is its last reservation, so earlier ones are not asked for, and one that was evicted
-- last and waits again has a stage `created` only.
-- A finish is found only with the outcome that it truly had. `error_seconds` is the time found less the true one;
-- Kueue writes whole seconds, so up to a second less is as good as it gets.

WITH true_last AS (
    SELECT *
    FROM truth_workload
    QUALIFY row_number() OVER (PARTITION BY cluster, uid ORDER BY episode DESC) = 1
),

true_stages AS (
    SELECT cluster, uid, 'created' AS part, created_at AS happened_at, NULL AS outcome
    FROM true_last
    UNION ALL
    SELECT cluster, uid, 'reserved' AS part, reserved_at AS happened_at, NULL AS outcome
    FROM true_last
    WHERE reason IN ('Succeeded', 'Failed', 'Deleted', 'Open')
    UNION ALL
    SELECT cluster, uid, 'admitted' AS part, admitted_at AS happened_at, NULL AS outcome
    FROM true_last
    WHERE reason IN ('Succeeded', 'Failed', 'Deleted', 'Open') AND admitted_at IS NOT NULL
    UNION ALL
    SELECT cluster, uid, 'started' AS part, running_at AS happened_at, NULL AS outcome
    FROM true_last
    WHERE reason IN ('Succeeded', 'Failed', 'Deleted', 'Open') AND running_at IS NOT NULL
    UNION ALL
    SELECT cluster, uid, 'finished' AS part, released_at AS happened_at, reason AS outcome
    FROM true_last
    WHERE reason IN ('Succeeded', 'Failed')
),

found_stages AS (
    SELECT workloads.cluster, workloads.uid, 'created' AS part, workloads.created_at AS happened_at, NULL AS outcome
    FROM workloads
    JOIN true_last ON workloads.cluster = true_last.cluster AND workloads.uid = true_last.uid
    UNION ALL
    SELECT cluster, uid, 'reserved' AS part, quota_reserved_at AS happened_at, NULL AS outcome
    FROM workloads
    WHERE quota_reserved_at IS NOT NULL
    UNION ALL
    SELECT cluster, uid, 'admitted' AS part, admitted_at AS happened_at, NULL AS outcome
    FROM workloads
    WHERE admitted_at IS NOT NULL
    UNION ALL
    SELECT cluster, uid, 'started' AS part, pods_ready_at AS happened_at, NULL AS outcome
    FROM workloads
    WHERE pods_ready_at IS NOT NULL
    UNION ALL
    SELECT cluster, uid, 'finished' AS part, finished_at AS happened_at, outcome
    FROM workloads
    WHERE is_finished
)

SELECT
    coalesce(true_stages.part, found_stages.part) AS part,
    concat(coalesce(true_stages.cluster, found_stages.cluster), '/', coalesce(true_stages.uid, found_stages.uid))
        AS subject_key,
    true_stages.uid IS NOT NULL AS is_true,
    found_stages.uid IS NOT NULL
        AND (true_stages.outcome IS NULL OR found_stages.outcome = true_stages.outcome) AS is_found,
    epoch(found_stages.happened_at) - epoch(true_stages.happened_at) AS error_seconds
FROM true_stages
FULL OUTER JOIN found_stages
    ON found_stages.cluster = true_stages.cluster
    AND found_stages.uid = true_stages.uid
    AND found_stages.part = true_stages.part
