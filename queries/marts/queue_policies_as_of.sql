-- Queue policies as of a time: one row a ClusterQueue, in which order it admits and whom it preempts.
--
-- grain: cluster_uid, cluster_queue
-- reads: kueue_cluster_queue
-- params: as_of, cluster
--
-- The last version that was seen at $as_of; what it leaves out is Kueue's default. A queue that was deleted by then has
-- no row.

SELECT
    cluster,
    cluster_uid,
    cluster_queue,
    coalesce(queueing_strategy, 'BestEffortFIFO') AS queueing_strategy,
    coalesce(preempt_within_cluster_queue, 'Never') AS preempt_within_cluster_queue,
    coalesce(reclaim_within_cohort, 'Never') AS reclaim_within_cohort,
    coalesce(borrow_within_cohort, 'Never') AS borrow_within_cohort,
    coalesce(when_can_borrow, 'MayStopSearch') AS when_can_borrow,
    coalesce(when_can_preempt, 'TryNextFlavor') AS when_can_preempt,
    observed_at
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY cluster_uid, cluster_queue
            ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
        ) AS age
    FROM kueue_cluster_queue
    WHERE observed_at <= $as_of AND cluster = $cluster
) AS versions
WHERE age = 1 AND event_type IS DISTINCT FROM 'DELETED'
ORDER BY cluster_queue
