-- Links beside the truth: one row a change, an environment and a stage there, linked to the true run, commit or revision.
--
-- grain: part, subject_key
-- reads: change_environments, truth_change, truth_change_environment
-- params:
--
-- `part` is the stage. Counted are links of changes whose least sure link is above 0.9, so a wrong one is a link that
-- nobody would doubt: to another run, config commit, hydrated commit, merge or revision than the true one, or, for
-- health, to the release of another commit. One that the truth does not have at all is wrong, too.
-- The true build is the first to end of those that hold the change; none where the change was pinned before that one
-- began, since then it did not make what was pinned.

WITH built AS (
    SELECT
        change_id,
        service,
        min_by(pipeline_run, build_finished_at) FILTER (build_state = 'succeeded') OVER holding AS pipeline_run,
        min_by(build_started_at, build_finished_at) FILTER (build_state = 'succeeded') OVER holding AS build_started_at
    FROM truth_change
    WHERE kind <> 'config'
    WINDOW holding AS (
        PARTITION BY service ORDER BY committed_at RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    )
),

passage AS (
    SELECT
        truth.environment || ' ' || truth.service || ' ' || truth.change_id AS subject_key,
        CASE WHEN truth.pinned_at < built.build_started_at THEN NULL ELSE built.pipeline_run END AS true_build,
        truth.dry_sha,
        truth.hydrated_sha,
        truth.merge_sha,
        truth.sync_revision,
        truth.delivered_by_sha AS true_delivered_by_sha,
        found.*
    FROM truth_change_environment AS truth
    LEFT JOIN built ON built.change_id = truth.change_id AND built.service = truth.service
    LEFT JOIN change_environments AS found
        ON found.sha = truth.change_id
        AND found.service = truth.service
        AND found.environment = truth.environment
        AND found.confidence > 0.9
),

link AS (
    SELECT 'build' AS stage, subject_key, true_build AS truly, build_run AS found FROM passage
    UNION ALL
    SELECT 'pin', subject_key, dry_sha, config_sha FROM passage
    UNION ALL
    SELECT 'hydrate', subject_key, hydrated_sha, hydrated_revision FROM passage
    UNION ALL
    SELECT 'promote', subject_key, merge_sha, promoted_revision FROM passage
    UNION ALL
    SELECT 'sync', subject_key, sync_revision, synced_revision FROM passage
    UNION ALL
    SELECT 'healthy', subject_key, true_delivered_by_sha, delivered_by_sha FROM passage
)

SELECT stage AS part, subject_key, true AS is_true, coalesce(found = truly, false) AS is_found, NULL AS error_seconds
FROM link
WHERE truly IS NOT NULL
UNION ALL
SELECT stage, subject_key || ' wrong', false, true, NULL
FROM link
WHERE found IS DISTINCT FROM truly AND found IS NOT NULL
