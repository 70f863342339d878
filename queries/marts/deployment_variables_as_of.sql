-- Deployment variables as of a time: one row an environment variable of a container, as it was set then.
--
-- grain: cluster_uid, namespace, deployment, container, name
-- reads: deployment_variables
-- params: as_of, cluster, deployment
--
-- Only variables on the allow-list. What is set in the Deployment runs in its pods only when the rollout is over.

SELECT cluster, cluster_uid, namespace, deployment, container, name, value, reference, since
FROM deployment_variables
WHERE
    cluster = $cluster
    AND deployment = $deployment
    AND since <= $as_of
    AND (until IS NULL OR until > $as_of)
