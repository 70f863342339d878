"""The dump of the simulated application's database is loaded into a real Postgres with psql."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitopslab.errors import UsageError
from gitopslab.world.emit.activity import activity_event
from gitopslab.world.emit.postgres import PostgresDump
from gitopslab.world.emit.rows import (
    TABLES,
    BenchmarkInstance,
    BenchmarkRun,
    BenchmarkRunInstance,
    BenchmarkSuite,
    InstanceScore,
    Lease,
)
from tests import postgres_server
from tests.postgres_server import PostgresServer

MARCH_2 = 1_772_431_200.0  # 2026-03-02T06:00:00Z
TIMES = {"created_at": MARCH_2, "updated_at": MARCH_2}

SUITE = BenchmarkSuite(
    id="suite", slug="SWE-bench_Lite", name="Lite", dataset_name="princeton-nlp/SWE-bench_Lite", **TIMES
)
RUN = BenchmarkRun(
    id="run_",
    project_id="project",
    user_id="user",
    suite_id="suite",
    agent_id="agent",
    model_name_or_path="deepseek/v4",
    **TIMES,
)
APPLICATION = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "api", "namespace": "dev", "uid": "u1", "resourceVersion": "7"},
    "status": {
        "health": {"status": "Degraded", "message": "a\tb\\n\r\nß"},
        "sync": {"status": "Synced", "revision": "d" * 40},
    },
}

Ask = Callable[[str], str]


def lease(number: int, **fields) -> Lease:
    standard = {
        "id": f"lease-{number}",
        "run_id": "run_",
        "resource_type": "inference_slot",
        "holder_id": f"inference:run_:{number}",
        "acquired_at": MARCH_2 + number,
        "heartbeat_at": MARCH_2 + number,
        "expires_at": MARCH_2 + 900,
    }
    return Lease(**standard | TIMES | fields)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server.running() as server:
        yield server


@pytest.fixture
def load(server: PostgresServer, tmp_path: Path) -> Callable[..., Ask]:
    """Return a function that loads a dump of rows, and returns one that asks the database."""

    def load(*rows: object) -> Ask:
        with PostgresDump(tmp_path / "dump.sql") as dump:
            for row in rows:
                dump.add(row)
        name = f"loaded_{tmp_path.name}"[:60].lower()
        server.run("-c", f'CREATE DATABASE "{name}"', database="postgres")
        server.run("-f", str(tmp_path / "dump.sql"), database=name)
        return lambda sql: server.run("-c", sql, database=name)

    return load


def test_every_table_is_there_even_when_nothing_was_added(load):
    ask = load()

    tables = ask("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1")
    assert tables.splitlines() == sorted(table.name for table in TABLES.values())
    assert ask("SELECT nextval('gitops_activity_events_sequence_seq')") == "1"


def test_times_are_utc_without_a_zone_whatever_the_zone_of_the_server(load):
    ask = load(SUITE, RUN, lease(1, acquired_at=MARCH_2 + 0.0015, released_at=None))

    assert ask("SELECT acquired_at, released_at FROM benchmark_resource_leases") == "2026-03-02 06:00:00.002|"
    assert ask("SELECT data_type FROM information_schema.columns WHERE column_name = 'acquired_at'") == (
        "timestamp without time zone"
    )


def test_text_and_json_come_back_as_they_were(load):
    odd = "tab\t newline\n return\r backslash\\ quote' \\N \\. ß\N{SNOWMAN} $$"
    instance = BenchmarkInstance(
        id="i",
        suite_id="suite",
        instance_id="django__django-1",
        repo="django/django",
        base_commit="a" * 40,
        problem_statement=odd,
        metadata={"difficulty": odd},
        **TIMES,
    )
    ask = load(SUITE, instance)

    row = json.loads(ask("SELECT row_to_json(t) FROM benchmark_instances t"))
    assert row["problem_statement"] == odd
    assert row["metadata"] == {"difficulty": odd}
    assert row["test_metadata"] == {}
    assert row["hints_text"] is None


def test_numbers_and_truth_values_keep_their_types(load):
    instance = BenchmarkRunInstance(
        id="x", run_id="run_", instance_id="django__django-1", turn_count=25, patch_well_formed=True, **TIMES
    )
    score = InstanceScore(id="s", run_instance_id="x", scorer_name="overlap", score=1 / 3, **TIMES)
    ask = load(SUITE, RUN, instance, score)

    assert ask("SELECT turn_count, patch_well_formed, harness_result FROM benchmark_run_instances") == "25|t|"
    assert ask("SELECT score FROM benchmark_run_instance_scores") == "0.3333333333333333"


def test_more_rows_than_a_batch_are_all_there(load):
    ask = load(SUITE, RUN, *(lease(number) for number in range(2_500)))

    sums = ask(
        "SELECT count(*), count(DISTINCT acquired_at), max(acquired_at) FROM benchmark_resource_leases"
    )
    assert sums == "2500|2500|2026-03-02 06:41:39"


def test_a_default_of_the_class_is_the_default_of_the_column(load):
    ask = load(SUITE)
    ask(
        "INSERT INTO benchmark_runs (id, project_id, user_id, suite_id, agent_id, model_name_or_path)"
        " VALUES ('r', 'p', 'u', 'suite', 'a', 'm')"
    )

    assert ask(
        "SELECT status, evaluation_concurrency, timeout_seconds, summary, tags FROM benchmark_runs"
    ) == ("queued|24|7200|{}|[]")


def test_one_holder_has_one_active_lease(load):
    ask = load(SUITE, RUN, lease(1), lease(2, holder_id="inference:run_:1", status="released"))

    with pytest.raises(subprocess.CalledProcessError):
        ask("UPDATE benchmark_resource_leases SET status = 'active'")


def test_an_event_is_normalised_as_the_application_does(load):
    event = activity_event(APPLICATION, "UPDATE", sequence=41, observed_at=MARCH_2, resource="applications")
    ask = load(event)

    row = json.loads(ask("SELECT row_to_json(t) FROM gitops_activity_events t"))
    assert (row["source"], row["activity_type"], row["activity_key"]) == (
        "argocd",
        "argocd.application",
        "api",
    )
    assert (row["phase"], row["reason"], row["message"]) == ("Degraded", "Synced", "a\tb\\n\r\nß")
    assert row["resource_version"] == "v1alpha1"
    assert row["correlation"] == {
        "cluster": "dev",
        "eventType": "UPDATE",
        "gitSha": "d" * 40,
        "argocdApp": "api",
        "syncRevision": "d" * 40,
        "syncStatus": "Synced",
        "healthStatus": "Degraded",
    }
    assert row["raw"]["body"] == APPLICATION
    assert ask("SELECT nextval('gitops_activity_events_sequence_seq')") == "42"


def test_an_event_tells_listeners_of_its_number(load):
    ask = load()

    columns = "event_id, source, activity_key, activity_type, observed_at"
    heard = ask(
        "LISTEN gitops_activity_events;"
        f"INSERT INTO gitops_activity_events ({columns}) VALUES ('e', 's', 'k', 't', now())"
    )
    assert '"sequence" : 1' in heard


def test_an_object_may_change_after_it_was_added(tmp_path):
    changing = dict(APPLICATION)
    with PostgresDump(tmp_path / "dump.sql") as dump:
        dump.add(activity_event(changing, "UPDATE", sequence=1, observed_at=MARCH_2, resource="applications"))
        changing["status"] = {}

    assert '"status":"Degraded"' in (tmp_path / "dump.sql").read_text()


def test_a_text_that_postgres_cannot_hold_is_refused_and_leaves_no_file(tmp_path):
    with (
        pytest.raises(UsageError, match="benchmark_resource_leases: a text holds NUL"),
        PostgresDump(tmp_path / "dump.sql") as dump,
    ):
        dump.add(lease(1, holder_id="a\0b"))

    assert list(tmp_path.iterdir()) == []


def test_the_same_rows_are_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        with PostgresDump(tmp_path / name) as dump:
            dump.add(lease(1))

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
