import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from gitopslab.datasets import EXTRACT_RUNS, OBJECT_VERSIONS, REJECTS
from gitopslab.errors import LakeError
from gitopslab.lake import Lake, new_run_id

from .conftest import lake_row

APPLICATION = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "app", "uid": "u"},
}


def versions(*numbers: int, **where: str) -> list[dict]:
    return [
        lake_row({**APPLICATION, "metadata": {"name": "app", "uid": "u", "resourceVersion": str(n)}}, **where)
        for n in numbers
    ]


def numbers(lake: Lake) -> list[str]:
    return sorted(
        n
        for table in lake.read(OBJECT_VERSIONS, ["resource_version"])
        for n in table["resource_version"].to_pylist()
    )


def test_a_file_a_cluster_and_day(tmp_path):
    lake = Lake(str(tmp_path))
    rows = versions(1) + versions(2, observed_at="2026-01-02T23:59:59Z") + versions(3, cluster="a/b")

    written = lake.append(OBJECT_VERSIONS, rows, "run")

    assert [Path(path).parent.as_posix() for path in sorted(written)] == [
        "raw/object_versions/cluster=a%2Fb/date=2026-01-01",
        "raw/object_versions/cluster=dev/date=2026-01-01",
        "raw/object_versions/cluster=dev/date=2026-01-02",
    ]
    assert numbers(lake) == ["1", "2", "3"]


def test_the_files_of_one_cluster_can_be_asked_for(tmp_path):
    lake = Lake(str(tmp_path))
    lake.append(OBJECT_VERSIONS, versions(1) + versions(2, cluster="hub"), "run")

    assert [file.path.split("/")[2] for file in lake.files(OBJECT_VERSIONS, "hub")] == ["cluster=hub"]


def test_a_lake_that_is_not_there_is_empty(tmp_path):
    assert Lake(str(tmp_path / "none")).files(OBJECT_VERSIONS) == []


def test_an_unfinished_file_is_not_read(tmp_path):
    lake = Lake(str(tmp_path))
    [path] = lake.append(OBJECT_VERSIONS, versions(1), "run")
    (tmp_path / path).with_suffix(".parquet.unfinished").write_bytes(b"half")

    assert numbers(lake) == ["1"]


def test_a_missing_column_is_named(tmp_path):
    import pyarrow as pa

    with pytest.raises(LakeError, match=r"rejects: .*run_id"):
        Lake(str(tmp_path)).write(REJECTS, pa.table({"cluster": ["dev"]}), "run")


def test_objects_of_one_kind_lie_together_in_a_file(tmp_path):
    lake = Lake(str(tmp_path))
    other = {**APPLICATION, "kind": "AppProject"}
    rows = [lake_row(item) for item in (APPLICATION, other, APPLICATION, other)]
    [path] = lake.append(OBJECT_VERSIONS, rows, "run")

    kinds = pq.read_table(tmp_path / path, columns=["kind"], partitioning=None)["kind"].to_pylist()
    assert kinds in (["Application"] * 2 + ["AppProject"] * 2, ["AppProject"] * 2 + ["Application"] * 2)


def test_a_lake_may_lie_behind_any_fsspec_url():
    lake = Lake("memory://lakes/one")
    lake.append(OBJECT_VERSIONS, versions(1, 2), "run")

    assert numbers(lake) == ["1", "2"]
    assert numbers(Lake("memory://lakes/one")) == ["1", "2"]
    assert Lake("memory://lakes/two").files(OBJECT_VERSIONS) == []


def test_many_may_append_at_once(tmp_path):
    lake = Lake(str(tmp_path))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: lake.append(OBJECT_VERSIONS, versions(n), new_run_id()), range(40)))

    assert numbers(lake) == sorted(str(n) for n in range(40))


def test_run_ids_tell_when_and_never_meet():
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)

    assert new_run_id(at).startswith("20260501T120000Z-")
    assert len({new_run_id(at) for _ in range(1000)}) == 1000


def test_times_keep_their_microseconds(tmp_path):
    lake = Lake(str(tmp_path))
    lake.append(OBJECT_VERSIONS, versions(1, observed_at="2026-01-01T00:00:00.123456Z"), "run")

    [table] = lake.read(OBJECT_VERSIONS, ["observed_at"])
    assert table["observed_at"].to_pylist() == [datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)]


def test_a_dataset_without_rows_writes_nothing(tmp_path):
    assert Lake(str(tmp_path)).append(EXTRACT_RUNS, [], "run") == []
    assert list(tmp_path.iterdir()) == []


WRITER = """
    import sys
    from gitopslab.datasets import OBJECT_VERSIONS
    from gitopslab.lake import Lake
    from tests.conftest import lake_row
    lake = Lake(sys.argv[1])
    number = 0
    while True:
        rows = []
        for _ in range(50):
            metadata = {"name": "app", "uid": "u", "resourceVersion": str(number)}
            item = {"apiVersion": "g/v1", "kind": "K", "metadata": metadata, "filler": "x" * 2000}
            rows.append(lake_row(item))
            number += 1
        lake.append(OBJECT_VERSIONS, rows, "run")
        print(number, flush=True)
"""


@pytest.mark.parametrize("after_batches", [1, 3, 7])
def test_kill_9_loses_no_finished_batch_and_leaves_nothing_half_read(tmp_path, after_batches):
    """The writer says a number once everything below it is durable; it is killed wherever it is then."""
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    said = 0
    for _ in range(after_batches):
        said = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    rest = writer.communicate()[0].split()
    said = int(rest[-1]) if rest else said

    landed = {int(number) for number in numbers(Lake(str(tmp_path)))}
    assert set(range(said)) <= landed
    assert len(landed) % 50 == 0
