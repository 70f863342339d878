-- Promotions beside the truth: one row a merge into an environment's branch, true or found.
--
-- grain: part, subject_key
-- reads: promotions, truth_change_environment
-- params:
--
-- `part` is the environment. Both name a merge by its commit, so a wrong one is a row of its own.
-- What was active already when a branch was first seen, and is in no history, was promoted before anybody
-- looked, and perhaps before the truth begins: it may be true, and is not wrong where it is not.
-- `error_seconds` is the time found less the true one.

WITH merges AS (
    SELECT environment, merge_sha, min(merged_at) AS merged_at
    FROM truth_change_environment
    WHERE merge_sha IS NOT NULL
    GROUP BY environment, merge_sha
),

found AS (
    SELECT
        environment,
        hydrated_sha,
        merged_at,
        evidence = 'active' AND first_seen_at IS NOT DISTINCT FROM min(first_seen_at) OVER (
            PARTITION BY cluster_uid, namespace, promotion_strategy, branch, active_path
        ) AS is_left_censored
    FROM promotions
)

SELECT
    coalesce(merges.environment, found.environment) AS part,
    coalesce(merges.merge_sha, found.hydrated_sha) AS subject_key,
    merges.merge_sha IS NOT NULL AS is_true,
    found.hydrated_sha IS NOT NULL AS is_found,
    epoch(found.merged_at) - epoch(merges.merged_at) AS error_seconds
FROM merges
FULL OUTER JOIN found ON found.environment = merges.environment AND found.hydrated_sha = merges.merge_sha
WHERE merges.merge_sha IS NOT NULL OR NOT found.is_left_censored
