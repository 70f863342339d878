-- Queue version intervals: one row a stretch of time in which a version of a ClusterQueue was the newest that was seen.
--
-- grain: cluster_uid, uid, since
-- reads: kueue_cluster_queue, object_version
-- params:
--
-- [since, until) starts when the version was seen, `how` (watch, list or file), and ends when the next one was; the last
-- has no `until`. Of versions that were seen at one time only the last has a row, and a deletion has none.

WITH versions AS (
    SELECT
        cluster, cluster_uid, cluster_queue, uid, resource_version, event_type, cohort, observed_at,
        lead(observed_at) OVER (
            PARTITION BY cluster_uid, uid ORDER BY observed_at, length(resource_version), resource_version
        ) AS next_observed_at
    FROM kueue_cluster_queue
)

SELECT
    versions.cluster,
    versions.cluster_uid,
    versions.cluster_queue,
    versions.uid,
    versions.resource_version,
    versions.cohort,
    seen.how,
    versions.observed_at AS since,
    versions.next_observed_at AS until
FROM versions
LEFT JOIN object_version AS seen
    ON versions.cluster_uid = seen.cluster_uid
    AND versions.uid = seen.uid
    AND versions.resource_version = seen.resource_version
    AND seen.resource = 'clusterqueues'
WHERE
    versions.event_type IS DISTINCT FROM 'DELETED'
    AND (versions.next_observed_at IS NULL OR versions.next_observed_at > versions.observed_at)
