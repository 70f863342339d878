-- Attempts beside the truth: one row a stage of one stay of a Kueue Workload in quota, true or found.
--
-- grain: part, subject_key
-- reads: truth_workload, workload_attempts
-- params:
--
-- `part` is the stage: queued, reserved, admitted, started, ended. Both name a stay by the second of its reservation;
-- attempts without one are no stay, and are not asked for. An end is found only with what it truly ended by.
-- `error_seconds` is the time found less the true one; Kueue writes whole seconds.

WITH true_stages AS (
    SELECT cluster, uid, date_trunc('second', reserved_at) AS stay, 'queued' AS part, queued_at AS happened_at, NULL AS reason
    FROM truth_workload
    UNION ALL
    SELECT cluster, uid, date_trunc('second', reserved_at) AS stay, 'reserved' AS part, reserved_at AS happened_at, NULL AS reason
    FROM truth_workload
    UNION ALL
    SELECT cluster, uid, date_trunc('second', reserved_at) AS stay, 'admitted' AS part, admitted_at AS happened_at, NULL AS reason
    FROM truth_workload
    UNION ALL
    SELECT cluster, uid, date_trunc('second', reserved_at) AS stay, 'started' AS part, running_at AS happened_at, NULL AS reason
    FROM truth_workload
    UNION ALL
    SELECT cluster, uid, date_trunc('second', reserved_at) AS stay, 'ended' AS part, released_at AS happened_at, reason
    FROM truth_workload
),

found_stages AS (
    SELECT cluster, uid, quota_reserved_at AS stay, 'queued' AS part, queued_at AS happened_at, NULL AS reason
    FROM workload_attempts
    UNION ALL
    SELECT cluster, uid, quota_reserved_at AS stay, 'reserved' AS part, quota_reserved_at AS happened_at, NULL AS reason
    FROM workload_attempts
    UNION ALL
    SELECT cluster, uid, quota_reserved_at AS stay, 'admitted' AS part, admitted_at AS happened_at, NULL AS reason
    FROM workload_attempts
    UNION ALL
    SELECT cluster, uid, quota_reserved_at AS stay, 'started' AS part, pods_ready_at AS happened_at, NULL AS reason
    FROM workload_attempts
    UNION ALL
    SELECT cluster, uid, quota_reserved_at AS stay, 'ended' AS part, ended_at AS happened_at, ended_by AS reason
    FROM workload_attempts
)

SELECT
    coalesce(true_stages.part, found_stages.part) AS part,
    concat(
        coalesce(true_stages.cluster, found_stages.cluster),
        '/',
        coalesce(true_stages.uid, found_stages.uid),
        '@',
        coalesce(true_stages.stay, found_stages.stay)
    ) AS subject_key,
    true_stages.uid IS NOT NULL AS is_true,
    found_stages.uid IS NOT NULL
        AND (true_stages.reason IS NULL OR coalesce(true_stages.reason = found_stages.reason, false)) AS is_found,
    epoch(found_stages.happened_at) - epoch(true_stages.happened_at) AS error_seconds
FROM (SELECT * FROM true_stages WHERE happened_at IS NOT NULL) AS true_stages
FULL OUTER JOIN (SELECT * FROM found_stages WHERE happened_at IS NOT NULL AND stay IS NOT NULL) AS found_stages
    ON found_stages.cluster = true_stages.cluster
    AND found_stages.uid = true_stages.uid
    AND found_stages.stay = true_stages.stay
    AND found_stages.part = true_stages.part
