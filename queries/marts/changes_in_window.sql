-- Changes of a window: one row a change that came in during it, and an environment it is meant for, as of a time.
--
-- grain: repository, sha, service, environment
-- reads: changes, change_environments, configured_lane_stage
-- params: since, until, as_of, environment
--
-- In the window are changes whose `committed_at` is in it. What happened after $as_of is not known yet; an empty
-- $environment is all of them. `class`, the first that holds:
--   first_seen    it was there, or under way, before anybody looked: its times are bounds
--   rolled_back   it was there, and the environment went back to a release without it
--   delivered     it is there, and was healthy (`is_superseded`: as part of a later change)
--   reverted      a later commit took it back before it was there
--   failed        its build failed, and no later build holds it
--   unobserved    it came in after the environment was looked at for the last time, so nobody knows
--   in_flight     it is on its way: `waits_for` is the stage it has not passed
--   not_stitched  nothing links it to a build or a pin; `class_reason` says what lacks
-- `lead_seconds` runs from `committed_at` to `healthy_at`, and is there for changes that got there, rolled back or not. Its parts sum to
-- it: each ends when its stage was passed, and starts when the one before ended; a stage the lane has not, or that
-- was passed before the one before it (by other clocks), is 0; the time of a stage nobody saw is in the next one.
-- `review_seconds` (`authored_at` to `committed_at`) comes before. `open_seconds` is how long an open change has
-- waited. `live_at` is `healthy_at`: pods that are healthy are what takes requests. `environment_observed_until` is until
-- when the environment's Applications were looked at, also after $as_of.

WITH known AS (
    SELECT
        change.repository,
        change.sha,
        change.service,
        change.kind,
        change.subject,
        change.author_name,
        change.author_class,
        change.authored_at,
        change.committed_at,
        change.build_outcome,
        change.reverted_by_sha,
        CASE WHEN change.reverted_at <= $as_of THEN change.reverted_at END AS reverted_at,
        passage.environment,
        passage.lane,
        passage.build_run,
        passage.config_sha,
        passage.healthy_revision,
        passage.delivered_by_sha,
        passage.confidence,
        passage.is_first_seen,
        passage.environment_observed_until,
        CASE WHEN passage.build_started_at <= $as_of THEN passage.build_started_at END AS build_started_at,
        CASE WHEN passage.built_at <= $as_of THEN passage.built_at END AS built_at,
        CASE WHEN passage.pinned_at <= $as_of THEN passage.pinned_at END AS pinned_at,
        CASE WHEN passage.hydrated_at <= $as_of THEN passage.hydrated_at END AS hydrated_at,
        CASE WHEN passage.promoted_at <= $as_of THEN passage.promoted_at END AS promoted_at,
        CASE WHEN passage.sync_started_at <= $as_of THEN passage.sync_started_at END AS sync_started_at,
        CASE WHEN passage.synced_at <= $as_of THEN passage.synced_at END AS synced_at,
        CASE WHEN passage.healthy_at <= $as_of THEN passage.healthy_at END AS healthy_at,
        CASE WHEN passage.healthy_at <= $as_of THEN passage.healthy_earliest_at END AS healthy_earliest_at,
        CASE WHEN passage.rolled_back_at <= $as_of THEN passage.rolled_back_at END AS rolled_back_at
    FROM changes AS change
    JOIN change_environments AS passage
        ON passage.repository = change.repository
        AND passage.sha = change.sha
        AND passage.service = change.service
    WHERE
        change.committed_at >= $since
        AND change.committed_at < $until
        AND change.committed_at <= $as_of
        AND ($environment = '' OR passage.environment = $environment)
),

stage_of_lane AS (
    SELECT
        lane,
        bool_or(stage = 'build') AS has_build,
        bool_or(stage = 'hydrate') AS has_hydrate,
        bool_or(stage = 'promote') AS has_promote
    FROM configured_lane_stage
    GROUP BY lane
),

classed AS (
    SELECT
        known.*,
        CASE
            WHEN known.is_first_seen THEN 'first_seen'
            WHEN known.rolled_back_at IS NOT NULL AND known.healthy_at IS NOT NULL THEN 'rolled_back'
            WHEN known.healthy_at IS NOT NULL THEN 'delivered'
            WHEN known.reverted_at IS NOT NULL THEN 'reverted'
            WHEN known.built_at IS NULL AND known.pinned_at IS NULL AND known.build_outcome IN ('failed', 'timeout', 'cancelled')
            THEN 'failed'
            WHEN known.built_at IS NULL AND known.pinned_at IS NULL AND known.build_outcome IS NULL THEN 'not_stitched'
            WHEN known.committed_at > known.environment_observed_until THEN 'unobserved'
            ELSE 'in_flight'
        END AS class,
        CASE
            WHEN known.healthy_at IS NOT NULL THEN NULL
            WHEN known.synced_at IS NOT NULL THEN 'healthy'
            WHEN known.promoted_at IS NOT NULL THEN 'sync'
            WHEN known.hydrated_at IS NOT NULL AND coalesce(stage_of_lane.has_promote, true) THEN 'promote'
            WHEN known.pinned_at IS NOT NULL AND coalesce(stage_of_lane.has_hydrate, true) THEN 'hydrate'
            WHEN known.pinned_at IS NOT NULL THEN 'sync'
            WHEN known.built_at IS NOT NULL THEN 'pin'
            WHEN coalesce(stage_of_lane.has_build, true) AND known.kind = 'code' THEN 'build'
            ELSE 'pin'
        END AS waits_for
    FROM known
    LEFT JOIN stage_of_lane ON stage_of_lane.lane = known.lane
),

ordered AS (
    SELECT
        *,
        greatest(committed_at, coalesce(build_started_at, committed_at)) AS after_build_wait_at,
        greatest(committed_at, coalesce(build_started_at, committed_at), coalesce(built_at, committed_at)) AS after_build_at,
        greatest(
            committed_at, coalesce(build_started_at, committed_at), coalesce(built_at, committed_at),
            coalesce(pinned_at, committed_at)
        ) AS after_pin_at,
        greatest(
            committed_at, coalesce(build_started_at, committed_at), coalesce(built_at, committed_at),
            coalesce(pinned_at, committed_at), coalesce(hydrated_at, committed_at)
        ) AS after_hydrate_at,
        greatest(
            committed_at, coalesce(build_started_at, committed_at), coalesce(built_at, committed_at),
            coalesce(pinned_at, committed_at), coalesce(hydrated_at, committed_at), coalesce(promoted_at, committed_at)
        ) AS after_promote_at,
        greatest(
            committed_at, coalesce(build_started_at, committed_at), coalesce(built_at, committed_at),
            coalesce(pinned_at, committed_at), coalesce(hydrated_at, committed_at), coalesce(promoted_at, committed_at),
            coalesce(sync_started_at, committed_at)
        ) AS after_sync_wait_at,
        greatest(
            committed_at, coalesce(build_started_at, committed_at), coalesce(built_at, committed_at),
            coalesce(pinned_at, committed_at), coalesce(hydrated_at, committed_at), coalesce(promoted_at, committed_at),
            coalesce(sync_started_at, committed_at), coalesce(synced_at, committed_at)
        ) AS after_sync_at,
        class IN ('delivered', 'rolled_back') AND healthy_at >= committed_at AS is_timed
    FROM classed
)

SELECT
    environment,
    lane,
    service,
    repository,
    sha,
    kind,
    subject,
    author_name,
    author_class,
    authored_at,
    committed_at,
    build_started_at,
    built_at,
    build_run,
    pinned_at,
    config_sha,
    hydrated_at,
    promoted_at,
    sync_started_at,
    synced_at,
    healthy_earliest_at,
    healthy_at,
    healthy_at AS live_at,
    healthy_revision,
    rolled_back_at,
    reverted_at,
    class,
    CASE
        WHEN class = 'first_seen' THEN 'it was there or under way before anything was landed'
        WHEN class = 'rolled_back' THEN 'the environment went back to an older release'
        WHEN class = 'reverted' THEN 'commit ' || substr(reverted_by_sha, 1, 12) || ' took it back'
        WHEN class = 'failed' THEN 'its build ended as ' || build_outcome || ', and no later build holds it'
        WHEN class = 'not_stitched' THEN 'no build of it, or of anything after it, was seen, and no pin'
        WHEN class = 'unobserved' THEN 'the environment was last looked at before it came in'
        WHEN class = 'in_flight' THEN 'it waits for ' || waits_for
        WHEN class = 'delivered' AND NOT is_timed THEN 'it was healthy before it came in, so clocks disagree'
    END AS class_reason,
    class = 'delivered' AND delivered_by_sha IS DISTINCT FROM sha AS is_superseded,
    CASE WHEN healthy_at IS NOT NULL THEN delivered_by_sha END AS delivered_by_sha,
    CASE WHEN class = 'in_flight' THEN waits_for END AS waits_for,
    confidence,
    epoch(committed_at) - epoch(authored_at) AS review_seconds,
    CASE WHEN is_timed THEN epoch(healthy_at) - epoch(committed_at) END AS lead_seconds,
    CASE WHEN is_timed THEN epoch(healthy_earliest_at) - epoch(committed_at) END AS lead_earliest_seconds,
    CASE WHEN is_timed THEN epoch(least(after_build_wait_at, healthy_at)) - epoch(committed_at) END AS build_wait_seconds,
    CASE WHEN is_timed THEN epoch(least(after_build_at, healthy_at)) - epoch(least(after_build_wait_at, healthy_at)) END
        AS build_seconds,
    CASE WHEN is_timed THEN epoch(least(after_pin_at, healthy_at)) - epoch(least(after_build_at, healthy_at)) END
        AS pin_wait_seconds,
    CASE WHEN is_timed THEN epoch(least(after_hydrate_at, healthy_at)) - epoch(least(after_pin_at, healthy_at)) END
        AS hydrate_wait_seconds,
    CASE WHEN is_timed THEN epoch(least(after_promote_at, healthy_at)) - epoch(least(after_hydrate_at, healthy_at)) END
        AS promote_wait_seconds,
    CASE WHEN is_timed THEN epoch(least(after_sync_wait_at, healthy_at)) - epoch(least(after_promote_at, healthy_at)) END
        AS sync_wait_seconds,
    CASE WHEN is_timed THEN epoch(least(after_sync_at, healthy_at)) - epoch(least(after_sync_wait_at, healthy_at)) END
        AS sync_seconds,
    CASE WHEN is_timed THEN epoch(healthy_at) - epoch(least(after_sync_at, healthy_at)) END AS health_seconds,
    CASE WHEN class = 'in_flight' THEN epoch($as_of) - epoch(committed_at) END AS open_seconds,
    environment_observed_until
FROM ordered
