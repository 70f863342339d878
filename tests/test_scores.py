"""Scores on a truth and a warehouse that can be added up in one's head."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gitopslab.checks.scores import Score, score
from gitopslab.errors import UsageError
from gitopslab.world.truth import CHANGE, CHANGE_ENVIRONMENT

from .conftest import project_settings


def at(second: int) -> datetime:
    return datetime(2026, 5, 1, 12, 0, second, tzinfo=UTC)


def application(*deployed: tuple[str, int]) -> dict:
    history = [
        {"id": number, "revision": revision, "deployStartedAt": stamp(second), "deployedAt": stamp(second)}
        for number, (revision, second) in enumerate(deployed)
    ]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "argocd", "uid": "u", "resourceVersion": "1"},
        "status": {"history": history},
    }


def stamp(second: int) -> str:
    return at(second).isoformat().replace("+00:00", "Z")


@pytest.fixture
def truth(tmp_path):
    folder = tmp_path / "truth"
    folder.mkdir()
    rows = [
        {
            "change_id": revision,
            "environment": "dev",
            "service": "web",
            "sync_revision": revision,
            "synced_at": at(second),
        }
        for revision, second in (("a", 10), ("b", 20), ("c", 30))
    ]
    pq.write_table(
        pa.Table.from_pylist(rows, schema=CHANGE_ENVIRONMENT.schema), folder / "change_environment.parquet"
    )
    pq.write_table(pa.Table.from_pylist([], schema=CHANGE.schema), folder / "change.parquet")
    return folder


def test_what_was_found_of_the_truth_is_counted_and_its_error_measured(warehouse_of, truth, tmp_path):
    warehouse_of([application(("a", 11), ("b", 22), ("other", 40))])
    [syncs] = [found for found in score(project_settings(tmp_path), truth) if found.subject == "syncs"]

    assert syncs == Score("syncs", "dev", 3, 2, 2, 2.0, 2.0)
    assert (syncs.recall, syncs.precision) == (2 / 3, 1.0)


def test_a_folder_without_truth_is_said_so(warehouse_of, tmp_path):
    warehouse_of([application()])

    with pytest.raises(
        UsageError, match="no truth there; `gitopslab world generate --out DIR` writes DIR/truth"
    ):
        score(project_settings(tmp_path), tmp_path)
