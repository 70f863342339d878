-- GitOps Promoter CommitStatuses, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- Scalars stay text here; the typed queries cast them, so that a value that does not fit is counted.

SELECT version.*, from_json(version.body, '{
    "metadata": {
        "creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR", "generation": "VARCHAR",
        "ownerReferences": [{"kind": "VARCHAR", "name": "VARCHAR"}],
        "labels": {
            "promoter.argoproj.io/commit-status": "VARCHAR",
            "promoter.argoproj.io/promotion-strategy": "VARCHAR",
            "promoter.argoproj.io/change-transfer-policy": "VARCHAR",
            "promoter.argoproj.io/environment": "VARCHAR"
        }
    },
    "spec": {
        "gitRepositoryRef": {"name": "VARCHAR"},
        "sha": "VARCHAR",
        "name": "VARCHAR",
        "phase": "VARCHAR",
        "url": "VARCHAR",
        "description": "VARCHAR"
    },
    "status": {
        "observedGeneration": "VARCHAR",
        "instanceID": "VARCHAR",
        "conditions": [{
            "type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR",
            "lastTransitionTime": "VARCHAR", "observedGeneration": "VARCHAR"
        }],
        "id": "VARCHAR",
        "sha": "VARCHAR",
        "phase": "VARCHAR"
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = 'promoter.argoproj.io' AND version.resource = 'commitstatuses'
