-- Pod sets of Kueue Workloads: one row a pod set, in each state of a Workload that was seen.
--
-- grain: cluster_uid, uid, resource_version, pod_set
-- reads: parsed_kueue_workload
-- params:
--
-- `pod_count` is what the job asks for; where `minimum_pod_count` is there, fewer may be admitted: the number
-- admitted is in kueue_workload_assignment. `reclaimable_pod_count` pods are done and give their quota back
-- before the Workload ends; Go leaves it out when it is zero. `pod_labels` are the template's: what a job is for
-- (a benchmark run, a session) stands there, and not on the Workload.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS workload,
    uid,
    resource_version,
    observed_at,
    pod_set.name AS pod_set,
    TRY_CAST(pod_set.count AS BIGINT) AS pod_count,
    TRY_CAST(pod_set.minCount AS BIGINT) AS minimum_pod_count,
    TRY_CAST(coalesce(reclaimable.count, '0') AS BIGINT) AS reclaimable_pod_count,
    pod_set.topologyRequest.required AS required_topology,
    pod_set.topologyRequest.preferred AS preferred_topology,
    len(pod_set.template.spec.containers) AS container_count,
    pod_set.template.metadata.labels AS pod_labels
FROM (
    SELECT *, list_filter(reclaimables, lambda r: r.name = pod_set.name)[1] AS reclaimable
    FROM (
        SELECT
            cluster, cluster_uid, namespace, name, uid, resource_version, observed_at,
            object.status.reclaimablePods AS reclaimables, unnest(object.spec.podSets) AS pod_set
        FROM parsed_kueue_workload
    )
)
