-- Looks as of a time: one row a resource of a cluster that was looked at by then, first and last.
--
-- grain: cluster, api_group, resource
-- reads: coverage, object_version
-- params: as_of, cluster
--
-- A watch looks for as long as it lasts, a list and a file when they were read; what was refused, or not answered, is no
-- look. An object says of itself when it was seen, also where nobody noted the look.

WITH looks AS (
    SELECT cluster, api_group, resource, since AS first_at, least(until, $as_of) AS last_at
    FROM coverage
    WHERE cluster = $cluster AND state IN ('list', 'watch', 'read', 'file') AND since <= $as_of
    UNION ALL
    SELECT cluster, api_group, resource, observed_at, observed_at
    FROM object_version
    WHERE cluster = $cluster AND observed_at <= $as_of AND is_inferred IS NOT TRUE
)

SELECT cluster, api_group, resource, min(first_at) AS first_looked_at, max(last_at) AS last_looked_at
FROM looks
GROUP BY cluster, api_group, resource
ORDER BY cluster, api_group, resource
