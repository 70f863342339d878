-- Observed concurrency: one row a stretch of time in which as many of one kind were active at once on a cluster.
--
-- grain: cluster, kind, subject, since
-- reads: benchmark_leases, benchmark_run_instances, coverage, workload_attempts
-- params:
--
-- `kind` is the witness: `lease` (slots held, by resource type and capacity key; the best one, for retries
-- erase their instances' times), `session` (instances from the start of their inference to its end) or `workload`
-- (admitted by Kueue, by ClusterQueue). `cluster` is the database's name where no cluster is configured for it.
-- A session that ended without a time of its own counts to its row's last change. What is open counts to no end,
-- and since it was last seen as `unconfirmed_count`: the truth lies between `concurrency` less that and `concurrency`.
-- `is_gap`: nobody watched Workloads then, so the number is what was known before it.

WITH spans AS (
    SELECT
        coalesce(cluster, database) AS cluster,
        'lease' AS kind,
        concat(resource_type, '/', capacity_key) AS subject,
        acquired_at AS since,
        ended_at AS until,
        read_at AS seen_at,
        lease_count AS amount
    FROM benchmark_leases
    WHERE acquired_at IS NOT NULL
    UNION ALL
    SELECT
        coalesce(cluster, database) AS cluster,
        'session' AS kind,
        'inference' AS subject,
        started_at AS since,
        coalesce(inference_completed_at, CASE WHEN NOT is_active THEN updated_at END) AS until,
        state_seen_at AS seen_at,
        1 AS amount
    FROM benchmark_run_instances
    WHERE started_at IS NOT NULL
    UNION ALL
    SELECT
        cluster,
        'workload' AS kind,
        cluster_queue AS subject,
        admitted_at AS since,
        ended_at AS until,
        last_observed_at AS seen_at,
        1 AS amount
    FROM workload_attempts
    WHERE admitted_at IS NOT NULL AND cluster_queue IS NOT NULL
),

gaps AS (
    SELECT queue.cluster, queue.subject, gap.since, gap.until
    FROM (SELECT DISTINCT cluster, subject FROM spans WHERE kind = 'workload') AS queue
    JOIN coverage AS gap ON queue.cluster = gap.cluster
    WHERE gap.api_group = 'kueue.x-k8s.io' AND gap.resource = 'workloads' AND gap.state = 'gap'
),

changes AS (
    SELECT cluster, kind, subject, since AS changed_at, amount, 0 AS unconfirmed, 0 AS gap
    FROM spans
    WHERE until IS NULL OR until > since
    UNION ALL
    SELECT cluster, kind, subject, until AS changed_at, -amount AS amount, 0 AS unconfirmed, 0 AS gap
    FROM spans
    WHERE until > since
    UNION ALL
    SELECT cluster, kind, subject, greatest(seen_at, since) AS changed_at, 0 AS amount, amount AS unconfirmed, 0 AS gap
    FROM spans
    WHERE until IS NULL
    UNION ALL
    SELECT cluster, 'workload' AS kind, subject, since AS changed_at, 0 AS amount, 0 AS unconfirmed, 1 AS gap
    FROM gaps
    UNION ALL
    SELECT cluster, 'workload' AS kind, subject, until AS changed_at, 0 AS amount, 0 AS unconfirmed, -1 AS gap
    FROM gaps
),

moments AS (
    SELECT
        cluster, kind, subject, changed_at, sum(amount) AS amount, sum(unconfirmed) AS unconfirmed, sum(gap) AS gap
    FROM changes
    GROUP BY cluster, kind, subject, changed_at
    HAVING sum(amount) <> 0 OR sum(unconfirmed) <> 0 OR sum(gap) <> 0
)

SELECT
    cluster,
    kind,
    subject,
    changed_at AS since,
    lead(changed_at) OVER in_order AS until,
    CAST(sum(amount) OVER in_order AS BIGINT) AS concurrency,
    CAST(sum(unconfirmed) OVER in_order AS BIGINT) AS unconfirmed_count,
    sum(gap) OVER in_order > 0 AS is_gap,
    epoch(lead(changed_at) OVER in_order) - epoch(changed_at) AS interval_seconds
FROM moments
WINDOW in_order AS (PARTITION BY cluster, kind, subject ORDER BY changed_at)
