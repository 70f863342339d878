-- Clocks that disagree: one row two stages of an environment that came in the wrong order, by a minute at most.
--
-- grain: environment, earlier_stage, later_stage
-- reads: changes, change_environments
-- params: since, until
--
-- The times of a change's stages are by the clocks of forge, builder, hydrator and cluster. Where a later stage is
-- up to a minute before the one it follows, durations between the two are off by that much, and count as 0.
-- `found_at` is when it happened last.

WITH passed AS (
    SELECT
        change.committed_at,
        change.repository,
        change.sha,
        passage.service,
        passage.environment,
        passage.build_started_at,
        passage.pinned_at,
        passage.hydrated_at,
        passage.promoted_at,
        passage.sync_started_at,
        passage.healthy_at,
        CASE change.kind WHEN 'code' THEN change.committed_at END AS code_committed_at
    FROM change_environments AS passage
    JOIN changes AS change
        ON change.repository = passage.repository
        AND change.sha = passage.sha
        AND change.service = passage.service
    WHERE NOT passage.is_first_seen AND change.committed_at >= $since AND change.committed_at < $until
),

step AS (
    SELECT
        *,
        'commit' AS earlier_stage,
        'build' AS later_stage,
        committed_at AS earlier_at,
        build_started_at AS later_at
    FROM passed
    UNION ALL
    SELECT *, 'build', 'pin', build_started_at, pinned_at FROM passed
    UNION ALL
    SELECT *, 'commit', 'pin', code_committed_at, pinned_at FROM passed
    UNION ALL
    SELECT *, 'pin', 'hydrate', pinned_at, hydrated_at FROM passed
    UNION ALL
    SELECT *, 'hydrate', 'promote', hydrated_at, promoted_at FROM passed
    UNION ALL
    SELECT *, 'promote', 'sync', promoted_at, sync_started_at FROM passed
    UNION ALL
    SELECT *, 'pin', 'sync', pinned_at, sync_started_at FROM passed
    UNION ALL
    SELECT *, 'sync', 'healthy', sync_started_at, healthy_at FROM passed
)

SELECT
    environment,
    earlier_stage,
    later_stage,
    CAST(NULL AS VARCHAR) AS service,
    earlier_stage || ' and ' || later_stage AS subject,
    max(later_at) AS found_at,
    CAST(count(*) AS VARCHAR) || ' changes, by up to '
    || CAST(max(epoch(earlier_at) - epoch(later_at)) AS VARCHAR) || ' s' AS message
FROM step
WHERE epoch(earlier_at) - epoch(later_at) > 0 AND epoch(earlier_at) - epoch(later_at) <= 60
GROUP BY environment, earlier_stage, later_stage
