"""What goes wrong with a database is one line and exit code 3, damages nothing, and tells no secret."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gitopslab import cli
from gitopslab.datasets import Dataset
from gitopslab.datasets import postgres as datasets
from gitopslab.lake import Lake
from gitopslab.world.emit.postgres import PostgresDump
from tests import postgres_server
from tests.postgres_server import READER_PASSWORD, PostgresServer

TOKEN = "ghp_" + "a1B2" * 9
SETTINGS = """
[[databases]]
name = "benchmark"
dsn_variable = "BENCHMARK_DATABASE_URL"

[[databases]]
name = "other"
dsn_variable = "OTHER_DATABASE_URL"
"""
ROWS = """
    INSERT INTO benchmark_suites (id, slug, name, dataset_name) VALUES ('s', 'lite', 'Lite', 'x/lite');
    INSERT INTO benchmark_runs (id, project_id, user_id, suite_id, agent_id, model_name_or_path)
    VALUES ('r', 'p', 'u', 's', 'a', 'm');
    INSERT INTO benchmark_resource_leases (id, run_id, resource_type, holder_id, acquired_at, heartbeat_at,
        expires_at)
    SELECT 'lease ' || n, 'r', 'inference_slot', n, now(), now(), now() FROM generate_series(1, 5000) AS n;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server.running() as server:
        yield server


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Case:
    """A project with a database of its own, in which one run, its suite and 5,000 leases are."""

    def __init__(self, folder: Path, server: PostgresServer, name: str, call: Callable[..., Ended]) -> None:
        self.folder, self.server, self.name, self.extract = folder, server, name, call

    def sql(self, statements: str) -> str:
        return self.server.run("-c", statements, database=self.name)

    def landed(self, dataset: Dataset) -> int:
        lake = Lake(str(self.folder / "data/lake"))
        return sum(len(table) for table in lake.read(dataset, ["database"]))

    def files_with(self, text: str) -> list[Path]:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return [path for path in files if text.encode() in path.read_bytes()]


@pytest.fixture
def case(project: Path, server: PostgresServer, capsys: Any, monkeypatch: Any) -> Case:
    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["gitopslab", "extract", "postgres", *(arguments or ("benchmark",))])
        with pytest.raises(SystemExit) as ended:
            sys.exit(cli.main())
        out, err = capsys.readouterr()
        assert READER_PASSWORD not in out + err
        assert TOKEN not in out + err
        return Ended(int(ended.value.code or 0), out, err)

    (project / "gitopslab.toml").write_text(SETTINGS)
    PostgresDump(project / "dump.sql").close()
    name = f"case_{project.name}"[:60].lower()
    server.run("-c", f'CREATE DATABASE "{name}"', database="postgres")
    server.run("-f", str(project / "dump.sql"), database=name)
    server.run("-c", f"{ROWS}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database=name)
    monkeypatch.setenv("BENCHMARK_DATABASE_URL", server.dsn(name))
    return Case(project, server, name, call)


def test_a_wrong_password_is_one_line_that_names_the_variable(case, monkeypatch):
    monkeypatch.setenv("BENCHMARK_DATABASE_URL", case.server.dsn(case.name, password=f"{TOKEN}x"))
    ended = case.extract()

    assert ended.code == 3
    assert ended.err.splitlines() == [
        (
            "gitopslab: benchmark: the password or the role was refused; see the connection string in"
            " $BENCHMARK_DATABASE_URL"
        ),
        "gitopslab: 1 of 1 sources could not be read",
    ]
    assert case.files_with(TOKEN) == []


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://reader:{TOKEN}@127.0.0.1:1/x",
        f"postgresql://reader:#{TOKEN}@nowhere.invalid/x",
        f"{TOKEN} no connection string",
        f"postgresql://reader@127.0.0.1:1/x?{TOKEN}=1",
        f"postgresql://reader@127.0.0.1:{TOKEN}/x",
    ],
)
def test_nobody_at_the_address_is_one_line_without_the_address(case, monkeypatch, dsn):
    monkeypatch.setenv("BENCHMARK_DATABASE_URL", dsn)
    ended = case.extract()

    assert ended.code == 3
    assert ended.err.startswith(
        "gitopslab: benchmark: nobody answers as Postgres at the address in $BENCHMARK_"
    )
    assert case.files_with(TOKEN) == []


def test_a_variable_that_is_not_set_is_wrong_usage(case, monkeypatch):
    monkeypatch.delenv("BENCHMARK_DATABASE_URL")
    ended = case.extract()

    assert ended.code == 2
    assert "BENCHMARK_DATABASE_URL is not set" in ended.err


def test_one_database_that_is_not_there_keeps_no_other_from_landing(case, monkeypatch):
    monkeypatch.setenv("OTHER_DATABASE_URL", case.server.dsn("no_such_database"))
    ended = case.extract("other", "benchmark")

    assert ended.code == 3
    assert "gitopslab: other: there is no such database; see the connection string" in ended.err
    assert case.landed(datasets.BENCHMARK_RESOURCE_LEASES) == 5000


def test_a_table_that_was_there_and_is_gone_is_an_error_and_no_deletion(case):
    assert case.extract().code == 0
    case.sql("DROP TABLE benchmark_resource_leases; UPDATE benchmark_runs SET status = 'failed'")
    ended = case.extract()

    assert ended.code == 3
    assert "benchmark: benchmark_resource_leases: the table is not there any more" in ended.err
    assert case.landed(datasets.BENCHMARK_RESOURCE_LEASES) == 5000
    assert case.landed(datasets.BENCHMARK_RUNS) == 2


def test_a_database_without_any_of_the_tables_says_what_was_looked_for(case, monkeypatch):
    monkeypatch.setenv("BENCHMARK_DATABASE_URL", case.server.dsn("postgres"))
    ended = case.extract()

    assert ended.code == 3
    assert "has no table of the benchmark plane and no gitops_activity_events" in ended.err


def test_a_column_of_another_type_is_named_with_both_types_and_the_rest_lands(case):
    case.sql("ALTER TABLE benchmark_runs ALTER timeout_seconds TYPE text")
    ended = case.extract()

    assert ended.code == 3
    assert (
        "gitopslab: benchmark: benchmark_runs.timeout_seconds: its type is text, and should be integer\n"
        in ended.err
    )
    assert case.landed(datasets.BENCHMARK_RUNS) == 0
    assert case.landed(datasets.BENCHMARK_RESOURCE_LEASES) == 5000


def test_a_table_that_the_role_may_not_read_names_the_grant_and_the_rest_lands(case):
    case.sql("REVOKE SELECT ON benchmark_runs FROM reader; GRANT UPDATE ON benchmark_runs TO reader")
    ended = case.extract()

    assert ended.code == 3
    assert "GRANT SELECT ON benchmark_runs" in ended.err
    assert case.landed(datasets.BENCHMARK_RESOURCE_LEASES) == 5000


def test_rows_that_a_policy_hides_are_an_error_and_not_a_smaller_table(case):
    case.sql("ALTER TABLE benchmark_runs ENABLE ROW LEVEL SECURITY")
    ended = case.extract()

    assert ended.code == 3
    assert "row-level security" in ended.err
    assert case.landed(datasets.BENCHMARK_RUNS) == 0


@pytest.mark.parametrize("byte_count", [1_000, 200_000])
def test_a_wire_that_breaks_is_one_line_and_the_next_run_ends_what_was_begun(case, monkeypatch, byte_count):
    with case.server.cut_wire(case.name, asked='"benchmark_resource_leases"', byte_count=byte_count) as dsn:
        monkeypatch.setenv("BENCHMARK_DATABASE_URL", dsn)
        ended = case.extract()
    assert ended.code == 3
    assert "what landed is whole, and the next run goes on from it" in ended.err.splitlines()[0]
    assert len(ended.err.splitlines()) == 2

    monkeypatch.setenv("BENCHMARK_DATABASE_URL", case.server.dsn(case.name))
    assert case.extract().code == 0
    assert case.landed(datasets.BENCHMARK_RESOURCE_LEASES) == 5000
    assert case.landed(datasets.BENCHMARK_RUNS) == 1


def test_a_secret_in_a_row_is_in_no_file(case):
    case.sql(
        f"""
        ALTER TABLE benchmark_runs ADD api_key text DEFAULT 'plain-but-named';
        ALTER TABLE benchmark_runs ADD remark text DEFAULT '{TOKEN}';
        UPDATE benchmark_runs SET error = 'git clone https://me:{TOKEN}@host/x', status = '{TOKEN}',
            summary = '{{"password": "named-in-json", "by": "ada@lovelace.example", "log": "{TOKEN}"}}';
        """
    )
    assert case.extract().code == 0

    assert case.landed(datasets.BENCHMARK_RUNS) == 1
    lake = Lake(str(case.folder / "data/lake"))
    columns = ["error", "status", "summary", "other_columns"]
    text = str([table.to_pylist() for table in lake.read(datasets.BENCHMARK_RUNS, columns)])
    for secret in (TOKEN, "plain-but-named", "named-in-json", "ada@lovelace.example", READER_PASSWORD):
        assert secret not in text
        assert case.files_with(secret) == []


def test_a_dry_run_lands_nothing(case):
    ended = case.extract("benchmark", "--dry-run")

    assert ended.code == 0
    assert "benchmark_resource_leases" in ended.out
    assert not (case.folder / "data").exists()


def test_nothing_configured_says_what_to_add(case):
    (case.folder / "gitopslab.toml").write_text("")
    ended = case.extract()

    assert ended.code == 2
    assert "[[databases]]" in ended.err
