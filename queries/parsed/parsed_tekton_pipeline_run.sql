-- Tekton PipelineRuns, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- v1 and v1beta1 in one structure: `results` and `refSource` of v1 were `pipelineResults` and
-- `configSource`; `taskRuns` and `runs` are v1beta1's embedded children, replaced by `childReferences`.
-- `pipelineSpec` is left out but for one field, which shows that it is there: it is long, and the
-- same for every run of a pipeline.

SELECT version.*, from_json(version.body, '{
    "metadata": {
        "creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR", "generateName": "VARCHAR",
        "labels": "MAP(VARCHAR, VARCHAR)",
        "annotations": {
            "chains.tekton.dev/signed": "VARCHAR", "chains.tekton.dev/transparency": "VARCHAR",
            "results.tekton.dev/result": "VARCHAR", "results.tekton.dev/record": "VARCHAR",
            "results.tekton.dev/log": "VARCHAR", "results.tekton.dev/eventlist": "VARCHAR",
            "results.tekton.dev/stored": "VARCHAR"
        }
    },
    "spec": {
        "status": "VARCHAR", "managedBy": "VARCHAR", "serviceAccountName": "VARCHAR", "timeout": "VARCHAR",
        "pipelineRef": {"name": "VARCHAR", "resolver": "VARCHAR"},
        "pipelineSpec": {"description": "VARCHAR"},
        "taskRunTemplate": {"serviceAccountName": "VARCHAR"},
        "timeouts": {"pipeline": "VARCHAR"},
        "params": [{"name": "VARCHAR", "value": "JSON"}]
    },
    "status": {
        "startTime": "VARCHAR", "completionTime": "VARCHAR", "finallyStartTime": "VARCHAR",
        "conditions": [{
            "type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR",
            "lastTransitionTime": "VARCHAR"
        }],
        "results": [{"name": "VARCHAR", "value": "JSON"}],
        "pipelineResults": [{"name": "VARCHAR", "value": "JSON"}],
        "childReferences": [{
            "apiVersion": "VARCHAR", "kind": "VARCHAR", "name": "VARCHAR", "displayName": "VARCHAR",
            "pipelineTaskName": "VARCHAR", "whenExpressions": "JSON"
        }],
        "skippedTasks": [{"name": "VARCHAR", "reason": "VARCHAR", "whenExpressions": "JSON"}],
        "taskRuns": "MAP(VARCHAR, STRUCT(pipelineTaskName VARCHAR))",
        "runs": "MAP(VARCHAR, STRUCT(pipelineTaskName VARCHAR))",
        "provenance": {
            "refSource": {"uri": "VARCHAR", "digest": "MAP(VARCHAR, VARCHAR)", "entryPoint": "VARCHAR"},
            "configSource": {"uri": "VARCHAR", "digest": "MAP(VARCHAR, VARCHAR)", "entryPoint": "VARCHAR"}
        }
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = 'tekton.dev' AND version.resource = 'pipelineruns'
