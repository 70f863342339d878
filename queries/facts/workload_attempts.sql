-- Workload attempts: one row each time a Kueue Workload queued for quota, with what came of it.
--
-- grain: cluster_uid, uid, attempt_number
-- reads: coverage, kueue_local_queue, kueue_workload, kueue_workload_assignment, kueue_workload_pod_set, object_version, workload_evictions
-- params:
--
-- An attempt begins when the Workload is created or its quota was released by an eviction, and ends when it is
-- finished, evicted or deleted. Reservations and releases are told apart by the time of QuotaReserved, which moves at
-- each; a Requeued condition tells of a release that nobody saw. Evictions that left neither trace are only counted,
-- in `workloads.eviction_count`, so `attempt_number` counts what is known.
-- `queued_at` is when it could be considered (again): the end of a backoff, a restart of the queue, or the release.
-- Kueue's own queued time stays at the first requeue where one follows another; this does not.
-- `end_kind` is finished, evicted, deleted, or vanished: deleted between two looks, in a state that may have changed
-- since; NULL while it is open. `ended_by` is the reason of Finished or of the eviction, in Kueue's words, or
-- Deleted; NULL where nobody knows. Quota is released at `ended_at`, which is not when it was evicted.
-- `time_quality` is `precise` where conditions tell all of its times, to the second; `bounded` where the reservation
-- was not seen, or the end lies between `ended_earliest_at` and `ended_at`: such a duration is NULL.
-- `wait_seconds` runs to the reservation and `run_seconds` from admission to the end; `waited_seconds` is how long one
-- without a reservation is known to have waited: to its end, or while lists or a watch still showed it;
-- NULL where its reservation was missed. Amounts are what was reserved, in cores and bytes; NULL without a
-- reservation, when `cluster_queue` is where the LocalQueue leads. The benchmark's run and instance are labels of pods.

WITH versions AS (
    SELECT
        *,
        coalesce(event_type = 'DELETED', false) AS is_deletion,
        row_number() OVER (
            PARTITION BY cluster_uid, uid ORDER BY observed_at, length(resource_version), resource_version
        ) AS version_number,
        count(*) OVER (PARTITION BY cluster_uid, uid) AS version_count
    FROM kueue_workload
),

latest AS (
    SELECT
        versions.*,
        coalesce(seen.is_inferred, false) AS is_inferred,
        max(CASE WHEN NOT versions.is_deletion THEN versions.observed_at END) OVER (
            PARTITION BY versions.cluster_uid, versions.uid
        ) AS last_alive_at
    FROM versions
    LEFT JOIN object_version AS seen
        ON versions.cluster_uid = seen.cluster_uid
        AND versions.uid = seen.uid
        AND versions.resource_version = seen.resource_version
        AND seen.resource = 'workloads'
    QUALIFY versions.version_number = versions.version_count
),

watched AS (
    SELECT cluster, max(until) AS until
    FROM coverage
    WHERE api_group = 'kueue.x-k8s.io' AND resource = 'workloads' AND state IN ('watch', 'list')
    GROUP BY cluster
),

led_to AS (
    SELECT cluster_uid, namespace, local_queue, cluster_queue
    FROM kueue_local_queue
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, namespace, local_queue
        ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
),

marks AS (
    SELECT cluster_uid, uid, quota_reserved_changed_at AS changed_at, 'reserved' AS kind, min(version_number) AS version_number
    FROM versions
    WHERE quota_reserved_status = 'True' AND quota_reserved_changed_at IS NOT NULL
    GROUP BY cluster_uid, uid, quota_reserved_changed_at
    UNION ALL
    SELECT cluster_uid, uid, quota_reserved_changed_at AS changed_at, 'released' AS kind, min(version_number) AS version_number
    FROM versions
    WHERE
        quota_reserved_status = 'False'
        AND evicted_status = 'True'
        AND admitted_status IS NOT NULL
        AND quota_reserved_changed_at >= evicted_changed_at
    GROUP BY cluster_uid, uid, quota_reserved_changed_at
    UNION ALL
    SELECT cluster_uid, uid, requeued_changed_at AS changed_at, 'requeued' AS kind, min(version_number) AS version_number
    FROM versions
    WHERE requeued_changed_at IS NOT NULL AND requeued_reason IS DISTINCT FROM 'Reactivated'
    GROUP BY cluster_uid, uid, requeued_changed_at
),

traces AS (
    SELECT
        *,
        lag(kind) OVER (PARTITION BY cluster_uid, uid ORDER BY changed_at, rank, version_number) AS previous_kind
    FROM (
        SELECT *, CASE kind WHEN 'released' THEN 1 WHEN 'requeued' THEN 2 ELSE 3 END AS rank
        FROM marks
    ) AS ranked
),

releases_and_reservations AS (
    SELECT
        *,
        CASE WHEN kind = 'requeued' THEN 'released' ELSE kind END AS step,
        lag(CASE WHEN kind = 'requeued' THEN 'released' ELSE kind END) OVER (
            PARTITION BY cluster_uid, uid ORDER BY changed_at, rank, version_number
        ) AS previous_step
    FROM traces
    WHERE kind <> 'requeued' OR previous_kind IS NULL OR previous_kind = 'reserved'
),

numbered AS (
    SELECT
        *,
        1 + sum(
            CASE WHEN previous_step = 'released' OR (previous_step = 'reserved' AND step = 'reserved') THEN 1 ELSE 0 END
        ) OVER (PARTITION BY cluster_uid, uid ORDER BY changed_at, rank, version_number) AS attempt_number
    FROM releases_and_reservations
),

stays AS (
    SELECT
        cluster_uid,
        uid,
        attempt_number,
        min(CASE WHEN step = 'reserved' THEN changed_at END) AS quota_reserved_at,
        min(CASE WHEN kind = 'released' THEN changed_at END) AS released_at,
        min(CASE WHEN step = 'released' THEN changed_at END) AS released_latest_at
    FROM numbered
    GROUP BY cluster_uid, uid, attempt_number
),

waiting AS (
    SELECT
        latest.cluster_uid,
        latest.uid,
        1 + coalesce(max(stays.attempt_number), 0) AS attempt_number,
        NULL AS quota_reserved_at,
        NULL AS released_at,
        NULL AS released_latest_at
    FROM latest
    LEFT JOIN stays ON latest.cluster_uid = stays.cluster_uid AND latest.uid = stays.uid
    GROUP BY latest.cluster_uid, latest.uid, latest.is_active, latest.finished_status
    HAVING
        count(stays.uid) = 0
        OR (
            (latest.is_active OR latest.finished_status = 'True')
            AND max(CASE WHEN stays.released_latest_at IS NOT NULL THEN stays.attempt_number END)
                = max(stays.attempt_number)
        )
),

attempts AS (
    SELECT
        *,
        lag(coalesce(released_at, released_latest_at)) OVER in_order AS previous_released_at,
        lag(attempt_number) OVER in_order AS previous_attempt,
        lead(attempt_number) OVER in_order AS next_attempt,
        lead(quota_reserved_at) OVER in_order AS next_reserved_at
    FROM (
        SELECT * FROM stays
        UNION ALL
        SELECT * FROM waiting
    ) AS each_attempt
    WINDOW in_order AS (PARTITION BY cluster_uid, uid ORDER BY attempt_number)
),

requeues AS (
    SELECT attempts.cluster_uid, attempts.uid, attempts.attempt_number, max(marks.changed_at) AS requeued_at
    FROM attempts
    JOIN marks ON attempts.cluster_uid = marks.cluster_uid AND attempts.uid = marks.uid
    WHERE
        marks.kind = 'requeued'
        AND (attempts.previous_released_at IS NULL OR marks.changed_at >= attempts.previous_released_at)
        AND (attempts.quota_reserved_at IS NULL OR marks.changed_at <= attempts.quota_reserved_at)
        AND (attempts.released_latest_at IS NULL OR marks.changed_at < attempts.released_latest_at)
    GROUP BY attempts.cluster_uid, attempts.uid, attempts.attempt_number
),

admissions AS (
    SELECT
        attempts.cluster_uid,
        attempts.uid,
        attempts.attempt_number,
        min(CASE WHEN versions.admitted_status = 'True' THEN versions.admitted_changed_at END) AS admitted_at,
        min(CASE
            WHEN versions.pods_ready_status = 'True'
                AND versions.pods_ready_reason IS DISTINCT FROM 'Recovered'
                AND versions.pods_ready_changed_at >= attempts.quota_reserved_at
            THEN versions.pods_ready_changed_at
        END) AS pods_ready_at,
        max(versions.cluster_queue) AS cluster_queue,
        max(versions.version_number) AS version_number,
        max(CASE WHEN NOT versions.is_deletion THEN versions.observed_at END) AS last_held_at
    FROM attempts
    JOIN versions
        ON attempts.cluster_uid = versions.cluster_uid
        AND attempts.uid = versions.uid
        AND attempts.quota_reserved_at = versions.quota_reserved_changed_at
    WHERE versions.quota_reserved_status = 'True'
    GROUP BY attempts.cluster_uid, attempts.uid, attempts.attempt_number
),

assigned AS (
    SELECT
        admissions.cluster_uid,
        admissions.uid,
        admissions.attempt_number,
        string_agg(DISTINCT assignment.flavor, ',' ORDER BY assignment.flavor) AS flavors,
        sum(CASE WHEN assignment.resource = 'cpu' THEN assignment.quantity_total END) AS cpu_cores,
        sum(CASE WHEN assignment.resource = 'memory' THEN assignment.quantity_total END) AS memory_bytes,
        sum(CASE WHEN assignment.resource = 'ephemeral-storage' THEN assignment.quantity_total END)
            AS ephemeral_storage_bytes
    FROM admissions
    JOIN versions
        ON admissions.cluster_uid = versions.cluster_uid
        AND admissions.uid = versions.uid
        AND admissions.version_number = versions.version_number
    JOIN kueue_workload_assignment AS assignment
        ON versions.cluster_uid = assignment.cluster_uid
        AND versions.uid = assignment.uid
        AND versions.resource_version = assignment.resource_version
    GROUP BY admissions.cluster_uid, admissions.uid, admissions.attempt_number
),

pods AS (
    SELECT
        latest.cluster_uid,
        latest.uid,
        CAST(sum(pod_set.pod_count) AS BIGINT) AS pod_count,
        max(coalesce(pod_set.pod_labels['benchmark-run-id'], pod_set.pod_labels['swebench.benchmark-run-id']))
            AS benchmark_run_id,
        max(pod_set.pod_labels['benchmark-instance-id']) AS instance
    FROM latest
    JOIN kueue_workload_pod_set AS pod_set
        ON latest.cluster_uid = pod_set.cluster_uid
        AND latest.uid = pod_set.uid
        AND latest.resource_version = pod_set.resource_version
    GROUP BY latest.cluster_uid, latest.uid
),

evictions AS (
    SELECT
        attempts.cluster_uid,
        attempts.uid,
        attempts.attempt_number,
        eviction.evicted_at,
        eviction.reason,
        eviction.preemptor_uid,
        eviction.preemptor_job_uid,
        eviction.preemption_cause
    FROM attempts
    JOIN workload_evictions AS eviction
        ON attempts.cluster_uid = eviction.cluster_uid
        AND attempts.uid = eviction.uid
        AND (
            (
                eviction.evicted_at >= coalesce(attempts.quota_reserved_at, attempts.previous_released_at, eviction.evicted_at)
                AND eviction.evicted_at <= coalesce(attempts.released_latest_at, attempts.next_reserved_at, eviction.evicted_at)
            )
            OR (eviction.is_reconstructed AND eviction.reserved_again_at = attempts.next_reserved_at)
        )
    QUALIFY row_number() OVER (
        PARTITION BY attempts.cluster_uid, attempts.uid, attempts.attempt_number
        ORDER BY eviction.evicted_at DESC NULLS LAST, eviction.observed_at DESC
    ) = 1
),

joined AS (
    SELECT
        latest.cluster,
        latest.namespace,
        latest.workload,
        latest.job_uid,
        latest.owner_kind,
        latest.owner_name,
        latest.local_queue,
        latest.priority,
        latest.priority_class,
        latest.created_at,
        latest.is_deletion,
        latest.is_inferred,
        latest.last_alive_at,
        CASE WHEN latest.is_deletion THEN latest.observed_at ELSE greatest(latest.last_alive_at, watched.until) END
            AS last_observed_at,
        latest.observed_at,
        latest.deleted_at,
        latest.finished_status,
        latest.finished_reason,
        latest.finished_changed_at,
        attempts.*,
        attempts.next_attempt IS NULL AS is_last,
        admissions.admitted_at,
        admissions.pods_ready_at,
        admissions.last_held_at,
        coalesce(admissions.cluster_queue, led_to.cluster_queue) AS cluster_queue,
        evictions.evicted_at,
        evictions.reason AS eviction_reason,
        evictions.preemptor_uid,
        evictions.preemptor_job_uid,
        evictions.preemption_cause,
        coalesce(requeues.requeued_at, attempts.previous_released_at, latest.created_at) AS queued_at,
        assigned.flavors,
        assigned.cpu_cores,
        assigned.memory_bytes,
        assigned.ephemeral_storage_bytes,
        pods.pod_count,
        pods.benchmark_run_id,
        pods.instance
    FROM attempts
    JOIN latest ON attempts.cluster_uid = latest.cluster_uid AND attempts.uid = latest.uid
    LEFT JOIN watched ON latest.cluster = watched.cluster
    LEFT JOIN led_to
        ON latest.cluster_uid = led_to.cluster_uid
        AND latest.namespace = led_to.namespace
        AND latest.local_queue = led_to.local_queue
    LEFT JOIN requeues
        ON attempts.cluster_uid = requeues.cluster_uid
        AND attempts.uid = requeues.uid
        AND attempts.attempt_number = requeues.attempt_number
    LEFT JOIN admissions
        ON attempts.cluster_uid = admissions.cluster_uid
        AND attempts.uid = admissions.uid
        AND attempts.attempt_number = admissions.attempt_number
    LEFT JOIN assigned
        ON attempts.cluster_uid = assigned.cluster_uid
        AND attempts.uid = assigned.uid
        AND attempts.attempt_number = assigned.attempt_number
    LEFT JOIN evictions
        ON attempts.cluster_uid = evictions.cluster_uid
        AND attempts.uid = evictions.uid
        AND attempts.attempt_number = evictions.attempt_number
    LEFT JOIN pods ON attempts.cluster_uid = pods.cluster_uid AND attempts.uid = pods.uid
),

judged AS (
    SELECT
        *,
        CASE
            WHEN NOT is_last OR released_latest_at IS NOT NULL THEN 'evicted'
            WHEN finished_status = 'True' THEN 'finished'
            WHEN is_deletion AND deleted_at IS NULL AND is_inferred AND last_alive_at < observed_at THEN 'vanished'
            WHEN is_deletion THEN 'deleted'
        END AS end_kind
    FROM joined
),

ended AS (
    SELECT
        *,
        CASE end_kind
            WHEN 'evicted' THEN coalesce(released_at, released_latest_at, next_reserved_at)
            WHEN 'finished' THEN finished_changed_at
            WHEN 'deleted' THEN coalesce(deleted_at, observed_at)
            WHEN 'vanished' THEN observed_at
        END AS ended_at,
        CASE end_kind
            WHEN 'evicted' THEN coalesce(released_at, evicted_at, last_held_at, quota_reserved_at, queued_at)
            WHEN 'finished' THEN finished_changed_at
            WHEN 'deleted' THEN coalesce(deleted_at, observed_at)
            WHEN 'vanished' THEN last_alive_at
        END AS ended_earliest_at
    FROM judged
),

qualified AS (
    SELECT
        *,
        CASE
            WHEN ended_earliest_at < ended_at THEN 'bounded'
            WHEN quota_reserved_at IS NULL AND end_kind IN ('evicted', 'finished') THEN 'bounded'
            ELSE 'precise'
        END AS time_quality
    FROM ended
)

SELECT
    cluster,
    cluster_uid,
    namespace,
    workload,
    uid,
    CAST(attempt_number AS BIGINT) AS attempt_number,
    job_uid,
    owner_kind,
    owner_name,
    benchmark_run_id,
    instance,
    local_queue,
    cluster_queue,
    priority,
    priority_class,
    created_at,
    queued_at,
    quota_reserved_at,
    admitted_at,
    pods_ready_at,
    evicted_at,
    ended_at,
    ended_earliest_at,
    end_kind,
    CASE end_kind
        WHEN 'evicted' THEN eviction_reason
        WHEN 'finished' THEN finished_reason
        WHEN 'deleted' THEN 'Deleted'
    END AS ended_by,
    time_quality,
    preemptor_uid,
    preemptor_job_uid,
    preemption_cause,
    epoch(quota_reserved_at) - epoch(queued_at) AS wait_seconds,
    CASE
        WHEN quota_reserved_at IS NULL AND (end_kind IS NULL OR end_kind IN ('deleted', 'vanished'))
        THEN greatest(epoch(coalesce(ended_earliest_at, last_observed_at)) - epoch(queued_at), 0)
    END AS waited_seconds,
    epoch(pods_ready_at) - epoch(admitted_at) AS startup_seconds,
    CASE WHEN time_quality = 'precise' THEN epoch(ended_at) - epoch(admitted_at) END AS run_seconds,
    flavors,
    cpu_cores,
    memory_bytes,
    ephemeral_storage_bytes,
    pod_count,
    last_observed_at
FROM qualified
