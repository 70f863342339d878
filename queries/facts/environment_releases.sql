-- Environment releases: one row a stretch of the config repository's history in which an environment was to run one image of a service.
--
-- grain: environment, service, config_position
-- reads: pin_sources, default_branches, branch_positions, configured_environment_pin, configured_service, applications
-- params:
--
-- A pin is in force from its commit (`config_position`) until the next one of the same service and environment
-- (`until_config_position`, not included; NULL: still). Which environments a file's pins concern is configured;
-- where nothing is, it is those whose Applications of the service have their source at or below the file's folder.
-- Files of one commit that pin the same service are one release: release pins are heard before kustomizations,
-- those before Helm values; `pin_count` says how many there were, `source_count` how many sources they name.
-- `source_position` is the place of the source commit on its repository's own branch: the release contains every
-- change up to it. NULL: the commit is not landed, or on no branch that leads there.
-- A removed pin, and one whose source nobody knows, ends what was in force before it all the same.

WITH placed AS (
    SELECT DISTINCT pattern.environment, pin.repository, pin.branch, pin.path, pin.pin_key, pin.sha
    FROM pin_sources AS pin
    JOIN configured_environment_pin AS pattern ON regexp_matches(pin.path, pattern.path_pattern)
    UNION
    SELECT DISTINCT application.environment, pin.repository, pin.branch, pin.path, pin.pin_key, pin.sha
    FROM pin_sources AS pin
    JOIN applications AS application
        ON application.service = pin.service
        AND application.source_path != ''
        AND starts_with(pin.path, application.source_path || '/')
    WHERE
        application.is_counted
        AND application.environment NOT IN (SELECT environment FROM configured_environment_pin)
),

pinned AS (
    SELECT
        placed.environment,
        pin.*,
        count(*) OVER (PARTITION BY placed.environment, pin.service, pin.repository, pin.position) AS pin_count,
        count(pin.source_sha) OVER (PARTITION BY placed.environment, pin.service, pin.repository, pin.position)
            AS source_count
    FROM placed
    JOIN pin_sources AS pin USING (repository, branch, path, pin_key, sha)
    JOIN default_branches
        ON default_branches.repository = pin.repository AND default_branches.branch = pin.branch
    WHERE pin.service IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY placed.environment, pin.service, pin.repository, pin.position
        ORDER BY
            CASE pin.pin_format WHEN 'release_pins' THEN 1 WHEN 'kustomize' THEN 2 ELSE 3 END,
            pin.change_kind = 'removed',
            pin.path,
            pin.pin_key
    ) = 1
)

SELECT
    pinned.environment,
    pinned.service,
    pinned.repository AS config_repository,
    pinned.position AS config_position,
    lead(pinned.position) OVER (
        PARTITION BY pinned.environment, pinned.service, pinned.repository ORDER BY pinned.position
    ) AS until_config_position,
    pinned.sha AS config_sha,
    pinned.path,
    pinned.pinned_at,
    pinned.change_kind,
    pinned.is_first_seen,
    pinned.image_name,
    pinned.tag,
    pinned.digest,
    pinned.pipeline_run,
    configured_service.repository AS source_repository,
    pinned.source_sha,
    source.position AS source_position,
    source.rule AS position_rule,
    pinned.rule,
    pinned.evidence,
    pinned.alternatives,
    pinned.confidence,
    pinned.pin_count
FROM pinned
LEFT JOIN configured_service ON configured_service.service = pinned.service
LEFT JOIN branch_positions AS source
    ON source.sha = pinned.source_sha
    AND (configured_service.repository IS NULL OR configured_service.repository = '' OR source.repository = configured_service.repository)
