-- Tekton TaskRuns, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- v1 and v1beta1 in one structure: `results` and `refSource` of v1 were `taskResults` and `configSource`.
-- The CRD has no schema for `retriesStatus`; the controller puts the whole status of an earlier attempt
-- into each element, without the retries before it.

SELECT version.*, from_json(version.body, '{
    "metadata": {
        "creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR",
        "labels": "MAP(VARCHAR, VARCHAR)",
        "annotations": {
            "chains.tekton.dev/signed": "VARCHAR", "chains.tekton.dev/transparency": "VARCHAR",
            "results.tekton.dev/result": "VARCHAR", "results.tekton.dev/record": "VARCHAR",
            "results.tekton.dev/log": "VARCHAR", "results.tekton.dev/stored": "VARCHAR"
        },
        "ownerReferences": [{"kind": "VARCHAR", "name": "VARCHAR", "uid": "VARCHAR"}]
    },
    "spec": {
        "status": "VARCHAR", "statusMessage": "VARCHAR", "managedBy": "VARCHAR",
        "serviceAccountName": "VARCHAR", "timeout": "VARCHAR", "retries": "VARCHAR",
        "taskRef": {"name": "VARCHAR", "kind": "VARCHAR", "resolver": "VARCHAR"},
        "taskSpec": {"description": "VARCHAR"},
        "params": [{"name": "VARCHAR", "value": "JSON"}]
    },
    "status": {
        "podName": "VARCHAR", "startTime": "VARCHAR", "completionTime": "VARCHAR",
        "conditions": [{
            "type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR",
            "lastTransitionTime": "VARCHAR"
        }],
        "steps": [{
            "name": "VARCHAR", "container": "VARCHAR", "imageID": "VARCHAR", "terminationReason": "VARCHAR",
            "terminated": {
                "exitCode": "VARCHAR", "signal": "VARCHAR", "reason": "VARCHAR",
                "startedAt": "VARCHAR", "finishedAt": "VARCHAR"
            }
        }],
        "results": [{"name": "VARCHAR", "type": "VARCHAR", "value": "JSON"}],
        "taskResults": [{"name": "VARCHAR", "type": "VARCHAR", "value": "JSON"}],
        "retriesStatus": [{
            "podName": "VARCHAR", "startTime": "VARCHAR", "completionTime": "VARCHAR",
            "conditions": [{
                "type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR",
                "lastTransitionTime": "VARCHAR"
            }],
            "steps": [{
                "name": "VARCHAR", "container": "VARCHAR", "imageID": "VARCHAR", "terminationReason": "VARCHAR",
                "terminated": {
                    "exitCode": "VARCHAR", "signal": "VARCHAR", "reason": "VARCHAR",
                    "startedAt": "VARCHAR", "finishedAt": "VARCHAR"
                }
            }],
            "results": [{"name": "VARCHAR", "type": "VARCHAR", "value": "JSON"}],
            "taskResults": [{"name": "VARCHAR", "type": "VARCHAR", "value": "JSON"}]
        }],
        "provenance": {
            "refSource": {"uri": "VARCHAR", "digest": "MAP(VARCHAR, VARCHAR)", "entryPoint": "VARCHAR"},
            "configSource": {"uri": "VARCHAR", "digest": "MAP(VARCHAR, VARCHAR)", "entryPoint": "VARCHAR"}
        }
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = 'tekton.dev' AND version.resource = 'taskruns'
