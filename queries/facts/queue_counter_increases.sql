-- Queue counter increases: one row a sample of a counter of Kueue's, with what it grew by since the sample before.
--
-- grain: prometheus, series, sampled_at
-- reads: metric_sample
-- params:
--
-- Admissions, evictions, preemptions, and the buckets, sums and counts of waits. A counter that fell began anew with its
-- process: it grew by what it shows, at least, since what it gained before the restart is lost (`is_reset`).
-- The first sample of a series has no increase: what it counted before nobody saw. So sums are lower bounds.
-- Buckets are cumulative, up to and with `upper_bound_seconds`, infinity for all; they may be added over time and
-- queues, and a quantile taken of the sums. Never average quantiles.
-- A follower counts nothing that the leader does not, so it is left out.

WITH samples AS (
    SELECT
        prometheus,
        cluster,
        metric,
        series,
        labels,
        sampled_at,
        value,
        lag(value) OVER (PARTITION BY prometheus, series ORDER BY sampled_at) AS value_before,
        lag(sampled_at) OVER (PARTITION BY prometheus, series ORDER BY sampled_at) AS since
    FROM metric_sample
    WHERE
        metric LIKE 'kueue_%'
        AND (
            metric LIKE '%_workloads_total'
            OR metric LIKE '%_once_total'
            OR metric LIKE '%_seconds_bucket'
            OR metric LIKE '%_seconds_sum'
            OR metric LIKE '%_seconds_count'
        )
)

SELECT
    prometheus,
    cluster,
    metric,
    series,
    coalesce(
        json_extract_string(labels, '$.cluster_queue'), json_extract_string(labels, '$.preempting_cluster_queue')
    ) AS cluster_queue,
    json_extract_string(labels, '$.priority_class') AS priority_class,
    json_extract_string(labels, '$.reason') AS reason,
    json_extract_string(labels, '$.underlying_cause') AS underlying_cause,
    CASE json_extract_string(labels, '$.le')
        WHEN '+Inf' THEN CAST('Infinity' AS DOUBLE)
        ELSE TRY_CAST(json_extract_string(labels, '$.le') AS DOUBLE)
    END AS upper_bound_seconds,
    since,
    sampled_at,
    value,
    CASE WHEN value_before IS NULL THEN NULL WHEN value < value_before THEN value ELSE value - value_before END
        AS increase,
    coalesce(value < value_before, false) AS is_reset
FROM samples
WHERE coalesce(json_extract_string(labels, '$.replica_role'), '') <> 'follower'
