-- Losses: one row a way in which landed data is not whole, and how often it happened.
--
-- grain: loss
-- reads: reject, unreadable_value, extract_run, object_version
-- params:
--
-- Every loss is listed, with 0 where it did not happen: a zero that was counted is not the same as
-- nothing said.

SELECT 'pieces of input that could not be read' AS loss, count(*) AS loss_count FROM reject
UNION ALL
SELECT 'values that did not fit their column', count(*) FROM unreadable_value
UNION ALL
SELECT 'extract runs that were cut off', count(*)
FROM (SELECT run_id, cluster FROM extract_run GROUP BY run_id, cluster HAVING count(*) FILTER (state = 'finished') = 0)
UNION ALL
SELECT 'Secrets refused', coalesce(sum(refused_secret_count), 0) FROM extract_run WHERE state = 'finished'
UNION ALL
SELECT 'object versions without an identity of the API server', count(*) FROM object_version WHERE identity <> 'server'
ORDER BY loss
