-- Evictions beside the truth: one row an eviction of a Kueue Workload, true or found.
--
-- grain: part, subject_key
-- reads: workload_evictions, truth_workload
-- params:
--
-- `part` is the reason. Both name an eviction by its second; one that is known only by a later re-admission, by the
-- second of that, and has no error. An eviction found with another reason than the true one is a wrong one.
-- `error_seconds` is when quota was free again by what was found, less when it truly was.

WITH stays AS (
    SELECT
        *,
        lead(reserved_at) OVER (PARTITION BY cluster, uid ORDER BY episode) AS reserved_again_at
    FROM truth_workload
),

evicted AS (
    SELECT
        cluster,
        uid,
        eviction_reason,
        date_trunc('second', evicted_at) AS evicted_at,
        date_trunc('second', reserved_again_at) AS reserved_again_at,
        released_at
    FROM stays
    WHERE evicted_at IS NOT NULL
)

SELECT
    coalesce(evicted.eviction_reason, found.reason, 'unknown') AS part,
    concat(
        coalesce(evicted.cluster, found.cluster),
        '/',
        coalesce(evicted.uid, found.uid),
        '@',
        coalesce(evicted.evicted_at, found.evicted_at, found.reserved_again_at)
    ) AS subject_key,
    evicted.uid IS NOT NULL AS is_true,
    found.uid IS NOT NULL AS is_found,
    CASE WHEN NOT found.is_reconstructed THEN epoch(found.quota_released_at) - epoch(evicted.released_at) END
        AS error_seconds
FROM evicted
FULL OUTER JOIN workload_evictions AS found
    ON found.cluster = evicted.cluster
    AND found.uid = evicted.uid
    AND found.reason = evicted.eviction_reason
    AND (
        found.evicted_at = evicted.evicted_at
        OR (found.evicted_at IS NULL AND found.reserved_again_at = evicted.reserved_again_at)
    )
