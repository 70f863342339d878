"""The database of a simulated world lands, is built, and says what is true of that world."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitopslab import cli, settings
from gitopslab.warehouse import Warehouse
from gitopslab.world.platform import generate
from tests import postgres_server
from tests.postgres_server import PostgresServer
from tests.simulated import World

pytestmark = pytest.mark.slow

SETTINGS = """
[[databases]]
name = "benchmark"
cluster = "dev"
dsn_variable = "BENCHMARK_DATABASE_URL"
"""


class Landed:
    """A world, the server that holds its database, and the warehouse that was built from that."""

    def __init__(self, world: World, server: PostgresServer, warehouse: Warehouse) -> None:
        self.world, self.server, self.warehouse = world, server, warehouse

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return sorted(tuple(row.values()) for row in self.warehouse.sql(sql).dicts())


@pytest.fixture(scope="module")
def landed(tmp_path_factory: Any) -> Iterator[Landed]:
    folder: Path = tmp_path_factory.mktemp("project")
    (folder / "gitopslab.toml").write_text(SETTINGS)
    generate(7, 2, "small", folder / "world")
    with postgres_server.running() as server, pytest.MonkeyPatch.context() as patch:
        server.run("-c", "CREATE DATABASE world", database="postgres")
        server.run("-f", str(folder / "world/postgres.sql"), database="world")
        server.run("-c", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database="world")
        patch.chdir(folder)
        patch.setenv("BENCHMARK_DATABASE_URL", server.dsn("world"))
        for arguments in (["extract", "postgres"], ["extract", "postgres"], ["build"]):
            cli.app(arguments, standalone_mode=False)
        with Warehouse(settings.load().warehouse.path) as warehouse:
            yield Landed(World(folder / "world"), server, warehouse)


def test_every_row_of_the_database_is_there_once(landed):
    for fact, table in (
        ("benchmark_runs", "benchmark_runs"),
        ("benchmark_run_instances", "benchmark_run_instances"),
        ("benchmark_leases", "benchmark_resource_leases"),
        ("activity_events", "gitops_activity_events"),
    ):
        [(count,)] = landed.rows(f"SELECT count(*) AS n FROM {fact}")
        assert str(count) == landed.server.run("-c", f"SELECT count(*) FROM {table}", database="world") != "0"


def test_runs_asked_for_and_got_the_concurrency_that_they_did(landed):
    true = {
        (row["benchmark_run_id"], row["layer"], row["value"])
        for row in landed.world.truth("capacity_layer")
        if row["layer"] in {"requested", "selected", "effective"}
    }
    found = landed.rows(
        """
        SELECT benchmark_run_id, 'requested' AS layer, requested_concurrency AS value FROM run_capacities
        UNION ALL
        SELECT benchmark_run_id, 'selected', selected_instance_count FROM run_capacities
        UNION ALL
        SELECT benchmark_run_id, 'effective', effective_concurrency FROM run_capacities
        """
    )

    assert set(found) == true


def test_instances_were_resolved_and_took_as_long_as_they_did(landed):
    true = {
        (row["benchmark_run_id"], row["benchmark_instance_id"]): row
        for row in landed.world.truth("instance_quality")
    }
    found = landed.rows(
        """
        SELECT benchmark_run_id, instance, is_resolved, inference_seconds
        FROM benchmark_run_instances
        WHERE evaluated_at IS NOT NULL
        """
    )

    assert found
    for run, instance, is_resolved, seconds in found:
        assert is_resolved == bool(true[run, instance]["is_resolved"])
        if seconds is not None:
            assert seconds == pytest.approx(true[run, instance]["inference_seconds"], abs=0.01)


def test_no_lease_is_held_longer_than_its_run_is_active(landed):
    [(outside,)] = landed.rows(
        """
        SELECT count(*) AS n
        FROM benchmark_leases
        JOIN benchmark_runs USING (database, benchmark_run_id)
        WHERE acquired_at < started_at OR ended_at > completed_at
        """
    )

    assert outside == 0
