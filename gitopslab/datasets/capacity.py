"""What plans predicted: kept beside what then happened, so that they can be held to it."""

import pyarrow as pa

from gitopslab.datasets.dataset import Dataset, count, optional_text, text, time


def _optional_number(name: str) -> pa.Field:
    return pa.field(name, pa.float64())


PREDICTIONS = Dataset(
    "predictions",
    table="prediction",
    doc="Predictions: one row a number of sessions at once that a plan said something of.",
    grain=("cluster", "model", "concurrency", "predicted_at"),
    schema=pa.schema(
        [
            text("cluster"),
            text("model"),
            count("concurrency"),
            time("predicted_at"),
            time("until"),
            time("logged_at"),
            text("action"),
            count("current_concurrency"),
            count("recommended_concurrency"),
            pa.field("is_supported", pa.bool_(), nullable=False),
            optional_text("binding"),
            _optional_number("throughput"),
            _optional_number("throughput_low"),
            _optional_number("throughput_high"),
            _optional_number("resolved_ratio"),
            _optional_number("resolved_ratio_low"),
            _optional_number("resolved_ratio_high"),
            _optional_number("wait_p50_seconds"),
            _optional_number("wait_p90_seconds"),
            _optional_number("wait_p99_seconds"),
            text("gitopslab_version"),
        ]
    ),
    dated_by="predicted_at",
)
"""Predictions: `predicted_at` is the plan's now, and nothing later went into it; it holds to `until`.

`throughput` is completed sessions an hour, `resolved_ratio` of answered instances, each with the ends of its
interval. NULL is what was not predicted.
"""
