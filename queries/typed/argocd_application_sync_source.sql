-- Sources of Argo CD syncs: one row a source of an entry of an Application's history.
--
-- grain: cluster_uid, uid, sync_id, deployed_at, source_number
-- reads: parsed_argocd_application
-- params:
--
-- An entry with several sources still carries an empty single one; it is not counted.
-- `revision` is a commit for git, a chart's version for Helm, a digest for OCI.

SELECT
    cluster,
    cluster_uid,
    uid,
    resource_version,
    observed_at,
    TRY_CAST(entry.id AS BIGINT) AS sync_id,
    TRY_CAST(entry.deployedAt AS TIMESTAMPTZ) AS deployed_at,
    source_number,
    source.repoURL AS repository_url,
    source.path AS source_path,
    source.chart AS chart,
    source.targetRevision AS target_revision,
    CASE WHEN len(entry.sources) > 0 THEN entry.revisions[source_number] ELSE entry.revision END AS revision
FROM (
    SELECT * EXCLUDE (sources), unnest(sources) AS source, generate_subscripts(sources, 1) AS source_number
    FROM (
        SELECT *, CASE WHEN len(entry.sources) > 0 THEN entry.sources ELSE [entry.source] END AS sources
        FROM (SELECT * EXCLUDE (object), unnest(object.status.history) AS entry FROM parsed_argocd_application)
    )
)
WHERE nullif(source.repoURL, '') IS NOT NULL
