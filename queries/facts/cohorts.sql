-- Cohorts: one row a Kueue cohort of a cluster, declared or only named, and the tree that it is in, as last seen.
--
-- grain: cluster_uid, cohort
-- reads: kueue_cluster_queue, kueue_cohort
-- params:
--
-- A cohort that only a ClusterQueue or another Cohort names is a root without quota of its own: not `is_declared`.
-- `depth` is 0 for a root. In a ring of parents, or above 30 of them, there is no root: `root_cohort` and `depth` are
-- NULL, and Kueue stops every queue in it.

WITH RECURSIVE declared AS (
    SELECT cluster, cluster_uid, cohort, parent_cohort, event_type
    FROM kueue_cohort
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, cohort ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
),

queues AS (
    SELECT cluster, cluster_uid, cohort, event_type
    FROM kueue_cluster_queue
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, cluster_queue
        ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
),

named AS (
    SELECT cluster, cluster_uid, cohort, parent_cohort, true AS is_declared
    FROM declared
    WHERE event_type IS DISTINCT FROM 'DELETED'
    UNION ALL
    SELECT cluster, cluster_uid, parent_cohort AS cohort, NULL AS parent_cohort, false AS is_declared
    FROM declared
    WHERE event_type IS DISTINCT FROM 'DELETED' AND parent_cohort IS NOT NULL
    UNION ALL
    SELECT cluster, cluster_uid, cohort, NULL AS parent_cohort, false AS is_declared
    FROM queues
    WHERE event_type IS DISTINCT FROM 'DELETED' AND cohort IS NOT NULL
),

tree AS (
    SELECT
        cluster,
        cluster_uid,
        cohort,
        max(parent_cohort) AS parent_cohort,
        bool_or(is_declared) AS is_declared
    FROM named
    GROUP BY cluster, cluster_uid, cohort
),

ancestors AS (
    SELECT cluster_uid, cohort, cohort AS ancestor, parent_cohort AS above, 0 AS depth
    FROM tree
    UNION ALL
    SELECT ancestors.cluster_uid, ancestors.cohort, tree.cohort AS ancestor, tree.parent_cohort AS above, ancestors.depth + 1
    FROM ancestors
    JOIN tree ON ancestors.cluster_uid = tree.cluster_uid AND ancestors.above = tree.cohort
    WHERE ancestors.depth < 30
)

SELECT
    tree.cluster,
    tree.cluster_uid,
    tree.cohort,
    tree.parent_cohort,
    tree.is_declared,
    root.ancestor AS root_cohort,
    root.depth
FROM tree
LEFT JOIN ancestors AS root
    ON tree.cluster_uid = root.cluster_uid
    AND tree.cohort = root.cohort
    AND root.above IS NULL
