"""Objects as the API servers showed them."""

import pyarrow as pa

from gitopslab.datasets.dataset import Dataset, optional_count, optional_text, text, time

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
