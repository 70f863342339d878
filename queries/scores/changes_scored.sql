-- Changes beside the truth: one row a change, an environment and a stage it passed there, true or found.
--
-- grain: part, subject_key
-- reads: change_environments, truth_change_environment
-- params:
--
-- `part` is the stage. Changes that the truth has no environment for are nobody's to find: of an environment that was
-- stopped, or that does not run the service. Times within 5 s are the same one: Kubernetes and git write whole seconds,
-- and Argo CD hears of new pods a moment later. A sync or health known within bounds is found where they hold the true
-- time. A stage found at another time is a row found and one missed.
-- `error_seconds` is the time found less the true one.

WITH stage AS (
    SELECT 'pin' AS stage UNION ALL SELECT 'hydrate' UNION ALL SELECT 'promote' UNION ALL SELECT 'sync' UNION ALL SELECT 'healthy'
),

passage AS (
    SELECT
        stage.stage,
        truth.environment,
        truth.service,
        truth.change_id,
        CASE stage.stage
            WHEN 'pin' THEN truth.pinned_at
            WHEN 'hydrate' THEN truth.hydrated_at
            WHEN 'promote' THEN truth.merged_at
            WHEN 'sync' THEN truth.synced_at
            ELSE truth.healthy_at
        END AS true_at,
        CASE stage.stage
            WHEN 'pin' THEN found.pinned_at
            WHEN 'hydrate' THEN found.hydrated_at
            WHEN 'promote' THEN found.promoted_at
            WHEN 'sync' THEN found.synced_at
            ELSE found.healthy_at
        END AS found_at,
        CASE stage.stage WHEN 'sync' THEN found.synced_earliest_at WHEN 'healthy' THEN found.healthy_earliest_at END AS earliest_at
    FROM truth_change_environment AS truth
    CROSS JOIN stage
    LEFT JOIN change_environments AS found
        ON found.sha = truth.change_id
        AND found.service = truth.service
        AND found.environment = truth.environment
),

compared AS (
    SELECT
        *,
        epoch(found_at) - epoch(true_at) AS error_seconds,
        found_at IS NOT NULL
        AND true_at IS NOT NULL
        AND (
            abs(epoch(found_at) - epoch(true_at)) <= 5
            OR coalesce(true_at >= earliest_at AND true_at <= found_at, false)
        ) AS is_same
    FROM passage
)

SELECT
    stage AS part,
    environment || ' ' || service || ' ' || change_id AS subject_key,
    true AS is_true,
    is_same AS is_found,
    error_seconds
FROM compared
WHERE true_at IS NOT NULL
UNION ALL
SELECT stage, environment || ' ' || service || ' ' || change_id || ' wrong', false, true, NULL
FROM compared
WHERE found_at IS NOT NULL AND NOT is_same
