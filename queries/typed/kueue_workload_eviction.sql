-- Eviction counters of Kueue Workloads: one row each count a reason was seen at.
--
-- grain: cluster_uid, uid, reason, underlying_cause, eviction_count
-- reads: parsed_kueue_workload
-- params:
--
-- Kueue counts every eviction by reason and cause, so the highest count is the number of evictions, also of those
-- nobody saw. `observed_at` is when that count was first seen: at or after the eviction.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS workload,
    uid,
    resource_version,
    observed_at,
    eviction.reason AS reason,
    nullif(eviction.underlyingCause, '') AS underlying_cause,
    TRY_CAST(eviction.count AS BIGINT) AS eviction_count
FROM (SELECT * EXCLUDE (object), unnest(object.status.schedulingStats.evictions) AS eviction FROM parsed_kueue_workload)
