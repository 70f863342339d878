-- Conditions of Argo CD Applications: one row a type and message, since a time.
--
-- grain: cluster_uid, uid, condition_type, changed_at, message
-- reads: parsed_argocd_application
-- params:
--
-- These have no status: a condition that is listed holds, one that is gone was resolved. The time stays
-- while type and message do.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS application,
    uid,
    resource_version,
    observed_at,
    condition.type AS condition_type,
    condition.message AS message,
    TRY_CAST(condition.lastTransitionTime AS TIMESTAMPTZ) AS changed_at
FROM (SELECT * EXCLUDE (object), unnest(object.status.conditions) AS condition FROM parsed_argocd_application)
