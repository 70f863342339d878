-- Links of a change: one row a step by which the commits of one change got further, or a stage of the lane that has none.
--
-- grain: repository, sha, service, environment, link_number
-- reads: changes, change_environments, stage_passages, release_builds, run_source_commits, environment_releases, environment_revisions, branch_promotions, rollout_releases, rollouts, configured_lane_stage
-- params: sha, environment, as_of
--
-- $sha is a commit or how it begins; an empty $environment is all of them; what happened after $as_of is not known yet.
-- Each step leads from `from_text` to `to_text`; `rule` is what says that they belong together and `evidence` is where
-- that stands: a run, a file, a pull request, an object. `alternatives` is what other rules say, where they disagree.
-- `is_chosen`: the change's time of the stage is this step's. Others hold the change too: later pins after one that was
-- taken back, other Applications of the service.
-- `source_sha` is the commit that the step brought: another one than the change's own holds it as an ancestor.
-- A stage that the lane has and no step passed has no `to_text` and no time.

WITH change AS (
    SELECT
        changes.repository, changes.sha, changes.service, changes.kind, changes.position, passage.environment, passage.lane,
        passage.build_run, passage.built_at, passage.pinned_at, passage.config_sha, passage.hydrated_at,
        passage.hydrated_revision, passage.promoted_at, passage.promoted_revision, passage.synced_at,
        passage.synced_revision, passage.healthy_at, passage.healthy_revision
    FROM changes
    JOIN change_environments AS passage
        ON passage.repository = changes.repository
        AND passage.sha = changes.sha
        AND passage.service = changes.service
    WHERE starts_with(changes.sha, $sha) AND ($environment = '' OR passage.environment = $environment)
),

stage AS (
    SELECT 'build' AS stage, 1 AS stage_number UNION ALL SELECT 'pin', 2 UNION ALL SELECT 'hydrate', 3
    UNION ALL SELECT 'promote', 4 UNION ALL SELECT 'sync', 5 UNION ALL SELECT 'healthy', 6
),

held AS (
    SELECT
        change.*,
        step.stage,
        step.cluster_uid,
        step.uid,
        step.began_at,
        step.earliest_at,
        step.happened_at,
        step.evidence AS passed_by,
        step.confidence,
        step.is_first_known,
        CASE change.kind WHEN 'config' THEN change.sha ELSE step.source_sha END AS source_sha,
        step.happened_at = CASE step.stage
            WHEN 'build' THEN change.built_at
            WHEN 'pin' THEN change.pinned_at
            WHEN 'hydrate' THEN change.hydrated_at
            WHEN 'promote' THEN change.promoted_at
            WHEN 'sync' THEN change.synced_at
            ELSE change.healthy_at
        END
        AND step.evidence = CASE step.stage
            WHEN 'build' THEN change.build_run
            WHEN 'pin' THEN change.config_sha
            WHEN 'hydrate' THEN change.hydrated_revision
            WHEN 'promote' THEN change.promoted_revision
            WHEN 'sync' THEN change.synced_revision
            ELSE change.healthy_revision
        END AS is_chosen
    FROM change
    JOIN stage_passages AS step
        ON step.kind = change.kind
        AND (step.environment = change.environment OR step.stage = 'build')
        AND (step.service = change.service OR (step.service = '' AND change.kind = 'config'))
        AND change.position > step.after_position
        AND change.position <= step.to_position
    WHERE step.happened_at <= $as_of
),

run AS (
    SELECT
        build.service, build.pipeline_run, build.built_at, build.cluster, build.namespace, build.source_sha, source.source_rule
    FROM release_builds AS build
    LEFT JOIN run_source_commits AS source
        ON source.cluster_uid = build.cluster_uid AND source.run_uid = build.run_uid
    QUALIFY row_number() OVER (
        PARTITION BY build.service, build.pipeline_run, build.built_at ORDER BY build.cluster_uid, build.run_uid
    ) = 1
),

revision AS (
    SELECT environment, stage, revision, happened_at, repository, dry_sha, rule
    FROM environment_revisions
    QUALIFY row_number() OVER (
        PARTITION BY environment, stage, revision, happened_at ORDER BY config_position DESC
    ) = 1
),

rollout AS (
    SELECT
        release.cluster_uid, release.uid, release.revision, release.synced_at, release.healthy_at, release.sync_id,
        release.dry_sha, rollout.cluster, rollout.namespace, rollout.application, rollout.outcome
    FROM rollout_releases AS release
    JOIN rollouts AS rollout
        ON rollout.cluster_uid = release.cluster_uid
        AND rollout.uid = release.uid
        AND rollout.sync_id = release.sync_id
        AND rollout.synced_at = release.synced_at
),

link AS (
    SELECT
        held.*,
        CASE held.stage
            WHEN 'build' THEN 'commit ' || substr(run.source_sha, 1, 12)
            WHEN 'pin' THEN 'commit ' || substr(pin.source_sha, 1, 12)
            WHEN 'hydrate' THEN 'config commit ' || substr(revision.dry_sha, 1, 12)
            WHEN 'promote'
            THEN coalesce(
                'hydrated commit ' || substr(promotion.proposed_hydrated_sha, 1, 12),
                'config commit ' || substr(revision.dry_sha, 1, 12)
            )
            WHEN 'sync' THEN 'revision ' || substr(held.passed_by, 1, 12)
            ELSE 'sync ' || CAST(healed.sync_id AS VARCHAR)
        END AS from_text,
        CASE held.stage
            WHEN 'build' THEN 'run ' || held.passed_by
            WHEN 'pin' THEN 'config commit ' || substr(held.passed_by, 1, 12)
            WHEN 'hydrate' THEN 'hydrated commit ' || substr(held.passed_by, 1, 12)
            WHEN 'promote' THEN 'revision ' || substr(held.passed_by, 1, 12)
            WHEN 'sync' THEN 'sync ' || CAST(synced.sync_id AS VARCHAR)
            ELSE 'Healthy'
        END AS to_text,
        CASE held.stage
            WHEN 'build' THEN run.source_rule
            WHEN 'pin' THEN pin.rule
            WHEN 'hydrate' THEN revision.rule
            WHEN 'promote' THEN revision.rule
            WHEN 'sync' THEN CASE WHEN held.earliest_at IS NULL THEN 'status.history' ELSE 'status.history, parts forgotten' END
            ELSE CASE WHEN held.earliest_at IS NULL THEN 'health' ELSE 'health between sightings' END
        END AS rule,
        CASE held.stage
            WHEN 'build' THEN run.cluster || '/' || run.namespace || '/' || held.passed_by
            WHEN 'pin' THEN pin.config_repository || ':' || pin.path || coalesce(' ' || pin.evidence, '')
            WHEN 'hydrate' THEN revision.repository || ' ' || held.passed_by
            WHEN 'promote' THEN coalesce(promotion.pull_request_url, revision.repository || ' ' || held.passed_by)
            WHEN 'sync' THEN synced.cluster || '/' || synced.namespace || '/' || synced.application
            ELSE healed.cluster || '/' || healed.namespace || '/' || healed.application
        END AS evidence,
        pin.alternatives,
        pin.position_rule
    FROM held
    LEFT JOIN run
        ON held.stage = 'build'
        AND run.service = held.service
        AND run.pipeline_run = held.passed_by
        AND run.built_at = held.happened_at
    LEFT JOIN environment_releases AS pin
        ON held.stage = 'pin'
        AND pin.environment = held.environment
        AND pin.service = held.service
        AND pin.config_sha = held.passed_by
    LEFT JOIN revision
        ON revision.stage = held.stage
        AND revision.environment = held.environment
        AND revision.revision = held.passed_by
        AND revision.happened_at = held.happened_at
    LEFT JOIN branch_promotions AS promotion
        ON held.stage = 'promote'
        AND promotion.environment = held.environment
        AND promotion.sha = held.passed_by
    LEFT JOIN rollout AS synced
        ON held.stage = 'sync'
        AND synced.cluster_uid = held.cluster_uid
        AND synced.uid = held.uid
        AND synced.revision = held.passed_by
        AND synced.synced_at = held.happened_at
    LEFT JOIN rollout AS healed
        ON held.stage = 'healthy'
        AND healed.cluster_uid = held.cluster_uid
        AND healed.uid = held.uid
        AND healed.revision = held.passed_by
        AND healed.healthy_at = held.happened_at
    QUALIFY row_number() OVER (
        PARTITION BY
            held.repository, held.sha, held.service, held.environment, held.stage, held.cluster_uid, held.uid,
            held.happened_at, held.passed_by
        ORDER BY synced.sync_id DESC, healed.sync_id DESC, pin.config_position DESC
    ) = 1
),

unpassed AS (
    SELECT change.*, stage.stage
    FROM change
    JOIN configured_lane_stage AS lane ON lane.lane = change.lane
    JOIN stage ON stage.stage = lane.stage
    LEFT JOIN held
        ON held.repository = change.repository
        AND held.sha = change.sha
        AND held.service = change.service
        AND held.environment = change.environment
        AND held.stage = stage.stage
    WHERE held.stage IS NULL AND NOT (change.kind = 'config' AND stage.stage IN ('build', 'pin'))
),

told AS (
    SELECT
        environment, lane, service, repository, sha, kind, stage, from_text, to_text, rule, evidence, passed_by,
        source_sha, coalesce(source_sha <> sha, false) AS is_carried, position_rule, alternatives, confidence,
        coalesce(is_chosen, false) AS is_chosen, is_first_known, began_at, earliest_at, happened_at
    FROM link
    UNION ALL
    SELECT
        environment, lane, service, repository, sha, kind, stage, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, NULL,
        NULL, false, false, NULL, NULL, NULL
    FROM unpassed
)

SELECT
    told.*,
    row_number() OVER (
        PARTITION BY told.repository, told.sha, told.service, told.environment
        ORDER BY stage.stage_number, told.happened_at, told.evidence, told.passed_by
    ) AS link_number
FROM told
JOIN stage ON stage.stage = told.stage
ORDER BY told.repository, told.sha, told.service, told.environment, link_number
