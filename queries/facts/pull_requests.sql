-- Promotion pull requests: one row a PullRequest of GitOps Promoter, as it was last seen.
--
-- grain: cluster_uid, uid
-- reads: promoter_pull_request, promotions, configured_environment
-- params:
--
-- `state` is open, merged, closed or `externally_merged_or_closed` (others did it, which of the two nobody
-- knows); `state_source` says whether the PullRequest itself tells it or the history of promotions, where
-- the object went away too soon. NULL: gone, and how it ended was not seen. `last_state` is what it said.
-- `is_merge_requested`: Promoter wants it merged; the forge has not said so yet while the state is open.
-- `merged_at` is the history's. `open_seconds` ends there, or else when it was last seen open: then
-- `is_open_seconds_lower_bound`. NULL: never seen open, nor in the history.

WITH last_seen AS (
    SELECT *
    FROM promoter_pull_request
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, uid
        ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
),

life AS (
    SELECT
        cluster_uid,
        uid,
        min(observed_at) AS first_seen_at,
        max(observed_at) FILTER (WHERE state = 'open') AS last_seen_open_at,
        min(observed_at) FILTER (WHERE desired_state = 'merged') AS merge_request_seen_at,
        count(*) AS version_count
    FROM promoter_pull_request
    GROUP BY cluster_uid, uid
),

merged AS (
    SELECT
        cluster_uid,
        namespace,
        branch,
        pull_request_id,
        pull_request_url,
        min(pull_request_merged_at) AS merged_at
    FROM promotions
    WHERE pull_request_id IS NOT NULL
    GROUP BY cluster_uid, namespace, branch, pull_request_id, pull_request_url
),

environment_of_branch AS (
    SELECT branch, min(environment) AS environment
    FROM configured_environment
    WHERE branch <> ''
    GROUP BY branch
    HAVING count(*) = 1
),

joined AS (
    SELECT
        last_seen.*,
        life.first_seen_at,
        life.last_seen_open_at,
        life.merge_request_seen_at,
        life.version_count,
        merged.merged_at,
        merged.pull_request_id IS NOT NULL AS is_in_history,
        coalesce(last_seen.event_type, '') = 'DELETED' AS is_deleted,
        coalesce(environment_of_branch.environment, last_seen.target_branch) AS environment
    FROM last_seen
    JOIN life ON life.cluster_uid = last_seen.cluster_uid AND life.uid = last_seen.uid
    LEFT JOIN merged
        ON merged.cluster_uid = last_seen.cluster_uid
        AND merged.namespace = last_seen.namespace
        AND merged.branch = last_seen.target_branch
        AND merged.pull_request_id = last_seen.pull_request_id
        AND merged.pull_request_url IS NOT DISTINCT FROM last_seen.pull_request_url
    LEFT JOIN environment_of_branch ON environment_of_branch.branch = last_seen.target_branch
)

SELECT
    cluster,
    cluster_uid,
    namespace,
    object_name,
    uid,
    environment,
    target_branch,
    source_branch,
    git_repository,
    pull_request_id,
    pull_request_url,
    title,
    merge_sha,
    CASE
        WHEN is_externally_merged_or_closed THEN 'externally_merged_or_closed'
        WHEN is_in_history THEN 'merged'
        WHEN is_deleted AND state = 'open' THEN NULL
        ELSE nullif(state, '')
    END AS state,
    CASE
        WHEN is_externally_merged_or_closed THEN 'pull_request'
        WHEN is_in_history AND coalesce(state, '') <> 'merged' THEN 'promotion_history'
        WHEN is_deleted AND state = 'open' THEN NULL
        WHEN nullif(state, '') IS NOT NULL THEN 'pull_request'
    END AS state_source,
    nullif(state, '') AS last_state,
    desired_state = 'merged' AS is_merge_requested,
    is_deleted,
    pull_request_created_at,
    merge_request_seen_at,
    merged_at,
    first_seen_at,
    last_seen_open_at,
    observed_at AS last_seen_at,
    version_count,
    epoch(coalesce(merged_at, last_seen_open_at)) - epoch(pull_request_created_at) AS open_seconds,
    CASE
        WHEN coalesce(merged_at, last_seen_open_at) IS NOT NULL AND pull_request_created_at IS NOT NULL
        THEN merged_at IS NULL
    END AS is_open_seconds_lower_bound
FROM joined
