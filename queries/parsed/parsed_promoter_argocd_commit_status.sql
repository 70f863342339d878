-- GitOps Promoter ArgoCDCommitStatuses, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- Scalars stay text here; the typed queries cast them, so that a value that does not fit is counted.

SELECT version.*, from_json(version.body, '{
    "metadata": {
        "creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR", "generation": "VARCHAR"
    },
    "spec": {
        "key": "VARCHAR",
        "promotionStrategyRef": {"name": "VARCHAR"}
    },
    "status": {
        "observedGeneration": "VARCHAR",
        "instanceID": "VARCHAR",
        "conditions": [{
            "type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR",
            "lastTransitionTime": "VARCHAR", "observedGeneration": "VARCHAR"
        }],
        "applicationsSelected": [{
            "environment": "VARCHAR", "clusterName": "VARCHAR", "namespace": "VARCHAR", "name": "VARCHAR",
            "phase": "VARCHAR", "sha": "VARCHAR", "lastTransitionTime": "VARCHAR"
        }]
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = 'promoter.argoproj.io' AND version.resource = 'argocdcommitstatuses'
