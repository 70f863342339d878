-- Kubernetes Events, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:
--
-- The same Event is served by the core group and by events.k8s.io, under other names: `involvedObject` is
-- `regarding`, `message` is `note`, `count` is `deprecatedCount`, and so on.

SELECT version.*, from_json(version.body, '{
    "metadata": {"creationTimestamp": "VARCHAR"},
    "type": "VARCHAR", "reason": "VARCHAR", "action": "VARCHAR", "message": "VARCHAR", "note": "VARCHAR",
    "involvedObject": {
        "apiVersion": "VARCHAR", "kind": "VARCHAR", "namespace": "VARCHAR", "name": "VARCHAR", "uid": "VARCHAR",
        "fieldPath": "VARCHAR"
    },
    "regarding": {
        "apiVersion": "VARCHAR", "kind": "VARCHAR", "namespace": "VARCHAR", "name": "VARCHAR", "uid": "VARCHAR",
        "fieldPath": "VARCHAR"
    },
    "eventTime": "VARCHAR", "firstTimestamp": "VARCHAR", "lastTimestamp": "VARCHAR", "count": "VARCHAR",
    "deprecatedFirstTimestamp": "VARCHAR", "deprecatedLastTimestamp": "VARCHAR", "deprecatedCount": "VARCHAR",
    "series": {"count": "VARCHAR", "lastObservedTime": "VARCHAR"},
    "reportingComponent": "VARCHAR", "reportingController": "VARCHAR", "reportingInstance": "VARCHAR",
    "source": {"component": "VARCHAR", "host": "VARCHAR"},
    "deprecatedSource": {"component": "VARCHAR", "host": "VARCHAR"}
}') AS object
FROM object_versions AS version
WHERE version.api_group IN ('', 'events.k8s.io') AND version.resource = 'events'
