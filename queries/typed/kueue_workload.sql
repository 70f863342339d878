-- Kueue Workloads: one row each state of a Workload that was seen.
--
-- grain: cluster_uid, uid, resource_version
-- reads: parsed_kueue_workload
-- params:
--
-- `holds_quota` is QuotaReserved and not Finished: a finished Workload keeps both conditions, and one that was
-- evicted holds its quota until QuotaReserved turns False. A pending Workload may have no condition at all.
-- Times are those of the last change of a condition's status: re-admission overwrites them, an eviction removes
-- `cluster_queue`; Kueue 0.15.0 to 0.15.2 did both at the end too, with reason `Finished`.
-- `priority_class_kind` is in v1beta2's words. What Go leaves out is said: no requeue and no past execution are 0,
-- no word on `active` means active.
-- `past_execution_seconds` sums whole seconds of admissions that were evicted; deactivation sets it to 0.

SELECT
    cluster,
    cluster_uid,
    api_version,
    namespace,
    name AS workload,
    uid,
    resource_version,
    event_type,
    observed_at,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(object.metadata.deletionTimestamp AS TIMESTAMPTZ) AS deleted_at,
    TRY_CAST(object.metadata.generation AS BIGINT) AS generation,
    object.metadata.labels AS labels,
    object.metadata.labels['kueue.x-k8s.io/job-uid'] AS job_uid,
    owner.kind AS owner_kind,
    owner.name AS owner_name,
    owner.uid AS owner_uid,
    object.spec.queueName AS local_queue,
    coalesce(object.spec.active, 'true') = 'true' AS is_active,
    TRY_CAST(object.spec.priority AS BIGINT) AS priority,
    nullif(coalesce(object.spec.priorityClassRef.name, object.spec.priorityClassName), '') AS priority_class,
    coalesce(
        object.spec.priorityClassRef.kind,
        CASE object.spec.priorityClassSource
            WHEN 'kueue.x-k8s.io/workloadpriorityclass' THEN 'WorkloadPriorityClass'
            WHEN 'scheduling.k8s.io/priorityclass' THEN 'PriorityClass'
            ELSE nullif(object.spec.priorityClassSource, '')
        END
    ) AS priority_class_kind,
    TRY_CAST(object.spec.maximumExecutionTimeSeconds AS BIGINT) AS maximum_execution_seconds,
    coalesce(len(object.spec.podSets), 0) AS pod_set_count,
    object.status.admission.clusterQueue AS cluster_queue,
    object.status.clusterName AS remote_cluster,
    quota_reserved.status AS quota_reserved_status,
    quota_reserved.reason AS quota_reserved_reason,
    TRY_CAST(quota_reserved.lastTransitionTime AS TIMESTAMPTZ) AS quota_reserved_changed_at,
    admitted.status AS admitted_status,
    admitted.reason AS admitted_reason,
    TRY_CAST(admitted.lastTransitionTime AS TIMESTAMPTZ) AS admitted_changed_at,
    pods_ready.status AS pods_ready_status,
    pods_ready.reason AS pods_ready_reason,
    TRY_CAST(pods_ready.lastTransitionTime AS TIMESTAMPTZ) AS pods_ready_changed_at,
    evicted.status AS evicted_status,
    evicted.reason AS evicted_reason,
    TRY_CAST(evicted.lastTransitionTime AS TIMESTAMPTZ) AS evicted_changed_at,
    requeued.status AS requeued_status,
    requeued.reason AS requeued_reason,
    TRY_CAST(requeued.lastTransitionTime AS TIMESTAMPTZ) AS requeued_changed_at,
    finished.status AS finished_status,
    finished.reason AS finished_reason,
    TRY_CAST(finished.lastTransitionTime AS TIMESTAMPTZ) AS finished_changed_at,
    quota_reserved.status IS NOT DISTINCT FROM 'True' AND finished.status IS DISTINCT FROM 'True' AS holds_quota,
    TRY_CAST(coalesce(object.status.requeueState.count, '0') AS BIGINT) AS requeue_count,
    TRY_CAST(object.status.requeueState.requeueAt AS TIMESTAMPTZ) AS requeue_at,
    TRY_CAST(
        coalesce(
            object.status.accumulatedPastExecutionTimeSeconds,
            object.status.accumulatedPastExexcutionTimeSeconds,
            '0'
        ) AS BIGINT
    ) AS past_execution_seconds
FROM (
    SELECT
        *,
        coalesce(
            list_filter(object.metadata.ownerReferences, lambda o: o.controller = 'true')[1],
            object.metadata.ownerReferences[1]
        ) AS owner,
        list_filter(object.status.conditions, lambda c: c.type = 'QuotaReserved')[1] AS quota_reserved,
        list_filter(object.status.conditions, lambda c: c.type = 'Admitted')[1] AS admitted,
        list_filter(object.status.conditions, lambda c: c.type = 'PodsReady')[1] AS pods_ready,
        list_filter(object.status.conditions, lambda c: c.type = 'Evicted')[1] AS evicted,
        list_filter(object.status.conditions, lambda c: c.type = 'Requeued')[1] AS requeued,
        list_filter(object.status.conditions, lambda c: c.type = 'Finished')[1] AS finished
    FROM parsed_kueue_workload
)
