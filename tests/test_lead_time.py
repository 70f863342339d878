"""The lead-time report, as people run it: on landed objects, in a real kernel, into a real browser."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

import gitopslab
from gitopslab import queries, reports, settings
from gitopslab.cli import app
from gitopslab.errors import ParameterError, UsageError
from gitopslab.extract import files
from gitopslab.extract.landing import Landing
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake
from gitopslab.reports import stories
from gitopslab.settings import Settings
from gitopslab.warehouse import build
from gitopslab.world import platform as world
from tests import chromium
from tests.chromium import needs_chromium

NOTEBOOKS = sorted((queries.SHIPPED / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Settings:
    """Three weeks of the simulated platform, landed and built."""
    folder = tmp_path_factory.mktemp("platforms") / "world"
    world.generate(7, 3, "small", folder)
    configured = settings.load(folder / "gitopslab.toml")
    lake = Lake(configured.lake.path)
    for cluster in ("hub", "dev", "staging", "ryzen"):
        with Landing(lake, Origin("files", cluster, "file")) as landing:
            files.land([folder / "objects" / f"{cluster}.ndjson.zst"], landing)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert CliRunner().invoke(app, ["extract", "git"]).exit_code == 0
    build(configured)
    return configured


@pytest.fixture(scope="module")
def run(platform) -> reports.ReportRun:
    return reports.render(
        "lead_time",
        {"environment": "dev", "since": "14d", "as_of": "2026-03-23"},
        platform,
        timeout_seconds=300,
    )


def test_the_page_says_what_was_found_in_sentences(run):
    page = run.page.read_text()

    assert run.result["headline"].startswith("dev: ")
    assert run.result["headline"].rstrip(".").split(";")[0] in page
    assert "Traceback" not in page
    assert len(page) < 10_000_000
    assert page.count('class="figure-data"') == 6


def test_the_result_is_for_machines_and_says_what_it_is_about(run):
    result = json.loads(run.result_file.read_text())

    assert result["report"] == "lead_time"
    assert result["parameters"]["environment"] == "dev"
    assert list(result["environments"]) == list(result["keys"]) == ["dev"]
    assert result["keys"]["dev"]["deployment_frequency"]["count"] > 15
    delivered = result["environments"]["dev"]["duration"]
    assert delivered["n"] > 15
    assert delivered["definition"]["definition_id"] == "change_lead_time"


def test_parts_sum_to_the_whole(run):
    for means in run.result["environments"]["dev"]["stages"]:
        assert sum(means["seconds"].values()) == pytest.approx(means["total_seconds"])


def test_every_change_is_measured_or_left_out_for_a_reason(run):
    steps = run.result["not_measured"]

    assert sum(step["change_count"] for step in steps) == steps[0]["of_count"]
    assert steps[-1]["reason"] == "measured"
    assert steps[-1]["change_count"] == run.result["environments"]["dev"]["duration"]["n"]


def test_every_commit_that_a_table_links_has_its_story_on_the_page(run, platform):
    page = run.page.read_text()
    linked = set(re.findall(r'<td><a href="#(change-[0-9a-f]{12})">', page))
    steps = {
        f"change-{step['example_sha'][:12]}" for step in run.result["not_measured"] if step["example_sha"]
    }

    assert steps
    assert steps <= linked == set(re.findall(r'<div id="(change-[0-9a-f]{12})">', page))
    assert {f"change-{each['sha'][:12]}" for each in run.result["stories"]} == linked
    with gitopslab.open(platform.warehouse.path) as warehouse:
        until = warehouse.window("14d", "2026-03-23").until
        explained = warehouse.run(
            "change_links", sha=run.result["stories"][0]["sha"], environment="dev", as_of=until
        )
    for evidence in explained.table["evidence"].drop_null().to_pylist():
        assert f"<td>{evidence}</td>" in page


def test_of_many_changes_forty_are_told_and_each_list_has_its_turn(platform):
    with gitopslab.open(platform.warehouse.path) as warehouse:
        window = warehouse.window("14d", "2026-03-23")
        rows = warehouse.run(
            "changes_in_window", environment="", since=window.since, until=window.until, as_of=window.until
        )
        shas = list(dict.fromkeys(rows.arrow()["sha"].to_pylist()))
        told = stories.tell(warehouse, rows, shas, shas[:-4:-1], as_of=window.until)

    assert len(shas) > stories.MOST
    assert {change.sha for change in told.changes} == {*shas[: stories.MOST - 3], *shas[-3:]}


def test_the_same_lake_and_parameters_give_the_same_result(run, platform):
    again = reports.render(
        "lead_time",
        {"environment": "dev", "since": "14d", "as_of": "2026-03-23"},
        platform,
        timeout_seconds=300,
    )

    assert again.result == run.result


def test_the_numbers_are_those_of_the_rows(run, platform):
    """What the report says, counted by hand in SQL over the same window."""
    with gitopslab.open(platform.warehouse.path) as warehouse:
        [row] = warehouse.sql(
            """
            SELECT count(*) AS n, quantile_cont(epoch(healthy_at) - epoch(committed_at), 0.5) AS half
            FROM change_environments JOIN changes USING (repository, sha, service)
            WHERE environment = 'dev' AND healthy_at < '2026-03-23T00:00:00Z' AND NOT is_first_seen
            AND committed_at >= '2026-03-09T00:00:00Z' AND committed_at < '2026-03-23T00:00:00Z'
            """
        ).dicts()

    [said] = [
        each["duration"]
        for each in run.result["definitions"]
        if each["duration"]["definition"]["definition_id"] == "change_lead_time"
    ]
    assert (said["n"], said["quantiles"]["0.5"]["seconds"]) == (row["n"], row["half"])


def test_the_last_result_is_printed_for_people_and_for_machines(run, platform, monkeypatch):
    monkeypatch.chdir(platform.warehouse.path.parents[1])
    told = CliRunner().invoke(app, ["result", "lead_time"])
    printed = CliRunner().invoke(app, ["result", "lead_time", "--json"])

    assert told.exit_code == 0
    assert told.stdout.startswith(run.result["headline"])
    assert json.loads(printed.stdout) == json.loads(run.result_file.read_text())


def test_a_report_that_never_ran_has_no_result(platform):
    with pytest.raises(UsageError, match="no finished run of 'coverage'; `gitopslab report coverage` makes"):
        reports.latest(platform.reports.path, "coverage")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sinse": "28d"}, r"lead_time does not take sinse; it takes .*did you mean since\?"),
        ({"as_of": "tomorrow"}, r"lead_time: as_of='tomorrow' is not a time"),
        ({"seed": "seven"}, r"lead_time: seed='seven' is not a whole number"),
    ],
)
def test_a_wrong_parameter_is_refused_before_a_kernel_starts(platform, given, message):
    with pytest.raises(ParameterError, match=message):
        reports.render("lead_time", given, platform, timeout_seconds=300)


def test_an_environment_that_is_not_there_is_wrong_input(platform):
    with pytest.raises(UsageError, match=r"no environment 'prod'; there are: dev, hub, ryzen, staging"):
        reports.render("lead_time", {"environment": "prod"}, platform, timeout_seconds=300)


def test_the_bare_papermill_command_runs_it_too(platform, tmp_path):
    out = tmp_path / "out.ipynb"
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(queries.SHIPPED / "notebooks/lead_time.ipynb"),
        str(out),
        "-p",
        "environment",
        "dev",
        "-r",
        "as_of",
        "2026-03-23",
    ]
    done = subprocess.run(
        [*command, "--no-progress-bar"],
        cwd=platform.warehouse.path.parents[1],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    results = [
        output["data"]["application/vnd.gitopslab.result+json"]
        for cell in nbformat.read(out, 4).cells
        for output in cell.get("outputs", [])
        if "application/vnd.gitopslab.result+json" in output.get("data", {})
    ]
    assert results[0]["headline"].startswith("dev: ")


@needs_chromium
def test_a_browser_draws_its_figures(run, tmp_path):
    left = chromium.document(run.page.as_uri(), tmp_path, "window-size=1300,30000")

    assert left.count('class="main-svg"') >= 6


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs_and_thin(path):
    notebook = nbformat.read(path, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert not [cell for cell in code if cell.outputs or cell.execution_count]
    assert [("parameters" in cell.metadata.get("tags", [])) for cell in code].count(True) == 1
    assert not [cell for cell in code if "\ndef " in f"\n{cell.source}" or ".groupby(" in cell.source]
