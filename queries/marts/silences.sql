-- Silences: one row a stretch longer than a day in which nothing at all was seen of a cluster that files tell of.
--
-- grain: cluster, since
-- reads: object_version
-- params: since, until
--
-- A file of watch events does not say what its watcher missed, and a cluster that is quiet looks like one that
-- nobody watched: a silence is a suspicion. Extractors of gitopslab note gaps themselves, so what they landed is
-- not asked here. A silence that reaches out of the window is named whole.

WITH moments AS (
    SELECT DISTINCT cluster, observed_at
    FROM object_version
    WHERE how = 'file'
),

paused AS (
    SELECT
        cluster,
        observed_at AS until,
        lag(observed_at) OVER (PARTITION BY cluster ORDER BY observed_at) AS since
    FROM moments
)

SELECT cluster, since, until, epoch(until) - epoch(since) AS silence_seconds
FROM paused
WHERE until > since + INTERVAL 1 DAY AND since < $until AND until > $since
ORDER BY silence_seconds DESC, cluster, since
