-- Inventory deployments: one row each time an image began to run in a synced application, as a hub's inventory shows.
--
-- grain: inventory, environment, application, image, seen_at
-- reads: inventory_application, inventory_live_image, inventory_snapshot
-- params:
--
-- The inventory has no time of a deployment. `seen_at` is when the first snapshot with the image among the live ones of
-- an application that is Synced was generated; it began to run after `not_before_at`, the last snapshot without it,
-- Synced or not. Where there is no such snapshot, the row is left-censored: the image may have run for long.
-- The live images of a roll-out are the old and the new ones, so an image counts only where the Synced state before
-- did not have it. An image that comes back, as after a rollback, is a deployment again; `is_first` tells the first.
-- `healthy_at` is the first snapshot from then on that shows it Healthy too, before it comes back another time.
-- `commit_sha` is what the inventory says of the desired tag, or else what the tag git-<sha> says of itself; it is a
-- commit of the source repository, perhaps shortened.

WITH snapshots AS (
    SELECT
        inventory,
        generated_at,
        lag(generated_at) OVER (PARTITION BY inventory ORDER BY generated_at) AS not_before_at
    FROM inventory_snapshot
    WHERE generated_at IS NOT NULL
),

states AS (
    SELECT
        *,
        row_number() OVER in_order AS state_number,
        sum(CASE WHEN sync_status = 'Synced' THEN 1 ELSE 0 END) OVER in_order AS synced_number
    FROM inventory_application
    WINDOW in_order AS (PARTITION BY inventory, environment, application ORDER BY generated_at)
),

shown AS (
    SELECT
        states.inventory,
        states.environment,
        states.application,
        states.generated_at,
        states.synced_number,
        states.sync_status,
        states.health_status,
        states.desired_tag,
        states.desired_commit_sha,
        states.desired_digest,
        image.image,
        image.image_name,
        image.image_tag,
        image.digest,
        states.state_number - row_number() OVER (
            PARTITION BY image.inventory, image.environment, image.application, image.image
            ORDER BY states.state_number
        ) AS island
    FROM states
    JOIN inventory_live_image AS image
        ON states.inventory = image.inventory
        AND states.environment = image.environment
        AND states.application = image.application
        AND states.generated_at = image.generated_at
),

live AS (
    SELECT *
    FROM (
        SELECT
            *,
            min(generated_at) OVER (
                PARTITION BY inventory, environment, application, image, island
            ) AS live_since
        FROM shown
    )
    WHERE sync_status = 'Synced'
),

appearances AS (
    SELECT
        live.*,
        lead(live.generated_at) OVER (
            PARTITION BY live.inventory, live.environment, live.application, live.image ORDER BY live.generated_at
        ) AS seen_again_at,
        row_number() OVER (
            PARTITION BY live.inventory, live.environment, live.application, live.image ORDER BY live.generated_at
        ) AS appearance_number
    FROM live
    LEFT JOIN live AS before
        ON live.inventory = before.inventory
        AND live.environment = before.environment
        AND live.application = before.application
        AND live.image = before.image
        AND live.synced_number = before.synced_number + 1
    WHERE before.image IS NULL
)

SELECT
    appearances.inventory,
    appearances.environment,
    appearances.application,
    appearances.image,
    appearances.image_name,
    appearances.image_tag,
    coalesce(
        appearances.digest,
        CASE WHEN appearances.image_tag = appearances.desired_tag THEN appearances.desired_digest END
    ) AS digest,
    coalesce(
        CASE WHEN appearances.image_tag = appearances.desired_tag THEN appearances.desired_commit_sha END,
        nullif(regexp_extract(appearances.image_tag, '^git-([0-9a-f]{7,40})$', 1), '')
    ) AS commit_sha,
    appearances.generated_at AS seen_at,
    snapshots.not_before_at,
    snapshots.not_before_at IS NULL AS is_left_censored,
    epoch(appearances.generated_at) - epoch(snapshots.not_before_at) AS uncertain_seconds,
    appearances.appearance_number = 1 AS is_first,
    min(healthy.generated_at) AS healthy_at
FROM appearances
JOIN snapshots
    ON appearances.inventory = snapshots.inventory AND appearances.live_since = snapshots.generated_at
LEFT JOIN live AS healthy
    ON appearances.inventory = healthy.inventory
    AND appearances.environment = healthy.environment
    AND appearances.application = healthy.application
    AND appearances.image = healthy.image
    AND healthy.health_status = 'Healthy'
    AND healthy.generated_at >= appearances.generated_at
    AND (appearances.seen_again_at IS NULL OR healthy.generated_at < appearances.seen_again_at)
GROUP BY
    appearances.inventory, appearances.environment, appearances.application, appearances.image,
    appearances.image_name, appearances.image_tag, appearances.digest, appearances.desired_tag,
    appearances.desired_digest, appearances.desired_commit_sha, appearances.generated_at,
    snapshots.not_before_at, appearances.appearance_number
