-- Classes of changes beside the truth: one row a change and an environment it is truly meant for.
--
-- grain: part, subject_key
-- reads: change_environments, truth_change_environment
-- params:
--
-- `part` is what truly became of it: `delivered`, by itself; `superseded`, delivered as part of a later change; `open`,
-- not there when the world ended. Found is what the stitched times say without a word of the truth.

WITH truly AS (
    SELECT
        truth.environment,
        truth.service,
        truth.change_id,
        CASE WHEN truth.state <> 'live' THEN 'open' WHEN truth.is_superseded THEN 'superseded' ELSE 'delivered' END AS class
    FROM truth_change_environment AS truth
),

classed AS (
    SELECT
        passage.environment,
        passage.service,
        passage.sha,
        CASE
            WHEN passage.healthy_at IS NULL THEN 'open'
            WHEN passage.delivered_by_sha IS DISTINCT FROM passage.sha THEN 'superseded'
            ELSE 'delivered'
        END AS class
    FROM change_environments AS passage
)

SELECT
    truly.class AS part,
    truly.environment || ' ' || truly.service || ' ' || truly.change_id AS subject_key,
    true AS is_true,
    coalesce(classed.class = truly.class, false) AS is_found,
    NULL AS error_seconds
FROM truly
LEFT JOIN classed
    ON classed.environment = truly.environment AND classed.service = truly.service AND classed.sha = truly.change_id
UNION ALL
SELECT classed.class, classed.environment || ' ' || classed.service || ' ' || classed.sha || ' wrong', false, true, NULL
FROM truly
JOIN classed
    ON classed.environment = truly.environment AND classed.service = truly.service AND classed.sha = truly.change_id
WHERE classed.class <> truly.class
