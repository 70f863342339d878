-- GitOps Promoter PullRequests, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- Scalars stay text here; the typed queries cast them, so that a value that does not fit is counted.
-- Left out: description and commit message, which are made from what is here.

SELECT version.*, from_json(version.body, '{
    "metadata": {
        "creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR", "generation": "VARCHAR",
        "finalizers": ["VARCHAR"],
        "ownerReferences": [{"kind": "VARCHAR", "name": "VARCHAR"}],
        "labels": {
            "promoter.argoproj.io/promotion-strategy": "VARCHAR",
            "promoter.argoproj.io/change-transfer-policy": "VARCHAR",
            "promoter.argoproj.io/environment": "VARCHAR"
        }
    },
    "spec": {
        "gitRepositoryRef": {"name": "VARCHAR"},
        "state": "VARCHAR",
        "mergeSha": "VARCHAR",
        "sourceBranch": "VARCHAR",
        "targetBranch": "VARCHAR",
        "title": "VARCHAR",
        "labels": ["VARCHAR"]
    },
    "status": {
        "observedGeneration": "VARCHAR",
        "instanceID": "VARCHAR",
        "conditions": [{
            "type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR",
            "lastTransitionTime": "VARCHAR", "observedGeneration": "VARCHAR"
        }],
        "id": "VARCHAR",
        "state": "VARCHAR",
        "prCreationTime": "VARCHAR",
        "url": "VARCHAR",
        "externallyMergedOrClosed": "VARCHAR",
        "appliedLabels": ["VARCHAR"],
        "scmSyncedSpecDigest": "VARCHAR"
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = 'promoter.argoproj.io' AND version.resource = 'pullrequests'
