"""A secret that is met on the way is in nothing that gitopslab writes: no file, no message, no log.

Each source is planted with secrets: those that open it, and those that lie in what it holds. Every command
runs where all is well, and where its source refuses, is silent or repeats what it was told. Then each secret
is looked for, as it is, encoded and in base64, in every file, every value of the lake and the warehouse, and
all that was printed. The packed objects of a mirror are git's own copy, and only what is beside them is read.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gitopslab import database, datasets
from gitopslab.datasets import git, inventory, postgres, prometheus
from gitopslab.lake import Lake
from tests import planted_sources as planted
from tests import postgres_server
from tests.apiserver.server import ApiServer
from tests.apiserver.store import Store
from tests.httpserver import serve
from tests.planted import Secret, everything_below, found, secret

SALT = secret("the salt of e-mail addresses")
BYSTANDER = secret("a variable of the environment that is none of ours")
SECRETS = [SALT, BYSTANDER, *(value for value in vars(planted).values() if isinstance(value, Secret))]

Tables = dict[str, list[dict[str, Any]]]


class Command(NamedTuple):
    """A command to run: what is typed, the tables of its settings, its exit code, words that it says."""

    typed: tuple[str, ...]
    tables: Tables
    code: int = 0
    words: str = ""


class Ran(NamedTuple):
    """A command that ended, and all that it printed."""

    command: Command
    code: int
    printed: str


class Project:
    """A folder in which gitopslab runs; what it is given lies in another."""

    def __init__(self, folder: Path) -> None:
        self.given, self.written = folder / "given", folder / "written"
        for each in (self.given / "files", self.written / "home", self.written / "tmp"):
            each.mkdir(parents=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GITOPSLAB_")},
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "HOME": str(self.written / "home"),
            "TMPDIR": str(self.written / "tmp"),
            "KUBECONFIG": str(self.given / "kubeconfig"),
            "GITOPSLAB_PRIVACY__EMAIL_SALT": SALT.text,
            "AWS_SECRET_ACCESS_KEY": BYSTANDER.text,
            "GIT_TRACE_CURL": "1",
        }

    def run(self, command: Command) -> Ran:
        file = self.given / f"{hash(str(command))}.toml"
        file.write_text(self._settings(command.tables))
        done = subprocess.run(
            [sys.executable, "-m", "gitopslab", *command.typed],
            cwd=self.written,
            env={**self.environment, "GITOPSLAB_CONFIG": str(file)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ran(command, done.returncode, done.stdout + done.stderr)

    def landed(self, dataset: datasets.Dataset, column: str) -> list[str]:
        lake = Lake(str(self.written / "data" / "lake"))
        return [value for table in lake.read(dataset, [column]) for value in table[column].to_pylist()]

    def _settings(self, tables: Tables) -> str:
        places = {
            "lake": "data/lake",
            "warehouse": "data/gitopslab.duckdb",
            "reports": "reports",
            "git": "data/git",
        }
        lines = [f'[{name}]\npath = "{self.written / path}"' for name, path in places.items()]
        for name, rows in tables.items():
            for row in rows:
                lines += [f"[[{name}]]", *(f"{key} = {json.dumps(value)}" for key, value in row.items())]
        return "\n".join(lines)


def what_succeeds(given: Path, http: str, host: str) -> list[Command]:
    """Return every command that reads or writes, in an order that makes sense."""
    token = {"token_variable": "HTTP_TOKEN"}
    stacks = {"name": "stacks", "role": "config", "url": f"{host}/stacks.git", "token_variable": "GIT_TOKEN"}
    tables: Tables = {
        "clusters": [{"name": "dev", "context": "dev"}, {"name": "plugin", "context": "plugin"}],
        "repositories": [stacks],
        "databases": [{"name": "plane", "dsn_variable": "PLANE_DSN"}],
        "inventories": [{"name": "hub", "url": f"{http}/inventory", **token}],
        "prometheus": [{"name": "dev", "cluster": "dev", "url": http, "selectors": ["pending"], **token}],
        "tekton_results": [{"cluster": "dev", "url": http, **token}],
    }
    files = given / "files"
    typed = [
        ("doctor",),
        ("watch", "--once-synced", "--duration", "30"),
        *(("extract", name) for name in ("kubernetes", "postgres", "git", "tekton-results", "inventory")),
        ("extract", "prometheus", "--since", "1h"),
        *(("extract", name, "--dry-run") for name in ("kubernetes", "postgres", "git", "inventory")),
        ("land", "inventory", str(files / "fetched.ndjson"), "--name", "hub"),
        ("land", "metrics", str(files / "dev.openmetrics"), "--cluster", "dev"),
        ("build",),
        ("coverage",),
        ("coverage", "--json"),
        ("report", "coverage"),
        ("sql", "FROM reject"),
        ("tables",),
        ("doctor",),
    ]
    commands = [Command(each, tables) for each in typed]
    # Nothing in these files can be read, and a Secret is refused.
    commands.insert(12, Command(("land", "files", str(files), "--cluster", "dev"), tables, 1))
    return commands


def what_fails(http: str, host: str) -> list[Command]:
    """Return commands whose sources refuse, are silent, or repeat what they were told."""
    contexts = ("wrong", "gone", "untrusted", "password", "key", "failing", "babbling")
    clusters: Tables = {"clusters": [{"name": name, "context": name} for name in contexts]}
    variables = ("WRONG_DSN", "DSN_OF_NOBODY", "DSN_OF_NO_DATABASE", "NO_DSN", "DSN_OF_AN_ODD_PORT")
    databases: Tables = {"databases": [{"name": name, "dsn_variable": name} for name in variables]}
    refused = {"name": "a", "url": f"{host}/stacks.git", "token_variable": "WRONG_GIT_TOKEN"}
    nowhere = {"name": "b", "url": "http://127.0.0.1:9/x.git", "token_variable": "GIT_TOKEN"}
    told = {"name": "c", "url": f"https://robot:{planted.URL_TOKEN.text}@example.com/x.git"}
    commands = [
        Command(("extract", "kubernetes"), clusters, 3, "7 things could not be read"),
        Command(("watch", "--duration", "2"), clusters),
        Command(("doctor",), clusters, 3),
        Command(("extract", "postgres"), databases, 3, "5 of 5 sources could not be read"),
        Command(("extract", "git"), {"repositories": [refused, nowhere]}, 3, "2 of 2 sources"),
        Command(("extract", "git", "--dry-run"), {"repositories": [told]}, 2, "out of the URL"),
    ]
    for name, table, key in (
        ("inventory", "inventories", "name"),
        ("prometheus", "prometheus", "name"),
        ("tekton-results", "tekton_results", "cluster"),
    ):
        typed = ("extract", name)
        wrong = {key: "a", "url": http, "token_variable": "WRONG_HTTP_TOKEN"}
        echo = {key: "b", "url": f"{http}/echo", "token_variable": "HTTP_TOKEN"}
        words = {key: "c", "url": http, "token_variable": "SEVERAL_WORDS"}
        told = {key: "d", "url": f"http://robot:{planted.URL_TOKEN.text}@127.0.0.1:9"}
        commands += [
            Command(typed, {table: [wrong, echo]}, 3, "2 of 2 sources could not be read"),
            Command(typed, {table: [words]}, 2, "SEVERAL_WORDS holds no token"),
            Command((*typed, "--dry-run"), {table: [told]}, 2, "out of the URL"),
        ]
    return commands


@pytest.fixture(scope="module")
def project(tmp_path_factory: Any) -> Project:
    return Project(tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="module")
def ran(project: Project) -> Iterator[list[Ran]]:
    """Run everything, once with success and once, some at a time, without."""
    if missing := [name for name in ("git", "openssl") if not shutil.which(name)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    given = project.given
    planted.write_files(given / "files")
    origin = planted.repository(given / "origin")
    gone = ApiServer(Store(), token=planted.BEARER.text).start()
    gone.stop()
    with (
        ApiServer(planted.objects(), token=planted.BEARER.text, tls_folder=given) as dev,
        ApiServer(planted.objects(), token=planted.PLUGIN_BEARER.text) as plugin,
        postgres_server.running() as database_server,
        serve(planted.http_answer) as http,
        serve(planted.git_answer(origin)) as host,
        ThreadPoolExecutor(4) as some,
    ):
        planted.write_kubeconfig(given / "kubeconfig", dev, plugin, gone)
        planted.fill(database_server, given)
        project.environment |= variables(str(database_server.folder))
        well = [project.run(command) for command in what_succeeds(given, http.url, host.url)]
        yield well + list(some.map(project.run, what_fails(http.url, host.url)))


def variables(host: str) -> dict[str, str]:
    password, wrong = planted.DSN_PASSWORD.text, planted.WRONG_DSN_PASSWORD.text
    return {
        "HTTP_TOKEN": planted.HTTP_TOKEN.text,
        "WRONG_HTTP_TOKEN": planted.WRONG_HTTP_TOKEN.text,
        "SEVERAL_WORDS": f"token {planted.WRONG_HTTP_TOKEN.text} and more",
        "GIT_TOKEN": planted.GIT_TOKEN.text,
        "WRONG_GIT_TOKEN": planted.WRONG_GIT_TOKEN.text,
        "PLANE_DSN": f"host={host} dbname=plane user=robot password={password}",
        "WRONG_DSN": f"postgresql://robot:{quote(wrong, safe='')}@/plane?host={host}",
        "DSN_OF_NOBODY": f"postgresql://robot:{quote(password, safe='')}@127.0.0.1:9/plane",
        "DSN_OF_NO_DATABASE": f"host={host} dbname=none user=robot password={password}",
        "NO_DSN": f"robot and {password}",
        "DSN_OF_AN_ODD_PORT": f"postgresql://robot:{password}@host:port/plane",
    }


@pytest.mark.parametrize("wrapped", ["{}", "?a=1&password={}", "x{}", "xy{}", "<b>{}</b>"])
def test_a_secret_is_found_in_text_base64_parquet_and_tables(tmp_path, wrapped):
    one = secret("one")
    text = wrapped.format(one.text)
    (tmp_path / "a.txt").write_text(quote(text))
    (tmp_path / "b.txt").write_bytes(base64.b64encode(text.encode()))
    pq.write_table(pa.table({"a": ["other", text]}), tmp_path / "c.parquet", compression="zstd")
    with database.read_write(tmp_path / "d.duckdb") as connection:
        connection.execute("CREATE TABLE warehouse.t AS SELECT $text AS a", {"text": text})
        connection.execute("CHECKPOINT warehouse")

    where = "\n".join(found([one], everything_below(tmp_path)))

    for place in ("a.txt", "b.txt", "values of", "table t of"):
        assert place in where


@pytest.mark.slow
def test_every_command_ends_as_it_should(ran):
    for command, code, printed in ran:
        assert (code, command.words in printed) == (command.code, True), (command.typed, printed)


@pytest.mark.slow
def test_what_lies_in_every_source_landed_with_its_secrets_hidden(ran, project):
    hidden = {
        datasets.OBJECT_VERSIONS: "body",
        datasets.REJECTS: "excerpt",
        git.COMMITS: "subject",
        git.NOTES: "note",
        git.PINS: "image_name",
        git.REFERENCES: "reference_repository_url",
        inventory.INVENTORY_SNAPSHOTS: "body",
        inventory.INVENTORY_LIVE_IMAGES: "image",
        postgres.BENCHMARK_RUNS: "summary",
        postgres.GITOPS_ACTIVITY_EVENTS: "message",
        prometheus.METRIC_SAMPLES: "labels",
    }

    for dataset, column in hidden.items():
        assert "[redacted]" in str(project.landed(dataset, column)), dataset.name
    assert {"dev", "plugin"} == set(project.landed(datasets.OBJECT_VERSIONS, "cluster"))


@pytest.mark.slow
def test_no_secret_is_printed(ran):
    assert found(SECRETS, ((" ".join(e.command.typed), e.printed.encode()) for e in ran)) == []


@pytest.mark.slow
def test_no_secret_is_in_a_file(ran, project):
    assert found(SECRETS, everything_below(project.written)) == []
