-- Argo CD Applications: one row each state of an Application that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_argocd_application
-- params:
--
-- Application has no status subresource, so `generation` moves with every write of its status.
-- On the hub of argocd-agent an Application is a mirror with a uid of its own; `source_uid` is the
-- uid on the spoke, and `mirrored_at` when the hub last received it. Times inside a mirrored
-- status are the spoke's clock.
-- `health_changed_at` moves when the status word changes, not when the message does.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS application,
    uid,
    resource_version,
    event_type,
    observed_at,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    TRY_CAST(object.metadata.generation AS BIGINT) AS generation,
    object.metadata.annotations."argocd.argoproj.io/source-uid" AS source_uid,
    object.metadata.annotations."argocd.argoproj.io/principal-uid" AS principal_uid,
    TRY_CAST(object.metadata.annotations."argocd-agent.argoproj.io/last-updated" AS TIMESTAMPTZ) AS mirrored_at,
    object.metadata.labels AS labels,
    object.spec.project AS project,
    object.spec.destination.name AS destination_name,
    object.spec.destination.server AS destination_server,
    object.spec.destination.namespace AS destination_namespace,
    coalesce(nullif(object.spec.source.repoURL, ''), object.spec.sources[1].repoURL, object.spec.sourceHydrator.drySource.repoURL)
        AS repository_url,
    coalesce(object.spec.source.path, object.spec.sources[1].path, object.spec.sourceHydrator.drySource.path) AS source_path,
    coalesce(
        object.spec.source.targetRevision,
        object.spec.sources[1].targetRevision,
        object.spec.sourceHydrator.drySource.targetRevision
    ) AS target_revision,
    CASE
        WHEN len(object.spec.sources) > 0 THEN len(object.spec.sources)
        WHEN nullif(object.spec.source.repoURL, '') IS NOT NULL OR object.spec.sourceHydrator IS NOT NULL THEN 1
        ELSE 0
    END AS source_count,
    object.spec.sourceHydrator.syncSource.targetBranch AS hydrated_branch,
    object.spec.sourceHydrator.hydrateTo.targetBranch AS hydrate_to_branch,
    object.spec.syncPolicy.automated IS NOT NULL
        AND coalesce(object.spec.syncPolicy.automated.enabled, 'true') = 'true' AS is_automated,
    coalesce(object.spec.syncPolicy.automated.selfHeal, 'false') = 'true' AS is_self_healing,
    TRY_CAST(object.spec.revisionHistoryLimit AS BIGINT) AS revision_history_limit,
    object.status.sync.status AS sync_status,
    object.status.sync.revision AS sync_revision,
    object.status.sync.revisions AS sync_revisions,
    object.status.health.status AS health_status,
    object.status.health.message AS health_message,
    TRY_CAST(object.status.health.lastTransitionTime AS TIMESTAMPTZ) AS health_changed_at,
    object.status.operationState.phase AS operation_phase,
    TRY_CAST(object.status.operationState.startedAt AS TIMESTAMPTZ) AS operation_started_at,
    TRY_CAST(object.status.operationState.finishedAt AS TIMESTAMPTZ) AS operation_finished_at,
    TRY_CAST(object.status.reconciledAt AS TIMESTAMPTZ) AS reconciled_at,
    len(object.status.history) AS history_count,
    object.status.sourceHydrator.lastComparedDryRevision AS last_compared_dry_revision,
    object.status.controllerNamespace AS controller_namespace,
    object.status.resourceHealthSource AS resource_health_source
FROM parsed_argocd_application
