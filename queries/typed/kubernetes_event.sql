-- Kubernetes Events: one row each time a count or a last occurrence was seen on an Event.
--
-- grain: cluster_uid, uid, event_count, last_occurred_at
-- reads: parsed_kubernetes_event
-- params:
--
-- A repeated Event is one object that is counted up, so `event_count` counts from the first occurrence: take
-- its last row, do not add rows. An Event without a count occurred once.
-- The API server forgets an Event after an hour unless told otherwise, and components may drop Events:
-- one that is not here may have occurred.
-- `type` is Normal or Warning.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS event,
    uid,
    resource_version,
    observed_at,
    coalesce(object.involvedObject.apiVersion, object.regarding.apiVersion) AS involved_api_version,
    coalesce(object.involvedObject.kind, object.regarding.kind) AS involved_kind,
    coalesce(object.involvedObject.namespace, object.regarding.namespace) AS involved_namespace,
    coalesce(object.involvedObject.name, object.regarding.name) AS involved_name,
    coalesce(object.involvedObject.uid, object.regarding.uid) AS involved_uid,
    coalesce(object.involvedObject.fieldPath, object.regarding.fieldPath) AS involved_field_path,
    object.type AS type,
    object.reason AS reason,
    nullif(object.action, '') AS action,
    coalesce(object.message, object.note) AS message,
    coalesce(
        nullif(object.reportingComponent, ''),
        nullif(object.reportingController, ''),
        object.source.component,
        object.deprecatedSource.component
    ) AS reporting_component,
    nullif(object.reportingInstance, '') AS reporting_instance,
    coalesce(object.source.host, object.deprecatedSource.host) AS host,
    TRY_CAST(object.metadata.creationTimestamp AS TIMESTAMPTZ) AS created_at,
    TRY_CAST(coalesce(object.eventTime, object.firstTimestamp, object.deprecatedFirstTimestamp) AS TIMESTAMPTZ)
        AS first_occurred_at,
    TRY_CAST(
        coalesce(
            object.series.lastObservedTime,
            object.lastTimestamp,
            object.deprecatedLastTimestamp,
            object.eventTime,
            object.firstTimestamp,
            object.deprecatedFirstTimestamp
        ) AS TIMESTAMPTZ
    ) AS last_occurred_at,
    TRY_CAST(coalesce(object.series.count, object.count, object.deprecatedCount, '1') AS BIGINT) AS event_count
FROM parsed_kubernetes_event
