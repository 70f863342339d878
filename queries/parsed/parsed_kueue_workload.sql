-- Kueue Workloads, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- Scalars stay text here; the typed queries cast them, so that a value that does not fit is counted.
-- v1beta1 says `priorityClassName` and `accumulatedPastExexcutionTimeSeconds` (misspelt so) where v1beta2 says
-- `priorityClassRef` and `accumulatedPastExecutionTimeSeconds`.
-- Of a pod template only its labels and what asks for resources are read; of an assignment not its nodes (`topologyAssignment`).

SELECT version.*, from_json(version.body, '{
    "metadata": {
        "creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR", "generation": "VARCHAR",
        "labels": "MAP(VARCHAR, VARCHAR)",
        "ownerReferences": [{"kind": "VARCHAR", "name": "VARCHAR", "uid": "VARCHAR", "controller": "VARCHAR"}]
    },
    "spec": {
        "queueName": "VARCHAR", "active": "VARCHAR", "priority": "VARCHAR", "maximumExecutionTimeSeconds": "VARCHAR",
        "priorityClassName": "VARCHAR", "priorityClassSource": "VARCHAR",
        "priorityClassRef": {"kind": "VARCHAR", "name": "VARCHAR"},
        "podSets": [{
            "name": "VARCHAR", "count": "VARCHAR", "minCount": "VARCHAR",
            "topologyRequest": {"required": "VARCHAR", "preferred": "VARCHAR"},
            "template": {"metadata": {"labels": "MAP(VARCHAR, VARCHAR)"}, "spec": {
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
            }}
        }]
    },
    "status": {
        "admission": {
            "clusterQueue": "VARCHAR",
            "podSetAssignments": [{
                "name": "VARCHAR", "count": "VARCHAR",
                "flavors": "MAP(VARCHAR, VARCHAR)", "resourceUsage": "MAP(VARCHAR, VARCHAR)"
            }]
        },
        "resourceRequests": [{"name": "VARCHAR", "resources": "MAP(VARCHAR, VARCHAR)"}],
        "reclaimablePods": [{"name": "VARCHAR", "count": "VARCHAR"}],
        "conditions": [{
            "type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR",
            "lastTransitionTime": "VARCHAR"
        }],
        "admissionChecks": [{
            "name": "VARCHAR", "state": "VARCHAR", "message": "VARCHAR", "lastTransitionTime": "VARCHAR",
            "retryCount": "VARCHAR", "requeueAfterSeconds": "VARCHAR"
        }],
        "schedulingStats": {"evictions": [{"reason": "VARCHAR", "underlyingCause": "VARCHAR", "count": "VARCHAR"}]},
        "requeueState": {"count": "VARCHAR", "requeueAt": "VARCHAR"},
        "accumulatedPastExecutionTimeSeconds": "VARCHAR",
        "accumulatedPastExexcutionTimeSeconds": "VARCHAR",
        "clusterName": "VARCHAR"
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = 'kueue.x-k8s.io' AND version.resource = 'workloads'
