-- Release builds: one row a run that built a commit of a service, successfully.
--
-- grain: cluster_uid, run_uid
-- reads: pipeline_runs, run_source_commits, branch_positions, configured_service
-- params:
--
-- The service is the one whose pipelines are configured. `source_position` is the commit's place on the
-- branch of the service's repository: the image holds every change up to it. Runs of commits that lead to no place
-- there, of previews for instance, are not here.

SELECT
    run.service,
    run.cluster,
    run.cluster_uid,
    run.uid AS run_uid,
    run.namespace,
    run.pipeline_run,
    run.created_at,
    run.started_at,
    run.completed_at AS built_at,
    source.source_commit AS source_sha,
    place.repository AS source_repository,
    place.position AS source_position
FROM pipeline_runs AS run
JOIN run_source_commits AS source ON source.cluster_uid = run.cluster_uid AND source.run_uid = run.uid
JOIN configured_service AS service ON service.service = run.service
JOIN branch_positions AS place
    ON place.sha = source.source_commit
    AND (coalesce(service.repository, '') = '' OR place.repository = service.repository)
WHERE run.outcome = 'succeeded' AND run.service_count = 1
