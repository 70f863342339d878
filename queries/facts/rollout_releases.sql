-- Releases of rollouts: one row a rollout and what its revision asks for.
--
-- grain: cluster_uid, uid, sync_id, synced_at
-- reads: rollouts, environment_revisions, environment_releases
-- params:
--
-- `config_position` is the place of the dry commit that the revision was made from, `config_sha` the commit that pinned
-- the image, which may be much older; `source_position` is of the commit that was built.
-- Of an Application with several sources `revision` is the one that a landed config repository knows.
-- NULL: the revision is of no landed commit, or of an image that no landed pin names.
-- `previous_source_sha` and `previous_source_position` are of the rollout before; `is_step_back`: this one holds less.
-- `unobserved_since`: when the first of the rollouts right before it synced, at the earliest, that nobody looked at: what
-- they brought may have been healthy since then.

WITH sourced AS (
    SELECT *, unnest(string_split(coalesce(revisions_text, ''), ',')) AS source_revision
    FROM rollouts
),

revised AS (
    SELECT
        rollout.environment,
        rollout.service,
        rollout.cluster_uid,
        rollout.uid,
        rollout.application,
        rollout.sync_id,
        coalesce(revision.revision, rollout.revision) AS revision,
        rollout.started_at,
        rollout.synced_at,
        rollout.synced_earliest_at,
        rollout.healthy_earliest_at,
        rollout.healthy_at,
        rollout.replaced_at,
        rollout.outcome,
        rollout.is_first_known,
        revision.repository AS config_repository,
        revision.dry_sha,
        revision.config_position
    FROM sourced AS rollout
    LEFT JOIN environment_revisions AS revision
        ON revision.environment = rollout.environment
        AND revision.revision = rollout.source_revision
        AND revision.stage IN ('promote', 'commit')
        AND revision.rule <> 'note'
    QUALIFY row_number() OVER (
        PARTITION BY rollout.cluster_uid, rollout.uid, rollout.sync_id, rollout.synced_at
        ORDER BY revision.revision IS NULL, revision.repository, revision.revision
    ) = 1
),

-- The releases and the revisions of one service along the config repository: the last release before a revision.
line AS (
    SELECT environment, service, config_repository, config_position, config_position AS release_position
    FROM environment_releases
    UNION ALL
    SELECT DISTINCT environment, service, config_repository, config_position, CAST(NULL AS BIGINT)
    FROM revised
    WHERE config_position IS NOT NULL
),

in_force AS (
    SELECT DISTINCT environment, service, config_repository, config_position, release_position
    FROM (
        SELECT
            environment,
            service,
            config_repository,
            config_position,
            max(release_position) OVER (
                PARTITION BY environment, service, config_repository
                ORDER BY config_position
                RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS release_position
        FROM line
    )
),

placed AS (
    SELECT
        revised.*,
        release.config_sha,
        release.image_name,
        release.tag,
        release.digest,
        release.source_repository,
        release.source_sha,
        release.source_position,
        release.confidence
    FROM revised
    LEFT JOIN in_force
        ON in_force.environment = revised.environment
        AND in_force.service = revised.service
        AND in_force.config_repository = revised.config_repository
        AND in_force.config_position = revised.config_position
    LEFT JOIN environment_releases AS release
        ON release.environment = revised.environment
        AND release.service = revised.service
        AND release.config_repository = revised.config_repository
        AND release.config_position = in_force.release_position
),

blocked AS (
    SELECT
        *,
        count(*) FILTER (WHERE outcome <> 'unobserved') OVER (
            PARTITION BY cluster_uid, uid
            ORDER BY synced_at, sync_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS observed_count
    FROM placed
)

SELECT
    * EXCLUDE (observed_count),
    min(coalesce(synced_earliest_at, synced_at)) FILTER (WHERE outcome = 'unobserved') OVER (
        PARTITION BY cluster_uid, uid, observed_count
    ) AS unobserved_since,
    lag(source_sha) OVER later AS previous_source_sha,
    lag(source_position) OVER later AS previous_source_position,
    coalesce(source_position < lag(source_position) OVER later, false) AS is_step_back
FROM blocked
WINDOW later AS (PARTITION BY cluster_uid, uid ORDER BY synced_at, sync_id)
