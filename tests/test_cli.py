"""The command as people call it: what it prints, and what it ends with."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from gitopslab import cli

APPLICATION = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "=app", "namespace": "argocd", "uid": "u", "resourceVersion": "1"},
    "spec": {"project": "default"},
    "status": {"history": [{"id": 3, "revision": "abc", "deployedAt": "2026-05-01T12:00:00Z"}]},
}


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(project: Path, capsys, monkeypatch) -> Callable[..., Ended]:
    def call(*arguments: str, stdin: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["gitopslab", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            sys.exit(cli.main())
        out, err = capsys.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return call


@pytest.fixture
def landed(project: Path, run) -> Path:
    """A project with one Application landed and built."""
    (project / "app.json").write_text(json.dumps(APPLICATION))
    assert run("land", "files", "app.json", "--cluster", "dev").code == 0
    assert run("build").code == 0
    return project


def test_help_is_quick_because_nothing_heavy_is_imported():
    heavy = {
        "duckdb",
        "pandas",
        "polars",
        "pyarrow",
        "plotly",
        "papermill",
        "kubernetes",
        "pydantic",
        "sqlglot",
    }
    code = f"import sys, gitopslab.cli; print(sorted({heavy} & set(sys.modules)))"

    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        ["init"],
        ["doctor"],
        ["land", "files"],
        ["build"],
        ["tables"],
        ["sql"],
        ["report"],
        ["check", "schema"],
    ],
)
def test_every_command_has_help_with_an_example(run, command):
    ended = run(*command, "--help")

    assert ended.code == 0
    assert "Example" in ended.out


def test_the_way_from_a_file_to_an_answer(landed, run):
    answer = run("sql", "SELECT application, sync_id, deployed_at FROM syncs", "--form", "json")

    assert json.loads(answer.out) == [
        {"application": "=app", "sync_id": 3, "deployed_at": "2026-05-01T12:00:00Z"}
    ]


def test_landing_says_what_came_of_it(project, run):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "c2VjcmV0"}}
    (project / "x.ndjson").write_text("\n".join([json.dumps(APPLICATION), "{broken", json.dumps(secret)]))
    ended = run("land", "files", "x.ndjson", "--cluster", "dev")

    assert (
        "1 object versions landed, 1 pieces rejected (see the table `reject`), 1 Secrets refused" in ended.out
    )
    assert "c2VjcmV0" not in ended.out + ended.err
    assert "1 files read before" in run("land", "files", "x.ndjson", "--cluster", "dev").out


def test_rejects_above_the_limit_end_with_1(project, run):
    good = json.dumps(APPLICATION)
    (project / "x.ndjson").write_text(f"{good}\n{{broken\n{{broken too\n")
    assert run("land", "files", "x.ndjson", "-c", "dev", "--max-rejects", "2").code == 0
    (project / "y.ndjson").write_text(f"{good}\n{{broken\n{{broken too\n{{three\n")
    ended = run("land", "files", "y.ndjson", "-c", "dev", "--max-rejects", "2")
    assert ended.code == 1
    assert ended.err == "gitopslab: 3 pieces could not be read, and the limit is 2\n"


def test_that_nothing_could_be_read_is_no_success(project, run):
    (project / "x.ndjson").write_text("{broken\n")
    ended = run("land", "files", "x.ndjson", "-c", "dev")

    assert ended.code == 1
    assert "nothing could be read; the table `reject` holds 1 pieces and why" in ended.err


def test_a_dry_run_reads_nothing(project, run):
    (project / "app.json").write_text(json.dumps(APPLICATION))
    (project / "notes.txt").write_text("")
    ended = run("land", "files", ".", "-c", "dev", "--dry-run")

    assert "would read app.json" in ended.out
    assert "passed over: 1 .txt" in ended.err
    assert not (project / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["land", "files", "none.json", "-c", "dev"], "none.json: there is no such file or folder"),
        (
            ["land", "files", "."],
            "say which cluster the objects are of: --cluster NAME; configured are: hub, dev",
        ),
        (
            ["land", "files", ".", "-c", "dev", "--observed-at", "noon"],
            "'noon' is not a time; write 2026-05-01",
        ),
        (["land", "files", ".", "-c", "dev", "--kind", "TaskRun"], "--kind 'TaskRun': write apiVersion/kind"),
        (["land", "files", "data", "-c", "dev"], "no JSON or YAML file in data"),
        (["build"], "the lake is empty; `gitopslab land files PATH` puts objects into it"),
        (["sql", "SELECT 1"], "no warehouse there; `gitopslab build` makes it from the lake"),
        (["tables"], "no warehouse there"),
        (["report", "nope"], "no report 'nope'"),
        (["check", "schema"], "the lake is empty"),
    ],
)
def test_wrong_usage_is_one_line_and_ends_with_2(project, run, arguments, message):
    (project / "data").mkdir()
    ended = run(*arguments)

    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1


def test_a_wrong_question_shows_what_the_database_says(landed, run):
    ended = run("sql", "SELECT nope FROM syncs")

    assert ended.code == 2
    assert 'Referenced column "nope" not found' in ended.err


def test_a_question_may_come_from_standard_input(landed, run):
    assert "1" in run("sql", "-", stdin="SELECT count(*) AS n FROM syncs").out


def test_csv_holds_no_formula(landed, run):
    answer = run("sql", "SELECT application FROM syncs", "-f", "csv").out

    assert list(csv.reader(io.StringIO(answer))) == [["application"], ["'=app"]]


def test_a_table_shows_control_characters_and_does_not_obey_them(landed, run):
    assert r"\x1b[2J" in run("sql", "SELECT chr(27) || '[2J' AS clear").out


def test_tables_say_what_a_row_is(landed, run):
    assert "Syncs: one row a complete, successful sync" in run("tables").out
    one = run("tables", "syncs").out
    assert "1 rows, unique by cluster_uid, uid, sync_id, deployed_at" in one
    assert "A sync deploys (`is_deployment`) when" in one
    assert run("tables", "sincs").code == 2


def test_init_writes_a_file_once(tmp_path, run):
    where = tmp_path / "new"

    assert run("init", str(where)).code == 0
    assert (where / "gitopslab.toml").read_text() == run("init", "--print").out
    ended = run("init", str(where))
    assert ended.code == 2
    assert "is there already; --force replaces it" in ended.err
    assert run("init", str(where), "--force", "--example").code == 0


def test_doctor_says_what_is_missing(run):
    ended = run("doctor")

    assert ended.code == 0
    assert "gitopslab build" in ended.out
    assert "no context: its objects come from files" in ended.out


def test_a_cluster_that_cannot_be_reached_ends_with_3(project, run, monkeypatch):
    kubeconfig = project / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "clusters": [{"name": "dev", "cluster": {"server": "http://127.0.0.1:9"}}],
                "users": [{"name": "me", "user": {"token": "planted-token"}}],
                "contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "me"}}],
            }
        )
    )
    (project / "gitopslab.toml").write_text('[[clusters]]\nname = "dev"\ncontext = "dev"\n')
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    ended = run("doctor")

    assert ended.code == 3
    assert "no answer from the API server" in " ".join(ended.out.split())
    assert "planted-token" not in ended.out + ended.err


def test_drift_is_a_report_and_not_a_gate(landed, run):
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "applications.argoproj.io"},
        "spec": {
            "group": "argoproj.io",
            "names": {"kind": "Application", "plural": "applications"},
            "versions": [
                {
                    "name": "v1alpha1",
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {"type": "object", "properties": {"project": {"type": "string"}}}
                            },
                        }
                    },
                }
            ],
        },
    }
    (landed / "crd.json").write_text(json.dumps(crd))
    ended = run("check", "schema", "--crds", "crd.json")

    assert ended.code == 0
    assert "unknown_field" in ended.out
    assert run("check", "schema", "--crds", "crd.json", "--max-findings", "0").code == 1
    assert run("land", "files", "crd.json", "-c", "dev").code == 0
    assert json.loads(run("check", "schema", "-f", "json").out)[0]["problem"] == "unknown_field"


def test_the_version_is_printed(run):
    assert run("--version").out.startswith("gitopslab ")
