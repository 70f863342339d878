-- Exact images ready as of a time: one row a database, how many instances have the image of their very commit.
--
-- grain: database
-- reads: postgres_benchmark_instance, postgres_environment_image_build
-- params: as_of, database
--
-- An image is exact where a validated build with a digest names the instance's base commit. Builds that name no commit
-- serve a whole environment and say nothing of exactness: `exact_build_count` is how many do name one. A row of the
-- database holds its last state, so `built_at` cuts at $as_of. An empty $database is any.

WITH instance AS (
    SELECT DISTINCT database, instance_id, base_commit
    FROM postgres_benchmark_instance
    WHERE NOT is_deleted AND ($database = '' OR database = $database)
),

build AS (
    SELECT DISTINCT database, base_commit
    FROM postgres_environment_image_build
    WHERE
        NOT is_deleted
        AND base_commit IS NOT NULL
        AND digest IS NOT NULL
        AND status = 'validated'
        AND coalesce(built_at, completed_at) <= $as_of
)

SELECT
    instance.database,
    count(DISTINCT instance.instance_id) AS instance_count,
    count(DISTINCT CASE WHEN build.base_commit IS NOT NULL THEN instance.instance_id END) AS exact_ready_count,
    count(DISTINCT build.base_commit) AS exact_build_count
FROM instance
LEFT JOIN build ON instance.database = build.database AND instance.base_commit = build.base_commit
GROUP BY instance.database
