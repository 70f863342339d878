-- Hydrations: one row each state of a run of Argo CD's source hydrator that was seen on an Application.
--
-- grain: cluster_uid, uid, operation, started_at, phase, dry_sha, hydrated_sha
-- reads: parsed_argocd_application
-- params:
--
-- `operation` is `current` or `last_successful`; the second has no times and no phase. A run names its
-- commits only at its end. Applications that share repositories and branches are hydrated
-- together and end together; one that fails fails all of them.
-- A run that renders the same manifests makes no commit, so `last_successful` may name a dry
-- commit that no hydrated commit does.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS application,
    uid,
    resource_version,
    observed_at,
    operation,
    run.phase AS phase,
    TRY_CAST(run.startedAt AS TIMESTAMPTZ) AS started_at,
    TRY_CAST(run.finishedAt AS TIMESTAMPTZ) AS finished_at,
    nullif(run.drySHA, '') AS dry_sha,
    nullif(run.hydratedSHA, '') AS hydrated_sha,
    run.message AS message
FROM (
    SELECT * EXCLUDE (object), 'current' AS operation, object.status.sourceHydrator.currentOperation AS run
    FROM parsed_argocd_application
    UNION ALL
    SELECT
        * EXCLUDE (object),
        'last_successful',
        {
            'phase': NULL, 'message': NULL, 'startedAt': NULL, 'finishedAt': NULL,
            'drySHA': object.status.sourceHydrator.lastSuccessfulOperation.drySHA,
            'hydratedSHA': object.status.sourceHydrator.lastSuccessfulOperation.hydratedSHA
        }
    FROM parsed_argocd_application
)
WHERE run.startedAt IS NOT NULL OR run.drySHA IS NOT NULL OR run.hydratedSHA IS NOT NULL
