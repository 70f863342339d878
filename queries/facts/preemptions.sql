-- Preemptions: one row each time a Kueue Workload lost its quota to another, with who took it and what was lost.
--
-- grain: cluster_uid, uid, attempt_number
-- reads: workload_attempts, workloads
-- params:
--
-- The victim's attempt that `workload_attempts` says was Preempted; the preemptor by the uid, or else the uid of its
-- job, in Kueue's message: NULL where the message names neither, or the preemptor was never seen. `lost_seconds` is
-- what the victim's pods had run, from ready to the eviction, which a job without checkpoints does again; 0 where they
-- never were ready. `held_…_seconds` is quota times the time from its reservation to its release. Both are NULL where
-- their times are not known. `requeue_wait_seconds` is how long the victim then waited for its next reservation.

WITH attempts AS (
    SELECT
        *,
        lead(wait_seconds) OVER (PARTITION BY cluster_uid, uid ORDER BY attempt_number) AS requeue_wait_seconds
    FROM workload_attempts
),

jobs AS (
    SELECT cluster_uid, job_uid, min(uid) AS uid
    FROM workloads
    WHERE job_uid IS NOT NULL
    GROUP BY cluster_uid, job_uid
),

victims AS (
    SELECT attempts.*, coalesce(attempts.preemptor_uid, jobs.uid) AS taker_uid
    FROM attempts
    LEFT JOIN jobs ON attempts.cluster_uid = jobs.cluster_uid AND attempts.preemptor_job_uid = jobs.job_uid
    WHERE attempts.ended_by = 'Preempted'
)

SELECT
    victim.cluster,
    victim.cluster_uid,
    victim.namespace,
    victim.workload,
    victim.uid,
    victim.attempt_number,
    victim.cluster_queue,
    victim.priority,
    victim.benchmark_run_id,
    victim.instance,
    victim.evicted_at,
    victim.ended_at,
    victim.time_quality,
    victim.preemption_cause,
    victim.taker_uid AS preemptor_uid,
    preemptor.namespace AS preemptor_namespace,
    preemptor.workload AS preemptor_workload,
    preemptor.cluster_queue AS preemptor_cluster_queue,
    preemptor.priority AS preemptor_priority,
    CASE
        WHEN victim.admitted_at IS NULL OR victim.evicted_at IS NULL THEN NULL
        ELSE greatest(epoch(victim.evicted_at) - epoch(coalesce(victim.pods_ready_at, victim.evicted_at)), 0)
    END AS lost_seconds,
    CASE WHEN victim.time_quality = 'precise' THEN epoch(victim.ended_at) - epoch(victim.quota_reserved_at) END
        AS held_seconds,
    CASE
        WHEN victim.time_quality = 'precise'
        THEN CAST(victim.cpu_cores AS DOUBLE) * (epoch(victim.ended_at) - epoch(victim.quota_reserved_at))
    END AS held_cpu_core_seconds,
    CASE
        WHEN victim.time_quality = 'precise'
        THEN CAST(victim.memory_bytes AS DOUBLE) * (epoch(victim.ended_at) - epoch(victim.quota_reserved_at))
    END AS held_memory_byte_seconds,
    victim.requeue_wait_seconds
FROM victims AS victim
LEFT JOIN workloads AS preemptor
    ON victim.cluster_uid = preemptor.cluster_uid AND victim.taker_uid = preemptor.uid
