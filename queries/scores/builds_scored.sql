-- Builds beside the truth: one row a build that ended, true or found.
--
-- grain: part, subject_key
-- reads: pipeline_runs, truth_change
-- params:
--
-- Runs of other pipelines, such as those that prepare environments of benchmarks, are no builds of a service.
-- `part` is how the build truly ended. `error_seconds` is how much longer it took by what was found.

WITH builds AS (
    SELECT pipeline_run, min(build_state) AS build_state, min(build_started_at) AS started_at, min(build_finished_at) AS finished_at
    FROM truth_change
    WHERE pipeline_run IS NOT NULL AND build_state IN ('succeeded', 'failed')
    GROUP BY pipeline_run
)

SELECT
    coalesce(builds.build_state, 'not a build') AS part,
    coalesce(builds.pipeline_run, runs.pipeline_run) AS subject_key,
    builds.pipeline_run IS NOT NULL AS is_true,
    runs.pipeline_run IS NOT NULL AND runs.outcome IS NOT DISTINCT FROM coalesce(builds.build_state, runs.outcome) AS is_found,
    runs.run_seconds - (epoch(builds.finished_at) - epoch(builds.started_at)) AS error_seconds
FROM builds
FULL OUTER JOIN (SELECT * FROM pipeline_runs WHERE pipeline LIKE 'outer-loop-%') AS runs
    ON runs.pipeline_run = builds.pipeline_run
WHERE builds.pipeline_run IS NOT NULL OR runs.outcome IN ('succeeded', 'failed')
