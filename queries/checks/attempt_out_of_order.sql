-- Attempts out of order: one row an attempt of a Kueue Workload whose times cannot be: a later step before an
-- earlier one, by more than a second.
--
-- grain: cluster_uid, uid, attempt_number
-- reads: workload_attempts
-- params:
--
-- The API server writes creation, Kueue everything after it, in whole seconds: a second is the clocks', more is not.
-- A job may finish before it was admitted (its owner went), so an end is held to the reservation only.

SELECT
    cluster,
    cluster_uid,
    namespace,
    workload,
    uid,
    attempt_number,
    queued_at,
    quota_reserved_at,
    admitted_at,
    pods_ready_at,
    ended_at,
    CASE
        WHEN epoch(quota_reserved_at) < epoch(queued_at) - 1 THEN 'reserved before it was queued: a wait below zero'
        WHEN epoch(admitted_at) < epoch(quota_reserved_at) - 1 THEN 'admitted before its quota was reserved'
        WHEN epoch(pods_ready_at) < epoch(admitted_at) - 1 THEN 'pods ready before it was admitted'
        ELSE 'ended before its quota was reserved'
    END AS problem
FROM workload_attempts
WHERE
    epoch(quota_reserved_at) < epoch(queued_at) - 1
    OR epoch(admitted_at) < epoch(quota_reserved_at) - 1
    OR epoch(pods_ready_at) < epoch(admitted_at) - 1
    OR epoch(ended_at) < epoch(quota_reserved_at) - 1
