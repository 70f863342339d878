import json
import signal
import subprocess
import sys
import textwrap

import pytest

from gitopslab import database, queries
from gitopslab.datasets import OBJECT_VERSIONS
from gitopslab.errors import LakeError, QueryError
from gitopslab.lake import Lake
from gitopslab.warehouse import Warehouse, build

from .conftest import lake_row, project_settings


def application(name: str = "app", version: str = "1", **status: object) -> dict:
    metadata = {"name": name, "namespace": "argocd", "uid": f"uid-{name}", "resourceVersion": version}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": metadata,
        "status": status,
    }


def count(warehouse: Warehouse, table: str) -> int:
    return warehouse.sql(f"SELECT count(*) AS n FROM {table}").one()["n"]


def test_an_empty_lake_is_no_warehouse(tmp_path):
    with pytest.raises(
        LakeError, match=r"the lake is empty; `gitopslab land files PATH` puts objects into it"
    ):
        build(project_settings(tmp_path))


def test_a_second_build_reads_only_what_is_new(tmp_path):
    settings = project_settings(tmp_path)
    lake = Lake(settings.lake.path)
    lake.append(OBJECT_VERSIONS, [lake_row(application(version="1"))], "run")
    first = build(settings)
    lake.append(OBJECT_VERSIONS, [lake_row(application(version="2"))], "run")
    second = build(settings)

    assert (first.is_full, first.file_count, first.object_version_count) == (True, 1, 1)
    assert (second.is_full, second.file_count, second.object_version_count) == (False, 1, 1)
    with Warehouse(settings.warehouse.path) as warehouse:
        assert count(warehouse, "argocd_application") == 2


def test_building_on_gives_what_building_anew_gives(tmp_path):
    settings = project_settings(tmp_path)
    lake = Lake(settings.lake.path)
    for n in range(4):
        history = [
            {"id": k, "revision": f"r{k}", "deployedAt": f"2026-01-0{k + 1}T00:00:00Z"} for k in range(n)
        ]
        lake.append(OBJECT_VERSIONS, [lake_row(application(version=str(n), history=history))], "run")
        build(settings)
    with Warehouse(settings.warehouse.path) as grown:
        tables = {t.name: t.row_count for t in grown.tables()}
        syncs = grown.sql("FROM syncs ORDER BY sync_id").dicts()
        grown_id = grown.build["build_id"]
    result = build(settings, full=True)

    assert result.why_full == "asked for"
    with Warehouse(settings.warehouse.path) as anew:
        assert {t.name: t.row_count for t in anew.tables()} == tables
        assert anew.sql("FROM syncs ORDER BY sync_id").dicts() == syncs
        assert anew.build["build_id"] == grown_id


def test_an_entry_that_many_versions_repeat_is_one_row_and_the_first_saw_it(tmp_path, warehouse_of):
    entry = {"id": 1, "revision": "r", "deployedAt": "2026-01-01T00:00:00Z"}
    warehouse = warehouse_of(
        [(application(version=str(n), history=[entry]), f"2026-01-0{n}T00:00:00Z") for n in (3, 1, 2)]
    )

    assert warehouse.sql("SELECT resource_version FROM argocd_application_sync").dicts() == [
        {"resource_version": "1"}
    ]


def test_an_entry_that_one_version_lists_twice_is_one_row(warehouse_of):
    first = {"id": 1, "revision": "a", "deployedAt": "2026-01-01T00:00:00Z"}
    warehouse = warehouse_of([application(history=[first, first | {"revision": "b"}, first | {"id": 2}])])

    syncs = warehouse.sql("SELECT sync_id, revision FROM argocd_application_sync ORDER BY sync_id").dicts()
    assert syncs == [{"sync_id": 1, "revision": "a"}, {"sync_id": 2, "revision": "a"}]


def test_a_warehouse_with_row_groups_of_another_size_is_built_on(tmp_path):
    settings = project_settings(tmp_path)
    lake = Lake(settings.lake.path)
    lake.append(OBJECT_VERSIONS, [lake_row(application(version="1"))], "run")
    build(settings)
    path = settings.warehouse.path
    copy = path.with_name("copy.duckdb")
    with database.memory() as connection:
        connection.execute(f"ATTACH '{path}' AS old (READ_ONLY)")
        connection.execute(f"ATTACH '{copy}' AS copy (ROW_GROUP_SIZE 122880, STORAGE_VERSION 'v1.5.0')")
        connection.execute("COPY FROM DATABASE old TO copy")
    copy.replace(path)
    lake.append(OBJECT_VERSIONS, [lake_row(application(version="2"))], "run")

    assert not build(settings).is_full
    with Warehouse(path) as warehouse:
        assert count(warehouse, "argocd_application") == 2


def test_values_that_do_not_fit_are_counted_and_shown(warehouse_of):
    history = [{"id": "x", "revision": "r", "deployedAt": "yesterday"}]
    warehouse = warehouse_of([application(history=history, reconciledAt="now")])

    lost = warehouse.sql("SELECT table_name, column_name, value FROM unreadable_value ORDER BY ALL").dicts()
    assert {"table_name": "argocd_application", "column_name": "reconciled_at", "value": "now"} in lost
    assert {"table_name": "argocd_application_sync", "column_name": "sync_id", "value": "x"} in lost
    assert {
        "table_name": "argocd_application_sync",
        "column_name": "deployed_at",
        "value": "yesterday",
    } in lost


def test_a_list_where_an_object_belongs_is_counted(warehouse_of):
    warehouse = warehouse_of([application(history={"0": "a"}, health=["Healthy"])])

    lost = warehouse.sql("SELECT column_name FROM unreadable_value ORDER BY ALL").dicts()
    assert lost == [{"column_name": "status.health"}, {"column_name": "status.history"}]


def test_json_that_duckdb_does_not_read_stops_nothing(tmp_path, warehouse_of):
    """Landing rejects such text; should a lake hold it all the same, it is counted, and the rest is built."""
    settings = project_settings(tmp_path)
    broken = lake_row(application("broken")) | {"body": '{"a": "\\ud800"}'}
    Lake(settings.lake.path).append(OBJECT_VERSIONS, [broken], "run")

    warehouse = warehouse_of([application()])

    assert count(warehouse, "argocd_application") == 2
    assert warehouse.sql("SELECT uid, column_name FROM unreadable_value").dicts() == [
        {"uid": "uid-broken", "column_name": "body"}
    ]


def test_a_cluster_known_by_name_takes_its_uid_when_that_is_known(tmp_path):
    settings = project_settings(tmp_path)
    lake = Lake(settings.lake.path)
    by_name = {"cluster_uid": "name:dev"}
    lake.append(OBJECT_VERSIONS, [lake_row(application()) | by_name], "run")
    build(settings)
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "kube-system", "uid": "real", "resourceVersion": "1"},
    }
    lake.append(OBJECT_VERSIONS, [lake_row(namespace) | by_name], "run")
    result = build(settings)
    lake.append(OBJECT_VERSIONS, [lake_row(application(version="2")) | by_name], "run")
    after = build(settings)

    assert result.why_full == "a cluster's uid became known"
    assert not after.is_full
    with Warehouse(settings.warehouse.path) as warehouse:
        assert warehouse.sql("SELECT DISTINCT cluster_uid FROM object_version").dicts() == [
            {"cluster_uid": "real"}
        ]
        assert warehouse.sql(
            "SELECT cluster_uid, count(*) AS n FROM argocd_application GROUP BY ALL"
        ).dicts() == [{"cluster_uid": "real", "n": 2}]


def test_the_build_id_names_the_content(tmp_path):
    settings = project_settings(tmp_path)
    Lake(settings.lake.path).append(OBJECT_VERSIONS, [lake_row(application())], "run")
    one, two = build(settings), build(settings)
    Lake(settings.lake.path).append(OBJECT_VERSIONS, [lake_row(application(version="2"))], "run")

    assert one.build_id == two.build_id != build(settings).build_id


def test_a_build_with_nothing_new_leaves_the_file_alone(tmp_path):
    settings = project_settings(tmp_path)
    Lake(settings.lake.path).append(OBJECT_VERSIONS, [lake_row(application())], "run")
    build(settings)
    before = settings.warehouse.path.stat()
    result = build(settings)

    assert str(result) == f"{settings.warehouse.path}: up to date, build {result.build_id}"
    after = settings.warehouse.path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_setting_that_facts_read_decides_them_anew(tmp_path):
    settings = project_settings(tmp_path)
    Lake(settings.lake.path).append(OBJECT_VERSIONS, [lake_row(application())], "run")
    build(settings)
    text = '[[clusters]]\nname = "dev"\n[[environments]]\nname = "production"\ncluster = "dev"\n'
    result = build(project_settings(tmp_path, text))

    assert not result.is_full
    with Warehouse(settings.warehouse.path) as warehouse:
        assert warehouse.sql("SELECT environment FROM applications").dicts() == [
            {"environment": "production"}
        ]


def test_another_lake_is_built_anew(tmp_path):
    settings = project_settings(tmp_path)
    Lake(settings.lake.path).append(OBJECT_VERSIONS, [lake_row(application())], "run")
    build(settings)
    moved = settings.model_copy(
        update={"lake": settings.lake.model_copy(update={"path": str(tmp_path / "other")})}
    )
    Lake(moved.lake.path).append(OBJECT_VERSIONS, [lake_row(application("other"))], "run")

    assert build(moved).why_full == "another lake"


def test_a_lake_behind_an_fsspec_url_is_built_alike(tmp_path):
    settings = project_settings(tmp_path)
    remote = settings.model_copy(
        update={"lake": settings.lake.model_copy(update={"path": "memory://build-test"})}
    )
    Lake("memory://build-test").append(OBJECT_VERSIONS, [lake_row(application())], "run")

    assert build(remote).object_version_count == 1


def test_a_failing_query_leaves_the_published_warehouse_as_it_was(tmp_path, monkeypatch):
    settings = project_settings(tmp_path)
    Lake(settings.lake.path).append(OBJECT_VERSIONS, [lake_row(application())], "run")
    before = build(settings)
    broken = queries.Query("broken", "facts", "", "", (), (), (), "SELECT no_such_column FROM build")
    real = queries.room
    monkeypatch.setattr(
        queries, "room", lambda name: (*real(name), broken) if name == "facts" else real(name)
    )

    with pytest.raises(QueryError, match=r"queries/facts/broken\.sql: .*no_such_column"):
        build(settings)
    with Warehouse(settings.warehouse.path) as warehouse:
        assert warehouse.build["build_id"] == before.build_id


def test_a_file_that_is_no_warehouse_says_so(tmp_path):
    (tmp_path / "x.duckdb").write_text("no")

    with pytest.raises(LakeError, match=r"x\.duckdb: not a warehouse that gitopslab built"):
        Warehouse(tmp_path / "x.duckdb")


def test_a_reader_cannot_write(warehouse_of):
    warehouse = warehouse_of([application()])

    with pytest.raises(QueryError, match="read-only"):
        warehouse.sql("DELETE FROM syncs")


READER = """
    import sys, time, gitopslab
    from pathlib import Path
    path, stop = Path(sys.argv[1]), Path(sys.argv[2])
    reads, ids = 0, set()
    print("ready", flush=True)
    while not stop.exists():
        with gitopslab.open(path) as warehouse:
            for _ in range(5):
                versions = warehouse.sql("SELECT count(*) AS n FROM object_version").one()["n"]
                typed = warehouse.sql("SELECT count(*) AS n FROM argocd_application").one()["n"]
                assert versions == typed == warehouse.build["object_version_count"], (versions, typed)
                reads += 1
            ids.add(warehouse.build["build_id"])
    print(reads, len(ids), flush=True)
"""


def test_a_reader_in_another_process_is_never_blocked_through_ten_builds(tmp_path):
    settings = project_settings(tmp_path)
    lake = Lake(settings.lake.path)
    lake.append(OBJECT_VERSIONS, [lake_row(application("first"))], "run")
    build(settings)
    stop = tmp_path / "stop"
    reader = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(READER), str(settings.warehouse.path), str(stop)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout.readline() == "ready\n"
    for n in range(10):
        lake.append(OBJECT_VERSIONS, [lake_row(application(f"app-{n}"))], "run")
        build(settings)
    stop.touch()
    out, err = reader.communicate(timeout=60)

    assert reader.returncode == 0, err
    reads, builds_seen = map(int, out.split())
    assert reads >= 10
    assert builds_seen >= 2


BUILDER = """
    import sys
    from pathlib import Path
    from gitopslab import settings, warehouse
    print("building", flush=True)
    while True:
        warehouse.build(settings.load(Path(sys.argv[1])), full=True)
"""


@pytest.mark.parametrize("after_seconds", [0.3, 0.9])
def test_a_build_that_was_killed_is_made_good_by_the_next(tmp_path, after_seconds):
    import time

    settings = project_settings(tmp_path)
    Lake(settings.lake.path).append(
        OBJECT_VERSIONS, [lake_row(application(f"a{n}")) for n in range(20)], "run"
    )
    before = build(settings)
    killed = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(BUILDER), str(tmp_path / "gitopslab.toml")],
        stdout=subprocess.PIPE,
        text=True,
    )
    killed.stdout.readline()
    time.sleep(after_seconds)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()

    with Warehouse(settings.warehouse.path) as warehouse:
        assert warehouse.build["build_id"] == before.build_id
    assert build(settings).build_id == before.build_id
    left = {p.name for p in settings.warehouse.path.parent.iterdir() if "duckdb" in p.name}
    assert left == {"gitopslab.duckdb", ".gitopslab.duckdb.lock"}


def test_two_builds_do_not_run_at_once(tmp_path):
    import fcntl

    settings = project_settings(tmp_path)
    Lake(settings.lake.path).append(OBJECT_VERSIONS, [lake_row(application())], "run")
    build(settings)
    lock = settings.warehouse.path.with_name(".gitopslab.duckdb.lock")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LakeError, match="another build is at work"):
            build(settings)


def test_the_warehouse_is_in_the_format_that_older_duckdb_reads(tmp_path):
    settings = project_settings(tmp_path)
    Lake(settings.lake.path).append(OBJECT_VERSIONS, [lake_row(application())], "run")
    build(settings)

    # Bytes 12 to 20 of a DuckDB file hold the storage version: 68 is that of 1.5, 64 that of 1.0.
    version = int.from_bytes(settings.warehouse.path.read_bytes()[12:20], "little")
    assert version == 68


def test_rows_come_in_the_form_asked_for(warehouse_of):
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    rows = warehouse_of([application()]).sql("SELECT application, observed_at FROM argocd_application")

    assert isinstance(rows.arrow(), pa.Table)
    assert isinstance(rows.pandas(), pd.DataFrame)
    assert isinstance(rows.polars(), pl.DataFrame)
    assert str(rows.pandas()["observed_at"].dt.tz) == "UTC"
    assert (
        json.dumps(rows.dicts(), default=str)
        == '[{"application": "app", "observed_at": "2026-01-01 00:00:00+00:00"}]'
    )


def test_a_query_whose_grain_is_shared_is_refused(warehouse_of, monkeypatch):
    twice = queries.Query("twice", "marts", "", "", ("n",), (), (), "SELECT 1 AS n UNION ALL SELECT 1")
    monkeypatch.setattr(queries, "query", lambda _: twice)

    with pytest.raises(QueryError, match=r"marts/twice\.sql: 1 rows share their n"):
        warehouse_of([application()]).run("twice")


def test_every_table_says_what_a_row_is_and_what_is_unique(warehouse_of):
    for table in warehouse_of([application()]).tables():
        assert table.doc, table.name
        assert table.grain or table.name in ("build", "unreadable_value"), table.name
        assert set(table.grain) <= {name for name, _ in table.columns}, table.name
