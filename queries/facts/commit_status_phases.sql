-- Gate phases: one row each stretch of one phase that a gate was seen in, for one commit.
--
-- grain: cluster_uid, uid, phase_number
-- reads: promoter_commit_status, object_version
-- params:
--
-- A CommitStatus is rewritten in place and carries no times, so a phase lasts from when it was seen to when
-- something else was: `ended_by` is `phase`, `new_sha` or `deleted`, NULL while it lasts.
-- Where a watch delivered both ends, `seconds` is what lies between. Else the phase may have begun earlier
-- or ended later: `is_seconds_lower_bound`, and an end that no watch delivered is the last sighting.
-- A listing may step over phases; a watch does not.

WITH version AS (
    SELECT
        status.cluster,
        status.cluster_uid,
        status.namespace,
        status.commit_status,
        status.uid,
        status.resource_version,
        status.observed_at,
        status.gate_key,
        status.promotion_strategy_label,
        status.environment_label,
        status.sha,
        status.phase,
        status.description,
        status.url,
        coalesce(status.event_type, '') = 'DELETED' AS is_deleted,
        coalesce(seen.how, '') = 'watch' AS is_watched
    FROM promoter_commit_status AS status
    LEFT JOIN object_version AS seen
        ON seen.cluster_uid = status.cluster_uid
        AND seen.api_group = 'promoter.argoproj.io'
        AND seen.resource = 'commitstatuses'
        AND seen.uid = status.uid
        AND seen.resource_version = status.resource_version
),

preceded AS (
    SELECT
        *,
        lag(sha) OVER (
            PARTITION BY cluster_uid, uid ORDER BY observed_at, length(resource_version), resource_version
        ) AS last_sha,
        lag(phase) OVER (
            PARTITION BY cluster_uid, uid ORDER BY observed_at, length(resource_version), resource_version
        ) AS last_phase,
        row_number() OVER (
            PARTITION BY cluster_uid, uid ORDER BY observed_at, length(resource_version), resource_version
        ) AS version_number
    FROM version
),

step AS (
    SELECT
        *,
        version_number = 1
        OR is_deleted
        OR sha IS DISTINCT FROM last_sha
        OR phase IS DISTINCT FROM last_phase AS is_start
    FROM preceded
),

numbered AS (
    SELECT
        *,
        sum(CASE WHEN is_start THEN 1 ELSE 0 END) OVER (
            PARTITION BY cluster_uid, uid
            ORDER BY version_number
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS phase_number
    FROM step
),

stretch AS (
    SELECT
        cluster,
        cluster_uid,
        namespace,
        commit_status,
        uid,
        phase_number,
        min(gate_key) AS gate_key,
        min(promotion_strategy_label) AS promotion_strategy_label,
        min(environment_label) AS environment_label,
        min(sha) AS sha,
        min(phase) AS phase,
        max_by(description, observed_at) AS last_description,
        max_by(url, observed_at) AS last_url,
        bool_or(is_deleted) AS is_deleted,
        min(observed_at) AS first_seen_at,
        max(observed_at) AS last_seen_at,
        count(*) AS version_count,
        bool_or(is_start AND is_watched) AS is_start_watched
    FROM numbered
    GROUP BY cluster, cluster_uid, namespace, commit_status, uid, phase_number
),

followed AS (
    SELECT
        *,
        lead(sha) OVER (PARTITION BY cluster_uid, uid ORDER BY phase_number) AS next_sha,
        lead(phase) OVER (PARTITION BY cluster_uid, uid ORDER BY phase_number) AS next_phase,
        lead(is_deleted) OVER (PARTITION BY cluster_uid, uid ORDER BY phase_number) AS is_next_deleted,
        lead(first_seen_at) OVER (PARTITION BY cluster_uid, uid ORDER BY phase_number) AS next_seen_at,
        coalesce(lead(is_start_watched) OVER (PARTITION BY cluster_uid, uid ORDER BY phase_number), false)
            AS is_end_watched
    FROM stretch
)

SELECT
    cluster,
    cluster_uid,
    namespace,
    commit_status,
    uid,
    phase_number,
    gate_key,
    promotion_strategy_label,
    environment_label,
    sha,
    phase,
    last_description,
    last_url,
    first_seen_at,
    last_seen_at,
    next_seen_at,
    version_count,
    CASE
        WHEN next_seen_at IS NULL THEN NULL
        WHEN is_next_deleted THEN 'deleted'
        WHEN next_sha IS DISTINCT FROM sha THEN 'new_sha'
        ELSE 'phase'
    END AS ended_by,
    CASE WHEN NOT is_next_deleted AND next_sha IS NOT DISTINCT FROM sha THEN next_phase END AS next_phase,
    is_start_watched,
    is_end_watched,
    epoch(CASE WHEN is_end_watched THEN next_seen_at ELSE last_seen_at END) - epoch(first_seen_at) AS seconds,
    NOT (is_start_watched AND is_end_watched) AS is_seconds_lower_bound
FROM followed
WHERE NOT is_deleted
