-- Releases by GitOps Promoter: one row a dry commit that came to the last environment of its PromotionStrategy.
--
-- grain: cluster_uid, namespace, promotion_strategy, dry_sha
-- reads: promotions, hydrated_commits, git_commit, branch_promotions, git_promotion_gate, promoter_promotion_strategy_environment, promoter_change_transfer_policy, promoter_environment_commit_status, commit_status_phases
-- params:
--
-- The definition of GitOps Promoter's issue 574:
--   start    the dry commit's time: its committer time, or the author time that Promoter shows where it is not landed
--   end      merged into the terminal environment, and every active commit status there success
--   restart  never: while no release has ended, a newer dry commit takes over the start of the first (`started_at`,
--            `started_by_sha`); of what came before the first known release nobody knows (`is_first_known`)
--   failure  once for a dry commit, however often a status failed, and however often the commit was merged there
-- The terminal environment is the last one of the strategy as it was last seen.
-- Success is known from the CommitStatuses of the merged commit (`evidence` is `watched`): when the last of those that
-- the environment has was first seen success, after `ended_earliest_at`, when it was last seen otherwise. What the
-- environment itself says is not asked: right after a merge it still shows the statuses of the commit before. Else from
-- the next merge, whose trailers tell the statuses of what it replaced (`trailer`; at any time between the two
-- merges). Or there is no status to wait for (`merge`).
-- `outcome`: successful; failed (a status failed and none of these); interrupted (replaced before); pending (the newest).
-- `is_failure` NULL is not yet known: the newest, that neither failed nor succeeded, or one whose statuses nobody saw.

WITH terminal AS (
    SELECT cluster_uid, namespace, promotion_strategy, branch, active_path
    FROM (
        SELECT
            *,
            max(observed_at) OVER (PARTITION BY cluster_uid, uid) AS last_observed_at
        FROM promoter_promotion_strategy_environment
    )
    WHERE observed_at = last_observed_at
    QUALIFY row_number() OVER (
        PARTITION BY cluster_uid, namespace, promotion_strategy ORDER BY environment_number DESC, resource_version DESC
    ) = 1
),

dry AS (
    SELECT sha AS dry_sha, min(committed_at) AS dry_committed_at
    FROM git_commit
    GROUP BY sha
),

promotion AS (
    SELECT
        promotions.*,
        coalesce(dry.dry_committed_at, promotions.dry_authored_at) AS dry_at,
        terminal.branch IS NOT NULL AS is_terminal
    FROM promotions
    LEFT JOIN dry ON dry.dry_sha = promotions.dry_sha
    LEFT JOIN terminal
        ON terminal.cluster_uid = promotions.cluster_uid
        AND terminal.namespace = promotions.namespace
        AND terminal.promotion_strategy = promotions.promotion_strategy
        AND terminal.branch = promotions.branch
        AND coalesce(terminal.active_path, '') = coalesce(promotions.active_path, '')
    WHERE promotions.promotion_strategy IS NOT NULL AND promotions.dry_sha IS NOT NULL
),

candidate AS (
    SELECT DISTINCT cluster_uid, namespace, promotion_strategy, dry_sha, dry_at
    FROM promotion
    UNION
    SELECT DISTINCT strategy.cluster_uid, strategy.namespace, strategy.promotion_strategy, hydrated.dry_sha, dry.dry_committed_at
    FROM hydrated_commits AS hydrated
    JOIN dry ON dry.dry_sha = hydrated.dry_sha
    JOIN (SELECT DISTINCT cluster_uid, namespace, promotion_strategy, branch FROM promotion) AS strategy
        ON hydrated.branch IN (strategy.branch, strategy.branch || '-next')
    WHERE hydrated.is_in_tree
),

merged AS (
    SELECT
        *,
        lead(hydrated_sha) OVER later AS next_hydrated_sha,
        lead(merged_at) OVER later AS replaced_at
    FROM promotion
    WHERE is_terminal AND merged_at IS NOT NULL
    WINDOW later AS (PARTITION BY cluster_uid, namespace, promotion_strategy ORDER BY merged_at, hydrated_sha)
),

state AS (
    SELECT cluster_uid, namespace, promotion_strategy, branch, uid, resource_version, active_hydrated_sha AS hydrated_sha
    FROM promoter_change_transfer_policy
    UNION ALL
    SELECT cluster_uid, namespace, promotion_strategy, branch, uid, resource_version, active_hydrated_sha
    FROM promoter_promotion_strategy_environment
),

required AS (
    SELECT
        state.cluster_uid,
        state.namespace,
        state.promotion_strategy,
        state.hydrated_sha,
        gate.gate_key
    FROM state
    LEFT JOIN promoter_environment_commit_status AS gate
        ON gate.cluster_uid = state.cluster_uid
        AND gate.uid = state.uid
        AND gate.resource_version = state.resource_version
        AND gate.branch = state.branch
        AND gate.side = 'active'
    GROUP BY state.cluster_uid, state.namespace, state.promotion_strategy, state.hydrated_sha, gate.gate_key
),

phase AS (
    SELECT
        cluster_uid,
        namespace,
        gate_key,
        sha,
        phase,
        first_seen_at,
        lag(last_seen_at) OVER (PARTITION BY cluster_uid, uid, sha ORDER BY phase_number) AS last_seen_before_at
    FROM commit_status_phases
),

status AS (
    SELECT
        cluster_uid,
        namespace,
        gate_key,
        sha,
        min(first_seen_at) FILTER (WHERE phase = 'success') AS succeeded_at,
        min_by(last_seen_before_at, first_seen_at) FILTER (WHERE phase = 'success') AS last_unsuccessful_at,
        min(first_seen_at) FILTER (WHERE phase = 'failure') AS failed_at
    FROM phase
    GROUP BY cluster_uid, namespace, gate_key, sha
),

watched AS (
    SELECT
        required.cluster_uid,
        required.namespace,
        required.promotion_strategy,
        required.hydrated_sha,
        count(required.gate_key) AS gate_count,
        count(status.succeeded_at) AS successful_gate_count,
        max(status.succeeded_at) AS succeeded_at,
        max_by(status.last_unsuccessful_at, status.succeeded_at) AS last_unsuccessful_at,
        min(status.failed_at) AS failed_at,
        count(status.gate_key) AS seen_gate_count
    FROM required
    LEFT JOIN status
        ON status.cluster_uid = required.cluster_uid
        AND status.namespace = required.namespace
        AND status.gate_key = required.gate_key
        AND status.sha = required.hydrated_sha
    GROUP BY required.cluster_uid, required.namespace, required.promotion_strategy, required.hydrated_sha
),

told AS (
    SELECT
        branch_promotions.sha AS next_hydrated_sha,
        bool_and(coalesce(gate.phase, '') = 'success') AS is_successful,
        bool_or(coalesce(gate.phase, '') = 'failure') AS is_failing
    FROM branch_promotions
    JOIN git_promotion_gate AS gate
        ON gate.repository = branch_promotions.repository AND gate.sha = branch_promotions.sha
    WHERE gate.side = 'active'
    GROUP BY branch_promotions.sha
),

judged AS (
    SELECT
        merged.*,
        watched.succeeded_at,
        watched.last_unsuccessful_at,
        watched.failed_at AS seen_failing_at,
        coalesce(told.is_failing, false) AS is_told_failing,
        CASE
            WHEN watched.gate_count > 0 AND watched.successful_gate_count = watched.gate_count THEN 'watched'
            WHEN told.is_successful THEN 'trailer'
            WHEN watched.gate_count = 0 THEN 'merge'
        END AS end_evidence,
        coalesce(watched.seen_gate_count > 0, false) OR told.next_hydrated_sha IS NOT NULL AS is_seen
    FROM merged
    LEFT JOIN watched
        ON watched.cluster_uid = merged.cluster_uid
        AND watched.namespace = merged.namespace
        AND watched.promotion_strategy = merged.promotion_strategy
        AND watched.hydrated_sha = merged.hydrated_sha
    LEFT JOIN told ON told.next_hydrated_sha = merged.next_hydrated_sha
),

ended AS (
    SELECT
        *,
        CASE end_evidence
            WHEN 'watched' THEN greatest(merged_at, succeeded_at)
            WHEN 'trailer' THEN replaced_at
            WHEN 'merge' THEN merged_at
        END AS ended_at,
        CASE end_evidence
            WHEN 'watched' THEN greatest(merged_at, coalesce(last_unsuccessful_at, merged_at))
            WHEN 'trailer' THEN merged_at
            WHEN 'merge' THEN merged_at
        END AS ended_earliest_at,
        CASE
            WHEN seen_failing_at IS NOT NULL THEN greatest(merged_at, seen_failing_at)
            WHEN is_told_failing THEN replaced_at
        END AS failed_at
    FROM judged
),

release AS (
    SELECT
        cluster_uid,
        namespace,
        promotion_strategy,
        dry_sha,
        min(cluster) AS cluster,
        min(environment) AS environment,
        min(branch) AS branch,
        min(dry_subject) AS dry_subject,
        min(dry_at) AS dry_at,
        min(merged_at) AS merged_at,
        min_by(hydrated_sha, merged_at) AS hydrated_sha,
        count(*) AS merge_count,
        min(ended_at) AS ended_at,
        min_by(ended_earliest_at, ended_at) AS ended_earliest_at,
        min_by(end_evidence, ended_at) AS evidence,
        min(failed_at) AS failed_at,
        bool_or(is_seen) AS is_seen,
        bool_or(replaced_at IS NULL) AS is_newest,
        max(replaced_at) AS replaced_at
    FROM ended
    GROUP BY cluster_uid, namespace, promotion_strategy, dry_sha
),

followed AS (
    SELECT
        *,
        max(CASE WHEN ended_at IS NOT NULL THEN dry_at END) OVER earlier AS finished_dry_at,
        row_number() OVER (
            PARTITION BY cluster_uid, namespace, promotion_strategy ORDER BY merged_at, dry_sha
        ) = 1 AS is_first_known
    FROM release
    WINDOW earlier AS (
        PARTITION BY cluster_uid, namespace, promotion_strategy
        ORDER BY merged_at, dry_sha
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),

started AS (
    SELECT
        followed.cluster_uid,
        followed.namespace,
        followed.promotion_strategy,
        followed.dry_sha,
        min(candidate.dry_at) AS started_at,
        min_by(candidate.dry_sha, candidate.dry_at) AS started_by_sha,
        count(*) AS interrupted_count
    FROM followed
    JOIN candidate
        ON candidate.cluster_uid = followed.cluster_uid
        AND candidate.namespace = followed.namespace
        AND candidate.promotion_strategy = followed.promotion_strategy
        AND candidate.dry_at > followed.finished_dry_at
        AND candidate.dry_at < followed.dry_at
    GROUP BY followed.cluster_uid, followed.namespace, followed.promotion_strategy, followed.dry_sha
)

SELECT
    followed.cluster,
    followed.cluster_uid,
    followed.namespace,
    followed.promotion_strategy,
    followed.environment,
    followed.branch,
    followed.dry_sha,
    followed.dry_subject,
    followed.dry_at,
    coalesce(started.started_at, followed.dry_at) AS started_at,
    coalesce(started.started_by_sha, followed.dry_sha) AS started_by_sha,
    coalesce(started.interrupted_count, 0) AS interrupted_count,
    followed.hydrated_sha,
    followed.merged_at,
    followed.merge_count,
    followed.ended_earliest_at,
    followed.ended_at,
    followed.evidence,
    followed.replaced_at,
    followed.is_first_known,
    CASE
        WHEN followed.ended_at IS NOT NULL THEN 'successful'
        WHEN followed.failed_at IS NOT NULL THEN 'failed'
        WHEN followed.is_newest THEN 'pending'
        ELSE 'interrupted'
    END AS outcome,
    CASE
        WHEN followed.failed_at IS NOT NULL THEN true
        WHEN followed.ended_at IS NOT NULL OR (followed.is_seen AND NOT followed.is_newest) THEN false
    END AS is_failure,
    followed.failed_at,
    CASE
        WHEN NOT followed.is_first_known
        THEN epoch(followed.ended_at) - epoch(coalesce(started.started_at, followed.dry_at))
    END AS lead_seconds
FROM followed
LEFT JOIN started
    ON started.cluster_uid = followed.cluster_uid
    AND started.namespace = followed.namespace
    AND started.promotion_strategy = followed.promotion_strategy
    AND started.dry_sha = followed.dry_sha
