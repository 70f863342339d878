-- Coverage stretches in a window: one row a stretch of coverage, as far as it lies in the window.
--
-- grain: cluster, api_group, resource, state, since
-- reads: coverage_stretches
-- params: since, until
--
-- Stretches are cut at the window's edges; `look_count` and `longest_pause_seconds` stay those of the whole one.

SELECT
    cluster,
    api_group,
    resource,
    state,
    greatest(since, $since) AS since,
    least(until, $until) AS until,
    look_count,
    longest_pause_seconds,
    object_count,
    message
FROM coverage_stretches
WHERE since < $until AND until >= $since
ORDER BY cluster, api_group, resource, since, state
