-- Queue use: one row a stretch of time in which a ClusterQueue's reserved, borrowed and lent quota of a flavor and
-- resource stayed the same.
--
-- grain: cluster_uid, uid, flavor, resource, since
-- reads: cohort_quotas, cohorts, queue_quota_intervals, queue_usage_intervals
-- params:
--
-- Kueue reports what a queue borrows, and never what it lends. What is lent in a tree of cohorts is what is
-- borrowed in it, but from whom is told only by bounds: a queue lends at most what it leaves unused of what it may
-- lend, and at least what the others and the cohorts' own quota could not have lent. With one lender the two are equal.
-- Trees and the quota of cohorts are as last seen; a queue without cohort is a tree of its own. `idle_total` is the own
-- quota that neither the queue nor, by the least, a borrower holds. Times are those of queue_usage_intervals.
-- `available_total` is what the queue could reserve more, by Kueue's rule: what it does not lend is its own, the rest
-- is pooled in its tree, and its borrowing limit holds for both. It is NULL where a cohort below the root has limits of
-- its own, for then only the whole tree tells.

WITH states AS (
    SELECT
        usage.cluster,
        usage.cluster_uid,
        usage.cluster_queue,
        usage.uid,
        quota.cohort,
        coalesce(cohorts.root_cohort, quota.cohort) AS root_cohort,
        CASE
            WHEN quota.cohort IS NULL THEN concat('queue/', usage.uid)
            ELSE concat('cohort/', coalesce(cohorts.root_cohort, quota.cohort))
        END AS tree,
        usage.flavor,
        usage.resource,
        greatest(usage.since, quota.since) AS since,
        CASE
            WHEN usage.until IS NULL THEN quota.until
            WHEN quota.until IS NULL THEN usage.until
            ELSE least(usage.until, quota.until)
        END AS until,
        usage.last_observed_at,
        quota.nominal_quota,
        quota.limit_total,
        coalesce(usage.reserved_total, 0) AS reserved_total,
        coalesce(usage.used_total, 0) AS used_total,
        greatest(coalesce(usage.reserved_total, 0) - quota.nominal_quota, 0) AS borrowed_total,
        least(quota.lendable_total, greatest(quota.nominal_quota - coalesce(usage.reserved_total, 0), 0)) AS unused_lendable,
        greatest(quota.nominal_quota - quota.lendable_total, 0) AS local_quota,
        least(quota.nominal_quota, quota.lendable_total)
        - greatest(coalesce(usage.reserved_total, 0) - greatest(quota.nominal_quota - quota.lendable_total, 0), 0) AS pooled
    FROM queue_usage_intervals AS usage
    JOIN queue_quota_intervals AS quota
        ON usage.cluster_uid = quota.cluster_uid
        AND usage.uid = quota.uid
        AND usage.flavor = quota.flavor
        AND usage.resource = quota.resource
        AND (quota.until IS NULL OR usage.since < quota.until)
        AND (usage.until IS NULL OR quota.since < usage.until)
    LEFT JOIN cohorts ON usage.cluster_uid = cohorts.cluster_uid AND quota.cohort = cohorts.cohort
),

changes AS (
    SELECT cluster_uid, tree, flavor, resource, since AS changed_at, borrowed_total AS borrowed, unused_lendable AS unused, pooled
    FROM states
    UNION ALL
    SELECT cluster_uid, tree, flavor, resource, until AS changed_at, -borrowed_total AS borrowed, -unused_lendable AS unused, -pooled AS pooled
    FROM states
    WHERE until IS NOT NULL
),

moments AS (
    SELECT
        cluster_uid, tree, flavor, resource, changed_at, sum(borrowed) AS borrowed, sum(unused) AS unused, sum(pooled) AS pooled
    FROM changes
    GROUP BY cluster_uid, tree, flavor, resource, changed_at
),

tree_quotas AS (
    SELECT
        cluster_uid, concat('cohort/', root_cohort) AS tree, flavor, resource, sum(nominal_quota) AS nominal_quota,
        bool_or(
            parent_cohort IS NOT NULL AND NOT (coalesce(is_borrowing_unlimited, false) AND coalesce(is_lending_unlimited, false))
        ) AS has_limits
    FROM cohort_quotas
    WHERE root_cohort IS NOT NULL
    GROUP BY cluster_uid, root_cohort, flavor, resource
),

trees AS (
    SELECT
        moments.cluster_uid,
        moments.tree,
        moments.flavor,
        moments.resource,
        moments.changed_at AS since,
        lead(moments.changed_at) OVER in_order AS until,
        sum(moments.borrowed) OVER in_order AS borrowed_total,
        sum(moments.unused) OVER in_order + coalesce(tree_quotas.nominal_quota, 0) AS lendable_total,
        sum(moments.pooled) OVER in_order + coalesce(tree_quotas.nominal_quota, 0) AS pooled_total,
        coalesce(tree_quotas.has_limits, false) AS has_limits
    FROM moments
    LEFT JOIN tree_quotas
        ON moments.cluster_uid = tree_quotas.cluster_uid
        AND moments.tree = tree_quotas.tree
        AND moments.flavor = tree_quotas.flavor
        AND moments.resource = tree_quotas.resource
    WINDOW in_order AS (
        PARTITION BY moments.cluster_uid, moments.tree, moments.flavor, moments.resource ORDER BY moments.changed_at
    )
),

shared AS (
    SELECT
        states.cluster,
        states.cluster_uid,
        states.cluster_queue,
        states.uid,
        states.cohort,
        states.root_cohort,
        states.flavor,
        states.resource,
        greatest(states.since, trees.since) AS since,
        CASE
            WHEN states.until IS NULL THEN trees.until
            WHEN trees.until IS NULL THEN states.until
            ELSE least(states.until, trees.until)
        END AS until,
        states.last_observed_at,
        states.nominal_quota,
        states.limit_total,
        states.reserved_total,
        states.used_total,
        states.borrowed_total,
        greatest(
            trees.borrowed_total - states.borrowed_total - (trees.lendable_total - states.unused_lendable), 0
        ) AS lent_at_least,
        least(states.unused_lendable, trees.borrowed_total - states.borrowed_total) AS lent_at_most,
        CASE
            WHEN NOT trees.has_limits
            THEN greatest(
                greatest(states.local_quota - states.reserved_total, 0)
                + least(
                    trees.pooled_total,
                    coalesce(
                        states.limit_total - greatest(states.local_quota, states.reserved_total), trees.pooled_total
                    )
                ),
                0
            )
        END AS available_total
    FROM states
    JOIN trees
        ON states.cluster_uid = trees.cluster_uid
        AND states.tree = trees.tree
        AND states.flavor = trees.flavor
        AND states.resource = trees.resource
        AND (trees.until IS NULL OR states.since < trees.until)
        AND (states.until IS NULL OR trees.since < states.until)
),

compared AS (
    SELECT
        *,
        lag(until) OVER in_order IS NOT DISTINCT FROM since
            AND lag(cohort) OVER in_order IS NOT DISTINCT FROM cohort
            AND lag(nominal_quota) OVER in_order IS NOT DISTINCT FROM nominal_quota
            AND lag(limit_total) OVER in_order IS NOT DISTINCT FROM limit_total
            AND lag(reserved_total) OVER in_order = reserved_total
            AND lag(used_total) OVER in_order = used_total
            AND lag(lent_at_least) OVER in_order = lent_at_least
            AND lag(lent_at_most) OVER in_order = lent_at_most
            AND lag(available_total) OVER in_order IS NOT DISTINCT FROM available_total AS is_same
    FROM shared
    WINDOW in_order AS (PARTITION BY cluster_uid, uid, flavor, resource ORDER BY since)
),

numbered AS (
    SELECT
        *,
        sum(CASE WHEN is_same THEN 0 ELSE 1 END) OVER (
            PARTITION BY cluster_uid, uid, flavor, resource ORDER BY since
        ) AS step_number
    FROM compared
)

SELECT
    cluster,
    cluster_uid,
    cluster_queue,
    uid,
    cohort,
    root_cohort,
    flavor,
    resource,
    min(since) AS since,
    CASE WHEN count(until) = count(*) THEN max(until) END AS until,
    max(last_observed_at) AS last_observed_at,
    nominal_quota,
    limit_total,
    reserved_total,
    used_total,
    borrowed_total,
    lent_at_least,
    lent_at_most,
    greatest(nominal_quota - reserved_total - lent_at_least, 0) AS idle_total,
    available_total,
    CASE WHEN count(until) = count(*) THEN epoch(max(until)) - epoch(min(since)) END AS interval_seconds
FROM numbered
GROUP BY
    cluster, cluster_uid, cluster_queue, uid, cohort, root_cohort, flavor, resource, step_number,
    nominal_quota, limit_total, reserved_total, used_total, borrowed_total, lent_at_least, lent_at_most, available_total
