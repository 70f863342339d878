import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from gitopslab import database, reports, settings
from gitopslab.errors import LakeError, ParameterError, ReportError, UsageError
from gitopslab.reports import folders, kernel
from gitopslab.reports.result import MIME, Result, plain
from gitopslab.settings import Settings
from gitopslab.window import Window

NOTEBOOKS = Path(__file__).parent / "notebooks"


@pytest.fixture
def configured(tmp_path) -> Settings:
    """Settings of a project that has a warehouse with nothing but its build in it."""
    file = tmp_path / "gitopslab.toml"
    file.write_text(
        '[warehouse]\npath = "w.duckdb"\n[privacy]\nemail_salt = "pepper"\n[[clusters]]\nname = "dev"\n'
    )
    connection = database.read_write(tmp_path / "w.duckdb")
    connection.execute(
        "CREATE TABLE build AS SELECT 'b1' AS build_id, TIMESTAMPTZ '2026-05-15 06:00:00+00' AS built_at"
    )
    connection.close()
    return settings.load(file)


def render(name, configured, given=(), **options):
    return reports.render(name, dict(given), configured, notebooks=NOTEBOOKS, **options)


def test_reports_are_the_notebooks_in_name_order():
    assert reports.names(NOTEBOOKS)[:2] == ["dies", "failing"]


def test_a_report_is_described_by_its_title_and_parameters():
    description = reports.describe("worked_example", NOTEBOOKS)

    assert description.title == "How long do changes wait?"
    assert [p.name for p in description.parameters][:3] == ["environment", "since", "as_of"]


@pytest.mark.parametrize("name", ["nope", "../tests/notebooks/failing", ""])
def test_an_unknown_report_is_refused_with_those_there_are(name, configured):
    with pytest.raises(UsageError, match=r"^no report .*; there are: dies, failing"):
        render(name, configured)


@pytest.mark.slow
def test_a_run_keeps_a_page_a_notebook_and_a_result(configured):
    progress = []

    run = render(
        "worked_example",
        configured,
        {"since": "7d"},
        progress=lambda done, total: progress.append((done, total)),
    )

    assert sorted(path.name for path in run.folder.iterdir()) == [
        "report.html",
        "result.json",
        "worked_example.ipynb",
    ]
    assert run.folder.parent == configured.reports.path / "worked_example"
    assert progress == [(cell, 9) for cell in range(1, 10)]
    assert json.loads(run.result_file.read_text()) == run.result
    assert run.result == {
        "build": "b1",
        "change_count": 3,
        "headline": "Half of 3 changes were healthy within 4 h 10 min.",
        "median_seconds": 15_000.0,
        "open_ratio": None,
        "parameters": {
            "as_of": "2026-05-15",
            "bootstrap_samples": 2000,
            "confidence": 0.95,
            "environment": "dev",
            "since": "7d",
            "with_open": True,
        },
        "report": "worked_example",
        "window": {"since": "2026-05-08T00:00:00Z", "until": "2026-05-15T00:00:00Z"},
    }


@pytest.mark.slow
def test_the_same_run_again_replaces_the_first_with_the_same_page_and_result(configured):
    first = render("whereabouts", configured)
    (first.folder / "stray").touch()
    page = first.page.read_bytes()

    second = render("whereabouts", configured)

    assert second.folder == first.folder
    assert len(list(second.folder.iterdir())) == 3
    assert second.page.read_bytes() == page
    assert [path.name for path in second.folder.parent.iterdir()] == [second.folder.name]


def test_a_kernel_runs_this_python_on_these_settings_in_a_folder_that_goes(configured, monkeypatch):
    monkeypatch.setenv("GITOPSLAB_WAREHOUSE__PATH", "/elsewhere.duckdb")

    found = render("whereabouts", configured).result

    assert found["python"] == sys.executable
    assert found["settings"]["warehouse"]["path"] == str(configured.warehouse.path)
    assert found["settings"]["clusters"][0]["name"] == "dev"
    assert found["settings"]["privacy"]["email_salt"] == ""
    assert Path(found["ipython"]).parent == Path(found["folder"]).parent
    assert not Path(found["folder"]).parent.exists()


def test_a_folder_for_sockets_is_private_and_short_whatever_the_temporary_folder(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))

    with kernel.private_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(f"{folder}/socket-5") < 104

    assert not folder.exists()


def test_settings_reach_the_kernel_whatever_their_strings_hold(tmp_path):
    odd = Settings(
        warehouse={"path": Path('/a "b" \\ {c}\x7f\n')},
        services=({"name": "é", "images": ("*/é",)},),
        repositories=({"name": "é", "url": "https://example.com/é.git"},),
    )

    environment = kernel._environment(tmp_path, odd)

    read = settings.load(Path(environment["GITOPSLAB_CONFIG"]))
    assert (read.warehouse.path, read.services, read.repositories) == (
        odd.warehouse.path,
        odd.services,
        odd.repositories,
    )


def test_an_unknown_parameter_is_refused_before_a_kernel_starts(configured, tmp_path):
    trace = tmp_path / "trace"

    with pytest.raises(
        ParameterError, match=r"leaves_trace does not take fill; it takes file \(did you mean file\?\)"
    ):
        render("leaves_trace", configured, {"file": str(trace), "fill": "x"})

    assert not trace.exists()
    assert not configured.reports.path.exists()


def test_without_a_warehouse_no_kernel_starts(tmp_path):
    bare = Settings(warehouse={"path": tmp_path / "none.duckdb"}, reports={"path": tmp_path / "reports"})

    with pytest.raises(LakeError, match="`gitopslab build` makes it"):
        render("leaves_trace", bare, {"file": str(tmp_path / "trace")})

    assert not (tmp_path / "trace").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("failing", r"cell \[3\]: ValueError: no rows for dev"),
        ("no_result", "displayed 0 results; a report displays one"),
        ("two_results", "displayed 2 results; a report displays one"),
        ("leaves", r"a cell left with sys\.exit; a report runs to its end"),
        ("dies", "its kernel ended: Kernel died"),
        ("sleeps", "a cell took longer than it may"),
    ],
)
def test_a_failed_run_says_why_and_keeps_its_notebook_and_no_page(name, reason, configured):
    with pytest.raises(ReportError, match=rf"^{name}: {reason}.*; the notebook is kept at ") as failure:
        render(name, configured, timeout_seconds=4 if name == "sleeps" else 60)

    kept = Path(str(failure.value).partition("kept at ")[2])
    assert kept.parent.name.endswith(".failed")
    assert {path.name for path in kept.parent.iterdir()} == {"failure.json", f"{name}.ipynb"}
    assert json.loads(kept.read_text())["cells"]
    assert [path.name for path in kept.parent.parent.iterdir()] == [kept.parent.name]


@pytest.mark.slow
def test_a_run_that_succeeds_at_last_takes_its_failure_away(configured):
    failed = folders.run_name({"environment": "dev"}, "b1") + folders.FAILED
    folders.publish(configured.reports.path / "whereabouts" / failed, {"failure.json": "{}"})

    run = render("whereabouts", configured)

    assert [path.name for path in run.folder.parent.iterdir()] == [run.folder.name]


@pytest.mark.slow
def test_a_flood_of_output_is_whole_in_the_notebook_and_cut_on_the_page(configured):
    run = render("flood", configured)

    printed = json.loads(run.notebook.read_text())["cells"][2]["outputs"][0]["text"]
    assert len(printed) == 200_000
    assert run.page.stat().st_size < 150_000
    assert "19,899,999 more characters are in the notebook" in run.page.read_text()


RENDER = """
import sys
from pathlib import Path
from gitopslab import reports, settings
configured = settings.load(Path(sys.argv[1]))
for environment in ("dev", sys.argv[3]):
    reports.render("whereabouts", {"environment": environment}, configured, notebooks=Path(sys.argv[2]))
    reports.write_index(configured.reports.path)
"""


@pytest.mark.slow
def test_eight_runs_in_four_processes_all_succeed(configured, tmp_path):
    arguments = [sys.executable, "-c", RENDER, str(tmp_path / "gitopslab.toml"), str(NOTEBOOKS)]
    running = [
        subprocess.Popen([*arguments, f"env-{number}"], stderr=subprocess.PIPE, text=True)
        for number in range(4)
    ]

    assert [process.communicate()[1] for process in running] == [""] * 4

    assert [process.returncode for process in running] == [0] * 4
    assert len(list((configured.reports.path / "whereabouts").iterdir())) == 5
    assert (configured.reports.path / "index.html").read_text().count("Here.") == 5


@pytest.mark.slow
def test_the_bare_papermill_command_runs_a_report_and_refuses_what_it_does_not_take(configured, tmp_path):
    out = tmp_path / "out.ipynb"
    command = [sys.executable, "-m", "papermill", str(NOTEBOOKS / "worked_example.ipynb"), str(out), "-r"]
    environment = os.environ | {"GITOPSLAB_CONFIG": str(tmp_path / "gitopslab.toml")}

    refused = subprocess.run(
        [*command, "sinse", "7d"], env=environment, capture_output=True, text=True, check=False
    )
    subprocess.run([*command, "since", "7d"], env=environment, capture_output=True, check=True)

    assert "this notebook does not take sinse; it takes as_of" in refused.stderr
    outputs = [output for cell in json.loads(out.read_text())["cells"] for output in cell.get("outputs", [])]
    results = [output["data"][MIME] for output in outputs if MIME in output.get("data", {})]
    assert results[0]["window"]["since"] == "2026-05-08T00:00:00Z"


@pytest.mark.parametrize("value", ["../../etc", "a/b", ".hidden", "\x00", "é" * 500, "", "~", "-rf", "a\nb"])
def test_a_run_is_kept_inside_its_folder_whatever_its_parameters_hold(value):
    name = folders.run_name({"environment": value}, "../b1")

    assert name.isascii()
    assert name.replace("-", "").replace("_", "").isalnum()
    assert name[0].isalnum()
    assert len(name) < 100


def test_runs_that_differ_in_a_value_or_build_are_kept_apart():
    asked = [
        ({"since": "7d"}, "b1"),
        ({"since": "7d"}, "b2"),
        ({"since": "7 d"}, "b1"),
        ({"since": "7/d"}, "b1"),
    ]

    assert len({folders.run_name(values, build) for values, build in asked}) == 4


def test_the_order_of_parameters_changes_the_readable_part_only():
    first, second = (folders.run_name(p, "b1") for p in ({"a": "x", "b": "y"}, {"b": "y", "a": "x"}))

    assert first.rpartition("-")[2] == second.rpartition("-")[2]


@dataclass(frozen=True)
class Median:
    seconds: float
    n: int


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (math.nan, None),
        (math.inf, None),
        (Decimal("1.10"), "1.10"),
        (Decimal("NaN"), None),
        (datetime(2026, 5, 1, 12, tzinfo=UTC), "2026-05-01T12:00:00Z"),
        (datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))), "2026-05-01T10:00:00Z"),
        (date(2026, 5, 1), "2026-05-01"),
        (Median(2.5, 3), {"seconds": 2.5, "n": 3}),
        ({1: (True, None)}, {"1": [True, None]}),
    ],
)
def test_a_value_is_kept_as_json_holds_it(value, kept):
    assert plain(value) == kept


def test_numbers_of_numpy_and_pandas_are_numbers():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"n": [1, 2], "ratio": [0.5, math.nan], "at": [pandas.Timestamp(0, tz="UTC"), pandas.NaT]}
    )

    assert plain({"n": frame.n.sum(), "is_all": frame.n.all(), "ratio": frame.ratio, "at": frame["at"]}) == {
        "n": 3,
        "is_all": True,
        "ratio": [0.5, None],
        "at": ["1970-01-01T00:00:00Z", None],
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (datetime(2026, 5, 1), r"result\.at: 2026-05-01 00:00:00 has no time zone"),  # noqa: DTZ001 - the point
        ({1, 2}, r"result\.at: a set cannot be kept"),
        (b"", r"result\.at: a bytes cannot be kept"),
        ([timedelta(1)], r"result\.at\[0\]: a timedelta cannot be kept"),
    ],
)
def test_a_value_that_would_have_to_be_guessed_is_refused(value, message):
    with pytest.raises(ReportError, match=message):
        Result("Found.", at=value)


def test_a_result_takes_no_name_that_the_runner_adds():
    with pytest.raises(ReportError, match=r"^result: build, report is added when the report runs"):
        Result("Found.", build="b1", report="x")


def test_a_result_shows_people_its_headline():
    result = Result("Found.", Window.parse("2026-05-01", "2026-05-15"), n=3)

    assert repr(result) == "Found."
    assert result._repr_mimebundle_(include=None, exclude=None) == {
        "text/plain": "Found.",
        MIME: {
            "headline": "Found.",
            "window": {"since": "2026-05-01T00:00:00Z", "until": "2026-05-15T00:00:00Z"},
            "n": 3,
        },
    }


def test_importing_reports_imports_nothing_heavy():
    heavy = {"bleach", "duckdb", "papermill", "plotly", "pyarrow"}
    script = f"import sys, gitopslab.reports; print({heavy} & set(sys.modules))"

    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "set()\n"
