-- Negative durations: one row a build, pull request or sync that ended before it began, by one clock.
--
-- grain: kind, subject, found_at
-- reads: release_builds, promotions, rollouts
-- params: since, until
--
-- Both times are of the same system, so no clock explains it. `found_at` is the end.

SELECT
    'build' AS kind,
    CAST(NULL AS VARCHAR) AS environment,
    service,
    cluster || '/' || namespace || '/' || pipeline_run || ' ' || run_uid AS subject,
    built_at AS found_at,
    'it ended ' || CAST(epoch(started_at) - epoch(built_at) AS VARCHAR) || ' s before it began' AS message
FROM release_builds
WHERE built_at < started_at AND built_at >= $since AND built_at < $until
UNION ALL
SELECT
    'pull request',
    environment,
    NULL,
    coalesce(pull_request_url, 'pull request ' || pull_request_id) || ' ' || hydrated_sha,
    pull_request_merged_at,
    'it was merged ' || CAST(epoch(pull_request_created_at) - epoch(pull_request_merged_at) AS VARCHAR)
    || ' s before it was opened'
FROM promotions
WHERE
    pull_request_merged_at < pull_request_created_at
    AND pull_request_merged_at >= $since
    AND pull_request_merged_at < $until
UNION ALL
SELECT
    'sync',
    environment,
    service,
    cluster || '/' || namespace || '/' || application || ' ' || uid || ' sync ' || CAST(sync_id AS VARCHAR),
    synced_at,
    'it ended ' || CAST(epoch(started_at) - epoch(synced_at) AS VARCHAR) || ' s before it began'
FROM rollouts
WHERE synced_at < started_at AND synced_at >= $since AND synced_at < $until
