-- Environment states: one row an environment that GitOps Promoter keeps, as it was last seen.
--
-- grain: cluster_uid, namespace, promotion_strategy, branch, active_path
-- reads: promoter_promotion_strategy, promoter_promotion_strategy_environment, promoter_change_transfer_policy, promoter_environment_commit_status, configured_environment
-- params:
--
-- The state is the ChangeTransferPolicy's or the PromotionStrategy's, whichever was seen last (`kind`); objects
-- seen deleted, and environments that left their strategy, have no row.
-- `is_promotion_pending`: the proposed dry commit is not the active one, which is what Promoter opens a pull
-- request for; NULL while either is unknown. After a hydration that changed nothing only the note names
-- the newer commit (`proposed_effective_dry_sha`), and nothing is pending.
-- `blocking_gates` are the proposed gates that are not success; `unsuccessful_active_gates` hold up the next
-- environment. Both are NULL when there are none; `…_count` says of how many.
-- `is_status_stale`: the controller has not yet looked at the newest spec.

WITH strategy AS (
    SELECT *
    FROM promoter_promotion_strategy
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, uid
        ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
),

policy AS (
    SELECT *
    FROM promoter_change_transfer_policy
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, uid
        ORDER BY observed_at DESC, length(resource_version) DESC, resource_version DESC
    ) = 1
),

sighting AS (
    SELECT
        cluster,
        cluster_uid,
        namespace,
        'ChangeTransferPolicy' AS kind,
        uid,
        resource_version,
        observed_at,
        promotion_strategy,
        git_repository,
        branch,
        active_path,
        is_auto_merge,
        active_dry_sha,
        active_dry_subject,
        active_dry_authored_at,
        active_hydrated_sha,
        active_hydrated_committed_at,
        proposed_dry_sha,
        proposed_dry_subject,
        proposed_dry_authored_at,
        proposed_note_dry_sha,
        proposed_hydrated_sha,
        proposed_hydrated_committed_at,
        pull_request_id,
        pull_request_state,
        pull_request_url,
        pull_request_created_at,
        is_pull_request_externally_merged_or_closed,
        ready_status,
        ready_reason,
        observed_generation < generation AS is_status_stale
    FROM policy
    WHERE coalesce(event_type, '') <> 'DELETED'
    UNION ALL
    SELECT
        environment.cluster,
        environment.cluster_uid,
        environment.namespace,
        'PromotionStrategy',
        environment.uid,
        environment.resource_version,
        environment.observed_at,
        environment.promotion_strategy,
        environment.git_repository,
        environment.branch,
        environment.active_path,
        environment.is_auto_merge,
        environment.active_dry_sha,
        environment.active_dry_subject,
        environment.active_dry_authored_at,
        environment.active_hydrated_sha,
        environment.active_hydrated_committed_at,
        environment.proposed_dry_sha,
        environment.proposed_dry_subject,
        environment.proposed_dry_authored_at,
        environment.proposed_note_dry_sha,
        environment.proposed_hydrated_sha,
        environment.proposed_hydrated_committed_at,
        environment.pull_request_id,
        environment.pull_request_state,
        environment.pull_request_url,
        environment.pull_request_created_at,
        environment.is_pull_request_externally_merged_or_closed,
        strategy.ready_status,
        strategy.ready_reason,
        strategy.observed_generation < strategy.generation
    FROM strategy
    JOIN promoter_promotion_strategy_environment AS environment
        ON environment.cluster_uid = strategy.cluster_uid
        AND environment.uid = strategy.uid
        AND environment.resource_version = strategy.resource_version
    WHERE coalesce(strategy.event_type, '') <> 'DELETED'
),

state AS (
    SELECT *
    FROM sighting
    WHERE branch IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, namespace, promotion_strategy, branch, active_path
        ORDER BY observed_at DESC, kind, length(resource_version) DESC, resource_version DESC
    ) = 1
),

gate AS (
    SELECT
        cluster_uid,
        uid,
        resource_version,
        branch,
        count(*) FILTER (WHERE side = 'proposed') AS proposed_gate_count,
        count(*) FILTER (WHERE side = 'proposed' AND coalesce(phase, '') <> 'success') AS blocking_gate_count,
        array_sort(array_agg(gate_key) FILTER (WHERE side = 'proposed' AND coalesce(phase, '') <> 'success'))
            AS blocking_gates,
        count(*) FILTER (WHERE side = 'active') AS active_gate_count,
        count(*) FILTER (WHERE side = 'active' AND coalesce(phase, '') <> 'success')
            AS unsuccessful_active_gate_count,
        array_sort(array_agg(gate_key) FILTER (WHERE side = 'active' AND coalesce(phase, '') <> 'success'))
            AS unsuccessful_active_gates
    FROM promoter_environment_commit_status
    GROUP BY cluster_uid, uid, resource_version, branch
),

environment_of_branch AS (
    SELECT branch, min(environment) AS environment
    FROM configured_environment
    WHERE branch <> ''
    GROUP BY branch
    HAVING count(*) = 1
)

SELECT
    state.cluster,
    state.cluster_uid,
    state.namespace,
    state.promotion_strategy,
    state.git_repository,
    coalesce(environment_of_branch.environment, state.branch) AS environment,
    state.branch,
    state.active_path,
    state.is_auto_merge,
    state.active_dry_sha,
    state.active_dry_subject,
    state.active_dry_authored_at,
    state.active_hydrated_sha,
    state.active_hydrated_committed_at,
    state.proposed_dry_sha,
    coalesce(state.proposed_note_dry_sha, state.proposed_dry_sha) AS proposed_effective_dry_sha,
    state.proposed_dry_subject,
    state.proposed_dry_authored_at,
    state.proposed_hydrated_sha,
    state.proposed_hydrated_committed_at,
    state.proposed_dry_sha <> state.active_dry_sha AS is_promotion_pending,
    state.pull_request_id,
    CASE
        WHEN state.is_pull_request_externally_merged_or_closed THEN 'externally_merged_or_closed'
        ELSE state.pull_request_state
    END AS pull_request_state,
    state.pull_request_url,
    state.pull_request_created_at,
    coalesce(gate.proposed_gate_count, 0) AS proposed_gate_count,
    coalesce(gate.blocking_gate_count, 0) AS blocking_gate_count,
    CASE WHEN gate.blocking_gate_count > 0 THEN gate.blocking_gates END AS blocking_gates,
    coalesce(gate.active_gate_count, 0) AS active_gate_count,
    coalesce(gate.unsuccessful_active_gate_count, 0) AS unsuccessful_active_gate_count,
    CASE WHEN gate.unsuccessful_active_gate_count > 0 THEN gate.unsuccessful_active_gates END
        AS unsuccessful_active_gates,
    state.ready_status,
    state.ready_reason,
    state.is_status_stale,
    state.kind,
    state.uid,
    state.resource_version,
    state.observed_at
FROM state
LEFT JOIN gate
    ON gate.cluster_uid = state.cluster_uid
    AND gate.uid = state.uid
    AND gate.resource_version = state.resource_version
    AND gate.branch = state.branch
LEFT JOIN environment_of_branch ON environment_of_branch.branch = state.branch
