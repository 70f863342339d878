-- Environment of Kubernetes Deployments: one row a variable of a container, in each state of a Deployment.
--
-- grain: cluster_uid, uid, resource_version, container, variable_number
-- reads: parsed_kubernetes_deployment
-- params:
--
-- Of two variables of one name the later counts, `is_effective`. A value is NULL where the name is not on the
-- allow-list (it was cut before landing), and where the variable is a reference to a ConfigMap, a Secret or a field;
-- `reference` then holds what it refers to, if the name is on the list. `$(OTHER)` in a value is left as it is.

SELECT
    cluster,
    cluster_uid,
    namespace,
    deployment,
    uid,
    resource_version,
    observed_at,
    container,
    is_init,
    variable_number,
    variable.name AS name,
    variable.value AS value,
    variable.valueFrom IS NOT NULL AS is_reference,
    nullif(CAST(variable.valueFrom AS VARCHAR), '{}') AS reference,
    NOT list_contains(names[variable_number + 1:], variable.name) AS is_effective
FROM (
    SELECT *, unnest(variables) AS variable, generate_subscripts(variables, 1) AS variable_number
    FROM (
        SELECT
            * EXCLUDE (object, name, container),
            name AS deployment,
            container.name AS container,
            container.env AS variables,
            list_transform(container.env, lambda v: v.name) AS names
        FROM (
            SELECT *, unnest(object.spec.template.spec.containers) AS container, false AS is_init
            FROM parsed_kubernetes_deployment
            UNION ALL
            SELECT *, unnest(object.spec.template.spec.initContainers) AS container, true AS is_init
            FROM parsed_kubernetes_deployment
        )
    )
)
