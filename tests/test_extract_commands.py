"""The commands that read HTTP sources and files of metrics: what they land, and what they end with."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zstandard

from gitopslab import cli
from gitopslab.warehouse import Warehouse
from gitopslab.world.platform import generate

from .httpserver import Answer, Asked, as_json, serve


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path: Path, capsys: Any, monkeypatch: Any) -> Callable[..., Ended]:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["gitopslab", *arguments])
        with pytest.raises(SystemExit) as ended:
            sys.exit(cli.main())
        out, err = capsys.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return call


def configure(*tables: str) -> None:
    Path("gitopslab.toml").write_text("\n".join(tables))


def inventory(name: str, url: str) -> str:
    return f'[[inventories]]\nname = "{name}"\nurl = "{url}"\n'


DOCUMENT = {"generatedAt": "2026-03-02T12:00:00Z", "source": "hub-inventory", "environments": []}


@pytest.mark.parametrize("source", ["inventory", "prometheus", "tekton-results"])
def test_a_source_that_is_not_configured_says_what_to_add(run, source):
    configure()
    ended = run("extract", source)

    assert ended.code == 2
    assert "add [[" in ended.err


def test_one_that_is_not_among_them_is_wrong_usage(run):
    configure(inventory("hub", "https://hub.example"))
    ended = run("extract", "inventory", "hup")

    assert (ended.code, "no hup; there are: hub" in ended.err) == (2, True)


def test_a_dry_run_reads_nothing(run):
    configure(inventory("hub", "http://127.0.0.1:1/inventory.json"))
    ended = run("extract", "inventory", "--dry-run")

    assert (ended.code, ended.out) == (0, "would read http://127.0.0.1:1/inventory.json as inventory hub\n")
    assert not Path("data").exists()


def test_what_answers_lands_though_another_does_not(run):
    def answer(asked: Asked) -> Answer:
        return as_json(DOCUMENT) if asked.path == "/good" else Answer(status=404)

    with serve(answer) as server:
        configure(inventory("bad", f"{server.url}/bad"), inventory("good", f"{server.url}/good"))
        ended = run("extract", "inventory")

    assert ended.code == 3
    assert "inventory bad: it answered 404" in ended.err
    assert "good" in ended.out
    assert list(Path("data/lake/raw/inventory_snapshots/inventory=good").rglob("*.parquet"))


def test_prometheus_and_tekton_results_land_by_their_commands(run):
    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("/records"):
            return as_json({"records": []})
        at = int(asked.query["start"])
        series = {"metric": {"__name__": "kueue_pending_workloads"}, "values": [[at, "1"]]}
        return as_json({"status": "success", "data": {"resultType": "matrix", "result": [series]}})

    with serve(answer) as server:
        configure(
            f'[[prometheus]]\nname = "dev"\nurl = "{server.url}"\nselectors = ["kueue_pending_workloads"]\n',
            f'[[tekton_results]]\ncluster = "hub"\nurl = "{server.url}"\nparent = "ci"\n',
        )
        metrics = run("extract", "prometheus", "--since", "1h")
        results = run("extract", "tekton-results")

    assert (metrics.code, results.code) == (0, 0)
    assert server.asked[-1].path == "/apis/results.tekton.dev/v1alpha2/parents/ci/results/-/records"
    assert list(Path("data/lake/raw/metric_samples").rglob("*.parquet"))


def test_metrics_of_a_simulated_cluster_land_whole_and_are_in_the_warehouse(run, tmp_path):
    generate(7, 0.5, "small", tmp_path / "world")
    folder = tmp_path / "world" / "metrics" / "dev"
    lines = [line for file in folder.iterdir() for line in text_of(file).splitlines()]
    sample_count = sum(not line.startswith("#") for line in lines)
    configure()

    landed = run("land", "metrics", str(folder), "--cluster", "dev")
    assert landed.code == 0
    assert f"{sample_count:,} samples landed" in landed.out
    assert run("build").code == 0
    with Warehouse(tmp_path / "data" / "gitopslab.duckdb") as warehouse:
        assert warehouse.sql("SELECT count(*) AS n FROM metric_sample").one()["n"] == sample_count
        admitted = warehouse.sql(
            "SELECT sum(increase) AS n FROM queue_counter_increases"
            " WHERE metric = 'kueue_admitted_workloads_total'"
        )
        assert admitted.one()["n"] > 0


def test_a_folder_without_metrics_is_wrong_usage(run, tmp_path):
    configure()
    ended = run("land", "metrics", str(tmp_path), "--cluster", "dev")

    assert (ended.code, "no *.openmetrics file" in ended.err) == (2, True)


def test_lines_that_cannot_be_read_end_with_findings_above_the_limit(run, tmp_path):
    configure()
    (tmp_path / "a.openmetrics").write_text("m one 10\n# EOF\n")
    ended = run("land", "metrics", "a.openmetrics", "--cluster", "dev", "--max-rejects", "0")

    assert (ended.code, "1 pieces could not be read" in ended.err) == (1, True)


def text_of(file: Path) -> str:
    with zstandard.open(file, "rb") as stream:
        return io.BufferedReader(stream).read().decode()
