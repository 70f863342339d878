-- Gates of environments: one row a commit status of a side of an environment, in each state that was seen.
--
-- grain: cluster_uid, uid, resource_version, branch, side, gate_key
-- reads: parsed_promoter_promotion_strategy, parsed_promoter_change_transfer_policy
-- params:
--
-- `side` is `active` (what runs) or `proposed` (what wants in); only proposed ones hold up this environment,
-- active ones the next. Both kinds of object tell of the same gates, so count one `kind` only.
-- The phase is the present one; how long it has lasted is in promoter_commit_status, if that was watched.
-- `promoter-previous-environment` is the controller's own gate: the environment before this one is well.

SELECT
    cluster,
    cluster_uid,
    namespace,
    kind,
    name AS object_name,
    uid,
    resource_version,
    observed_at,
    branch,
    side,
    gate.key AS gate_key,
    gate.phase AS phase,
    gate.url AS url,
    gate.description AS description
FROM (
    SELECT * EXCLUDE (seen), seen.side AS side, unnest(seen.gates) AS gate
    FROM (
        SELECT
            * EXCLUDE (object, environment),
            'PromotionStrategy' AS kind,
            environment.branch AS branch,
            unnest([
                {'side': 'active', 'gates': environment.active.commitStatuses},
                {'side': 'proposed', 'gates': environment.proposed.commitStatuses}
            ]) AS seen
        FROM (
            SELECT *, unnest(object.status.environments) AS environment
            FROM parsed_promoter_promotion_strategy
        )
        UNION ALL
        SELECT
            * EXCLUDE (object),
            'ChangeTransferPolicy',
            object.spec.activeBranch,
            unnest([
                {'side': 'active', 'gates': object.status.active.commitStatuses},
                {'side': 'proposed', 'gates': object.status.proposed.commitStatuses}
            ])
        FROM parsed_promoter_change_transfer_policy
    )
)
