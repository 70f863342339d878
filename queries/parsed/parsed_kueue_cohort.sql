-- Kueue Cohorts, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- v1alpha1 (Kueue 0.12 and older) says `parent` where later versions say `parentName`.

SELECT version.*, from_json(version.body, '{
    "metadata": {"creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR", "generation": "VARCHAR"},
    "spec": {
        "parent": "VARCHAR", "parentName": "VARCHAR",
        "fairSharing": {"weight": "VARCHAR"},
        "resourceGroups": [{
            "flavors": [{
                "name": "VARCHAR",
                "resources": [{
                    "name": "VARCHAR", "nominalQuota": "VARCHAR", "borrowingLimit": "VARCHAR", "lendingLimit": "VARCHAR"
                }]
            }]
        }]
    },
    "status": {"fairSharing": {"weightedShare": "VARCHAR"}}
}') AS object
FROM object_versions AS version
WHERE version.api_group = 'kueue.x-k8s.io' AND version.resource = 'cohorts'
