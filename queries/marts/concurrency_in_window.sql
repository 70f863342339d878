-- Concurrency in a window: one row a stretch of time in it in which as many of one kind were active at once.
--
-- grain: cluster, kind, subject, since
-- reads: observed_concurrency
-- params: since, until, as_of, cluster
--
-- Stretches are cut at the window's edges and at $as_of; an empty $cluster is all of them. Between
-- `concurrency_at_least` and `concurrency` lies the truth, where some were not seen since before.

SELECT
    cluster,
    kind,
    subject,
    greatest(since, $since) AS since,
    least(coalesce(until, $until), $until, $as_of) AS until,
    concurrency,
    concurrency - unconfirmed_count AS concurrency_at_least,
    is_gap,
    epoch(least(coalesce(until, $until), $until, $as_of)) - epoch(greatest(since, $since)) AS interval_seconds
FROM observed_concurrency
WHERE
    since < $until
    AND since < $as_of
    AND (until IS NULL OR until > $since)
    AND ($cluster = '' OR cluster = $cluster)
ORDER BY cluster, kind, subject, since
