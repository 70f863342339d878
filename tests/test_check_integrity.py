"""Integrity checks: what they find is counted, named and above a limit; what they do not find is said too."""

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from gitopslab import queries
from gitopslab.checks.integrity import ALWAYS, Finding, examine
from gitopslab.cli import app
from gitopslab.datasets import OBJECT_VERSIONS
from gitopslab.errors import FindingsError, UsageError
from gitopslab.lake import Lake
from gitopslab.warehouse import Warehouse, build
from gitopslab.window import Window

from .conftest import lake_row, project_settings

OF_A_WINDOW = [query for query in queries.room("checks") if query.params]


@pytest.fixture(scope="module")
def configured(tmp_path_factory):
    """A project with one Application, whose third sync ended ten seconds before it began."""
    ended = ("2026-05-01T12:00:00Z", "2026-05-01T12:05:00Z", "2026-05-01T12:10:00Z")
    began = ("2026-05-01T11:59:00Z", "2026-05-01T12:04:00Z", "2026-05-01T12:10:10Z")
    history = [
        {"id": number, "revision": f"{number}" * 40, "deployStartedAt": start, "deployedAt": end}
        for number, (start, end) in enumerate(zip(began, ended, strict=True))
    ]
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "argocd", "uid": "u", "resourceVersion": "1"},
        "status": {"history": history},
    }
    settings = project_settings(tmp_path_factory.mktemp("project"))
    Lake(settings.lake.path).append(OBJECT_VERSIONS, [lake_row(application)], "run")
    build(settings)
    return settings


@pytest.fixture
def warehouse(configured):
    with Warehouse(configured.warehouse.path) as opened:
        yield opened


def test_a_finding_says_which_check_where_what_and_when(warehouse):
    found = examine(warehouse, names=["negative_durations"])

    assert found.findings == (
        Finding(
            "negative_durations",
            "dev",
            "web",
            "dev/argocd/web u sync 2",
            datetime(2026, 5, 1, 12, 10, tzinfo=UTC),
            "it ended 10.0 s before it began",
        ),
    )
    assert str(found) == "1 of 1 integrity checks found wrong rows: 1 negative durations."


def test_what_happened_outside_the_window_is_not_found(warehouse):
    april = Window(datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))

    assert examine(warehouse, april, ["negative_durations"]).findings == ()


def test_a_check_without_findings_stands_in_the_table_too(warehouse):
    table = examine(warehouse, ALWAYS, ["healthy_before_sync", "negative_durations"]).table()

    assert [row[:2] for row in table.rows] == [("Healthy before sync", 0), ("Negative durations", 1)]
    assert table.rows[1][2] == "web dev, dev/argocd/web u sync 2: it ended 10.0 s before it began"


def test_a_check_of_any_shape_gives_findings(warehouse):
    assert {check.name for check in examine(warehouse).checks} == {q.name for q in queries.room("checks")}


@pytest.mark.parametrize("query", OF_A_WINDOW, ids=lambda query: query.name)
def test_a_check_of_a_window_says_itself_what_is_wrong(warehouse, query):
    rows = warehouse.run(query.name, since=ALWAYS.since, until=ALWAYS.until)

    assert {"environment", "service", "subject", "found_at", "message"} <= set(rows.columns)


def test_an_unknown_check_lists_the_known(warehouse):
    with pytest.raises(UsageError, match=r"no check stages; there are: .*stages_out_of_order"):
        examine(warehouse, names=["stages"])


def test_more_findings_than_the_limit_end_with_exit_code_1(configured, monkeypatch):
    monkeypatch.chdir(configured.warehouse.path.parents[1])
    command = ["check", "integrity", "negative_durations", "--form", "json"]

    within = CliRunner().invoke(app, [*command, "--max-findings", "1"])
    above = CliRunner().invoke(app, [*command, "--max-findings", "0"])

    assert within.exit_code == 0
    assert [row["check"] for row in json.loads(within.stdout)] == ["negative_durations"]
    assert isinstance(above.exception, FindingsError)
    assert above.exception.exit_code == 1
