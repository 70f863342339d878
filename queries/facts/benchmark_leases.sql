-- Benchmark leases: one row a slot that an instance of a run held, with the interval for which it held it.
--
-- grain: database, lease_id
-- reads: postgres_benchmark_resource_lease, coverage, configured_database, benchmark_run_clusters
-- params:
--
-- The only intervals that the database keeps, and so the best witness of the concurrency there was. A lease ends when
-- it is released; else, if its status says so or the database was read after its expiry, when it expires; else it is
-- open and `ended_at` is NULL. What was released is not expired, however late. `is_lower_bound`: it
-- was deleted while it was open, so it was held at least until `ended_at`, its last sign of life. Attempts that a
-- retry erased from the instances are here still.

WITH version AS (
    SELECT
        *,
        max(CASE WHEN is_deleted THEN snapshot_at END) OVER (PARTITION BY database, id) AS last_deleted_at
    FROM postgres_benchmark_resource_lease
),

latest AS (
    SELECT *, last_deleted_at IS NOT NULL AND last_deleted_at > snapshot_at AS is_gone
    FROM version
    WHERE NOT is_deleted
    QUALIFY row_number() OVER (PARTITION BY database, id ORDER BY snapshot_at DESC) = 1
),

last_read AS (
    SELECT cluster AS database, max(until) AS read_at
    FROM coverage
    WHERE api_group = 'postgres' AND resource = 'benchmark_resource_leases' AND state = 'read'
    GROUP BY cluster
),

judged AS (
    SELECT
        latest.*,
        coalesce(last_read.read_at, latest.snapshot_at) AS read_at,
        CASE
            WHEN latest.released_at IS NOT NULL THEN 'released'
            WHEN latest.status = 'expired' OR latest.expires_at <= coalesce(last_read.read_at, latest.snapshot_at)
                THEN 'expired'
            WHEN latest.is_gone THEN 'deleted'
        END AS end_reason
    FROM latest
    LEFT JOIN last_read ON latest.database = last_read.database
),

ended AS (
    SELECT
        *,
        CASE end_reason
            WHEN 'released' THEN released_at
            WHEN 'expired' THEN expires_at
            WHEN 'deleted' THEN greatest(heartbeat_at, acquired_at)
        END AS ended_at
    FROM judged
)

SELECT
    ended.database,
    coalesce(seen.cluster, configured.cluster) AS cluster,
    ended.id AS lease_id,
    ended.run_id AS benchmark_run_id,
    ended.instance_id AS instance,
    ended.phase,
    ended.resource_type,
    ended.capacity_key,
    ended.holder_id,
    ended.lease_count,
    ended.status,
    ended.metadata ->> '$.releaseReason' AS release_reason,
    ended.acquired_at,
    ended.heartbeat_at,
    ended.expires_at,
    ended.end_reason,
    ended.ended_at,
    ended.end_reason IS NULL AS is_open,
    coalesce(ended.end_reason = 'deleted', false) AS is_lower_bound,
    epoch(ended.ended_at) - epoch(ended.acquired_at) AS held_seconds,
    ended.read_at
FROM ended
LEFT JOIN configured_database AS configured ON ended.database = configured.database
LEFT JOIN benchmark_run_clusters AS seen ON seen.benchmark_run_id = ended.run_id
