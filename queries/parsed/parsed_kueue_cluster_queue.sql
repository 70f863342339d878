-- Kueue ClusterQueues, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- Scalars stay text here; the typed queries cast them, so that a value that does not fit is counted.
-- v1beta1 says `cohort` and `admissionChecks` where v1beta2 says `cohortName` and `admissionChecksStrategy`.

SELECT version.*, from_json(version.body, '{
    "metadata": {"creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR", "generation": "VARCHAR"},
    "spec": {
        "cohort": "VARCHAR", "cohortName": "VARCHAR", "queueingStrategy": "VARCHAR", "stopPolicy": "VARCHAR",
        "preemption": {
            "reclaimWithinCohort": "VARCHAR", "withinClusterQueue": "VARCHAR",
            "borrowWithinCohort": {"policy": "VARCHAR", "maxPriorityThreshold": "VARCHAR"}
        },
        "flavorFungibility": {"whenCanBorrow": "VARCHAR", "whenCanPreempt": "VARCHAR", "preference": "VARCHAR"},
        "fairSharing": {"weight": "VARCHAR"},
        "admissionChecks": ["VARCHAR"],
        "admissionChecksStrategy": {"admissionChecks": [{"name": "VARCHAR"}]},
        "resourceGroups": [{
            "flavors": [{
                "name": "VARCHAR",
                "resources": [{
                    "name": "VARCHAR", "nominalQuota": "VARCHAR", "borrowingLimit": "VARCHAR", "lendingLimit": "VARCHAR"
                }]
            }]
        }]
    },
    "status": {
        "pendingWorkloads": "VARCHAR", "reservingWorkloads": "VARCHAR", "admittedWorkloads": "VARCHAR",
        "conditions": [{
            "type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR",
            "lastTransitionTime": "VARCHAR"
        }],
        "flavorsReservation": [{
            "name": "VARCHAR", "resources": [{"name": "VARCHAR", "total": "VARCHAR", "borrowed": "VARCHAR"}]
        }],
        "flavorsUsage": [{
            "name": "VARCHAR", "resources": [{"name": "VARCHAR", "total": "VARCHAR", "borrowed": "VARCHAR"}]
        }],
        "fairSharing": {"weightedShare": "VARCHAR"}
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = 'kueue.x-k8s.io' AND version.resource = 'clusterqueues'
