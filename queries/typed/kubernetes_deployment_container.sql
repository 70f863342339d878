-- Containers of Kubernetes Deployments: one row a container, in each state of a Deployment that was seen.
--
-- grain: cluster_uid, uid, resource_version, container
-- reads: parsed_kubernetes_deployment
-- params:
--
-- What a replica asks for; what is not asked for is NULL, and not 0. Init containers run before the others.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS deployment,
    uid,
    resource_version,
    observed_at,
    container.name AS container,
    is_init,
    container.image AS image,
    quantity(container.resources.requests['cpu']) AS cpu_cores,
    quantity(container.resources.requests['memory']) AS memory_bytes,
    quantity(container.resources.requests['ephemeral-storage']) AS ephemeral_storage_bytes
FROM (
    SELECT *, unnest(object.spec.template.spec.containers) AS container, false AS is_init
    FROM parsed_kubernetes_deployment
    UNION ALL
    SELECT *, unnest(object.spec.template.spec.initContainers) AS container, true AS is_init
    FROM parsed_kubernetes_deployment
)
