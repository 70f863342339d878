-- Promotions without hydration: one row a commit of an active branch whose manifests its proposed branch never had.
--
-- grain: repository, branch, sha
-- reads: branch_promotions, hydrated_commits
-- params: since, until
--
-- The active branch moved to what nobody hydrated for it: by hand, or the proposed branch was not read. Where
-- a branch is cut off (`is_boundary`), and at its first commit, nothing was proposed.

SELECT
    promotion.repository,
    promotion.branch,
    promotion.sha,
    promotion.environment,
    CAST(NULL AS VARCHAR) AS service,
    promotion.repository || ' ' || promotion.branch || ' ' || substr(promotion.sha, 1, 12) AS subject,
    promotion.merged_at AS found_at,
    CASE
        WHEN promotion.dry_sha IS NULL THEN 'nothing names its dry commit'
        ELSE 'no proposed commit was hydrated from ' || substr(promotion.dry_sha, 1, 12)
    END AS message
FROM branch_promotions AS promotion
LEFT JOIN (
    SELECT DISTINCT repository, environment, dry_sha FROM hydrated_commits WHERE side = 'proposed'
) AS hydrated
    ON hydrated.repository = promotion.repository
    AND hydrated.environment = promotion.environment
    AND hydrated.dry_sha = promotion.dry_sha
WHERE
    hydrated.dry_sha IS NULL
    AND NOT promotion.is_boundary
    AND promotion.position > 1
    AND promotion.merged_at >= $since
    AND promotion.merged_at < $until
