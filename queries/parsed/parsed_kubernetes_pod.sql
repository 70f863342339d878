-- Kubernetes Pods, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- Of a Pod only where it runs, how far it is and what it asks for are read.

SELECT version.*, from_json(version.body, '{
    "metadata": {
        "creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR",
        "ownerReferences": [{"kind": "VARCHAR", "name": "VARCHAR", "uid": "VARCHAR", "controller": "VARCHAR"}]
    },
    "spec": {
        "nodeName": "VARCHAR",
        "overhead": "MAP(VARCHAR, VARCHAR)",
        "resources": {"requests": "MAP(VARCHAR, VARCHAR)", "limits": "MAP(VARCHAR, VARCHAR)"},
        "containers": [{
            "name": "VARCHAR",
            "resources": {"requests": "MAP(VARCHAR, VARCHAR)", "limits": "MAP(VARCHAR, VARCHAR)"}
        }],
        "initContainers": [{
            "name": "VARCHAR", "restartPolicy": "VARCHAR",
            "resources": {"requests": "MAP(VARCHAR, VARCHAR)", "limits": "MAP(VARCHAR, VARCHAR)"}
        }]
    },
    "status": {
        "phase": "VARCHAR", "reason": "VARCHAR", "startTime": "VARCHAR",
        "conditions": [{
            "type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "lastTransitionTime": "VARCHAR"
        }]
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = '' AND version.resource = 'pods'
