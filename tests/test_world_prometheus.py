"""Scraped metrics of the simulated fleet are OpenMetrics text."""

from pathlib import Path

import pytest
import zstandard

from gitopslab.world.emit.families import (
    ARGOCD_INFO,
    KUEUE_ADMISSION_WAIT,
    KUEUE_BORROWING_LIMIT,
    KUEUE_EVICTIONS,
    KUEUE_PENDING,
    TEKTON_RUNNING,
)
from gitopslab.world.emit.prometheus import Metrics, MetricsLog

MARCH_2 = 1_772_431_200.0  # 2026-03-02T06:00:00Z
DAY = 86_400
FAST = ("benchmark-fast", "", "leader")


def text(file: Path) -> str:
    return zstandard.ZstdDecompressor().stream_reader(file.read_bytes()).read().decode()


def scraped(folder: Path, metrics: Metrics, *times: float) -> str:
    with MetricsLog(folder) as log:
        for time in times:
            for sample in metrics.scrape(time):
                log.add(sample)
    (file,) = folder.iterdir()
    return text(file)


def test_a_gauge_is_a_line_with_its_time(tmp_path):
    metrics = Metrics()
    metrics.set(KUEUE_PENDING, 3, "benchmark-fast", "active", "leader")

    assert scraped(tmp_path, metrics, MARCH_2) == (
        "# TYPE kueue_pending_workloads gauge\n"
        "# HELP kueue_pending_workloads The number of pending workloads, per 'cluster_queue' and 'status'\n"
        'kueue_pending_workloads{cluster_queue="benchmark-fast",status="active",replica_role="leader"}'
        " 3 1772431200\n"
        "# EOF\n"
    )


def test_a_counter_s_samples_end_in_total_and_begin_again_with_the_process(tmp_path):
    metrics = Metrics()
    labels = ("benchmark-fast", "Preempted", "", "", "leader")
    with MetricsLog(tmp_path) as log:
        for time, count in ((MARCH_2, 2), (MARCH_2 + 60, 3), (MARCH_2 + 120, 1)):
            if time == MARCH_2 + 120:
                metrics.restart()
            metrics.count(KUEUE_EVICTIONS, *labels, by=count)
            for sample in metrics.scrape(time):
                log.add(sample)

    lines = text(tmp_path / "2026-03-02.openmetrics.zst").splitlines()
    assert lines[0] == "# TYPE kueue_evicted_workloads counter"
    samples = [line for line in lines if not line.startswith("#")]
    assert [line.rsplit(" ", 2)[1] for line in samples] == ["2", "5", "1"]
    assert samples[0].startswith("kueue_evicted_workloads_total{")


def test_buckets_of_a_histogram_add_up(tmp_path):
    metrics = Metrics()
    for seconds in (0.5, 2.5, 3, 20_000):
        metrics.observe(KUEUE_ADMISSION_WAIT, seconds, *FAST)

    lines = scraped(tmp_path, metrics, MARCH_2).splitlines()
    counts = [int(line.rsplit(" ", 2)[1]) for line in lines if "_bucket" in line]
    assert counts == [1, 2, *[3] * 12, 4]
    assert 'le="+Inf"' in lines[-4]
    assert lines[-3].startswith("kueue_admission_wait_time_seconds_sum{")
    assert lines[-3].endswith(" 20006 1772431200")
    assert lines[-2].endswith(" 4 1772431200")


def test_a_series_stands_together_in_order_of_time(tmp_path):
    metrics = Metrics()
    metrics.set(KUEUE_PENDING, 1, "a", "active", "leader")
    metrics.set(TEKTON_RUNNING, 4)
    metrics.set(KUEUE_PENDING, 2, "b", "active", "leader")

    lines = scraped(tmp_path, metrics, MARCH_2, MARCH_2 + 60.5).splitlines()
    ends = [line.rpartition("}")[2] for line in lines if not line.startswith("#")]
    assert ends[:4] == [" 1 1772431200", " 1 1772431260.5", " 2 1772431200", " 2 1772431260.5"]
    assert ends[4:] == [
        "tekton_pipelines_controller_running_pipelineruns 4 1772431200",
        "tekton_pipelines_controller_running_pipelineruns 4 1772431260.5",
    ]


def test_a_label_that_changes_ends_one_series_and_begins_another(tmp_path):
    labels = ["argocd", "api", "default", "true", "https://github.com/example/stacks", "", "api", "Synced"]
    metrics = Metrics()
    with MetricsLog(tmp_path) as log:
        metrics.set(ARGOCD_INFO, 1, *labels, "Progressing", "")
        for sample in metrics.scrape(MARCH_2):
            log.add(sample)
        metrics.drop(ARGOCD_INFO, *labels, "Progressing", "")
        metrics.set(ARGOCD_INFO, 1, *labels, "Healthy", "")
        for sample in metrics.scrape(MARCH_2 + 60):
            log.add(sample)

    lines = text(tmp_path / "2026-03-02.openmetrics.zst").splitlines()
    assert [line.rsplit(" ", 1)[1] for line in lines if "Progressing" in line] == ["1772431200"]
    assert [line.rsplit(" ", 1)[1] for line in lines if "Healthy" in line] == ["1772431260"]


def test_every_day_is_a_file_of_its_own(tmp_path):
    metrics = Metrics()
    metrics.set(TEKTON_RUNNING, 1)
    with MetricsLog(tmp_path) as log:
        for time in (MARCH_2, MARCH_2 + DAY, MARCH_2 + DAY + 60):
            for sample in metrics.scrape(time):
                log.add(sample)

    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["2026-03-02.openmetrics.zst", "2026-03-03.openmetrics.zst"]
    assert [text(file).count("\n") for file in files] == [4, 5]


def test_prometheus_own_parser_reads_it_whatever_the_labels_hold(tmp_path):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    metrics = Metrics()
    metrics.set(KUEUE_BORROWING_LIMIT, float("inf"), 'a"b\\c\nd', "q", "default", "cpu", "leader")
    metrics.count(KUEUE_EVICTIONS, "q", "Preempted", "", "", "leader")
    metrics.set(TEKTON_RUNNING, 0.25)

    content = scraped(tmp_path, metrics, MARCH_2, MARCH_2 + 60)
    families = {family.name: family for family in parser.text_string_to_metric_families(content)}
    first, second = families["kueue_cluster_queue_borrowing_limit"].samples
    assert (first.labels["cohort"], first.value) == ('a"b\\c\nd', float("inf"))
    assert (float(first.timestamp), float(second.timestamp)) == (MARCH_2, MARCH_2 + 60)
    assert families["kueue_evicted_workloads"].type == "counter"


def test_prometheus_own_parser_finds_the_histogram_whole(tmp_path):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    metrics = Metrics()
    metrics.observe(KUEUE_ADMISSION_WAIT, 7, *FAST)

    head, _, rest = scraped(tmp_path, metrics, MARCH_2, MARCH_2 + 60).partition(
        "kueue_admission_wait_time_seconds_b"
    )
    for time in (MARCH_2, MARCH_2 + 60):
        # of two scrapes in one text it drops the buckets of the second, which it takes for the first one's
        lines = f"kueue_admission_wait_time_seconds_b{rest}".splitlines(keepends=True)
        scrape = "".join(line for line in lines if line.endswith(f" {int(time)}\n"))
        (family,) = parser.text_string_to_metric_families(f"{head.rpartition('# HELP')[0]}{scrape}# EOF\n")
        assert family.type == "histogram"
        assert len(family.samples) == 15 + 2
        assert {float(sample.timestamp) for sample in family.samples} == {time}
