-- Kubernetes Deployments, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- Environment variables that are not on the allow-list came without their values (gitopslab/extract/deployments.py).

SELECT version.*, from_json(version.body, '{
    "metadata": {"creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR", "generation": "VARCHAR"},
    "spec": {
        "replicas": "VARCHAR", "paused": "VARCHAR", "strategy": {"type": "VARCHAR"},
        "template": {"spec": {
            "containers": [{
                "name": "VARCHAR", "image": "VARCHAR", "resources": {"requests": "MAP(VARCHAR, VARCHAR)"},
                "env": [{"name": "VARCHAR", "value": "VARCHAR", "valueFrom": "JSON"}]
            }],
            "initContainers": [{
                "name": "VARCHAR", "image": "VARCHAR", "resources": {"requests": "MAP(VARCHAR, VARCHAR)"},
                "env": [{"name": "VARCHAR", "value": "VARCHAR", "valueFrom": "JSON"}]
            }]
        }}
    },
    "status": {
        "observedGeneration": "VARCHAR", "replicas": "VARCHAR", "updatedReplicas": "VARCHAR",
        "readyReplicas": "VARCHAR", "availableReplicas": "VARCHAR", "unavailableReplicas": "VARCHAR",
        "conditions": [{
            "type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR",
            "lastUpdateTime": "VARCHAR", "lastTransitionTime": "VARCHAR"
        }]
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = 'apps' AND version.resource = 'deployments'
