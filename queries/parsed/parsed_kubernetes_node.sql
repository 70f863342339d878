-- Kubernetes Nodes, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:

SELECT version.*, from_json(version.body, '{
    "metadata": {
        "creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR", "labels": "MAP(VARCHAR, VARCHAR)"
    },
    "spec": {
        "unschedulable": "VARCHAR",
        "taints": [{"key": "VARCHAR", "value": "VARCHAR", "effect": "VARCHAR", "timeAdded": "VARCHAR"}]
    },
    "status": {
        "allocatable": "MAP(VARCHAR, VARCHAR)", "capacity": "MAP(VARCHAR, VARCHAR)",
        "conditions": [{
            "type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR",
            "lastHeartbeatTime": "VARCHAR", "lastTransitionTime": "VARCHAR"
        }],
        "nodeInfo": {"kubeletVersion": "VARCHAR"}
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = '' AND version.resource = 'nodes'
