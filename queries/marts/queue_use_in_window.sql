-- Queue use in a window: one row a flavor and resource of a ClusterQueue, with what was held of its quota, in
-- amount times time.
--
-- grain: cluster_uid, cluster_queue, flavor, resource
-- reads: queue_use
-- params: since, until, as_of, cluster_queue
--
-- The window is [since, until) in UTC, up to $as_of; an empty $cluster_queue is all of them. `_seconds` are amounts in
-- the resource's own unit times seconds (core seconds, byte seconds), of the time in which the queue was seen:
-- `observed_seconds`. The last step counts to the window's end. A mean is one divided by the other. `used_ratio`
-- is what the queue and its borrowers held at least, of its own quota; it is above 1 where the queue borrowed.

WITH cut AS (
    SELECT
        *,
        epoch(least(coalesce(until, $until), $until, $as_of)) - epoch(greatest(since, $since)) AS seconds
    FROM queue_use
    WHERE
        since < $until
        AND since < $as_of
        AND (until IS NULL OR until > $since)
        AND ($cluster_queue = '' OR cluster_queue = $cluster_queue)
),

summed AS (
    SELECT
        cluster,
        cluster_uid,
        cluster_queue,
        flavor,
        resource,
        max(root_cohort) AS root_cohort,
        sum(seconds) AS observed_seconds,
        sum(CAST(nominal_quota AS DOUBLE) * seconds) AS nominal_seconds,
        sum(CAST(reserved_total AS DOUBLE) * seconds) AS reserved_seconds,
        sum(CAST(used_total AS DOUBLE) * seconds) AS used_seconds,
        sum(CAST(borrowed_total AS DOUBLE) * seconds) AS borrowed_seconds,
        sum(CAST(lent_at_least AS DOUBLE) * seconds) AS lent_at_least_seconds,
        sum(CAST(lent_at_most AS DOUBLE) * seconds) AS lent_at_most_seconds,
        sum(CAST(idle_total AS DOUBLE) * seconds) AS idle_seconds,
        max(reserved_total) AS reserved_peak,
        sum(CASE WHEN reserved_total >= limit_total THEN seconds ELSE 0 END) AS at_limit_seconds
    FROM cut
    WHERE seconds > 0
    GROUP BY cluster, cluster_uid, cluster_queue, flavor, resource
)

SELECT
    cluster,
    cluster_uid,
    cluster_queue,
    root_cohort,
    flavor,
    resource,
    observed_seconds,
    nominal_seconds,
    reserved_seconds,
    used_seconds,
    borrowed_seconds,
    lent_at_least_seconds,
    lent_at_most_seconds,
    idle_seconds,
    at_limit_seconds,
    reserved_peak,
    (reserved_seconds + lent_at_least_seconds) / nullif(nominal_seconds, 0) AS used_ratio
FROM summed
ORDER BY cluster, cluster_queue, flavor, resource
