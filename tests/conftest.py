"""What the tests share: a project in a folder of its own, and warehouses built from literal objects."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitopslab import resources, settings
from gitopslab.datasets import OBJECT_VERSIONS
from gitopslab.lake import Lake
from gitopslab.warehouse import Warehouse, build

RECORDS = Path(__file__).parent / "records"
SHARED = Path(__file__).parents[1].parent / "shared"

Object = dict[str, Any]

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared sample data is not beside this checkout"
)


def records(later: bool = False) -> list[Object]:
    """Return the objects of tests/records/, as kubectl printed them; the later versions if asked for."""
    folder = RECORDS / "later" if later else RECORDS
    return [item for file in sorted(folder.glob("*.json")) for item in json.loads(file.read_text())["items"]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a gitopslab.toml that names the worked example's clusters; the working directory."""
    (tmp_path / "gitopslab.toml").write_text(
        """
        [[clusters]]
        name = "hub"
        role = "hub"

        [[clusters]]
        name = "dev"
        """
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lake_row(
    item: Object, *, cluster: str = "dev", observed_at: str = "2026-01-01T00:00:00Z"
) -> dict[str, Any]:
    """Return `item` as a row of the lake, the way an extractor lands it."""
    group, version = resources.split_api_version(item["apiVersion"])
    metadata = item["metadata"]
    return {
        "cluster": cluster,
        "cluster_uid": f"{cluster}-uid",
        "api_group": group,
        "api_version": version,
        "resource": resources.resource_of_kind(item["kind"]),
        "kind": item["kind"],
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "uid": metadata.get("uid", f"name:{metadata.get('namespace', '')}/{metadata['name']}"),
        "resource_version": metadata.get("resourceVersion", "content:0"),
        "identity": "server",
        "event_type": None,
        "is_inferred": False,
        "observed_at": datetime.fromisoformat(observed_at).astimezone(UTC),
        "how": "watch",
        "run_id": "run",
        "source": "test",
        "source_line": None,
        "redaction_count": 0,
        "body": json.dumps(item),
    }


WarehouseOf = Callable[..., Warehouse]


@pytest.fixture
def warehouse_of(tmp_path: Path) -> Iterable[WarehouseOf]:
    """Build a warehouse from objects; an object may be a pair of itself and when it was seen.

    Called again in one test, it lands more into the same lake and builds on.
    """
    opened: list[Warehouse] = []

    def build_from(
        objects: Iterable[Object | tuple[Object, str]], *, settings_text: str = "", cluster: str = "dev"
    ) -> Warehouse:
        configured = project_settings(tmp_path, settings_text)
        pairs = [item if isinstance(item, tuple) else (item, "2026-01-01T00:00:00Z") for item in objects]
        rows = [lake_row(item, cluster=cluster, observed_at=seen) for item, seen in pairs]
        Lake(configured.lake.path).append(OBJECT_VERSIONS, rows, "run")
        build(configured)
        opened.append(Warehouse(configured.warehouse.path))
        return opened[-1]

    yield build_from
    for warehouse in opened:
        warehouse.close()


def project_settings(folder: Path, text: str = "") -> settings.Settings:
    """Return the settings of a project in `folder` whose gitopslab.toml holds `text`."""
    file = folder / "gitopslab.toml"
    if text or not file.exists():
        file.write_text(text)
    return settings.load(file)
