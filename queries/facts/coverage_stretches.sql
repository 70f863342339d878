-- Coverage stretches: one row a stretch of time in which a resource of a source was in one state of coverage.
--
-- grain: cluster, api_group, resource, state, since
-- reads: coverage
-- params:
--
-- Rows of `coverage` of the same state are one stretch where they touch or overlap, and looks (every state but
-- `watch` and `gap`) also where less than an hour lies between them: an Event lives an hour, so who looks more
-- rarely than that knows moments, not a stretch. `look_count` is the number of rows in it, and
-- `longest_pause_seconds` the longest time between two of them. `message` is the last one in the alphabet of
-- those that said something.

WITH ordered AS (
    SELECT
        *,
        max(until) OVER (
            PARTITION BY cluster, api_group, resource, state
            ORDER BY since, until ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS until_before
    FROM coverage
),

begun AS (
    SELECT
        *,
        CASE
            WHEN until_before IS NULL THEN 1
            WHEN state IN ('watch', 'gap') AND since > until_before THEN 1
            WHEN since > until_before + INTERVAL 1 HOUR THEN 1
            ELSE 0
        END AS begins
    FROM ordered
),

numbered AS (
    SELECT
        *,
        sum(begins) OVER (
            PARTITION BY cluster, api_group, resource, state
            ORDER BY since, until ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS stretch_number
    FROM begun
)

SELECT
    cluster,
    api_group,
    resource,
    state,
    min(since) AS since,
    max(until) AS until,
    count(*) AS look_count,
    coalesce(
        max(CASE WHEN begins = 0 AND since > until_before THEN epoch(since) - epoch(until_before) END), 0
    ) AS longest_pause_seconds,
    max(object_count) AS object_count,
    max(nullif(message, '')) AS message
FROM numbered
GROUP BY cluster, api_group, resource, state, stretch_number
