-- Requests of Kueue Workloads: one row a resource that a container of a pod set asks for, in each state that
-- was seen.
--
-- grain: cluster_uid, uid, resource_version, pod_set, container_kind, container_number, resource
-- reads: parsed_kueue_workload
-- params:
--
-- Nothing is added up here: workload_pod_requests applies the API server's rule. `container_kind` is `container`,
-- `init_container`, or, for what a pod as a whole asks for, `pod` and `overhead` (both numbered 0).
-- Where only a limit is given it is the request, as the API server has it.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS workload,
    uid,
    resource_version,
    observed_at,
    pod_set,
    container_kind,
    container_number,
    container,
    restart_policy,
    request.key AS resource,
    quantity(request.value) AS request,
    request.value AS request_text
FROM (
    SELECT
        * EXCLUDE (asking),
        asking.kind AS container_kind,
        asking.number AS container_number,
        asking.name AS container,
        asking.restart_policy AS restart_policy,
        unnest(map_entries(map_concat(asking.limits, asking.requests))) AS request
    FROM (
        SELECT
            cluster, cluster_uid, namespace, name, uid, resource_version, observed_at,
            pod_set.name AS pod_set,
            unnest(
                list_concat(
                    list_transform(pod_set.template.spec.containers, lambda c, i: {
                        'kind': 'container', 'number': i, 'name': c.name, 'restart_policy': NULL::VARCHAR,
                        'limits': c.resources.limits, 'requests': c.resources.requests
                    }),
                    list_transform(pod_set.template.spec.initContainers, lambda c, i: {
                        'kind': 'init_container', 'number': i, 'name': c.name, 'restart_policy': c.restartPolicy,
                        'limits': c.resources.limits, 'requests': c.resources.requests
                    }),
                    [{
                        'kind': 'pod', 'number': 0, 'name': NULL, 'restart_policy': NULL,
                        'limits': pod_set.template.spec.resources.limits,
                        'requests': pod_set.template.spec.resources.requests
                    }, {
                        'kind': 'overhead', 'number': 0, 'name': NULL, 'restart_policy': NULL,
                        'limits': NULL, 'requests': pod_set.template.spec.overhead
                    }]
                )
            ) AS asking
        FROM (
            SELECT
                cluster, cluster_uid, namespace, name, uid, resource_version, observed_at,
                unnest(object.spec.podSets) AS pod_set
            FROM parsed_kueue_workload
        )
    )
)
