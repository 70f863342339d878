-- Activity events: one row a GitOps event that the application normalised and kept, as it was last written.
--
-- grain: database, event_id
-- reads: postgres_gitops_activity_event
-- params:
--
-- The stream misses events and is no source of durations: the controllers' own objects are. `gitSha` of an Argo CD
-- event is a revision of the config repository, and of any other event one of a source repository: they are two
-- columns here, and must not be joined. Promoter events carry their shas in `raw` only. `resource_version` of the
-- source is an API version; the object's own is `object_resource_version`. The source takes health for the phase of
-- an Argo CD event and its message; what the operation said is in `operation_phase` and `operation_message`.

WITH latest AS (
    SELECT *
    FROM postgres_gitops_activity_event
    WHERE NOT is_deleted
    QUALIFY row_number() OVER (PARTITION BY database, event_id ORDER BY snapshot_at DESC) = 1
)

SELECT
    database,
    event_id,
    sequence,
    source,
    activity_key,
    activity_type,
    phase,
    reason,
    message,
    resource_group AS api_group,
    resource_version AS api_version,
    resource_resource AS resource,
    resource_kind AS kind,
    resource_namespace AS namespace,
    resource_name AS name,
    resource_uid AS uid,
    raw ->> '$.body.metadata.resourceVersion' AS object_resource_version,
    correlation ->> '$.eventType' AS event_type,
    correlation ->> '$.cluster' AS cluster_hint,
    CASE WHEN source = 'argocd' THEN correlation ->> '$.gitSha' END AS config_revision,
    CASE
        WHEN source <> 'argocd' THEN coalesce(correlation ->> '$.gitSha', correlation ->> '$.commitSha')
    END AS source_commit,
    correlation ->> '$.argocdApp' AS application,
    correlation ->> '$.syncStatus' AS sync_status,
    correlation ->> '$.healthStatus' AS health_status,
    raw ->> '$.body.status.operationState.phase' AS operation_phase,
    raw ->> '$.body.status.operationState.message' AS operation_message,
    correlation ->> '$.pipelineRun' AS pipeline_run,
    correlation ->> '$.taskRun' AS task_run,
    correlation ->> '$.imageName' AS image_name,
    correlation ->> '$.imageDigest' AS image_digest,
    correlation ->> '$.branch' AS branch,
    coalesce(correlation ->> '$.drySha', raw ->> '$.body.status.active.dry.sha') AS active_dry_sha,
    raw ->> '$.body.status.proposed.dry.sha' AS proposed_dry_sha,
    coalesce(correlation ->> '$.hydratedSha', raw ->> '$.body.status.active.hydrated.sha') AS active_hydrated_sha,
    correlation ->> '$.pullRequestNumber' AS pull_request,
    observed_at,
    created_at,
    updated_at
FROM latest
