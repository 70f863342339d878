-- Changes in environments: one row a change and an environment it is meant for, and when it passed each stage there.
--
-- grain: repository, sha, service, environment
-- reads: changes, stage_passages, environment_releases, rollout_releases, picked_positions, applications, coverage, git_changed_path, configured_environment
-- params:
--
-- A change passes a stage with the first step there that holds it, be it as part of a later change. What asks for it
-- (pin, hydration) is the last one before it was promoted or synced, if what asked earlier was taken back. The times
-- are in order, but for the clocks they come from. NULL: not passed, or not known; a build that began after the pin is
-- not the one that made the pinned image, so then the build is not known.
-- `sync_started_at` and `synced_at` are of the sync that brought it, `healthy_at` is when that, or what came after it,
-- was healthy; where a service has several Applications in the environment the last of them counts, and while one is
-- missing there is none of the three.
-- A code change is meant for every environment whose files pin its service's images and where an Application of the
-- service is (or where no Application was landed at all); a config change for those whose Applications of the service
-- have their source where it changed; it asks for itself, so it is pinned when it came in.
-- `delivered_by_sha` is the source commit of the release that it became healthy with, or was synced with where nobody
-- looked at its health; another one than its own means that it was superseded on its way. The true time of health
-- lies between `healthy_earliest_at` and `healthy_at`, that of the sync between `synced_earliest_at` and `synced_at`:
-- apart where syncs were forgotten that may have brought it. `is_first_seen`: it was there, or under way, before anybody looked.
-- `rolled_back_at`: the environment went back to a release without it, after it was there.
-- `confidence` is the least of the links that its times rest on.
-- `environment_observed_until` is until when the environment's Applications were looked at, in whatever way.

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
    LEFT JOIN (SELECT DISTINCT environment FROM applications WHERE is_counted) AS known
        ON known.environment = release.environment
    LEFT JOIN (SELECT DISTINCT environment, service FROM applications WHERE is_counted) AS run
        ON run.environment = release.environment AND run.service = release.service
    WHERE change.kind = 'code' AND (run.environment IS NOT NULL OR known.environment IS NULL)
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

-- Every position at which something changes for a service, numbered: changes between two of them pass all stages
-- together, so passing is reckoned once for each such stretch, which is called by the number of its end. A config
-- change is a stretch of its own, called by a number below 0.
edge AS (
    SELECT service, position, row_number() OVER (ORDER BY service, position) AS edge_number
    FROM (
        SELECT service, after_position AS position FROM stage_passages WHERE kind = 'code'
        UNION
        SELECT service, to_position FROM stage_passages WHERE kind = 'code'
        UNION
        SELECT service, source_position FROM rollout_releases WHERE is_step_back
        UNION
        SELECT service, previous_source_position FROM rollout_releases WHERE is_step_back
    )
),

step AS (
    SELECT
        passage.* EXCLUDE (after_position, to_position, kind),
        after_edge.edge_number AS after_number,
        to_edge.edge_number AS to_number
    FROM stage_passages AS passage
    JOIN edge AS after_edge
        ON after_edge.service = passage.service AND after_edge.position = passage.after_position
    JOIN edge AS to_edge ON to_edge.service = passage.service AND to_edge.position = passage.to_position
    WHERE passage.kind = 'code'
),

stepped AS (
    SELECT *, unnest(generate_series(after_number + 1, to_number)) AS edge_number
    FROM step
),

-- Changes and edges along the branch of their service: the first edge at or after a change.
line AS (
    SELECT service, position, edge_number FROM edge
    UNION ALL
    SELECT DISTINCT service, position, CAST(NULL AS BIGINT) FROM target WHERE kind = 'code'
),

stretch_of_position AS (
    SELECT DISTINCT service, position, stretch_number
    FROM (
        SELECT
            service,
            position,
            min(edge_number) OVER (
                PARTITION BY service ORDER BY position DESC RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS stretch_number
        FROM line
    )
),

looked_at AS (
    SELECT placed.environment, max(coverage.until) AS observed_until
    FROM coverage
    JOIN (SELECT DISTINCT environment, cluster FROM applications WHERE is_counted) AS placed
        ON placed.cluster = coverage.cluster
    WHERE coverage.resource = 'applications' AND coverage.state IN ('file', 'list', 'watch')
    GROUP BY placed.environment
),

config_change AS (
    SELECT repository, sha, service, -row_number() OVER (ORDER BY repository, sha, service) AS stretch
    FROM (SELECT DISTINCT repository, sha, service FROM target WHERE kind = 'config')
),

subject AS (
    SELECT target.*, stretch.stretch_number AS stretch
    FROM target
    LEFT JOIN stretch_of_position AS stretch
        ON stretch.service = target.service AND stretch.position = target.position
    WHERE target.kind = 'code'
    UNION ALL
    SELECT target.*, config_change.stretch
    FROM target
    JOIN config_change
        ON config_change.repository = target.repository
        AND config_change.sha = target.sha
        AND config_change.service = target.service
    WHERE target.kind = 'config'
),

held AS (
    SELECT
        environment.environment,
        stepped.service,
        stepped.edge_number AS stretch,
        stepped.stage,
        stepped.cluster_uid,
        stepped.uid,
        stepped.began_at,
        stepped.happened_at,
        stepped.earliest_at,
        stepped.source_sha,
        stepped.evidence,
        stepped.confidence,
        stepped.is_first_known
    FROM stepped
    JOIN (SELECT DISTINCT environment, service FROM target WHERE kind = 'code') AS environment
        ON environment.service = stepped.service
        AND (stepped.environment = environment.environment OR stepped.stage = 'build')
    UNION ALL
    SELECT
        subject.environment, subject.service, subject.stretch, passage.stage, passage.cluster_uid, passage.uid,
        passage.began_at, passage.happened_at, passage.earliest_at, subject.sha, passage.evidence,
        passage.confidence, passage.is_first_known
    FROM subject
    JOIN stage_passages AS passage
        ON passage.environment = subject.environment
        AND passage.kind = 'config'
        AND passage.service IN ('', subject.service)
        AND subject.position > passage.after_position
        AND subject.position <= passage.to_position
    WHERE subject.kind = 'config'
),

arrived AS (
    SELECT
        environment,
        stretch,
        min(happened_at) FILTER (stage = 'promote') AS promoted_at,
        min_by(evidence, happened_at) FILTER (stage = 'promote') AS promoted_revision,
        count(DISTINCT uid) FILTER (stage = 'sync') AS synced_count,
        max(first_synced_at) AS synced_at,
        max_by(began_at, first_synced_at) AS sync_started_at,
        least(
            max(first_synced_at),
            greatest(
                max_by(coalesce(earliest_at, happened_at), first_synced_at), min(happened_at) FILTER (stage = 'promote')
            )
        ) AS synced_earliest_at,
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
            PARTITION BY environment, stretch, stage, cluster_uid, uid ORDER BY happened_at, evidence
        ) = 1
    )
    GROUP BY environment, stretch
),

asked AS (
    SELECT
        held.environment,
        held.stretch,
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
    LEFT JOIN arrived ON arrived.environment = held.environment AND arrived.stretch = held.stretch
    WHERE
        held.stage = 'build'
        OR (
            held.stage IN ('pin', 'hydrate')
            AND held.happened_at <= coalesce(arrived.promoted_at, arrived.first_synced_at, held.happened_at)
        )
    GROUP BY held.environment, held.stretch
),

back AS (
    SELECT
        rollout.environment,
        rollout.service,
        rollout.synced_at,
        unnest(generate_series(after_edge.edge_number + 1, to_edge.edge_number)) AS edge_number
    FROM rollout_releases AS rollout
    JOIN edge AS after_edge
        ON after_edge.service = rollout.service AND after_edge.position = rollout.source_position
    JOIN edge AS to_edge
        ON to_edge.service = rollout.service AND to_edge.position = rollout.previous_source_position
    WHERE rollout.is_step_back
    UNION ALL
    SELECT rollout.environment, rollout.service, rollout.synced_at, edge.edge_number
    FROM rollout_releases AS rollout
    JOIN picked_positions AS picked
        ON picked.sha = rollout.previous_source_sha
        AND (coalesce(rollout.source_repository, '') = '' OR picked.repository = rollout.source_repository)
        AND picked.position > rollout.source_position
    JOIN edge ON edge.service = rollout.service AND edge.position = picked.position
),

kept AS (
    SELECT DISTINCT rollout.environment, rollout.service, rollout.synced_at, edge.edge_number
    FROM rollout_releases AS rollout
    JOIN picked_positions AS picked
        ON picked.sha = rollout.source_sha
        AND (coalesce(rollout.source_repository, '') = '' OR picked.repository = rollout.source_repository)
    JOIN edge ON edge.service = rollout.service AND edge.position = picked.position
),

taken_away AS (
    SELECT back.environment, back.edge_number AS stretch, min(back.synced_at) AS rolled_back_at
    FROM back
    JOIN arrived
        ON arrived.environment = back.environment AND arrived.stretch = back.edge_number
    LEFT JOIN kept
        ON kept.environment = back.environment
        AND kept.service = back.service
        AND kept.synced_at = back.synced_at
        AND kept.edge_number = back.edge_number
    WHERE back.synced_at > arrived.synced_at AND kept.edge_number IS NULL
    GROUP BY back.environment, back.edge_number
)

SELECT
    subject.repository,
    subject.sha,
    subject.service,
    subject.environment,
    environment.lane,
    subject.kind,
    CASE WHEN asked.pinned_at < asked.build_started_at THEN NULL ELSE asked.build_started_at END AS build_started_at,
    CASE WHEN asked.pinned_at < asked.build_started_at THEN NULL ELSE asked.built_at END AS built_at,
    CASE WHEN asked.pinned_at < asked.build_started_at THEN NULL ELSE asked.build_run END AS build_run,
    CASE subject.kind WHEN 'config' THEN subject.committed_at ELSE asked.pinned_at END AS pinned_at,
    CASE subject.kind WHEN 'config' THEN subject.sha ELSE asked.config_sha END AS config_sha,
    asked.hydrated_at,
    asked.hydrated_revision,
    arrived.promoted_at,
    arrived.promoted_revision,
    CASE WHEN arrived.synced_count >= instance.application_count THEN arrived.sync_started_at END AS sync_started_at,
    CASE WHEN arrived.synced_count >= instance.application_count THEN arrived.synced_earliest_at END AS synced_earliest_at,
    CASE WHEN arrived.synced_count >= instance.application_count THEN arrived.synced_at END AS synced_at,
    CASE WHEN arrived.synced_count >= instance.application_count THEN arrived.synced_revision END AS synced_revision,
    CASE
        WHEN arrived.healthy_count >= instance.application_count
        THEN greatest(arrived.synced_earliest_at, coalesce(arrived.healthy_earliest_at, arrived.healthy_at))
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
    least(coalesce(asked.confidence, 1), coalesce(arrived.confidence, 1)) AS confidence,
    looked_at.observed_until AS environment_observed_until
FROM subject
LEFT JOIN asked ON asked.environment = subject.environment AND asked.stretch = subject.stretch
LEFT JOIN arrived ON arrived.environment = subject.environment AND arrived.stretch = subject.stretch
LEFT JOIN taken_away ON taken_away.environment = subject.environment AND taken_away.stretch = subject.stretch
LEFT JOIN instance ON instance.environment = subject.environment AND instance.service = subject.service
LEFT JOIN configured_environment AS environment ON environment.environment = subject.environment
LEFT JOIN looked_at ON looked_at.environment = subject.environment
