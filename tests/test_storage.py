import pytest

from gitopslab import cli
from gitopslab.datasets import OBJECT_VERSIONS
from gitopslab.errors import AccessDeniedError, LakeError, UnreachableError
from gitopslab.lake import Lake
from gitopslab.storage import Storage
from gitopslab.warehouse import Warehouse, build

from . import object_store
from .conftest import lake_row, project_settings

LAKE = "s3://bucket/lake"


@pytest.fixture
def store(monkeypatch):
    with object_store.serving("bucket") as store:
        store.called_by(monkeypatch)
        yield store


def version(number: int, **where: str) -> dict:
    metadata = {"name": "app", "uid": "u", "resourceVersion": str(number)}
    return lake_row(
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata}, **where
    )


def rows(lake: Lake) -> list[str]:
    tables = lake.read(OBJECT_VERSIONS, ["resource_version"])
    return sorted(text for table in tables for text in table["resource_version"].to_pylist())


def test_a_lake_in_object_storage_holds_what_is_written(store):
    lake = Lake(LAKE)
    for number in range(10):
        lake.append(OBJECT_VERSIONS, [version(number)], f"run{number}")

    assert rows(Lake(LAKE)) == [str(number) for number in range(10)]
    assert len(lake.files(OBJECT_VERSIONS, "dev")) == 10
    assert {f"lake/{file.path}" for file in lake.files(OBJECT_VERSIONS)} == set(store.buckets["bucket"])


def test_names_of_clusters_survive_object_storage(store):
    lake = Lake(LAKE)
    lake.append(OBJECT_VERSIONS, [version(1, cluster="a/b c%2F=ü")], "run")

    assert rows(lake) == ["1"]
    assert len(lake.files(OBJECT_VERSIONS, "a/b c%2F=ü")) == 1


def test_a_warehouse_is_built_from_object_storage(store, tmp_path):
    Lake(LAKE).append(OBJECT_VERSIONS, [version(1)], "run")
    configured = project_settings(tmp_path, f'[lake]\npath = "{LAKE}"\n')

    build(configured)

    with Warehouse(configured.warehouse.path) as warehouse:
        assert warehouse.sql("SELECT count(*) AS count FROM object_version").dicts() == [{"count": 1}]


def test_what_is_large_is_put_in_parts_and_there_as_a_whole(store):
    storage = Storage(LAKE)
    storage.write("large", memoryview(bytes(12 << 20)))

    assert store.buckets["bucket"] == {"lake/large": bytes(12 << 20)}
    assert "POST" in store.methods


def test_what_is_gone_already_is_removed_without_an_error(store):
    Storage(LAKE).remove("nothing")


def test_a_key_the_store_does_not_know_is_refused_and_not_printed(store, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASOMEBODYELSESOLDKEY")

    with pytest.raises(AccessDeniedError, match="s3://bucket/lake: the object store refuses: ") as caught:
        Storage(LAKE).write("x", memoryview(b"1"))

    assert "AKIA" not in str(caught.value)
    assert object_store.SECRET_KEY not in str(caught.value)


def test_a_bucket_that_is_not_there_is_an_error_and_no_empty_lake(store):
    with pytest.raises(UnreachableError, match=r"s3://none/lake: .*NoSuchBucket"):
        Lake("s3://none/lake").files(OBJECT_VERSIONS)
    with pytest.raises(UnreachableError, match="s3://none/lake: there is no such bucket"):
        Storage("s3://none/lake").write("x", memoryview(b"1"))


def test_a_store_that_does_not_answer_is_one_line_and_exit_code_3(store, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    project_settings(tmp_path, f'[lake]\npath = "{LAKE}"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["gitopslab", "build"])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    [line] = capsys.readouterr().err.splitlines()
    assert ended.value.code == 3
    assert line.startswith("gitopslab: s3://bucket/lake: the object store is of no use: ")


def test_a_url_that_nobody_knows_is_wrong_usage():
    with pytest.raises(LakeError, match="nfsx://"):
        Storage("nfsx://server/lake")
