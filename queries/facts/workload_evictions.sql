-- Workload evictions: one row each eviction of a Kueue Workload that was seen, or that a later state tells of.
--
-- grain: cluster_uid, uid, evicted_at, reserved_again_at
-- reads: kueue_workload_condition, kueue_workload_eviction
-- params:
--
-- Re-admission overwrites the time of an eviction and keeps its message as `Previously: …`. An eviction known only
-- so `is_reconstructed`: it has no `evicted_at`, only that it was before `reserved_again_at`; its reason is told by
-- a preemption's message, or by Kueue's counters where they know one reason only, and is NULL otherwise. Counters
-- may know of more evictions than there are rows here: compare `workloads.eviction_count`.
-- Where reason or message changed while the Workload stayed evicted, the last one seen counts.
-- Quota is released after the eviction, when QuotaReserved turns False: `quota_released_at`.
-- A preemptor that Kueue calls UNKNOWN is NULL. `preemption_cause` is in the words of Kueue's message.

WITH changes AS (
    SELECT
        cluster, cluster_uid, namespace, workload, uid,
        status, reason, message, changed_at, observed_at, resource_version
    FROM kueue_workload_condition
    WHERE condition_type = 'Evicted'
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, uid, status, changed_at
        ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
),

neighbours AS (
    SELECT
        *,
        lag(status) OVER in_order AS previous_status,
        lag(message) OVER in_order AS previous_message,
        lead(status) OVER in_order AS next_status,
        lead(message) OVER in_order AS next_message,
        lead(changed_at) OVER in_order AS next_changed_at
    FROM changes
    WINDOW in_order AS (
        PARTITION BY cluster_uid, uid ORDER BY changed_at, observed_at, length(resource_version), resource_version
    )
),

seen AS (
    SELECT
        cluster, cluster_uid, namespace, workload, uid,
        false AS is_reconstructed,
        changed_at AS evicted_at,
        CASE
            WHEN next_status = 'False'
                AND (NOT starts_with(next_message, 'Previously: ') OR next_message = concat('Previously: ', message))
            THEN next_changed_at
        END AS reserved_again_at,
        next_changed_at,
        reason,
        message,
        observed_at
    FROM neighbours
    WHERE status = 'True'
),

reconstructed AS (
    SELECT
        cluster, cluster_uid, namespace, workload, uid,
        true AS is_reconstructed,
        NULL AS evicted_at,
        changed_at AS reserved_again_at,
        NULL AS next_changed_at,
        NULL AS reason,
        CASE WHEN starts_with(message, 'Previously: ') THEN substr(message, 13) END AS message,
        observed_at
    FROM neighbours
    WHERE
        status = 'False'
        AND NOT (
            previous_status IS NOT DISTINCT FROM 'True'
            AND (NOT starts_with(message, 'Previously: ') OR message = concat('Previously: ', previous_message))
        )
),

evictions AS (
    SELECT * FROM seen
    UNION ALL
    SELECT * FROM reconstructed
),

only_reasons AS (
    SELECT cluster_uid, uid, min(reason) AS reason
    FROM kueue_workload_eviction
    GROUP BY cluster_uid, uid
    HAVING count(DISTINCT reason) = 1
),

releases AS (
    SELECT evictions.cluster_uid, evictions.uid, evictions.evicted_at, min(reservation.changed_at) AS quota_released_at
    FROM evictions
    JOIN kueue_workload_condition AS reservation
        ON evictions.cluster_uid = reservation.cluster_uid AND evictions.uid = reservation.uid
    WHERE
        reservation.condition_type = 'QuotaReserved'
        AND reservation.status = 'False'
        AND reservation.changed_at >= evictions.evicted_at
        AND (evictions.next_changed_at IS NULL OR reservation.changed_at <= evictions.next_changed_at)
    GROUP BY evictions.cluster_uid, evictions.uid, evictions.evicted_at
)

SELECT
    evictions.cluster,
    evictions.cluster_uid,
    evictions.namespace,
    evictions.workload,
    evictions.uid,
    evictions.is_reconstructed,
    evictions.evicted_at,
    releases.quota_released_at,
    epoch(releases.quota_released_at) - epoch(evictions.evicted_at) AS quota_release_seconds,
    evictions.reserved_again_at,
    coalesce(
        evictions.reason,
        CASE WHEN evictions.message LIKE 'Preempted to accommodate %' THEN 'Preempted' END,
        only_reasons.reason
    ) AS reason,
    evictions.message,
    nullif(nullif(regexp_extract(evictions.message, ' to accommodate .*\(UID: ([^,)]*)', 1), ''), 'UNKNOWN')
        AS preemptor_uid,
    nullif(nullif(regexp_extract(evictions.message, ' to accommodate .*, JobUID: ([^,)]*)', 1), ''), 'UNKNOWN')
        AS preemptor_job_uid,
    nullif(regexp_extract(evictions.message, ' to accommodate .* due to ([^;]*)', 1), '') AS preemption_cause,
    evictions.observed_at
FROM evictions
LEFT JOIN only_reasons ON evictions.cluster_uid = only_reasons.cluster_uid AND evictions.uid = only_reasons.uid
LEFT JOIN releases
    ON evictions.cluster_uid = releases.cluster_uid
    AND evictions.uid = releases.uid
    AND evictions.evicted_at = releases.evicted_at
