-- Kueue LocalQueues, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- v1beta1 says `flavorUsage` where v1beta2 says `flavorsUsage`. v1beta1's `status.flavors` is left out: it
-- repeats ResourceFlavors.

SELECT version.*, from_json(version.body, '{
    "metadata": {"creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR", "generation": "VARCHAR"},
    "spec": {"clusterQueue": "VARCHAR", "stopPolicy": "VARCHAR", "fairSharing": {"weight": "VARCHAR"}},
    "status": {
        "pendingWorkloads": "VARCHAR", "reservingWorkloads": "VARCHAR", "admittedWorkloads": "VARCHAR",
        "conditions": [{
            "type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR",
            "lastTransitionTime": "VARCHAR"
        }],
        "flavorsReservation": [{"name": "VARCHAR", "resources": [{"name": "VARCHAR", "total": "VARCHAR"}]}],
        "flavorUsage": [{"name": "VARCHAR", "resources": [{"name": "VARCHAR", "total": "VARCHAR"}]}],
        "flavorsUsage": [{"name": "VARCHAR", "resources": [{"name": "VARCHAR", "total": "VARCHAR"}]}],
        "fairSharing": {
            "weightedShare": "VARCHAR",
            "admissionFairSharingStatus": {"consumedResources": "MAP(VARCHAR, VARCHAR)", "lastUpdate": "VARCHAR"}
        }
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = 'kueue.x-k8s.io' AND version.resource = 'localqueues'
