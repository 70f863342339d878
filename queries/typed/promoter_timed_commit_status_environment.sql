-- Soak times: one row an environment of a TimedCommitStatus, in each state that was seen.
--
-- grain: cluster_uid, uid, resource_version, branch
-- reads: parsed_promoter_timed_commit_status
-- params:
--
-- The timer runs from `active_committed_at`, the active hydrated commit, and holds up the next environment.
-- Phase is pending or success. Remaining is as of the last reconcile, so at most; 0 once the time is over.
-- Durations are Go's (`1h30m`); the text is kept beside the seconds. The key is `timer` when left out.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS timed_commit_status,
    uid,
    resource_version,
    observed_at,
    object.spec.promotionStrategyRef.name AS promotion_strategy,
    coalesce(object.spec.key, 'timer') AS gate_key,
    environment.branch AS branch,
    environment.sha AS sha,
    TRY_CAST(environment.commitTime AS TIMESTAMPTZ) AS active_committed_at,
    environment.phase AS phase,
    environment.requiredDuration AS required_duration,
    go_duration_seconds(environment.requiredDuration) AS required_seconds,
    environment.atMostDurationRemaining AS at_most_duration_remaining,
    go_duration_seconds(environment.atMostDurationRemaining) AS at_most_remaining_seconds,
    list_filter(object.spec.environments, lambda wish: wish.branch = environment.branch)[1].duration
        AS configured_duration,
    object.status.instanceID AS instance_id
FROM (SELECT *, unnest(object.status.environments) AS environment FROM parsed_promoter_timed_commit_status)
