-- Pins that disagree: one row two files that pin different images of a service for one environment at once.
--
-- grain: environment, service, repository, path, other_path, found_at
-- reads: pins, default_branches, applications, configured_environment_pin
-- params: since, until
--
-- Which environments a file's pins concern is configured, or else follows from the sources of Applications, as in
-- environment_releases, which hears only one of the two. Images differ by digest where both have one, else by tag.
-- `found_at` is when the second of the two came; they disagree until one is replaced.

WITH pin AS (
    SELECT DISTINCT pattern.environment, pins.*
    FROM pins
    JOIN configured_environment_pin AS pattern ON regexp_matches(pins.path, pattern.path_pattern)
    UNION
    SELECT DISTINCT application.environment, pins.*
    FROM pins
    JOIN applications AS application
        ON application.service = pins.service
        AND application.source_path <> ''
        AND starts_with(pins.path, application.source_path || '/')
    WHERE
        application.is_counted
        AND application.environment NOT IN (SELECT environment FROM configured_environment_pin)
),

in_force AS (
    SELECT pin.*
    FROM pin
    JOIN default_branches ON default_branches.repository = pin.repository AND default_branches.branch = pin.branch
    WHERE pin.service IS NOT NULL AND NOT pin.is_removed
)

SELECT
    pin.environment,
    pin.service,
    pin.repository,
    pin.path,
    other.path AS other_path,
    min(pin.repository || ':' || pin.path || ' and ' || other.path) AS subject,
    greatest(pin.pinned_at, other.pinned_at) AS found_at,
    min(coalesce(pin.tag, pin.digest, '') || ' and ' || coalesce(other.tag, other.digest, '')) AS message
FROM in_force AS pin
JOIN in_force AS other
    ON other.environment = pin.environment
    AND other.service = pin.service
    AND other.repository = pin.repository
    AND other.path > pin.path
    AND (pin.replaced_at IS NULL OR other.pinned_at < pin.replaced_at)
    AND (other.replaced_at IS NULL OR pin.pinned_at < other.replaced_at)
WHERE
    CASE
        WHEN pin.digest IS NOT NULL AND other.digest IS NOT NULL THEN pin.digest <> other.digest
        ELSE coalesce(pin.tag, '') <> coalesce(other.tag, '')
    END
    AND greatest(pin.pinned_at, other.pinned_at) >= $since
    AND greatest(pin.pinned_at, other.pinned_at) < $until
GROUP BY
    pin.environment, pin.service, pin.repository, pin.path, other.path, greatest(pin.pinned_at, other.pinned_at)
