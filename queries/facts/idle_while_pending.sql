-- Idle while pending: one row a stretch of time in which a Workload waited for quota that its ClusterQueue could have
-- given it.
--
-- grain: cluster_uid, uid, attempt_number, since
-- reads: queue_quotas, queue_use, workload_attempts, workload_pod_requests
-- params:
--
-- It would have fitted where, of every resource group that it asks of, one flavor had enough of all that it asks for:
-- `available_total` of queue_use, with what could be borrowed. Resources that the queue has no quota for are not
-- asked; a queue whose tree's availability is not known has no row. Waits and stretches of 5 s or less are left out:
-- a scheduler's cycle, and the second for which Kueue gathers what it writes of a queue. Why it was not admitted is not said here: the queue was stopped, a StrictFIFO head was before it, a check
-- held it, flavors did not match its node selector, or Kueue was slow. Requests are those of the pod templates, in
-- cores and bytes; groups and flavors are as last seen.

WITH pending AS (
    SELECT
        cluster,
        cluster_uid,
        cluster_queue,
        uid,
        attempt_number,
        priority,
        queued_at,
        coalesce(quota_reserved_at, ended_earliest_at, last_observed_at) AS left_at
    FROM workload_attempts
    WHERE
        cluster_queue IS NOT NULL
        AND (quota_reserved_at IS NOT NULL OR waited_seconds IS NOT NULL)
        AND epoch(coalesce(quota_reserved_at, ended_earliest_at, last_observed_at)) - epoch(queued_at) > 5
),

asked AS (
    SELECT cluster_uid, uid, resource, sum(request * pod_count) AS amount
    FROM workload_pod_requests
    GROUP BY cluster_uid, uid, resource
    UNION ALL
    SELECT cluster_uid, uid, 'pods' AS resource, sum(pod_count) AS amount
    FROM (
        SELECT DISTINCT cluster_uid, uid, pod_set, pod_count
        FROM workload_pod_requests
    ) AS pod_sets
    GROUP BY cluster_uid, uid
),

candidates AS (
    SELECT
        pending.*,
        quota.resource_group_number,
        quota.flavor,
        quota.resource,
        asked.amount
    FROM pending
    JOIN asked ON pending.cluster_uid = asked.cluster_uid AND pending.uid = asked.uid
    JOIN queue_quotas AS quota
        ON pending.cluster_uid = quota.cluster_uid
        AND pending.cluster_queue = quota.cluster_queue
        AND asked.resource = quota.resource
    WHERE asked.amount > 0
),

wanted AS (
    SELECT
        cluster_uid,
        uid,
        attempt_number,
        count(DISTINCT resource_group_number) AS group_count
    FROM candidates
    GROUP BY cluster_uid, uid, attempt_number
),

flavor_needs AS (
    SELECT cluster_uid, uid, attempt_number, resource_group_number, flavor, count(*) AS resource_count
    FROM candidates
    GROUP BY cluster_uid, uid, attempt_number, resource_group_number, flavor
),

enough AS (
    SELECT
        candidates.cluster_uid,
        candidates.uid,
        candidates.attempt_number,
        candidates.resource_group_number,
        candidates.flavor,
        greatest(candidates.queued_at, usage.since) AS since,
        least(candidates.left_at, coalesce(usage.until, candidates.left_at)) AS until
    FROM candidates
    JOIN queue_use AS usage
        ON candidates.cluster_uid = usage.cluster_uid
        AND candidates.cluster_queue = usage.cluster_queue
        AND candidates.flavor = usage.flavor
        AND candidates.resource = usage.resource
        AND usage.since < candidates.left_at
        AND (usage.until IS NULL OR usage.until > candidates.queued_at)
    WHERE usage.available_total >= candidates.amount
),

flavor_changes AS (
    SELECT cluster_uid, uid, attempt_number, resource_group_number, flavor, since AS changed_at, 1 AS change
    FROM enough
    UNION ALL
    SELECT cluster_uid, uid, attempt_number, resource_group_number, flavor, until AS changed_at, -1 AS change
    FROM enough
),

flavor_steps AS (
    SELECT
        cluster_uid,
        uid,
        attempt_number,
        resource_group_number,
        flavor,
        changed_at,
        sum(sum(change)) OVER (
            PARTITION BY cluster_uid, uid, attempt_number, resource_group_number, flavor ORDER BY changed_at
        ) AS resource_count
    FROM flavor_changes
    GROUP BY cluster_uid, uid, attempt_number, resource_group_number, flavor, changed_at
),

flavor_fits AS (
    SELECT
        step.cluster_uid,
        step.uid,
        step.attempt_number,
        step.resource_group_number,
        step.changed_at,
        CASE WHEN step.resource_count = need.resource_count THEN 1 ELSE 0 END
        - coalesce(
            lag(CASE WHEN step.resource_count = need.resource_count THEN 1 ELSE 0 END) OVER (
                PARTITION BY step.cluster_uid, step.uid, step.attempt_number, step.resource_group_number, step.flavor
                ORDER BY step.changed_at
            ),
            0
        ) AS change
    FROM flavor_steps AS step
    JOIN flavor_needs AS need
        ON step.cluster_uid = need.cluster_uid
        AND step.uid = need.uid
        AND step.attempt_number = need.attempt_number
        AND step.resource_group_number = need.resource_group_number
        AND step.flavor = need.flavor
),

group_steps AS (
    SELECT
        cluster_uid,
        uid,
        attempt_number,
        resource_group_number,
        changed_at,
        sum(sum(change)) OVER (
            PARTITION BY cluster_uid, uid, attempt_number, resource_group_number ORDER BY changed_at
        ) AS flavor_count
    FROM flavor_fits
    GROUP BY cluster_uid, uid, attempt_number, resource_group_number, changed_at
),

group_fits AS (
    SELECT
        cluster_uid,
        uid,
        attempt_number,
        changed_at,
        CASE WHEN flavor_count > 0 THEN 1 ELSE 0 END
        - coalesce(
            lag(CASE WHEN flavor_count > 0 THEN 1 ELSE 0 END) OVER (
                PARTITION BY cluster_uid, uid, attempt_number, resource_group_number ORDER BY changed_at
            ),
            0
        ) AS change
    FROM group_steps
),

steps AS (
    SELECT
        fit.cluster_uid,
        fit.uid,
        fit.attempt_number,
        fit.changed_at,
        sum(sum(fit.change)) OVER in_order = max(wanted.group_count) AS is_fitting
    FROM group_fits AS fit
    JOIN wanted
        ON fit.cluster_uid = wanted.cluster_uid
        AND fit.uid = wanted.uid
        AND fit.attempt_number = wanted.attempt_number
    GROUP BY fit.cluster_uid, fit.uid, fit.attempt_number, fit.changed_at
    WINDOW in_order AS (PARTITION BY fit.cluster_uid, fit.uid, fit.attempt_number ORDER BY fit.changed_at)
),

edges AS (
    SELECT
        *,
        lag(is_fitting) OVER (PARTITION BY cluster_uid, uid, attempt_number ORDER BY changed_at) AS was_fitting
    FROM steps
),

stretches AS (
    SELECT
        cluster_uid,
        uid,
        attempt_number,
        is_fitting,
        changed_at AS since,
        lead(changed_at) OVER (PARTITION BY cluster_uid, uid, attempt_number ORDER BY changed_at) AS until
    FROM edges
    WHERE was_fitting IS NULL OR was_fitting <> is_fitting
)

SELECT
    pending.cluster,
    pending.cluster_uid,
    pending.cluster_queue,
    pending.uid,
    pending.attempt_number,
    pending.priority,
    stretches.since,
    stretches.until,
    epoch(stretches.until) - epoch(stretches.since) AS idle_seconds,
    cpu.amount AS cpu_cores,
    memory.amount AS memory_bytes
FROM stretches
JOIN pending
    ON stretches.cluster_uid = pending.cluster_uid
    AND stretches.uid = pending.uid
    AND stretches.attempt_number = pending.attempt_number
LEFT JOIN asked AS cpu
    ON pending.cluster_uid = cpu.cluster_uid AND pending.uid = cpu.uid AND cpu.resource = 'cpu'
LEFT JOIN asked AS memory
    ON pending.cluster_uid = memory.cluster_uid AND pending.uid = memory.uid AND memory.resource = 'memory'
WHERE stretches.is_fitting AND epoch(stretches.until) - epoch(stretches.since) > 5
