-- Promotions beside the truth: one row a merge into an environment's branch, true or found.
--
-- grain: part, subject_key
-- reads: promotions, truth_change_environment
-- params:
--
-- `part` is the environment. Both name a merge by its commit, so a wrong one is a row of its own.
-- `error_seconds` is the time found less the true one.

WITH merges AS (
    SELECT environment, merge_sha, min(merged_at) AS merged_at
    FROM truth_change_environment
    WHERE merge_sha IS NOT NULL
    GROUP BY environment, merge_sha
)

SELECT
    coalesce(merges.environment, promotions.environment) AS part,
    coalesce(merges.merge_sha, promotions.hydrated_sha) AS subject_key,
    merges.merge_sha IS NOT NULL AS is_true,
    promotions.hydrated_sha IS NOT NULL AS is_found,
    epoch(promotions.merged_at) - epoch(merges.merged_at) AS error_seconds
FROM merges
FULL OUTER JOIN promotions
    ON promotions.environment = merges.environment AND promotions.hydrated_sha = merges.merge_sha
