-- GitOps Promoter ChangeTransferPolicies, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- Scalars stay text here; the typed queries cast them, so that a value that does not fit is counted.
-- Left out: as in parsed_promoter_promotion_strategy, whose environments have the shape of this status.

SELECT version.*, from_json(version.body, '{
    "metadata": {
        "creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR", "generation": "VARCHAR",
        "ownerReferences": [{"kind": "VARCHAR", "name": "VARCHAR"}],
        "labels": {
            "promoter.argoproj.io/promotion-strategy": "VARCHAR",
            "promoter.argoproj.io/environment": "VARCHAR"
        }
    },
    "spec": {
        "gitRepositoryRef": {"name": "VARCHAR"},
        "activeBranch": "VARCHAR",
        "proposedBranch": "VARCHAR",
        "activePath": "VARCHAR",
        "autoMerge": "VARCHAR",
        "activeCommitStatuses": [{"key": "VARCHAR"}],
        "proposedCommitStatuses": [{"key": "VARCHAR"}]
    },
    "status": {
        "observedGeneration": "VARCHAR",
        "instanceID": "VARCHAR",
        "conditions": [{
            "type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR",
            "lastTransitionTime": "VARCHAR", "observedGeneration": "VARCHAR"
        }],
        "active": {
            "dry": {
                "sha": "VARCHAR", "repoURL": "VARCHAR", "commitTime": "VARCHAR", "subject": "VARCHAR",
                "references": [{
                    "commit": {
                        "sha": "VARCHAR", "repoURL": "VARCHAR", "date": "VARCHAR", "subject": "VARCHAR"
                    }
                }]
            },
            "hydrated": {"sha": "VARCHAR", "commitTime": "VARCHAR", "subject": "VARCHAR"},
            "commitStatuses": [{
                "key": "VARCHAR", "phase": "VARCHAR", "url": "VARCHAR", "description": "VARCHAR"
            }]
        },
        "proposed": {
            "dry": {
                "sha": "VARCHAR", "repoURL": "VARCHAR", "commitTime": "VARCHAR", "subject": "VARCHAR",
                "references": [{
                    "commit": {
                        "sha": "VARCHAR", "repoURL": "VARCHAR", "date": "VARCHAR", "subject": "VARCHAR"
                    }
                }]
            },
            "hydrated": {"sha": "VARCHAR", "commitTime": "VARCHAR", "subject": "VARCHAR"},
            "note": {"drySha": "VARCHAR"},
            "commitStatuses": [{
                "key": "VARCHAR", "phase": "VARCHAR", "url": "VARCHAR", "description": "VARCHAR"
            }]
        },
        "pullRequest": {
            "id": "VARCHAR", "state": "VARCHAR", "url": "VARCHAR", "prCreationTime": "VARCHAR",
            "externallyMergedOrClosed": "VARCHAR"
        },
        "history": [{
            "active": {
                "dry": {
                    "sha": "VARCHAR", "repoURL": "VARCHAR", "commitTime": "VARCHAR", "subject": "VARCHAR",
                    "references": [{
                        "commit": {
                            "sha": "VARCHAR", "repoURL": "VARCHAR", "date": "VARCHAR", "subject": "VARCHAR"
                        }
                    }]
                },
                "hydrated": {"sha": "VARCHAR", "commitTime": "VARCHAR", "subject": "VARCHAR"},
                "commitStatuses": [{
                    "key": "VARCHAR", "phase": "VARCHAR", "url": "VARCHAR", "description": "VARCHAR"
                }]
            },
            "proposed": {
                "hydrated": {"sha": "VARCHAR", "commitTime": "VARCHAR", "subject": "VARCHAR"},
                "commitStatuses": [{
                    "key": "VARCHAR", "phase": "VARCHAR", "url": "VARCHAR", "description": "VARCHAR"
                }]
            },
            "pullRequest": {
                "id": "VARCHAR", "url": "VARCHAR", "prCreationTime": "VARCHAR", "prMergeTime": "VARCHAR"
            }
        }]
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = 'promoter.argoproj.io' AND version.resource = 'changetransferpolicies'
