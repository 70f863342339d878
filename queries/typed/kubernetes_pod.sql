-- Kubernetes Pods: one row each state of a Pod that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_kubernetes_pod
-- params:
--
-- A Pod holds what it asks for on its node from when it is bound (`node`) until its phase is Succeeded or Failed, or it
-- is deleted. `scheduled_reason` says why it is bound to none: Unschedulable, SchedulingGated. What it asks for is in
-- kubernetes_pod_request.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS pod,
    uid,
    resource_version,
    event_type,
    observed_at,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    owner.kind AS owner_kind,
    owner.name AS owner_name,
    object.spec.nodeName AS node,
    object.status.phase AS phase,
    object.status.reason AS phase_reason,
    scheduled.reason AS scheduled_reason,
    TRY_CAST(CASE WHEN scheduled.status = 'True' THEN scheduled.lastTransitionTime END AS TIMESTAMPTZ) AS scheduled_at,
    TRY_CAST(object.status.startTime AS TIMESTAMPTZ) AS started_at
FROM (
    SELECT
        *,
        list_filter(object.metadata.ownerReferences, lambda o: o.controller = 'true')[1] AS owner,
        list_filter(object.status.conditions, lambda c: c.type = 'PodScheduled')[1] AS scheduled
    FROM parsed_kubernetes_pod
)
