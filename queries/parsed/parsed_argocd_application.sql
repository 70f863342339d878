-- Argo CD Applications, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- Scalars stay text here; the typed queries cast them, so that a value that does not fit is counted.
-- `helm`, `plugin` and the like are left out of sources: they are long, and say how, not what.

SELECT version.*, from_json(version.body, '{
    "metadata": {
        "creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR", "generation": "VARCHAR",
        "annotations": {
            "argocd.argoproj.io/source-uid": "VARCHAR", "argocd.argoproj.io/principal-uid": "VARCHAR",
            "argocd-agent.argoproj.io/last-updated": "VARCHAR"
        },
        "labels": "MAP(VARCHAR, VARCHAR)"
    },
    "spec": {
        "project": "VARCHAR",
        "destination": {"name": "VARCHAR", "server": "VARCHAR", "namespace": "VARCHAR"},
        "source": {"repoURL": "VARCHAR", "path": "VARCHAR", "chart": "VARCHAR", "targetRevision": "VARCHAR"},
        "sources": [{"repoURL": "VARCHAR", "path": "VARCHAR", "chart": "VARCHAR", "targetRevision": "VARCHAR"}],
        "sourceHydrator": {
            "drySource": {"repoURL": "VARCHAR", "path": "VARCHAR", "targetRevision": "VARCHAR"},
            "syncSource": {"targetBranch": "VARCHAR", "path": "VARCHAR"},
            "hydrateTo": {"targetBranch": "VARCHAR"}
        },
        "syncPolicy": {"automated": {"enabled": "VARCHAR", "prune": "VARCHAR", "selfHeal": "VARCHAR"}},
        "revisionHistoryLimit": "VARCHAR"
    },
    "status": {
        "sync": {"status": "VARCHAR", "revision": "VARCHAR", "revisions": ["VARCHAR"]},
        "health": {"status": "VARCHAR", "message": "VARCHAR", "lastTransitionTime": "VARCHAR"},
        "reconciledAt": "VARCHAR",
        "resourceHealthSource": "VARCHAR",
        "controllerNamespace": "VARCHAR",
        "conditions": [{"type": "VARCHAR", "message": "VARCHAR", "lastTransitionTime": "VARCHAR"}],
        "summary": {"images": ["VARCHAR"]},
        "history": [{
            "id": "VARCHAR", "revision": "VARCHAR", "revisions": ["VARCHAR"],
            "deployStartedAt": "VARCHAR", "deployedAt": "VARCHAR",
            "initiatedBy": {"username": "VARCHAR", "automated": "VARCHAR"},
            "source": {"repoURL": "VARCHAR", "path": "VARCHAR", "chart": "VARCHAR", "targetRevision": "VARCHAR"},
            "sources": [{"repoURL": "VARCHAR", "path": "VARCHAR", "chart": "VARCHAR", "targetRevision": "VARCHAR"}]
        }],
        "operationState": {
            "phase": "VARCHAR", "message": "VARCHAR", "startedAt": "VARCHAR", "finishedAt": "VARCHAR",
            "retryCount": "VARCHAR",
            "operation": {
                "initiatedBy": {"username": "VARCHAR", "automated": "VARCHAR"},
                "sync": {
                    "revision": "VARCHAR", "revisions": ["VARCHAR"], "dryRun": "VARCHAR", "prune": "VARCHAR",
                    "autoHealAttemptsCount": "VARCHAR", "resources": ["JSON"]
                },
                "retry": {"limit": "VARCHAR"}
            },
            "syncResult": {"revision": "VARCHAR", "revisions": ["VARCHAR"], "resources": [{"status": "VARCHAR"}]}
        },
        "sourceHydrator": {
            "currentOperation": {
                "phase": "VARCHAR", "message": "VARCHAR", "startedAt": "VARCHAR", "finishedAt": "VARCHAR",
                "drySHA": "VARCHAR", "hydratedSHA": "VARCHAR"
            },
            "lastSuccessfulOperation": {"drySHA": "VARCHAR", "hydratedSHA": "VARCHAR"},
            "lastComparedDryRevision": "VARCHAR"
        }
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = 'argoproj.io' AND version.resource = 'applications'
