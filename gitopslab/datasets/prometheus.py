"""Samples of metrics, as Prometheus or OpenMetrics text shows them."""

import pyarrow as pa

from gitopslab.datasets.dataset import Dataset, optional_count, text, time

METRIC_SAMPLES = Dataset(
    "metric_samples",
    table="metric_sample",
    doc="Metric samples: one row a value of a series at a time.",
    grain=("prometheus", "series", "sampled_at"),
    schema=pa.schema(
        [
            text("prometheus"),
            text("cluster"),
            text("metric"),
            text("series"),
            text("labels"),
            time("sampled_at"),
            pa.field("value", pa.float64(), nullable=False),
            optional_count("step_seconds"),
        ]
    ),
    dated_by="sampled_at",
    partitioned_by="prometheus",
    json_columns=("labels",),
)
"""Metric samples: values as they were exposed. A counter is raw: what it grew by is a fact, and not landed.

`series` is a hash of metric and labels, as short as a key should be; `labels` is a JSON object, sorted by
name, without `__name__`. NaN and infinity are values: `kueue_cluster_queue_borrowing_limit` is +Inf where
there is no limit. `step_seconds` is the distance at which a Prometheus was asked, NULL where samples are
of scrapes.
A series that ended has no sample; Prometheus' stale markers are not values.
"""
