-- History edges: one row a source and environment, from when on it is known, and what was forgotten since.
--
-- grain: source, environment
-- reads: syncs, promotions
-- params: environment
--
-- Argo CD keeps the last syncs only and numbers them, so a number that is missing is a sync that was
-- forgotten before anybody looked. GitOps Promoter keeps five promotions and does not number them, so
-- there nobody can tell: `forgotten_count` is NULL.
-- An empty `environment` asks for all.

SELECT
    'Argo CD history' AS source,
    environment,
    min(deployed_at) AS known_since,
    max(deployed_at) AS known_until,
    count(*) AS event_count,
    sum(forgotten_before_count) + sum(CASE WHEN is_first THEN sync_id ELSE 0 END) AS forgotten_count
FROM (
    SELECT *, row_number() OVER (PARTITION BY cluster_uid, uid ORDER BY deployed_at, sync_id) = 1 AS is_first
    FROM syncs
)
WHERE $environment = '' OR environment = $environment
GROUP BY environment
UNION ALL
SELECT 'Promoter history', environment, min(merged_at), max(merged_at), count(*), NULL
FROM promotions
WHERE $environment = '' OR environment = $environment
GROUP BY environment
ORDER BY source, environment
