-- References of dry commits: one row a commit of other code that a dry commit says it was made from.
--
-- grain: cluster_uid, dry_repository_url, dry_sha, reference_repository_url, reference_sha
-- reads: parsed_promoter_promotion_strategy, parsed_promoter_change_transfer_policy
-- params:
--
-- A build that pins an image may name the source commit beside its dry commit; few do. It is the only link
-- from a promotion back to source code that Promoter keeps. Nobody checked that the commit exists.
-- `reference_committed_at` is the time the build wrote there, whichever clock that was.
-- `observed_at` is when the dry commit was first seen with it: proposed, active or in a history.

SELECT
    cluster,
    cluster_uid,
    namespace,
    uid,
    resource_version,
    observed_at,
    dry.repoURL AS dry_repository_url,
    dry.sha AS dry_sha,
    TRY_CAST(dry.commitTime AS TIMESTAMPTZ) AS dry_authored_at,
    referred.commit.repoURL AS reference_repository_url,
    referred.commit.sha AS reference_sha,
    TRY_CAST(referred.commit.date AS TIMESTAMPTZ) AS reference_committed_at,
    referred.commit.subject AS reference_subject
FROM (
    SELECT *, unnest(dry."references") AS referred
    FROM (
        SELECT
            * EXCLUDE (object, environment),
            unnest(list_concat(
                [environment.active.dry, environment.proposed.dry],
                list_transform(environment.history, lambda entry: entry.active.dry)
            )) AS dry
        FROM (
            SELECT *, unnest(object.status.environments) AS environment
            FROM parsed_promoter_promotion_strategy
        )
        UNION ALL
        SELECT
            * EXCLUDE (object),
            unnest(list_concat(
                [object.status.active.dry, object.status.proposed.dry],
                list_transform(object.status.history, lambda entry: entry.active.dry)
            ))
        FROM parsed_promoter_change_transfer_policy
    )
)
