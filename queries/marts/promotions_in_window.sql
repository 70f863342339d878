-- Promotions in a window: one row a promotion that was merged in it.
--
-- grain: cluster_uid, namespace, promotion_strategy, environment, hydrated_sha
-- reads: promotions
-- params: environment, since, until
--
-- The window is [since, until) in UTC, on the merge. An empty `environment` asks for all.

SELECT
    environment,
    branch,
    cluster_uid,
    namespace,
    promotion_strategy,
    dry_sha,
    dry_subject,
    hydrated_sha,
    pull_request_id,
    dry_authored_at,
    pull_request_created_at,
    merged_at,
    merged_at_source,
    pull_request_seconds,
    dry_to_merge_seconds,
    is_manual
FROM promotions
WHERE ($environment = '' OR environment = $environment) AND merged_at >= $since AND merged_at < $until
ORDER BY merged_at, environment, hydrated_sha
