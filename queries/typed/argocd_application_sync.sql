-- Argo CD syncs: one row an entry of an Application's history.
--
-- grain: cluster_uid, uid, sync_id, deployed_at
-- reads: parsed_argocd_application
-- params:
--
-- History holds complete syncs that succeeded, no dry run, no selection of resources; a failed sync is
-- in argocd_application_operation only. The same revision is appended again by a self-heal or by hand.
-- `sync_id` starts at 0 again when the list was emptied, so the time is part of the key.
-- `started_at` is the start of the first attempt; `deployed_at` is when the sync ended, not when
-- the Application was healthy.
-- With several sources `sources` and `revisions` have one element for each and `revision` is NULL; with
-- one, both lists are NULL, and the four columns of the source and `revision` say it. A revision is a commit for
-- git, a chart's version for Helm, a digest for OCI. `revisions_text` is for comparing syncs with one another.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS application,
    uid,
    resource_version,
    observed_at,
    TRY_CAST(entry.id AS BIGINT) AS sync_id,
    nullif(entry.revision, '') AS revision,
    entry.revisions AS revisions,
    coalesce(nullif(array_to_string(entry.revisions, ','), ''), nullif(entry.revision, '')) AS revisions_text,
    TRY_CAST(entry.deployStartedAt AS TIMESTAMPTZ) AS started_at,
    TRY_CAST(entry.deployedAt AS TIMESTAMPTZ) AS deployed_at,
    entry.initiatedBy.username AS initiated_by,
    coalesce(entry.initiatedBy.automated, 'false') = 'true' AS is_automated,
    nullif(entry.source.repoURL, '') AS repository_url,
    entry.source.path AS source_path,
    entry.source.chart AS chart,
    entry.source.targetRevision AS target_revision,
    entry.sources AS sources
FROM (SELECT * EXCLUDE (object), unnest(object.status.history) AS entry FROM parsed_argocd_application)
