-- Rejects by reason: one row a reason for which pieces of a source could not be read, and how many.
--
-- grain: cluster, source, reason
-- reads: reject
-- params:
--
-- All that were ever landed: when a piece was rejected says nothing of the time it is about.

SELECT
    cluster,
    source,
    reason,
    count(*) AS reject_count,
    min(rejected_at) AS first_rejected_at,
    max(rejected_at) AS last_rejected_at
FROM reject
GROUP BY cluster, source, reason
ORDER BY reject_count DESC, cluster, source, reason
