"""Deployment inventory: what changed lands once, and what is no hub's inventory is refused by name."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from gitopslab import http
from gitopslab.datasets import COVERAGE, REJECTS
from gitopslab.datasets.inventory import INVENTORY_APPLICATIONS, INVENTORY_LIVE_IMAGES, INVENTORY_SNAPSHOTS
from gitopslab.errors import BusyError, UnreachableError
from gitopslab.extract.inventory import InventoryExtraction
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake
from gitopslab.warehouse import Warehouse, build
from gitopslab.world.platform import generate

from .conftest import project_settings
from .httpserver import Answer, as_json, serve

QUICK = http.Patience(attempts=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def application(name: str = "api", tag: str = "git-aaaaaaa", **live: Any) -> dict[str, Any]:
    return {
        "name": name,
        "component": name,
        "desired": {"image": f"ghcr.io/x/{name}:{tag}", "tag": tag, "digest": None, "commitSha": None},
        "live": {"images": [f"ghcr.io/x/{name}:{tag}"], "syncStatus": "Synced", "healthStatus": "Healthy"}
        | live,
        "promotion": None,
        "build": {"pipelineRun": "b-1", "status": "True", "startedAt": "2026-03-02T11:00:00Z"},
        "drift": {"status": "in_sync"},
    }


def document(minute: int, *applications: Any, **more: Any) -> dict[str, Any]:
    environment = {"name": "dev", "applications": applications}
    at = f"2026-03-02T12:{minute:02}:00.000Z"
    return {"generatedAt": at, "source": "hub-inventory", "environments": [environment], **more}


class Hub:
    """An inventory named hub in a lake, landed as documents or by HTTP."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(str(folder / "lake"))

    def run(self) -> RowLanding:
        return RowLanding(self.lake, Origin("inventory", "hub", "inventory"))

    def land(self, *documents: dict[str, Any], after: timedelta = timedelta(seconds=5)) -> RowLanding:
        with self.run() as landing:
            extraction = InventoryExtraction(landing)
            for each in documents:
                at = datetime.fromisoformat(each["generatedAt"])
                extraction.add(json.dumps(each).encode(), at + after, "hub")
        return landing

    def fetch(self, answer: Answer, now: datetime = NOON) -> None:
        with serve(lambda _: answer) as server, self.run() as landing:
            InventoryExtraction(landing).fetch(http.connect("inventory hub", server.url, patience=QUICK), now)

    def rows(self, dataset: Any, *columns: str) -> list[dict[str, Any]]:
        found = [row for table in self.lake.read(dataset, list(columns)) for row in table.to_pylist()]
        return sorted(found, key=str)


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


def test_an_application_lands_flat(hub):
    hub.fetch(as_json(document(0, application())))

    [row] = hub.rows(
        INVENTORY_APPLICATIONS, "environment", "application", "desired_tag", "live_images", "is_listed"
    )
    assert row == {
        "environment": "dev",
        "application": "api",
        "desired_tag": "git-aaaaaaa",
        "live_images": '["ghcr.io/x/api:git-aaaaaaa"]',
        "is_listed": True,
    }
    [build] = hub.rows(INVENTORY_APPLICATIONS, "build_started_at", "build_finished_at")
    assert build == {"build_started_at": datetime(2026, 3, 2, 11, tzinfo=UTC), "build_finished_at": None}


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("ghcr.io/x/api:1", ("ghcr.io/x/api", "1", None)),
        ("host:5000/api", ("host:5000/api", None, None)),
        ("host:5000/api:1@sha256:ab", ("host:5000/api", "1", "sha256:ab")),
        ("api@sha256:ab", ("api", None, "sha256:ab")),
    ],
)
def test_a_live_image_is_told_apart(hub, image, parts):
    hub.land(document(0, application(images=[image])))

    [row] = hub.rows(INVENTORY_LIVE_IMAGES, "image_name", "image_tag", "digest")
    assert tuple(row.values()) == parts


def test_only_what_changed_since_the_snapshot_before_lands(hub):
    hub.land(document(0, application("api"), application("web")))
    landing = hub.land(document(1, application("api", "git-bbbbbbb"), application("web")))

    assert landing.tally.kinds["inventory_applications", "inventory"] == 1
    rows = hub.rows(INVENTORY_APPLICATIONS, "application", "generated_at")
    assert [(row["application"], row["generated_at"].minute) for row in rows] == [
        ("api", 0),
        ("api", 1),
        ("web", 0),
    ]


def test_an_application_that_is_no_longer_listed_has_a_row_that_says_so(hub):
    hub.land(document(0, application("api"), application("web")))
    hub.land(document(1, application("api")))
    hub.land(document(2, application("api")))

    gone = [
        row for row in hub.rows(INVENTORY_APPLICATIONS, "application", "is_listed") if not row["is_listed"]
    ]
    assert gone == [{"application": "web", "is_listed": False}]


def test_the_same_inventory_lands_once(hub):
    hub.land(document(0, application()))
    landing = hub.land(document(0, application()))

    assert landing.tally.landed_count == 0
    assert len(hub.rows(INVENTORY_SNAPSHOTS, "snapshot")) == 1


def test_an_inventory_older_than_one_landed_is_kept_and_not_taken_apart(hub):
    hub.land(document(5, application("api", "git-bbbbbbb")))
    hub.land(document(1, application("api")))

    assert len(hub.rows(INVENTORY_SNAPSHOTS, "snapshot")) == 2
    assert len(hub.rows(INVENTORY_APPLICATIONS, "application")) == 1
    assert "older than one that is landed" in str(hub.rows(COVERAGE, "message"))


def test_a_stale_inventory_is_noted(hub):
    hub.land(document(0, application()), after=timedelta(minutes=7))

    [covered] = hub.rows(COVERAGE, "message")
    assert covered["message"] == "generated 420 s before it was fetched"


@pytest.mark.parametrize("source", ["fixture", "", None])
def test_what_is_no_hubs_inventory_is_refused_by_name(hub, source):
    with pytest.raises(UnreachableError, match="only hub-inventory") as caught:
        hub.fetch(as_json(document(0, application()) | {"source": source}))

    assert caught.value.exit_code == 3
    assert repr(source or "") in str(caught.value)
    [failed] = hub.rows(INVENTORY_SNAPSHOTS, "generated_at", "error")
    assert failed["generated_at"] is None


@pytest.mark.parametrize("body", [b"{}", b"[]", b"<html>", b'{"generatedAt": "today", "environments": []}'])
def test_what_is_no_inventory_is_an_error(hub, body):
    with pytest.raises(UnreachableError, match="inventory hub: no inventory"):
        hub.fetch(Answer(body))


def test_that_nobody_answered_is_landed(hub):
    with pytest.raises(BusyError):
        hub.fetch(Answer(status=502))

    [failed] = hub.rows(INVENTORY_SNAPSHOTS, "error", "fetched_at", "application_count")
    assert failed == {"error": "inventory hub: it answered 502", "fetched_at": NOON, "application_count": 0}
    assert [row["state"] for row in hub.rows(COVERAGE, "state")] == ["gap"]


def test_pins_that_could_not_be_read_are_told_beside_the_snapshot(hub):
    hub.land(document(0, releasePins={"images": {}, "error": "rate limited"}))

    assert hub.rows(INVENTORY_SNAPSHOTS, "error") == [{"error": "rate limited"}]


def test_an_application_that_cannot_be_read_is_a_reject_and_the_others_land(hub):
    hub.land(document(0, application("api"), application("web")))
    hub.land(document(1, {"name": 7}, application("web", "git-bbbbbbb")))

    assert [row["reason"] for row in hub.rows(REJECTS, "reason")] == ["no_application"]
    rows = hub.rows(INVENTORY_APPLICATIONS, "application", "is_listed")
    assert len(rows) == 3
    assert all(row["is_listed"] for row in rows)


def test_lines_of_a_file_land_and_failures_among_them(hub, tmp_path):
    lines = [
        {"fetchedAt": "2026-03-02T12:00:05Z", "body": document(0, application())},
        {"fetchedAt": "2026-03-02T12:01:05Z", "error": "fetch failed"},
        {"fetchedAt": "2026-03-02T12:02:05Z", "body": {"source": "fixture"}},
        {"fetchedAt": "2026-03-02T12:03:05Z", "body": document(3, application(tag="git-bbbbbbb"))},
    ]
    file = tmp_path / "fetched.ndjson"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with hub.run() as landing:
        InventoryExtraction(landing).read(file)

    assert len(hub.rows(INVENTORY_APPLICATIONS, "application")) == 2
    assert len(hub.rows(INVENTORY_SNAPSHOTS, "snapshot")) == 3
    [reject] = hub.rows(REJECTS, "reason", "source_line")
    assert reject == {"reason": "no_inventory", "source_line": 3}


def test_the_inventory_of_a_simulated_hub_agrees_with_what_happened(tmp_path):
    world = tmp_path / "world"
    generate(7, 1, "small", world)
    configured = project_settings(world)
    with RowLanding(Lake(configured.lake.path), Origin("inventory", "hub", "inventory")) as landing:
        InventoryExtraction(landing).read(world / "inventory" / "fetched.ndjson.zst")
    build(configured)
    truth = pq.read_table(world / "truth" / "change_environment.parquet").to_pylist()
    synced_at = {(row["environment"], row["change_id"]): row["synced_at"] for row in truth}
    with Warehouse(configured.warehouse.path) as warehouse:
        found = warehouse.sql("FROM inventory_deployments WHERE is_first AND NOT is_left_censored").dicts()

    keys = [(row["environment"], row["commit_sha"]) for row in found]
    known = [(row, synced_at[key]) for row, key in zip(found, keys, strict=True) if key in synced_at]
    late = timedelta(minutes=1)  # a snapshot is generated a few seconds before it is fetched
    assert len(known) > 20
    assert [row for row, at in known if not row["not_before_at"] - late < at < row["seen_at"] + late] == []
