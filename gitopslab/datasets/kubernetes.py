"""Objects as the API servers showed them."""

import pyarrow as pa

from gitopslab.datasets.dataset import Dataset, optional_count, optional_text, optional_time, text, time

VERSION_KEY = ("cluster_uid", "resource", "uid", "resource_version")

OBJECT_VERSIONS = Dataset(
    "object_versions",
    table="object_version",
    doc="Object versions: one row each state of a Kubernetes object that was seen, without its JSON.",
    grain=VERSION_KEY,
    schema=pa.schema(
        [
            text("cluster"),
            text("cluster_uid"),
            text("api_group"),
            text("api_version"),
            text("resource"),
            text("kind"),
            text("namespace"),
            text("name"),
            text("uid"),
            text("resource_version"),
            text("identity"),
            optional_text("event_type"),
            pa.field("is_inferred", pa.bool_(), nullable=False),
            time("observed_at"),
            text("how"),
            text("run_id"),
            text("source"),
            optional_count("source_line"),
            pa.field("redaction_count", pa.int32(), nullable=False),
            text("body"),
        ]
    ),
    dated_by="observed_at",
)
"""Object versions, one row each: (cluster_uid, resource, uid, resource_version) is the key.

`identity` is `server` where uid and resource_version are the API server's own; where a file lacks
one it is `content`: the uid is then made of namespace and name, the version of a hash of the body.
"""

CHECKPOINTS = Dataset(
    "checkpoints",
    table="checkpoint",
    doc="Checkpoints: one row each time a watch had landed everything up to a resource version.",
    grain=("run_id", "cluster", "api_group", "resource", "noted_at"),
    schema=pa.schema(
        [
            text("cluster"),
            text("cluster_uid"),
            text("run_id"),
            text("api_group"),
            text("resource"),
            text("resource_version"),
            time("noted_at"),
            optional_time("last_event_at"),
            time("watched_since"),
        ]
    ),
    dated_by="noted_at",
)
"""Checkpoints: where a watch goes on after it was cut off. Coverage tells the warehouse the same.

`noted_at` is when the API server was last heard; `watched_since` when the stretch of the watch began that
coverage has no row for yet.
"""
