"""Rows a second out of Postgres: landed, landed again, landed from a dump, bare ADBC, and psql's COPY.

    python tests/benchmarks/postgres.py [ROWS]

A server of its own is started; see tests/postgres_server.py for what that needs.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
from adbc_driver_postgresql import dbapi

sys.path.insert(0, str(Path(__file__).parents[2]))

from gitopslab.extract import postgres
from gitopslab.extract.postgres import dump
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake
from gitopslab.world.emit.postgres import PostgresDump
from tests import postgres_server

TABLE = "benchmark_resource_leases"
LEASES = """
    INSERT INTO benchmark_suites (id, slug, name, dataset_name) VALUES ('s', 'lite', 'Lite', 'x/lite');
    INSERT INTO benchmark_runs (id, project_id, user_id, suite_id, agent_id, model_name_or_path)
    SELECT substr(md5(n::text), 1, 21), 'p', 'u', 's', 'a', 'm' FROM generate_series(0, {rows} / 500) AS n;
    INSERT INTO benchmark_resource_leases (id, run_id, instance_id, resource_type, capacity_key, holder_id,
        status, metadata, acquired_at, heartbeat_at, expires_at, released_at)
    SELECT
        substr(md5('lease ' || n), 1, 21), run_id, instance_id,
        (ARRAY['inference_slot', 'openshell_sandbox', 'dapr_workflow_slot'])[1 + n % 3], 'workflow-builder',
        'inference:' || run_id || ':' || instance_id || n % 3, 'released', '{{"releaseReason": "completed"}}',
        at, at + interval '5 min', at + interval '2 h', at + interval '17 min'
    FROM (
        SELECT
            n, substr(md5((n / 500)::text), 1, 21) AS run_id,
            'django__django-' || 10000 + n % 500 AS instance_id,
            timestamp '2026-03-01' + n * interval '1.37 s' AS at
        FROM generate_series(1, {rows}) AS n
    ) AS made;
    ANALYZE;
"""


def main(rows: int) -> None:
    """Print rows a second, each the best of three."""
    with postgres_server.running() as server, tempfile.TemporaryDirectory() as folder:
        _load(server, Path(folder) / "dump.sql", rows)
        file = Path(folder) / "bench.sql"
        _dump(server.folder, file)
        dsn = f"postgresql://postgres@/bench?host={server.folder}"
        lakes = [Lake(f"{folder}/lake-{number}") for number in range(3)]
        jobs: dict[str, Callable[[int], object]] = {
            "landed": lambda number: _land(lakes[number], dsn),
            "landed again, nothing changed": lambda number: _land(lakes[number], dsn),
            "landed from a dump": lambda number: _land_dump(Lake(f"{folder}/dumped-{number}"), file),
            "bare ADBC into Arrow": lambda _: _bare(dsn),
            "psql COPY to nowhere": lambda _: _copy(server.folder),
        }
        print(f"{rows:,} rows of {TABLE}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
        for name, job in jobs.items():
            print(f"{name:<32}{rows / min(map(_seconds(job), range(3))):>12,.0f} rows/s")


def _load(server: postgres_server.PostgresServer, dump: Path, rows: int) -> None:
    PostgresDump(dump).close()
    server.run("-c", "CREATE DATABASE bench", database="postgres")
    server.run("-f", str(dump), database="bench")
    server.run("-c", LEASES.format(rows=rows), database="bench")


def _seconds(job: Callable[[int], object]) -> Callable[[int], float]:
    def timed(number: int) -> float:
        began = time.perf_counter()
        job(number)
        return time.perf_counter() - began

    return timed


def _land(lake: Lake, dsn: str) -> None:
    with (
        RowLanding(lake, Origin("postgres", "bench", how=postgres.SYSTEM)) as landing,
        postgres.Snapshot("bench", dsn, variable="DSN") as snapshot,
    ):
        postgres.land(snapshot, landing, postgres.Reading(timedelta(0)))


def _dump(server: Path, file: Path) -> None:
    subprocess.run(["pg_dump", "-h", server, "-U", "postgres", "-f", file, "bench"], check=True)


def _land_dump(lake: Lake, file: Path) -> None:
    with RowLanding(lake, Origin("dump", "bench", how=postgres.SYSTEM)) as landing:
        dump.land(file, landing, dump.Reading())


def _bare(dsn: str) -> pa.Table:
    with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {TABLE}")
        return cursor.fetch_arrow_table()


def _copy(folder: Path) -> None:
    command = [
        "psql",
        "-XqAt",
        "-h",
        folder,
        "-U",
        "postgres",
        "-d",
        "bench",
        "-c",
        f"COPY {TABLE} TO STDOUT",
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
