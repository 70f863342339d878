"""Samples of metrics on their way into the lake, whichever way they were read."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gitopslab.datasets.dataset import TIME
from gitopslab.datasets.prometheus import METRIC_SAMPLES

_NAME = "__name__"


class Series(NamedTuple):
    """What all samples of a series have in common; the columns of METRIC_SAMPLES of these names."""

    metric: str
    series: str
    labels: str


class Target(NamedTuple):
    """Whose samples they are.

    Attributes:
        prometheus: Name of the Prometheus, or of what stands in its place.
        cluster: The cluster they tell of; empty where nobody knows.
        step_seconds: Distance at which a Prometheus was asked; None: these are scrapes.
    """

    prometheus: str
    cluster: str
    step_seconds: int | None = None


def series_of(labels: Mapping[str, str]) -> Series:
    """Return the series that `labels` are of; its metric stands among them as `__name__`."""
    metric = labels.get(_NAME, "")
    own = {name: value for name, value in labels.items() if name != _NAME}
    text = json.dumps(own, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    # Of the labels as they are: two series stay two when a credential in them is hidden.
    return Series(metric, hashlib.sha256(f"{metric}{text}".encode()).hexdigest()[:16], text)


def table(
    target: Target,
    series: Sequence[Series],
    which: npt.NDArray[np.int64],
    seconds: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
) -> pa.Table:
    """Return samples as rows of METRIC_SAMPLES.

    Args:
        target: Whose they are.
        series: The series there are.
        which: Place in `series`, of each sample.
        seconds: Time of each, since the epoch; kept to the microsecond.
        values: Value of each.
    """
    count = len(values)
    columns: dict[str, Any] = {
        name: pa.array(texts, pa.string()).take(pa.array(which))
        for name, texts in zip(Series._fields, zip(*series, strict=True), strict=True)
    }
    columns |= {
        "prometheus": pa.repeat(target.prometheus, count),
        "cluster": pa.repeat(target.cluster, count),
        "sampled_at": pa.array(np.rint(seconds * 1e6).astype(np.int64)).cast(TIME),
        "value": pa.array(values),
        "step_seconds": pa.repeat(pa.scalar(target.step_seconds, pa.int64()), count),
    }
    return pa.table(columns).select(METRIC_SAMPLES.schema.names).cast(METRIC_SAMPLES.schema)
