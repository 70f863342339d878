from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from gitopslab.cli import app
from gitopslab.compaction import Compacted, compact
from gitopslab.datasets import CHECKPOINTS, COVERAGE, OBJECT_VERSIONS
from gitopslab.datasets.git import PATCH_IDS
from gitopslab.lake import Lake
from gitopslab.warehouse import Warehouse, build

from . import object_store
from .conftest import lake_row, project_settings

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)


def version(number: int, **where: str) -> dict:
    metadata = {"name": "app", "uid": "u", "resourceVersion": str(number)}
    item = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata}
    return lake_row(item, **where)


def land(lake: Lake, *numbers: int, **where: str) -> None:
    for number in numbers:
        lake.append(OBJECT_VERSIONS, [version(number, **where)], f"2026050{number % 10}T000000Z-run")


def landed(lake: Lake) -> list[int]:
    tables = lake.read(OBJECT_VERSIONS, ["resource_version"])
    return sorted(int(number) for table in tables for number in table["resource_version"].to_pylist())


@pytest.fixture(params=["a folder", "object storage"])
def lake(request, tmp_path, monkeypatch) -> Iterator[Lake]:
    if request.param == "a folder":
        yield Lake(str(tmp_path))
        return
    with object_store.serving("bucket") as store:
        store.called_by(monkeypatch)
        yield Lake("s3://bucket/lake")


def test_small_files_become_one_and_go_once_that_one_is_old_enough(lake):
    land(lake, *range(10))

    assert compact(lake, ["dev"], NOW) == Compacted(merged_count=10, written_count=1)
    assert len(lake.files(OBJECT_VERSIONS)) == 11
    assert compact(lake, ["dev"], NOW + timedelta(minutes=59)) == Compacted()
    assert compact(lake, ["dev"], LATER) == Compacted(removed_count=10)
    assert len(lake.files(OBJECT_VERSIONS)) == 1
    assert landed(lake) == list(range(10))


def test_a_few_small_files_stay(lake):
    land(lake, *range(7))

    assert compact(lake, ["dev"], NOW) == Compacted()


def test_days_and_clusters_are_kept_apart(lake):
    land(lake, *range(8))
    land(lake, *range(8), observed_at="2026-01-02T00:00:00Z")
    land(lake, *range(8), cluster="hub")

    assert compact(lake, ["dev"], NOW) == Compacted(merged_count=16, written_count=2)


def test_merged_files_are_merged_again_once_theirs_are_gone(lake):
    for hour in range(9):
        land(lake, *range(hour * 10, hour * 10 + 10))
        compact(lake, ["dev"], NOW + timedelta(hours=2 * hour))
    compact(lake, ["dev"], NOW + timedelta(days=1))
    compact(lake, ["dev"], NOW + timedelta(days=2))
    compact(lake, ["dev"], NOW + timedelta(days=3))

    assert len(lake.files(OBJECT_VERSIONS)) < 8
    assert landed(lake) == list(range(90))


def test_what_was_cut_off_before_the_removal_leaves_rows_twice_and_none_less(lake):
    land(lake, *range(8))
    compact(lake, ["dev"], NOW)

    assert landed(lake) == sorted([*range(8), *range(8)])
    for file in lake.files(OBJECT_VERSIONS)[:3]:
        if "-merged-" not in file.path:
            lake.remove(file.path)
    compact(lake, ["dev"], LATER)
    assert landed(lake) == list(range(8))


def test_a_merged_file_takes_the_place_of_its_first_in_the_order_of_names(lake):
    land(lake, *range(1, 9))
    compact(lake, ["dev"], NOW)
    land(lake, 9)

    compact(lake, ["dev"], LATER)

    merged, last = [file.path.rpartition("/")[2] for file in lake.files(OBJECT_VERSIONS)]
    assert merged.startswith("20260501T000000Z-run")
    assert last.startswith("20260509T000000Z-run")


def test_books_and_checkpoints_are_merged_too(lake):
    own = {"cluster": "dev", "cluster_uid": "u", "run_id": "r", "api_group": "g", "resource": "r"}
    looked = {"state": "list", "object_count": 1, "source": "", "message": ""}
    for minute in range(8):
        at = NOW + timedelta(minutes=minute)
        lake.append(COVERAGE, [own | looked | {"since": at, "until": at}], "run")
        noted = {"resource_version": "1", "noted_at": at, "last_event_at": None, "watched_since": NOW}
        lake.append(CHECKPOINTS, [own | noted], "run")

    assert compact(lake, ["dev"], NOW) == Compacted(merged_count=16, written_count=2)


def test_rows_of_repositories_and_databases_are_merged_where_everything_is(tmp_path):
    settings = project_settings(tmp_path)
    lake = Lake(settings.lake.path)
    for number in range(8):
        row = {"repository": "stacks", "sha": str(number), "patch_id": "p", "observed_at": NOW}
        lake.append(PATCH_IDS, [row], "run")
    build(settings)

    assert compact(lake, ["dev"], NOW) == Compacted()
    assert compact(lake, None, NOW) == Compacted(merged_count=8, written_count=1)
    build(settings)
    with Warehouse(settings.warehouse.path) as warehouse:
        assert warehouse.sql("SELECT count(*) AS n FROM git_patch_id").one()["n"] == 8


def test_the_command_says_what_it_would_do_and_does_it(project):
    lake = Lake(str(project / "data" / "lake"))
    land(lake, *range(8))

    planned = CliRunner().invoke(app, ["compact", "--dry-run"]).output
    before = lake.files(OBJECT_VERSIONS)
    done = CliRunner().invoke(app, ["compact"]).output

    assert "raw/object_versions/cluster=dev/date=2026-01-01" in planned
    assert len(before) == 8
    assert done == "8 files merged into 1, 0 removed that were merged before\n"
    assert CliRunner().invoke(app, ["compact", "--dry-run"]).output == "would merge and remove nothing\n"


def test_a_build_across_a_compaction_adds_nothing_twice(tmp_path):
    settings = project_settings(tmp_path)
    lake = Lake(settings.lake.path)
    land(lake, *range(8))
    build(settings)
    compact(lake, ["dev"], NOW)
    land(lake, 8)
    between = build(settings)
    compact(lake, ["dev"], LATER)
    after = build(settings)
    anew = build(settings, full=True)

    assert (between.is_full, between.object_version_count) == (False, 1)
    assert (after.is_full, after.object_version_count) == (False, 0)
    assert anew.object_version_count == 9
    with Warehouse(settings.warehouse.path) as warehouse:
        assert warehouse.sql("SELECT count(*) AS n FROM argocd_application").one()["n"] == 9
