-- Workloads: one row a Kueue Workload, as it was last seen, with what its last admission took.
--
-- grain: cluster_uid, uid
-- reads: kueue_workload, kueue_workload_eviction, workload_evictions
-- params:
--
-- The queue is entered at creation, or when the Workload was last requeued (Kueue's QueuedWaitTime, whatever the
-- status of Requeued): `queue_wait_seconds` is the wait of the last reservation, NULL while it waits again.
-- Execution is Kueue's TotalExecutionTime: past admissions in whole seconds, and the last from Admitted to
-- Finished; NULL until it is finished, and where it never ran. Kueue 0.15.0 to 0.15.2 took reservation and placement
-- away at the end (reason `Finished`) and counted all of it as past: what was seen before stands in.
-- `cluster_queue` is where it is, or was last seen, admitted. Times are whole seconds, by two clocks.
-- `outcome` is the reason of Finished, in Kueue's words (`JobFinished` of old tells neither success nor failure),
-- or Deleted where a Workload went away before its end was seen; NULL means it is not over.
-- `eviction_count` is Kueue's own count, or the rows of workload_evictions if there are more; past execution tells of
-- one at least. Kueue versions without counters make it a lower bound.

WITH latest AS (
    SELECT *, event_type IS NOT DISTINCT FROM 'DELETED' AS is_deleted
    FROM kueue_workload
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, uid ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
),

sightings AS (
    SELECT cluster_uid, uid, min(observed_at) AS first_observed_at, count(*) AS version_count
    FROM kueue_workload
    GROUP BY cluster_uid, uid
),

reservations AS (
    SELECT
        cluster_uid,
        uid,
        quota_reserved_changed_at AS quota_reserved_at,
        CASE WHEN admitted_status = 'True' THEN admitted_changed_at END AS admitted_at
    FROM kueue_workload
    WHERE quota_reserved_status = 'True'
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, uid ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
),

placements AS (
    SELECT cluster_uid, uid, cluster_queue
    FROM kueue_workload
    WHERE cluster_queue IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, uid ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
),

counted AS (
    SELECT cluster_uid, uid, sum(eviction_count) AS eviction_count
    FROM (
        SELECT cluster_uid, uid, reason, underlying_cause, max(eviction_count) AS eviction_count
        FROM kueue_workload_eviction
        GROUP BY cluster_uid, uid, reason, underlying_cause
    ) AS highest
    GROUP BY cluster_uid, uid
),

seen_evictions AS (
    SELECT cluster_uid, uid, count(*) AS eviction_count
    FROM workload_evictions
    GROUP BY cluster_uid, uid
),

decided AS (
    SELECT
        latest.*,
        sightings.first_observed_at,
        sightings.version_count,
        placements.cluster_queue AS last_cluster_queue,
        coalesce(latest.requeued_changed_at, latest.created_at) AS queue_started_at,
        CASE
            WHEN latest.quota_reserved_status = 'True' OR latest.quota_reserved_reason = 'Finished'
            THEN reservations.quota_reserved_at
        END AS quota_reserved_at,
        CASE
            WHEN latest.quota_reserved_status = 'True' OR latest.quota_reserved_reason = 'Finished'
            THEN reservations.admitted_at
        END AS admitted_at,
        CASE WHEN latest.finished_status = 'True' THEN latest.finished_changed_at END AS finished_at,
        CAST(
            greatest(
                coalesce(counted.eviction_count, 0),
                coalesce(seen_evictions.eviction_count, 0),
                CASE
                    WHEN latest.past_execution_seconds > 0 AND latest.admitted_reason IS DISTINCT FROM 'Finished' THEN 1
                    ELSE 0
                END
            ) AS BIGINT
        ) AS eviction_count
    FROM latest
    JOIN sightings ON latest.cluster_uid = sightings.cluster_uid AND latest.uid = sightings.uid
    LEFT JOIN reservations ON latest.cluster_uid = reservations.cluster_uid AND latest.uid = reservations.uid
    LEFT JOIN placements ON latest.cluster_uid = placements.cluster_uid AND latest.uid = placements.uid
    LEFT JOIN counted ON latest.cluster_uid = counted.cluster_uid AND latest.uid = counted.uid
    LEFT JOIN seen_evictions ON latest.cluster_uid = seen_evictions.cluster_uid AND latest.uid = seen_evictions.uid
)

SELECT
    cluster,
    cluster_uid,
    namespace,
    workload,
    uid,
    job_uid,
    owner_kind,
    owner_name,
    owner_uid,
    labels,
    local_queue,
    last_cluster_queue AS cluster_queue,
    priority,
    priority_class,
    pod_set_count,
    is_active,
    is_deleted,
    holds_quota AND NOT is_deleted AS holds_quota,
    finished_status IS NOT DISTINCT FROM 'True' AS is_finished,
    CASE
        WHEN finished_status = 'True' THEN finished_reason
        WHEN is_deleted THEN 'Deleted'
    END AS outcome,
    created_at,
    queue_started_at,
    quota_reserved_at,
    admitted_at,
    CASE
        WHEN pods_ready_status = 'True' AND pods_ready_reason IS DISTINCT FROM 'Recovered' THEN pods_ready_changed_at
    END AS pods_ready_at,
    finished_at,
    CASE
        WHEN requeued_changed_at IS NULL OR requeued_changed_at <= quota_reserved_at
        THEN epoch(quota_reserved_at) - epoch(queue_started_at)
    END AS queue_wait_seconds,
    epoch(admitted_at) - epoch(quota_reserved_at) AS admission_check_wait_seconds,
    CASE
        WHEN pods_ready_status = 'True' AND pods_ready_reason IS DISTINCT FROM 'Recovered'
        THEN epoch(pods_ready_changed_at) - epoch(admitted_at)
    END AS startup_seconds,
    CASE
        WHEN finished_at IS NULL THEN NULL
        WHEN admitted_status = 'True' THEN past_execution_seconds + epoch(finished_at) - epoch(admitted_at)
        WHEN past_execution_seconds > 0 OR admitted_reason = 'Finished' THEN CAST(past_execution_seconds AS DOUBLE)
    END AS execution_seconds,
    past_execution_seconds,
    eviction_count,
    requeue_count,
    first_observed_at,
    observed_at,
    version_count
FROM decided
