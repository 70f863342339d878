"""OpenMetrics text: every sample lands with its labels and time, and what is none is kept and counted."""

import gzip
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitopslab.datasets import COVERAGE, REJECTS
from gitopslab.datasets.prometheus import METRIC_SAMPLES
from gitopslab.extract import openmetrics
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Origin
from gitopslab.extract.samples import Target
from gitopslab.lake import Lake

COLUMNS = ["metric", "labels", "sampled_at", "value"]
HISTOGRAM = """\
# TYPE wait_seconds histogram
wait_seconds_bucket{queue="a",le="1.0"} 1 1772431200
wait_seconds_bucket{queue="a",le="+Inf"} 2 1772431200
wait_seconds_sum{queue="a"} 5.5 1772431200
wait_seconds_count{queue="a"} 2 1772431200
wait_seconds_bucket{queue="a",le="1.0"} 1 1772431260
wait_seconds_bucket{queue="a",le="+Inf"} 3 1772431260
wait_seconds_sum{queue="a"} 9.5 1772431260
wait_seconds_count{queue="a"} 3 1772431260
# EOF
"""


class Landed:
    """A lake in a folder, and what was landed into it as text."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lake = folder, Lake(str(folder / "lake"))

    def land(self, text: str | bytes, name: str = "a.openmetrics") -> RowLanding:
        file = self.folder / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        with RowLanding(self.lake, Origin("metrics", "dev", "openmetrics")) as landing:
            openmetrics.land([file], landing, Target("dev", "dev"))
        return landing

    def rows(self, dataset: Any = METRIC_SAMPLES, columns: list[str] = COLUMNS) -> list[dict[str, Any]]:
        return [row for table in self.lake.read(dataset, columns) for row in table.to_pylist()]


@pytest.fixture
def landed(tmp_path: Path) -> Landed:
    return Landed(tmp_path)


def test_a_sample_lands_with_its_labels_sorted_and_its_time(landed):
    landed.land('pending{status="active",cluster_queue="q"} 4.5 1772431200.25\n# EOF\n')

    assert landed.rows() == [
        {
            "metric": "pending",
            "labels": '{"cluster_queue":"q","status":"active"}',
            "sampled_at": datetime(2026, 3, 2, 6, 0, 0, 250_000, UTC),
            "value": 4.5,
        }
    ]


def test_series_are_the_same_whatever_the_order_of_their_labels(landed):
    landed.land('m{a="1",b="2"} 1 10\nm{b="2",a="1"} 1 20\nm{b="3",a="1"} 1 30\n# EOF\n')

    assert len({row["series"] for row in landed.rows(columns=["series"])}) == 2


def test_all_buckets_of_a_histogram_land_at_all_its_times(landed):
    landed.land(HISTOGRAM)

    buckets = [row for row in landed.rows() if row["metric"] == "wait_seconds_bucket"]
    assert len(landed.rows()) == 8
    assert [row["value"] for row in buckets] == [1, 2, 1, 3]


def test_infinity_and_nan_are_values(landed):
    landed.land("limit 1 10\nlimit +Inf 20\nlimit -Inf 30\nlimit NaN 40\nlimit 1e3 50\n# EOF\n")

    values = [row["value"] for row in landed.rows()]
    assert values[:3] == [1, math.inf, -math.inf]
    assert math.isnan(values[3])
    assert values[4] == 1000


def test_labels_hold_any_text(landed):
    landed.land(r'm{a="} 1 2 # \"x\" \\ \n,",b=""} 7 10' + "\n# EOF\n")

    assert [row["labels"] for row in landed.rows()] == [r'{"a":"} 1 2 # \"x\" \\ \n,","b":""}']


def test_credentials_in_labels_are_hidden_and_their_series_stay_apart(landed):
    landed.land('app{repo="https://me:hunter2@h/x"} 1 10\napp{repo="https://me:hunter3@h/x"} 1 10\n# EOF\n')

    rows = landed.rows(columns=["series", "labels"])
    assert "hunter" not in str(rows)
    assert len({row["series"] for row in rows}) == 2


def test_exemplars_and_comments_are_passed_over(landed):
    landing = landed.land('# HELP m x\nm_bucket{le="1.0"} 3 10 # {trace="t"} 0.5 9\n\n# EOF\n')

    assert [row["value"] for row in landed.rows()] == [3]
    assert landing.tally.reject_count == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"m 1", "invalid_openmetrics"),
        (b"m one 10", "invalid_openmetrics"),
        (b'm{a="1",a="2"} 1 10', "invalid_openmetrics"),
        (b"m{a=1} 1 10", "invalid_openmetrics"),
        (b'm{a="\xff"} 1 10', "invalid_openmetrics"),
        (b"m 1 1772431200000", "invalid_time"),
    ],
)
def test_a_line_that_is_no_sample_is_kept_with_its_number(landed, line, reason):
    landed.land(b"m 1 10\n" + line + b"\nm 1 20\n# EOF\n")

    [reject] = landed.rows(REJECTS, ["source_line", "reason", "excerpt"])
    assert (reject["source_line"], reject["reason"]) == (2, reason)
    assert len(landed.rows()) == 2


def test_a_file_that_was_cut_short_says_so(landed):
    landed.land("m 1 10\nm 1 20\n")

    assert [row["reason"] for row in landed.rows(REJECTS, ["reason"])] == ["no_end"]
    assert len(landed.rows()) == 2


def test_landing_twice_is_landing_once(landed):
    landed.land(HISTOGRAM)
    same_file = landed.land(HISTOGRAM)
    same_samples = landed.land(gzip.compress(HISTOGRAM.encode(), mtime=0), "b.openmetrics.gz")

    assert same_file.tally.object_count == 0
    assert (same_samples.tally.landed_count, same_samples.tally.known_count) == (0, 8)


def test_coverage_says_from_when_to_when_samples_are(landed):
    landed.land(HISTOGRAM)

    [covered] = landed.rows(COVERAGE, ["resource", "since", "until", "object_count"])
    assert covered["object_count"] == 8
    assert (covered["until"] - covered["since"]).total_seconds() == 60
