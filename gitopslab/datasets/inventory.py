"""Deployment inventories: what each environment should run and runs, as the hub saw it."""

import pyarrow as pa

from gitopslab.datasets.dataset import Dataset, count, optional_text, optional_time, text, time

INVENTORY_SNAPSHOTS = Dataset(
    "inventory_snapshots",
    table="inventory_snapshot",
    doc="Inventory snapshots: one row an inventory that was generated, or a try to fetch one that failed.",
    grain=("inventory", "snapshot"),
    schema=pa.schema(
        [
            text("inventory"),
            text("snapshot"),
            time("fetched_at"),
            optional_time("generated_at"),
            count("application_count"),
            optional_text("error"),
            optional_text("body"),
        ]
    ),
    dated_by="fetched_at",
    partitioned_by="inventory",
    json_columns=("body",),
    free_text_columns=("error",),
)
"""Inventory snapshots: the document as the hub served it, once for each `generated_at`.

`snapshot` is generatedAt, or for what failed `error` and when that was. `error` says why a try failed, or
else why the release pins in the document are not to be relied on.
"""

INVENTORY_APPLICATIONS = Dataset(
    "inventory_applications",
    table="inventory_application",
    doc="Inventory applications: one row each state of an application that a snapshot was the first to show.",
    grain=("inventory", "environment", "application", "generated_at"),
    schema=pa.schema(
        [
            text("inventory"),
            text("environment"),
            text("application"),
            time("generated_at"),
            pa.field("is_listed", pa.bool_(), nullable=False),
            optional_text("component"),
            optional_text("desired_image"),
            optional_text("desired_tag"),
            optional_text("desired_digest"),
            optional_text("desired_commit_sha"),
            optional_text("live_images"),
            optional_text("sync_status"),
            optional_text("health_status"),
            optional_text("promotion_dry_sha"),
            optional_text("promotion_hydrated_sha"),
            optional_text("promotion_health_phase"),
            optional_text("build_pipeline_run"),
            optional_text("build_status"),
            optional_text("build_reason"),
            optional_time("build_started_at"),
            optional_time("build_finished_at"),
            optional_text("provenance"),
            optional_text("drift_status"),
        ]
    ),
    dated_by="generated_at",
    partitioned_by="inventory",
    json_columns=("live_images", "provenance"),
    free_text_columns=("desired_image", "build_reason"),
)
"""Inventory applications: a state lasts until the application's next row.

`is_listed` is false where a snapshot no longer lists it. `live_images` is a JSON array, sorted; during a
roll-out it holds the old and the new images.
"""

INVENTORY_LIVE_IMAGES = Dataset(
    "inventory_live_images",
    table="inventory_live_image",
    doc="Inventory live images: one row an image that ran in a state of an application.",
    grain=("inventory", "environment", "application", "generated_at", "image"),
    schema=pa.schema(
        [
            text("inventory"),
            text("environment"),
            text("application"),
            time("generated_at"),
            text("image"),
            text("image_name"),
            optional_text("image_tag"),
            optional_text("digest"),
        ]
    ),
    dated_by="generated_at",
    partitioned_by="inventory",
    free_text_columns=("image", "image_name"),
)
"""Inventory live images: `live_images` of INVENTORY_APPLICATIONS, told apart in name, tag and digest."""

INVENTORY = (INVENTORY_SNAPSHOTS, INVENTORY_APPLICATIONS, INVENTORY_LIVE_IMAGES)
