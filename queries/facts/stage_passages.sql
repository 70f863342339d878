-- Stage passages: one row each time that a service got further in an environment, stage by stage.
--
-- grain: environment, service, cluster_uid, uid, stage, kind, happened_at, to_position, after_position
-- reads: environment_releases, environment_revisions, rollout_releases, release_builds, picked_positions
-- params:
--
-- A step holds every change after `after_position` up to `to_position`. For `code` positions are places on the
-- source repository's branch, for `config` on the config repository's.
-- Builds, promotions, syncs and health are steps only where the service got further than it ever was: a change passes
-- with the first that holds it. Pins and hydrations ask for something, and what is asked for may be taken back
-- before it is there, and asked for again: `is_again` steps hold changes that an earlier one held. A release of a
-- commit that is not landed holds none that is known, so what comes after it is asked for again too.
-- `sync` and `healthy` are of one Application each (`cluster_uid`, `uid`); elsewhere both are empty. Builds are
-- of no environment, and config commits are hydrated and promoted for all services of one: empty again.
-- `began_at` is the start of a build or sync. `earliest_at` is there where the time is known only to lie between it
-- and `happened_at`. Where syncs were forgotten, one of which may have brought it, the confidence is 0.5; where rollouts
-- right before were not looked at, one of which may have been healthy with it, 0.9. `is_first_known`: it had happened
-- before anybody looked, so its time says nothing.
-- A commit built beside the branch brings each change that was picked to it by itself: a step of one position,
-- `is_again` too, and no surer than the pick.

WITH hydrated AS (
    SELECT
        *,
        coalesce(max(config_position) OVER (
            PARTITION BY environment, stage, repository
            ORDER BY happened_at, config_position, revision
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS after_config_position
    FROM environment_revisions
    WHERE stage IN ('hydrate', 'promote')
),

-- Releases and revisions along the config repository: the first revision that holds a release.
line AS (
    SELECT environment, stage, repository, config_position, config_position AS revision_position
    FROM hydrated
    WHERE config_position > after_config_position
    UNION ALL
    SELECT DISTINCT release.environment, stage.stage, release.config_repository, release.config_position, CAST(NULL AS BIGINT)
    FROM environment_releases AS release
    CROSS JOIN (SELECT 'hydrate' AS stage UNION ALL SELECT 'promote') AS stage
),

held AS (
    SELECT DISTINCT environment, stage, repository, config_position, revision_position
    FROM (
        SELECT
            environment,
            stage,
            repository,
            config_position,
            min(revision_position) OVER (
                PARTITION BY environment, stage, repository
                ORDER BY config_position DESC
                RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS revision_position
        FROM line
    )
    WHERE revision_position IS NOT NULL
),

revised AS (
    SELECT
        release.environment,
        release.service,
        hydrated.stage,
        hydrated.happened_at,
        release.source_repository,
        release.source_position,
        release.source_sha,
        hydrated.revision,
        release.confidence,
        hydrated.after_config_position = 0 AND release.is_first_seen AS is_first_known
    FROM environment_releases AS release
    JOIN held
        ON held.environment = release.environment
        AND held.repository = release.config_repository
        AND held.config_position = release.config_position
    JOIN hydrated
        ON hydrated.environment = held.environment
        AND hydrated.stage = held.stage
        AND hydrated.repository = held.repository
        AND hydrated.config_position = held.revision_position
        AND hydrated.config_position > hydrated.after_config_position
    WHERE release.until_config_position IS NULL OR release.until_config_position > hydrated.config_position
),

rolled_out AS (
    SELECT
        *,
        CASE WHEN synced_earliest_at IS NULL THEN 1 ELSE 0.5 END AS sync_confidence,
        CASE WHEN unobserved_since < healthy_at THEN 0.9 ELSE 1 END AS health_confidence,
        nullif(least(unobserved_since, healthy_earliest_at, synced_earliest_at), healthy_at) AS healthy_since
    FROM rollout_releases
),

code AS (
    SELECT
        '' AS environment, service, '' AS cluster_uid, '' AS uid, 'build' AS stage, started_at AS began_at,
        built_at AS happened_at, CAST(NULL AS TIMESTAMPTZ) AS earliest_at, source_repository, source_position,
        source_sha, pipeline_run AS evidence, CAST(1 AS DOUBLE) AS confidence, false AS is_first_known
    FROM release_builds
    UNION ALL
    SELECT
        environment, service, '', '', 'pin', NULL, pinned_at, NULL, source_repository, source_position,
        source_sha, config_sha, confidence, is_first_seen
    FROM environment_releases
    UNION ALL
    SELECT
        environment, service, '', '', stage, NULL, happened_at, NULL, source_repository, source_position,
        source_sha, revision, confidence, is_first_known
    FROM revised
    UNION ALL
    SELECT
        environment, service, cluster_uid, uid, 'sync', started_at, synced_at, synced_earliest_at, source_repository,
        source_position, source_sha, revision, least(confidence, sync_confidence), is_first_known
    FROM rolled_out
    UNION ALL
    SELECT
        environment, service, cluster_uid, uid, 'healthy', NULL, healthy_at, healthy_since, source_repository,
        source_position, source_sha, revision, least(confidence, sync_confidence, health_confidence), is_first_known
    FROM rolled_out
),

event AS (
    SELECT * EXCLUDE (source_repository), 'code' AS kind
    FROM code
    UNION ALL
    SELECT
        environment, '', '', '', stage, NULL, happened_at, NULL, config_position, NULL, revision, 1,
        after_config_position = 0, 'config'
    FROM hydrated
    WHERE config_position > after_config_position
    UNION ALL
    SELECT
        environment, service, cluster_uid, uid, 'sync', started_at, synced_at, synced_earliest_at, config_position, NULL,
        revision, sync_confidence, is_first_known, 'config'
    FROM rolled_out
    UNION ALL
    SELECT
        environment, service, cluster_uid, uid, 'healthy', NULL, healthy_at, healthy_since,
        config_position, NULL, revision, sync_confidence, is_first_known, 'config'
    FROM rolled_out
),

placed AS (
    SELECT
        *,
        coalesce(max(source_position) OVER (earlier ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS after_position,
        coalesce(lag(source_position) OVER earlier, 0) AS last_position
    FROM event
    WHERE happened_at IS NOT NULL
    WINDOW earlier AS (
        PARTITION BY environment, service, cluster_uid, uid, stage, kind
        ORDER BY happened_at, coalesce(source_position, 0), evidence
    )
)

SELECT
    environment,
    service,
    cluster_uid,
    uid,
    stage,
    kind,
    false AS is_again,
    after_position,
    source_position AS to_position,
    began_at,
    happened_at,
    earliest_at,
    source_sha,
    evidence,
    confidence,
    is_first_known
FROM placed
WHERE source_position > after_position
UNION ALL
SELECT
    environment, service, cluster_uid, uid, stage, kind, true, last_position,
    least(source_position, after_position), began_at, happened_at, earliest_at, source_sha, evidence, confidence,
    is_first_known
FROM placed
WHERE kind = 'code' AND stage IN ('pin', 'hydrate') AND last_position < least(source_position, after_position)
UNION ALL
SELECT
    code.environment, code.service, code.cluster_uid, code.uid, code.stage, 'code', true, picked.position - 1,
    picked.position, code.began_at, code.happened_at, code.earliest_at, code.source_sha, code.evidence,
    least(code.confidence, picked.confidence), code.is_first_known
FROM code
JOIN picked_positions AS picked
    ON picked.sha = code.source_sha
    AND (coalesce(code.source_repository, '') = '' OR picked.repository = code.source_repository)
WHERE code.happened_at IS NOT NULL
