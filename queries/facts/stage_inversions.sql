-- Stage inversions: one row a change and two stages that it passed in the wrong order in an environment.
--
-- grain: repository, sha, service, environment, earlier_stage, later_stage
-- reads: changes, change_environments
-- params:
--
-- `earlier_stage` is the one that should come first; `inversion_seconds`, above 0, is by how much it came later.
-- A pin is held to the start of the build: the run that builds may pin before it ends. It is held to the commit where
-- the change is code; a config change is its own pin. Changes that were there before anybody looked are left out.

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
    WHERE NOT passage.is_first_seen
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
    committed_at,
    earlier_stage,
    later_stage,
    earlier_at,
    later_at,
    epoch(earlier_at) - epoch(later_at) AS inversion_seconds
FROM step
WHERE later_at < earlier_at
