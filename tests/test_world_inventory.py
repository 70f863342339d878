"""The inventory of the simulated hub has the shape that the application reads."""

import json
from pathlib import Path

import zstandard

from gitopslab.world.emit.inventory import (
    Build,
    Desired,
    InventoryApplication,
    InventoryEnvironment,
    InventoryLog,
    InventorySnapshot,
    Live,
    Promotion,
)

MARCH_2 = 1_772_431_200.0  # 2026-03-02T06:00:00Z
SHA = "b" * 40

ROLLING = InventoryApplication(
    "dev-api",
    "api",
    Desired("ghcr.io/example/api", f"git-{SHA}", "sha256:2", SHA),
    Live(("ghcr.io/example/api:git-a", f"ghcr.io/example/api:git-{SHA}"), "Synced", "Progressing"),
    "pending_rollout",
    Promotion("d" * 40, "e" * 40, "pending"),
    Build("outer-loop-api-x1", "True", "Succeeded", MARCH_2 - 300, MARCH_2 - 100),
)
UNKNOWN = InventoryApplication(
    "staging-api", "api", Desired("ghcr.io/example/api", "git-a"), Live((), "Unknown", "Missing"), "unknown"
)
SNAPSHOT = InventorySnapshot(
    MARCH_2 + 9.5,
    MARCH_2,
    {"api": f"git-{SHA}"},
    (InventoryEnvironment("dev", (ROLLING,)), InventoryEnvironment("staging", (UNKNOWN,))),
)


def lines(file: Path) -> list[dict]:
    text = zstandard.ZstdDecompressor().stream_reader(file.read_bytes()).read()
    return [json.loads(line) for line in text.splitlines()]


def written(tmp_path: Path, snapshot: InventorySnapshot = SNAPSHOT) -> list[dict]:
    with InventoryLog(tmp_path / "inventory.ndjson.zst") as log:
        log.add(snapshot)
        log.fail(MARCH_2 + 20, "fetch failed: ECONNREFUSED")
    return lines(tmp_path / "inventory.ndjson.zst")


def test_a_fetch_is_a_line_and_so_is_one_that_failed(tmp_path):
    served, failed = written(tmp_path)

    assert served["fetchedAt"] == "2026-03-02T06:00:09.500Z"
    assert served["body"]["generatedAt"] == "2026-03-02T06:00:00.000Z"
    assert failed == {"fetchedAt": "2026-03-02T06:00:20.000Z", "error": "fetch failed: ECONNREFUSED"}


def test_an_inventory_names_pins_and_environments(tmp_path):
    body = written(tmp_path)[0]["body"]

    assert body["source"] == "hub-inventory"
    assert body["releasePins"] == {"images": {"api": f"git-{SHA}"}, "error": None}
    assert [environment["name"] for environment in body["environments"]] == ["dev", "staging"]


def test_an_application_in_a_roll_out_shows_both_images(tmp_path):
    application = written(tmp_path)[0]["body"]["environments"][0]["applications"][0]

    assert application == {
        "name": "dev-api",
        "component": "api",
        "desired": {
            "image": "ghcr.io/example/api",
            "tag": f"git-{SHA}",
            "digest": "sha256:2",
            "commitSha": SHA,
        },
        "live": {
            "images": ["ghcr.io/example/api:git-a", f"ghcr.io/example/api:git-{SHA}"],
            "syncStatus": "Synced",
            "healthStatus": "Progressing",
        },
        "promotion": {"drySha": "d" * 40, "hydratedSha": "e" * 40, "healthPhase": "pending"},
        "build": {
            "pipelineRun": "outer-loop-api-x1",
            "status": "True",
            "reason": "Succeeded",
            "startedAt": "2026-03-02T05:55:00Z",
            "finishedAt": "2026-03-02T05:58:20Z",
        },
        "provenance": None,
        "drift": {"status": "pending_rollout"},
    }


def test_what_nobody_knows_is_null(tmp_path):
    application = written(tmp_path)[0]["body"]["environments"][1]["applications"][0]

    assert (application["promotion"], application["build"]) == (None, None)
    assert application["desired"]["digest"] is None


def test_the_same_fetches_are_the_same_bytes(tmp_path):
    (tmp_path / "two").mkdir()
    written(tmp_path)
    written(tmp_path / "two")

    name = "inventory.ndjson.zst"
    assert (tmp_path / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
