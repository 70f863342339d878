-- Health gates: one row an Application that an ArgoCDCommitStatus selects, in each state that was seen.
--
-- grain: cluster_uid, uid, resource_version, environment_branch, application_cluster, application_namespace, application
-- reads: parsed_promoter_argocd_commit_status
-- params:
--
-- The phase is success when the Application is healthy and synced at the commit, failure when it is degraded.
-- `sha` is there only while it is synced. `health_changed_at` is the Application's own transition time.
-- `application_cluster` is '' for the controller's own cluster, and NULL in objects older than the field.
-- `environment_branch` is the active branch. The key is `argocd-health` when left out.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS argocd_commit_status,
    uid,
    resource_version,
    observed_at,
    object.spec.promotionStrategyRef.name AS promotion_strategy,
    coalesce(object.spec.key, 'argocd-health') AS gate_key,
    selected.environment AS environment_branch,
    selected.clusterName AS application_cluster,
    selected.namespace AS application_namespace,
    selected.name AS application,
    selected.phase AS phase,
    nullif(selected.sha, '') AS sha,
    TRY_CAST(selected.lastTransitionTime AS TIMESTAMPTZ) AS health_changed_at,
    object.status.instanceID AS instance_id
FROM (
    SELECT *, unnest(object.status.applicationsSelected) AS selected
    FROM parsed_promoter_argocd_commit_status
)
