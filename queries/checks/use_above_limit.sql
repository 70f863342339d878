-- Use above the limit: one row a time when a ClusterQueue came to reserve more than its quota and its borrowing limit
-- allow.
--
-- grain: cluster_uid, uid, flavor, resource, since
-- reads: queue_use
-- params:
--
-- Quota that is lowered evicts nobody, so use above a limit is no wonder; use that *grew* beyond an unchanged one is.

SELECT cluster, cluster_uid, cluster_queue, uid, flavor, resource, since, reserved_total, reserved_before, limit_total
FROM (
    SELECT
        *,
        lag(reserved_total) OVER in_order AS reserved_before,
        lag(limit_total) OVER in_order AS limit_before
    FROM queue_use
    WINDOW in_order AS (PARTITION BY cluster_uid, uid, flavor, resource ORDER BY since)
) AS compared
WHERE reserved_total > limit_total AND reserved_before < reserved_total AND limit_before = limit_total
