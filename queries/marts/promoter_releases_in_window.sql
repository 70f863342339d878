-- Releases of a window by GitOps Promoter: one row a dry commit of it that came to the last environment of its strategy.
--
-- grain: cluster_uid, namespace, promotion_strategy, dry_sha
-- reads: promoter_releases
-- params: since, until, as_of, environment
--
-- In the window are releases whose dry commit is of it, and that were merged by $as_of; what happened later is not known
-- yet. An empty $environment is all of them. `lead_seconds` is GitOps Promoter's issue 574, see the fact; of the first
-- known release it is NULL, as nobody knows what it interrupted. `open_seconds` is how long one that is merged, and that
-- no other has replaced, has lasted without a success.

SELECT
    cluster,
    cluster_uid,
    namespace,
    promotion_strategy,
    environment,
    dry_sha,
    dry_subject,
    started_at,
    started_by_sha,
    interrupted_count,
    merged_at,
    CASE WHEN ended_at <= $as_of THEN ended_at END AS ended_at,
    CASE WHEN replaced_at <= $as_of THEN replaced_at END AS replaced_at,
    is_first_known,
    CASE WHEN ended_at <= $as_of THEN lead_seconds END AS lead_seconds,
    CASE
        WHEN ended_at <= $as_of OR replaced_at <= $as_of OR is_first_known THEN NULL
        ELSE epoch($as_of) - epoch(started_at)
    END AS open_seconds
FROM promoter_releases
WHERE
    dry_at >= $since
    AND dry_at < $until
    AND merged_at <= $as_of
    AND ($environment = '' OR environment = $environment)
