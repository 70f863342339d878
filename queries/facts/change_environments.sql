-- Changes in environments: one row a change and an environment it is meant for, and when it passed each stage there.
--
-- grain: repository, sha, service, environment
-- reads: changes, stage_passages, environment_releases, rollout_releases, applications, git_changed_path, configured_environment
-- params:
--
-- A change passes a stage with the first step there that holds it, be it as part of a later change. What asks for it
-- (pin, hydration) is the last one before it was promoted or synced, if what asked earlier was taken back. The times
-- are in order, but for the clocks they come from. NULL: not passed, or not known.
-- `sync_started_at` and `synced_at` are of the sync that brought it, `healthy_at` is when that, or what came after it,
-- was healthy; where a service has several Applications in the environment the last of them counts, and while one is
-- missing there is none of the three.
-- A code change is meant for every environment that runs its service's images, by pins; a config change for those whose
-- Applications of the service have their source where it changed; it asks for itself, so it is pinned when it came in.
-- `delivered_by_sha` is the source commit of the release that it became healthy with, or was synced with where nobody
-- looked at its health; another one than its own means that it was superseded on its way. The true time of health
-- lies between `healthy_earliest_at` and `healthy_at`. `is_first_seen`: it was there, or under way, before anybody looked.
-- `rolled_back_at`: the environment went back to a release without it, after it was there.
-- `confidence` is the least of the links that its times rest on.

WITH place AS (
    SELECT DISTINCT application.environment, application.service, application.source_path
    FROM applications AS application
    WHERE application.is_counted AND application.source_path <> ''
),

target AS (
    SELECT DISTINCT change.repository, change.sha, change.service, change.kind, change.position, change.committed_at, release.environment
    FROM changes AS change
    JOIN (SELECT DISTINCT environment, service, source_repository FROM environment_releases) AS release
        ON release.service = change.service
        AND coalesce(release.source_repository, change.repository) = change.repository
    WHERE change.kind = 'code'
    UNION
    SELECT change.repository, change.sha, change.service, change.kind, change.position, change.committed_at, place.environment
    FROM changes AS change
    JOIN git_changed_path AS changed ON changed.repository = change.repository AND changed.sha = change.sha
    JOIN place ON place.service = change.service AND starts_with(changed.path, place.source_path || '/')
    WHERE change.kind = 'config'
),

instance AS (
    SELECT environment, service, count(*) AS application_count
    FROM applications
    WHERE is_counted AND NOT is_deleted
    GROUP BY environment, service
),

held AS (
    SELECT
        target.repository, target.sha, target.service, target.environment, step.stage, step.cluster_uid, step.uid,
        step.began_at, step.happened_at, step.earliest_at, step.source_sha, step.evidence, step.confidence,
        step.is_first_known
    FROM target
    JOIN stage_passages AS step
        ON step.environment = target.environment
        AND step.service = target.service
        AND step.kind = 'code'
        AND target.position > step.after_position
        AND target.position <= step.to_position
    WHERE target.kind = 'code'
    UNION ALL
    SELECT
        target.repository, target.sha, target.service, target.environment, step.stage, step.cluster_uid, step.uid,
        step.began_at, step.happened_at, step.earliest_at, step.source_sha, step.evidence, step.confidence,
        step.is_first_known
    FROM target
    JOIN stage_passages AS step
        ON step.stage = 'build'
        AND step.service = target.service
        AND target.position > step.after_position
        AND target.position <= step.to_position
    WHERE target.kind = 'code'
    UNION ALL
    SELECT
        target.repository, target.sha, target.service, target.environment, step.stage, step.cluster_uid, step.uid,
        step.began_at, step.happened_at, step.earliest_at, target.sha, step.evidence, step.confidence,
        step.is_first_known
    FROM target
    JOIN stage_passages AS step
        ON step.environment = target.environment
        AND step.kind = 'config'
        AND step.service IN ('', target.service)
        AND target.position > step.after_position
        AND target.position <= step.to_position
    WHERE target.kind = 'config'
),

arrived AS (
    SELECT
        repository,
        sha,
        service,
        environment,
        min(happened_at) FILTER (stage = 'promote') AS promoted_at,
        min_by(evidence, happened_at) FILTER (stage = 'promote') AS promoted_revision,
        count(DISTINCT uid) FILTER (stage = 'sync') AS synced_count,
        max(first_synced_at) AS synced_at,
        max_by(began_at, first_synced_at) AS sync_started_at,
        max_by(evidence, first_synced_at) AS synced_revision,
        max_by(source_sha, first_synced_at) AS synced_sha,
        count(DISTINCT uid) FILTER (stage = 'healthy') AS healthy_count,
        max(first_healthy_at) AS healthy_at,
        max_by(earliest_at, first_healthy_at) AS healthy_earliest_at,
        max_by(source_sha, first_healthy_at) AS delivered_by_sha,
        max_by(evidence, first_healthy_at) AS healthy_revision,
        min(first_synced_at) AS first_synced_at,
        bool_or(is_first_known AND stage IN ('sync', 'promote')) AS is_first_known,
        min(confidence) AS confidence
    FROM (
        SELECT
            *,
            CASE WHEN stage = 'sync' THEN happened_at END AS first_synced_at,
            CASE WHEN stage = 'healthy' THEN happened_at END AS first_healthy_at
        FROM held
        WHERE stage IN ('promote', 'sync', 'healthy')
        QUALIFY row_number() OVER (
            PARTITION BY repository, sha, service, environment, stage, cluster_uid, uid ORDER BY happened_at, evidence
        ) = 1
    )
    GROUP BY repository, sha, service, environment
),

asked AS (
    SELECT
        held.repository,
        held.sha,
        held.service,
        held.environment,
        min(held.began_at) FILTER (held.stage = 'build') AS build_started_at,
        min(held.happened_at) FILTER (held.stage = 'build') AS built_at,
        min_by(held.evidence, held.happened_at) FILTER (held.stage = 'build') AS build_run,
        max(held.happened_at) FILTER (held.stage = 'pin') AS pinned_at,
        max_by(held.evidence, held.happened_at) FILTER (held.stage = 'pin') AS config_sha,
        max(held.happened_at) FILTER (held.stage = 'hydrate') AS hydrated_at,
        max_by(held.evidence, held.happened_at) FILTER (held.stage = 'hydrate') AS hydrated_revision,
        coalesce(bool_or(held.is_first_known) FILTER (held.stage IN ('pin', 'hydrate')), false) AS is_first_known,
        min(held.confidence) AS confidence
    FROM held
    LEFT JOIN arrived
        ON arrived.repository = held.repository
        AND arrived.sha = held.sha
        AND arrived.service = held.service
        AND arrived.environment = held.environment
    WHERE
        held.stage = 'build'
        OR (
            held.stage IN ('pin', 'hydrate')
            AND held.happened_at <= coalesce(arrived.promoted_at, arrived.first_synced_at, held.happened_at)
        )
    GROUP BY held.repository, held.sha, held.service, held.environment
),

back AS (
    SELECT environment, service, synced_at, source_position, previous_source_position
    FROM rollout_releases
    WHERE is_step_back
),

taken_away AS (
    SELECT target.repository, target.sha, target.service, target.environment, min(back.synced_at) AS rolled_back_at
    FROM target
    JOIN back
        ON back.environment = target.environment
        AND back.service = target.service
        AND target.position > back.source_position
        AND target.position <= back.previous_source_position
    WHERE target.kind = 'code'
    GROUP BY target.repository, target.sha, target.service, target.environment
)

SELECT
    target.repository,
    target.sha,
    target.service,
    target.environment,
    environment.lane,
    target.kind,
    asked.build_started_at,
    asked.built_at,
    asked.build_run,
    CASE target.kind WHEN 'config' THEN target.committed_at ELSE asked.pinned_at END AS pinned_at,
    CASE target.kind WHEN 'config' THEN target.sha ELSE asked.config_sha END AS config_sha,
    asked.hydrated_at,
    asked.hydrated_revision,
    arrived.promoted_at,
    arrived.promoted_revision,
    CASE WHEN arrived.synced_count >= instance.application_count THEN arrived.sync_started_at END AS sync_started_at,
    CASE WHEN arrived.synced_count >= instance.application_count THEN arrived.synced_at END AS synced_at,
    CASE WHEN arrived.synced_count >= instance.application_count THEN arrived.synced_revision END AS synced_revision,
    CASE
        WHEN arrived.healthy_count >= instance.application_count
        THEN greatest(arrived.synced_at, coalesce(arrived.healthy_earliest_at, arrived.healthy_at))
    END AS healthy_earliest_at,
    CASE WHEN arrived.healthy_count >= instance.application_count THEN arrived.healthy_at END AS healthy_at,
    CASE WHEN arrived.healthy_count >= instance.application_count THEN arrived.healthy_revision END AS healthy_revision,
    CASE
        WHEN arrived.healthy_count < instance.application_count THEN NULL
        WHEN arrived.healthy_earliest_at <= arrived.synced_at THEN arrived.synced_sha
        ELSE arrived.delivered_by_sha
    END AS delivered_by_sha,
    taken_away.rolled_back_at,
    coalesce(asked.is_first_known, false) OR coalesce(arrived.is_first_known, false) AS is_first_seen,
    least(coalesce(asked.confidence, 1), coalesce(arrived.confidence, 1)) AS confidence
FROM target
LEFT JOIN asked
    ON asked.repository = target.repository
    AND asked.sha = target.sha
    AND asked.service = target.service
    AND asked.environment = target.environment
LEFT JOIN arrived
    ON arrived.repository = target.repository
    AND arrived.sha = target.sha
    AND arrived.service = target.service
    AND arrived.environment = target.environment
LEFT JOIN taken_away
    ON taken_away.repository = target.repository
    AND taken_away.sha = target.sha
    AND taken_away.service = target.service
    AND taken_away.environment = target.environment
    AND taken_away.rolled_back_at > arrived.synced_at
LEFT JOIN instance ON instance.environment = target.environment AND instance.service = target.service
LEFT JOIN configured_environment AS environment ON environment.environment = target.environment
