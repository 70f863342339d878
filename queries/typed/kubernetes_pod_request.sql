-- Requests of Kubernetes Pods: one row a resource that a container of a Pod asks for.
--
-- grain: cluster_uid, uid, container_kind, container_number, resource
-- reads: parsed_kubernetes_pod
-- params:
--
-- As first seen: a Pod is many versions and asks for the same in all, unless it is resized in place, which is not
-- followed. Nothing is added up here: node_pod_requests applies the API server's rule. `container_kind` is `container`,
-- `init_container`, or, for what a Pod as a whole asks for, `pod` and `overhead` (both numbered 0). Where only a limit
-- is given it is the request, as the API server has it.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS pod,
    uid,
    resource_version,
    observed_at,
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
            unnest(
                list_concat(
                    list_transform(object.spec.containers, lambda c, i: {
                        'kind': 'container', 'number': i, 'name': c.name, 'restart_policy': NULL::VARCHAR,
                        'limits': c.resources.limits, 'requests': c.resources.requests
                    }),
                    list_transform(object.spec.initContainers, lambda c, i: {
                        'kind': 'init_container', 'number': i, 'name': c.name, 'restart_policy': c.restartPolicy,
                        'limits': c.resources.limits, 'requests': c.resources.requests
                    }),
                    [{
                        'kind': 'pod', 'number': 0, 'name': NULL, 'restart_policy': NULL,
                        'limits': object.spec.resources.limits, 'requests': object.spec.resources.requests
                    }, {
                        'kind': 'overhead', 'number': 0, 'name': NULL, 'restart_policy': NULL,
                        'limits': NULL, 'requests': object.spec.overhead
                    }]
                )
            ) AS asking
        FROM parsed_kubernetes_pod
    )
)
