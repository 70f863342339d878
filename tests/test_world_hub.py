"""What a simulated hub tells beside its objects: events in a database, inventories, metrics."""

import io
import json
import re
import shutil
from collections import Counter
from datetime import datetime

import pytest
import zstandard

from gitopslab.world.platform import generate

from .simulated import World

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="a world has git repositories")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world") / "out"
    generate(7, 1.5, "small", folder)
    return World(folder)


def inventories(world: World) -> list[dict]:
    with zstandard.open(world.folder / "inventory" / "fetched.ndjson.zst", "rb") as lines:
        return [json.loads(line)["body"] for line in io.BufferedReader(lines)]


def activity(world: World) -> list[list[str]]:
    dump = (world.folder / "postgres.sql").read_text()
    rows = re.search(r"COPY gitops_activity_events \((.*?)\) FROM stdin;\n(.*?)\\\.\n", dump, re.DOTALL)
    names = rows[1].split(", ")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in rows[2].splitlines()]


def samples(world: World, cluster: str, name: str) -> dict[str, list[tuple[float, float]]]:
    """Return value and time of each sample, by labels."""
    found: dict[str, list[tuple[float, float]]] = {}
    for file in sorted((world.folder / "metrics" / cluster).glob("*.zst")):
        with zstandard.open(file, "rt") as lines:
            for line in lines:
                if line.startswith(name + "{"):
                    labels, value, at = line.rsplit(" ", 2)
                    found.setdefault(labels.removeprefix(name), []).append((float(value), float(at)))
    return found


def seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def test_an_inventory_has_every_environment_in_the_order_of_the_page(world):
    first = inventories(world)[0]
    assert [each["name"] for each in first["environments"]] == ["dev", "staging", "ryzen", "hub"]
    dev = first["environments"][0]["applications"]
    assert {each["desired"]["tag"] for each in dev} == set(first["releasePins"]["images"].values())
    assert {each["drift"]["status"] for each in dev} == {"in_sync"}


def test_a_pin_that_is_not_live_yet_is_a_pending_rollout(world):
    for inventory in inventories(world):
        for application in inventory["environments"][0]["applications"]:
            is_live = application["desired"]["image"] in application["live"]["images"]
            if not is_live:
                assert application["drift"]["status"] == "pending_rollout"


def test_events_of_the_last_days_are_in_the_database(world):
    rows = activity(world)
    kept = [row["observed_at"] for row in rows]
    numbers = [int(row["sequence"]) for row in rows]
    assert min(kept) > "2026-03-05 18"
    assert numbers == list(range(numbers[0], numbers[0] + len(rows)))
    assert numbers[0] > 1
    kinds = Counter(row["resource_kind"] for row in rows)
    seen = Counter(event.kind for event in world.events("hub") if event.observed_at > "2026-03-05T18:00:00")
    assert kinds["TaskRun"] == seen["TaskRun"] > 0
    assert kinds["Application"] == seen["Application"]


def test_a_counter_of_runs_counts_those_that_ended_before_it_was_scraped(world):
    counted = samples(world, "hub", "tekton_pipelines_controller_pipelinerun_total")
    ends = [
        (event.object["status"]["conditions"][0]["status"], seconds(event.observed_at))
        for event in world.events("hub", kind="PipelineRun")
        if event.type == "MODIFIED" and "completionTime" in event.object["status"]
    ]
    for labels, status in (('{status="success"}', "True"), ('{status="failed"}', "False")):
        for value, at in counted.get(labels, []):
            assert value == sum(ended <= at for outcome, ended in ends if outcome == status)
    assert counted


def test_syncs_are_counted_on_the_spoke_and_not_on_the_hub(world):
    on_dev = samples(world, "dev", "argocd_app_sync_total")
    on_hub = samples(world, "hub", "argocd_app_sync_total")
    services = {labels.split('name="')[1].split('"')[0] for labels in on_dev}
    assert "workflow-builder" in services
    assert not [labels for labels in on_hub if "workflow-builder" in labels]


def test_an_application_has_one_info_series_at_a_time(world):
    infos = samples(world, "dev", "argocd_app_info")
    scraped = Counter(
        (labels.split('name="')[1].split('"')[0], at) for labels, found in infos.items() for _, at in found
    )
    assert set(scraped.values()) == {1}
