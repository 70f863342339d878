-- Promotions beside the truth: one row a commit that moved an environment's active branch, true or found.
--
-- grain: part, subject_key
-- reads: promotions, truth_promotion
-- params:
--
-- `part` is the environment. Both name a promotion by its commit, so a wrong one is a row of its own. Those that carry
-- no change, as going back to an older image, are promotions too. The first commit of a branch is in no object, so only
-- git tells of it. `error_seconds` is the time found less the true one.

SELECT
    coalesce(truly.environment, found.environment) AS part,
    coalesce(truly.merge_sha, found.hydrated_sha) AS subject_key,
    truly.merge_sha IS NOT NULL AS is_true,
    found.hydrated_sha IS NOT NULL AS is_found,
    epoch(found.merged_at) - epoch(truly.merged_at) AS error_seconds
FROM truth_promotion AS truly
FULL OUTER JOIN promotions AS found
    ON found.environment = truly.environment AND found.hydrated_sha = truly.merge_sha
