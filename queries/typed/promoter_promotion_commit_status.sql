-- Gates of promotions: one row a commit status that an entry of a history ends with.
--
-- grain: cluster_uid, uid, branch, hydrated_sha, side, gate_key
-- reads: parsed_promoter_promotion_strategy, parsed_promoter_change_transfer_policy
-- params:
--
-- The phases are those at the time of the merge, kept in the merge's message: `proposed` gates of what was
-- merged, `active` gates of what it took the place of.
-- Descriptions are there from GitOps Promoter 0.34 on. `observed_at` is when the entry was first seen.

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
    entry.active.hydrated.sha AS hydrated_sha,
    side,
    gate.key AS gate_key,
    gate.phase AS phase,
    gate.url AS url,
    gate.description AS description
FROM (
    SELECT * EXCLUDE (seen), seen.side AS side, unnest(seen.gates) AS gate
    FROM (
        SELECT
            *,
            unnest([
                {'side': 'active', 'gates': entry.active.commitStatuses},
                {'side': 'proposed', 'gates': entry.proposed.commitStatuses}
            ]) AS seen
        FROM (
            SELECT
                * EXCLUDE (object, environment),
                'PromotionStrategy' AS kind,
                environment.branch AS branch,
                unnest(environment.history) AS entry
            FROM (
                SELECT *, unnest(object.status.environments) AS environment
                FROM parsed_promoter_promotion_strategy
            )
            UNION ALL
            SELECT
                * EXCLUDE (object),
                'ChangeTransferPolicy',
                object.spec.activeBranch,
                unnest(object.status.history)
            FROM parsed_promoter_change_transfer_policy
        )
    )
)
