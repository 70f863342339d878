"""Rows of a real Postgres land as versions: typed, in UTC, each once, and without what is secret."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gitopslab.datasets import COVERAGE, Dataset
from gitopslab.datasets import postgres as datasets
from gitopslab.extract import postgres
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Origin, Tally
from gitopslab.lake import Lake
from gitopslab.world.emit.postgres import PostgresDump
from tests import postgres_server
from tests.postgres_server import PostgresServer

LEASES, EVENTS, RUNS = (
    datasets.BENCHMARK_RESOURCE_LEASES,
    datasets.GITOPS_ACTIVITY_EVENTS,
    datasets.BENCHMARK_RUNS,
)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

SUITE_AND_RUN = """
    INSERT INTO benchmark_suites (id, slug, name, dataset_name) VALUES ('s', 'lite', 'Lite', 'x/lite');
    INSERT INTO benchmark_runs (id, project_id, user_id, suite_id, agent_id, model_name_or_path)
    VALUES ('r', 'p', 'u', 's', 'a', 'm');
"""


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    with postgres_server.running() as server:
        yield server


@pytest.fixture(scope="session")
def template(server: PostgresServer, tmp_path_factory: Any) -> str:
    """A database with every table that a simulated world knows, without a row."""
    file = tmp_path_factory.mktemp("dump") / "dump.sql"
    PostgresDump(file).close()
    server.run("-c", "CREATE DATABASE empty", database="postgres")
    server.run("-f", str(file), database="empty")
    server.run("-c", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database="empty")
    return "empty"


class Application:
    """A database of the application, and the lake that it lands in."""

    def __init__(self, server: PostgresServer, name: str, lake: Lake) -> None:
        self.server, self.name, self.lake = server, name, lake

    def sql(self, statements: str) -> str:
        return self.server.run("-c", statements, database=self.name)

    def land(
        self,
        *,
        dsn: str = "",
        overlap: timedelta = timedelta(minutes=15),
        since: datetime | None = None,
        with_session_events: bool = False,
    ) -> Tally:
        landing = RowLanding(self.lake, Origin("postgres", "benchmark", how=postgres.SYSTEM))
        with (
            landing,
            postgres.Snapshot("benchmark", dsn or self.server.dsn(self.name), variable="DSN") as snapshot,
        ):
            postgres.land(
                snapshot, landing, postgres.Reading(overlap, since), with_session_events=with_session_events
            )
        return landing.tally

    def landed(self, dataset: Dataset, *columns: str) -> list[tuple[Any, ...]]:
        """Return the versions that the lake has, in the order in which they were seen."""
        rows = [
            row for table in self.lake.read(dataset, [*dataset.grain, *columns]) for row in table.to_pylist()
        ]
        rows.sort(key=lambda row: [row[column] for column in reversed(dataset.grain)])
        return [tuple(row[column] for column in columns) for row in rows]


@pytest.fixture
def application(server: PostgresServer, template: str, tmp_path: Path) -> Application:
    name = f"app_{tmp_path.name}"[:60].lower()
    server.run("-c", f'CREATE DATABASE "{name}" TEMPLATE {template}', database="postgres")
    return Application(server, name, Lake(str(tmp_path / "lake")))


def lease(key: str, *, at: str = "2026-03-02 12:00", status: str = "active", metadata: str = "{}") -> str:
    """Return SQL of a lease of run `r` that was acquired then."""
    return (
        "INSERT INTO benchmark_resource_leases (id, run_id, resource_type, holder_id, status, metadata,"
        f" acquired_at, heartbeat_at, expires_at) VALUES ('{key}', 'r', 'inference_slot', 'h:{key}',"
        f" '{status}', '{metadata}', '{at}', '{at}', '{at}');"
    )


def event(key: str, *, updated_at: str = "2026-03-02 12:00", phase: str = "Healthy") -> str:
    """Return SQL of an activity event that was last written then."""
    return (
        "INSERT INTO gitops_activity_events (event_id, source, activity_key, activity_type, phase,"
        f" observed_at, created_at, updated_at) VALUES ('{key}', 'argocd', 'api', 'argocd.application',"
        f" '{phase}', '{updated_at}', '{updated_at}', '{updated_at}');"
    )


def test_times_are_utc_whatever_the_zones_of_server_role_and_reader(application, monkeypatch):
    monkeypatch.setenv("PGTZ", "America/New_York")
    monkeypatch.setenv("PGDATESTYLE", "German")
    application.sql(SUITE_AND_RUN + lease("one", at="2026-03-02 12:00:00.0015"))

    application.land()

    assert application.sql("SHOW TimeZone") == "America/New_York"
    [(acquired_at, released_at)] = application.landed(LEASES, "acquired_at", "released_at")
    assert acquired_at == NOON + timedelta(microseconds=1500)
    assert released_at is None


def test_a_row_that_did_not_change_does_not_land_again(application):
    application.sql(SUITE_AND_RUN + lease("one") + event("e"))
    first = application.land()
    second = application.land()

    assert (first.landed_count, first.known_count) == (4, 0)
    assert (second.landed_count, second.known_count) == (0, 4)


def test_a_row_that_went_there_and_back_is_three_versions(application):
    application.sql(SUITE_AND_RUN)
    for status in ("queued", "inferencing", "queued"):
        application.sql(f"UPDATE benchmark_runs SET status = '{status}'")
        application.land()

    assert application.landed(RUNS, "status") == [("queued",), ("inferencing",), ("queued",)]
    moments = [at for (at,) in application.landed(RUNS, "snapshot_at")]
    assert moments == sorted(set(moments))


def test_a_change_is_found_even_where_nobody_stamped_it(application):
    application.sql(SUITE_AND_RUN + lease("one"))
    application.land()
    application.sql("""UPDATE benchmark_resource_leases SET metadata = '{"releaseReason": "done"}'""")
    application.land()

    assert application.landed(LEASES, "metadata") == [("{}",), ('{"releaseReason": "done"}',)]


def test_a_row_that_is_gone_is_noted_once_and_may_come_back(application):
    application.sql(SUITE_AND_RUN + lease("one") + lease("two"))
    application.land()
    application.sql("DELETE FROM benchmark_resource_leases WHERE id = 'two'")
    application.land()
    application.land()
    application.sql(lease("two"))
    application.land()

    versions = application.landed(LEASES, "id", "is_deleted", "run_id")
    assert versions == [
        ("one", False, "r"),
        ("two", False, "r"),
        ("two", True, None),
        ("two", False, "r"),
    ]


def test_keys_with_quotes_are_keys(application):
    odd = """it''s \\ "odd"; DROP TABLE benchmark_runs; --"""
    application.sql(SUITE_AND_RUN + lease("plain"))
    application.land()
    application.sql(lease(odd))
    application.land()

    assert ('it\'s \\ "odd"; DROP TABLE benchmark_runs; --',) in application.landed(LEASES, "id")
    assert application.sql("SELECT count(*) FROM benchmark_runs") == "1"


def test_of_a_log_only_the_end_is_read_again(application):
    application.sql(event("old", updated_at="2026-03-01 12:00") + event("new"))
    application.land()
    application.sql(event("later", updated_at="2026-03-02 12:05"))
    tally = application.land()

    assert (tally.object_count, tally.landed_count) == (2, 1)
    assert {key for (key,) in application.landed(EVENTS, "event_id")} == {"old", "new", "later"}


def test_an_event_that_is_written_again_is_a_second_version(application):
    application.sql(event("e", phase="Progressing"))
    application.land()
    application.sql("UPDATE gitops_activity_events SET phase = 'Healthy', updated_at = '2026-03-02 13:00'")
    application.land()

    assert application.landed(EVENTS, "event_id", "sequence", "phase") == [
        ("e", 1, "Progressing"),
        ("e", 1, "Healthy"),
    ]


def test_an_event_whose_transaction_ended_late_is_found_within_the_overlap(application):
    application.sql(event("quick", updated_at="2026-03-02 12:00"))
    application.land()
    application.sql(
        event("slow", updated_at="2026-03-02 11:50") + event("lost", updated_at="2026-03-02 11:40")
    )
    application.land()

    assert {key for (key,) in application.landed(EVENTS, "event_id")} == {"quick", "slow"}
    application.land(since=datetime(2026, 1, 1, tzinfo=UTC))
    assert {key for (key,) in application.landed(EVENTS, "event_id")} == {"quick", "slow", "lost"}


def test_reading_back_to_a_day_leaves_no_hole_after_the_last_run(application):
    application.sql(event("old", updated_at="2026-03-01 12:00"))
    application.land()
    application.sql(
        event("between", updated_at="2026-03-05 12:00") + event("new", updated_at="2026-03-09 12:00")
    )
    application.land(since=datetime(2026, 3, 8, tzinfo=UTC))

    assert {key for (key,) in application.landed(EVENTS, "event_id")} == {"old", "between", "new"}


def test_an_event_of_the_future_hides_nothing_that_comes(application):
    application.sql(event("wrong clock", updated_at="2999-01-01") + event("endless", updated_at="infinity"))
    application.land()
    application.sql(event("now", updated_at="now"))
    application.land()

    assert ("now",) in application.landed(EVENTS, "event_id")


def test_a_log_is_not_said_to_have_lost_what_lies_before_its_end(application):
    application.sql(event("old", updated_at="2026-03-01 12:00") + event("new"))
    application.land()
    application.land()

    assert application.landed(EVENTS, "is_deleted") == [(False,), (False,)]


def test_a_time_that_no_calendar_has_is_kept_as_text(application):
    application.sql(SUITE_AND_RUN + lease("one") + lease("two"))
    application.sql(
        "UPDATE benchmark_resource_leases SET expires_at = 'infinity', released_at = '4713-01-01 BC'"
        " WHERE id = 'two'"
    )
    application.land()

    assert application.landed(LEASES, "expires_at", "released_at", "other_columns") == [
        (NOON, None, None),
        (None, None, '{"expires_at": "infinity", "released_at": "4713-01-01 00:00:00 BC"}'),
    ]


def test_a_column_that_an_older_database_lacks_is_null_and_noted(application):
    application.sql(SUITE_AND_RUN + "ALTER TABLE benchmark_runs DROP COLUMN tags")
    application.land()

    assert application.landed(RUNS, "id", "tags") == [("r", None)]
    notes = {
        row["message"]
        for table in application.lake.read(COVERAGE, ["resource", "message"])
        for row in table.to_pylist()
        if row["resource"] == "benchmark_runs"
    }
    assert notes == {"not in this database: tags (migration 0053)"}


def test_a_column_that_nobody_knows_is_kept_as_json(application):
    application.sql(
        SUITE_AND_RUN
        + """ALTER TABLE benchmark_runs ADD region text DEFAULT 'eu', ADD extra json DEFAULT '{"a": 1}'"""
    )
    application.land()
    application.sql("UPDATE benchmark_runs SET region = 'us'")
    application.land()

    kept = [json.loads(other) for (other,) in application.landed(RUNS, "other_columns")]
    assert kept == [{"region": "eu", "extra": {"a": 1}}, {"region": "us", "extra": {"a": 1}}]


def test_a_status_that_nobody_knows_lands(application):
    application.sql(SUITE_AND_RUN + "UPDATE benchmark_runs SET status = 'hibernating'")
    application.land()

    assert application.landed(RUNS, "status") == [("hibernating",)]


def test_a_text_column_may_have_become_an_enumeration_and_an_integer_a_bigint(application):
    application.sql(
        SUITE_AND_RUN
        + """
        CREATE TYPE status AS ENUM ('queued');
        ALTER TABLE benchmark_runs ALTER status DROP DEFAULT;
        ALTER TABLE benchmark_runs ALTER status TYPE status USING status::status;
        ALTER TABLE benchmark_runs ALTER timeout_seconds TYPE bigint;
        """
    )
    application.land()

    assert application.landed(RUNS, "status", "timeout_seconds") == [("queued", 7200)]


def test_of_statements_and_patches_size_and_hash_are_kept(application):
    application.sql(
        SUITE_AND_RUN
        + """
        INSERT INTO benchmark_instances (id, suite_id, instance_id, repo, base_commit, problem_statement,
            gold_patch, test_metadata)
        VALUES ('i', 's', 'django__django-1', 'django/django', 'abc', 'ß', 'abc',
            '{"test_patch": "x", "version": "4"}')
        """
    )
    application.land()

    [row] = application.landed(
        datasets.BENCHMARK_INSTANCES,
        "problem_statement_bytes",
        "gold_patch_sha256",
        "hints_text_sha256",
        "test_metadata",
    )
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert row == (2, abc, None, '{"version": "4"}')


SESSION_EVENTS = """
    CREATE TABLE session_events (id text PRIMARY KEY, session_id text, sequence int, type text, data jsonb,
        processed_at timestamp, source_event_id text, producer_id text, created_at timestamp DEFAULT now());
    GRANT SELECT ON session_events TO reader;
    INSERT INTO session_events (id, session_id, sequence, type, data) VALUES
        ('1', 's', 1, 'agent.llm_usage', '{"input_tokens": 7}'),
        ('2', 's', 2, 'agent.message', '{"text": "between us"}'),
        ('3', 's', 3, 'agent.thought', '{"text": "hm"}');
"""


def test_events_of_sessions_are_read_when_asked_for_and_without_what_was_said(application):
    application.sql(SESSION_EVENTS)
    application.land()
    assert application.landed(datasets.SESSION_EVENTS, "id") == []

    application.land(with_session_events=True)

    assert application.landed(datasets.SESSION_EVENTS, "type", "data", "data_bytes") == [
        ("agent.llm_usage", '{"input_tokens": 7}', 19),
        ("agent.message", None, 22),
    ]
