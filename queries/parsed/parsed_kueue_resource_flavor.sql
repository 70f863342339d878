-- Kueue ResourceFlavors, parsed: one row an object version, its JSON as a struct.
--
-- grain: cluster_uid, uid, resource_version
-- reads: object_versions
-- params:

SELECT version.*, from_json(version.body, '{
    "metadata": {"creationTimestamp": "VARCHAR", "deletionTimestamp": "VARCHAR", "generation": "VARCHAR"},
    "spec": {
        "nodeLabels": "MAP(VARCHAR, VARCHAR)",
        "nodeTaints": [{"key": "VARCHAR", "value": "VARCHAR", "effect": "VARCHAR"}],
        "tolerations": [{"key": "VARCHAR"}],
        "topologyName": "VARCHAR"
    }
}') AS object
FROM object_versions AS version
WHERE version.api_group = 'kueue.x-k8s.io' AND version.resource = 'resourceflavors'
