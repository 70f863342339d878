-- Stages out of order: one row a change that passed a stage of its lane more than a minute before the one it follows.
--
-- grain: repository, sha, service, environment, earlier_stage, later_stage
-- reads: changes, change_environments
-- params: since, until
--
-- Within a minute clocks may explain it, see clocks_disagree; beyond it a link is wrong, or somebody went another
-- way: pinned by hand what a failed run had pushed, say, so that the build is a later one's. A pin is held to the
-- start of the build: the run that builds may pin before it ends. Changes that were there before anybody looked are
-- left out.

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
    repository,
    sha,
    service,
    environment,
    earlier_stage,
    later_stage,
    repository || ' ' || substr(sha, 1, 12) AS subject,
    later_at AS found_at,
    later_stage || ' ' || CAST(epoch(earlier_at) - epoch(later_at) AS VARCHAR) || ' s before ' || earlier_stage
        AS message
FROM step
WHERE epoch(earlier_at) - epoch(later_at) > 60
