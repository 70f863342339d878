-- Resource coverages: one row a resource of a cluster, how and from when to when it was seen.
--
-- grain: cluster, api_group, resource
-- reads: object_version, coverage
-- params:
--
-- `is_watched` is true where at least one version came by a watch, or a watch was noted in which nothing came;
-- where it is false, whatever came and went between two looks is missing, and counts of it are lower bounds. A
-- deletion that follows from two lists (`is_inferred`) came by no watch.
-- A resource that was looked at and had no object has a row too, with 0 objects; an attempt that was refused or
-- not answered is no look.

WITH versions AS (
    SELECT
        cluster,
        api_group,
        resource,
        count(*) AS version_count,
        count(DISTINCT uid) AS object_count,
        count(*) FILTER ((how = 'watch' OR event_type IS NOT NULL) AND is_inferred IS NOT TRUE)
            AS watched_version_count,
        count(*) FILTER (identity <> 'server') AS unidentified_version_count,
        count(DISTINCT observed_at) AS look_count,
        min(observed_at) AS first_observed_at,
        max(observed_at) AS last_observed_at
    FROM object_version
    GROUP BY cluster, api_group, resource
),

looks AS (
    SELECT
        cluster,
        api_group,
        resource,
        min(since) FILTER (state IN ('list', 'watch', 'read', 'file')) AS first_looked_at,
        max(until) FILTER (state IN ('list', 'watch', 'read', 'file')) AS last_looked_at,
        count(*) FILTER (state = 'watch') AS watch_count,
        count(*) FILTER (state = 'gap') AS gap_count,
        count(*) FILTER (state = 'refused') AS refusal_count
    FROM coverage
    GROUP BY cluster, api_group, resource
)

SELECT
    coalesce(versions.cluster, looks.cluster) AS cluster,
    coalesce(versions.api_group, looks.api_group) AS api_group,
    coalesce(versions.resource, looks.resource) AS resource,
    coalesce(versions.object_count, 0) AS object_count,
    coalesce(versions.version_count, 0) AS version_count,
    coalesce(versions.watched_version_count, 0) AS watched_version_count,
    coalesce(versions.watched_version_count, 0) + coalesce(looks.watch_count, 0) > 0 AS is_watched,
    coalesce(versions.unidentified_version_count, 0) AS unidentified_version_count,
    coalesce(versions.look_count, 0) AS look_count,
    least(versions.first_observed_at, looks.first_looked_at) AS first_observed_at,
    greatest(versions.last_observed_at, looks.last_looked_at) AS last_observed_at,
    coalesce(looks.gap_count, 0) AS gap_count,
    coalesce(looks.refusal_count, 0) AS refusal_count
FROM versions
FULL OUTER JOIN looks
    ON looks.cluster = versions.cluster AND looks.api_group = versions.api_group AND looks.resource = versions.resource
