"""Incidents of a simulated fleet: each shows as its row of the catalogue says, and its truth is whole."""

import re
import shutil
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from gitopslab.world.clock import HOUR, WEEK
from gitopslab.world.incidents.script import KINDS, TRACKS, Incident, Incidents, schedule
from gitopslab.world.platform import START, Platform, generate
from gitopslab.world.scale import SCALES
from gitopslab.world.watching import Watching

from .simulated import Stricken, World

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="a world has git repositories")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Stricken:
    folder = tmp_path_factory.mktemp("incidents") / "out"
    generate(7, 3, "small", folder)
    return Stricken(folder)


def operation(phase: str, message: str):
    def shows(item: dict) -> bool:
        state = item["status"].get("operationState", {})
        return state.get("phase") == phase and re.search(message, state["message"]) is not None

    return shows


def out_of_sync(shows):
    return lambda item: item["status"]["sync"]["status"] == "OutOfSync" and shows(item)


def at_another_revision(item: dict) -> bool:
    status = item["status"]
    return status["operationState"]["syncResult"]["revision"] != status["sync"]["revision"]


def health(status: str, message: str):
    def shows(item: dict) -> bool:
        found = item["status"]["health"]
        return found["status"] == status and re.search(message, found.get("message", "")) is not None

    return shows


def drift(*kinds: str):
    def shows(item: dict) -> bool:
        drifted = {each["kind"] for each in item["status"]["resources"] if each["status"] == "OutOfSync"}
        return item["status"]["sync"]["status"] == "OutOfSync" and drifted == set(kinds)

    return shows


def condition(kind: str, status: str, reason: str, message: str = ""):
    def shows(item: dict) -> bool:
        return any(
            (each["type"], each.get("status", ""), each.get("reason", "")) == (kind, status, reason)
            and re.search(message, each["message"])
            for each in item.get("status", {}).get("conditions", ())
        )

    return shows


def uncompared(item: dict) -> bool:
    conditions = item["status"].get("conditions", ())
    refused = [each for each in conditions if each["type"] == "ComparisonError"]
    is_refused = any(re.search(":8081.*connection refused", each["message"]) for each in refused)
    return item["status"]["sync"]["status"] == "Unknown" and is_refused


def settled(item: dict) -> bool:
    return (item["status"]["sync"]["status"], item["status"]["health"]["status"]) == ("Synced", "Healthy")


def adopted(item: dict) -> bool:
    return settled(item) and "operationState" not in item["status"]


def masked(item: dict) -> bool:
    annotations = item["metadata"].get("annotations", {})
    return "argocd.argoproj.io/skip-reconcile" in annotations


def hydrating(item: dict) -> bool:
    return item["status"].get("sourceHydrator", {}).get("currentOperation", {}).get("phase") == "Hydrating"


def killed(item: dict) -> bool:
    steps = item.get("status", {}).get("steps", ())
    ends = [step["terminated"] for step in steps if "terminated" in step]
    return any((end["reason"], end["exitCode"]) == ("OOMKilled", 137) for end in ends)


def killed_before(item: dict) -> bool:
    return any(killed({"status": attempt}) for attempt in item.get("status", {}).get("retriesStatus", ()))


def held(item: dict) -> bool:
    checks = {each["name"]: each["state"] for each in item.get("status", {}).get("admissionChecks", ())}
    reserved = condition("QuotaReserved", "True", "QuotaReserved")(item)
    return reserved and checks.get("psi-memory-pressure") == "Pending"


def failed_task(message: str):
    return condition("Succeeded", "False", "Failed", message)


SHOWN = {
    "A1": operation("Running", r"waiting for completion of hook .*Job/"),
    "A2": lambda item: (
        out_of_sync(operation("Running", r"Retrying attempt #\d+ at"))(item) and at_another_revision(item)
    ),
    "A3": lambda item: out_of_sync(operation("Failed", "is invalid"))(item) and not at_another_revision(item),
    "A6": adopted,
    "A7": drift("ExternalSecret"),
    "A8": drift("ExternalSecret"),
    "A9": drift("Service"),
    "A10": health("Progressing", "first consumer"),
    "A11": drift("Pipeline", "Task"),
    "A12": uncompared,
    "A13": lambda item: (
        item["status"]["sync"]["status"] == "Unknown"
        and any("agentName=dev" in each["message"] for each in item["status"]["conditions"])
    ),
    "A14": operation("Failed", r"status.sync.comparedTo.source.repoURL: Required value"),
    "A15": operation("Failed", r"metadata.annotations: Too long.*262144"),
    "A16": operation("Failed", r'namespaces "gitea" not found'),
    "A17": operation("Failed", r"could not find .*ProxyGroup|no matches for kind"),
    "A20": health("Degraded", r"ImagePullBackOff.*not found"),
    "A21": health("Degraded", r"Init:ImagePullBackOff.*gitea.cnoe.localtest.me"),
    "A22": masked,
    "P2": hydrating,
    "P5": condition("Ready", "False", "ReconciliationError", "failed to merge pull request.*405"),
    "P8": condition(
        "Ready", "False", "ChangeTransferPolicyNotReady", "couldn't find remote ref env/hub-next"
    ),
    "P10": condition("Ready", "False", "ReconciliationError", "401|Bad credentials"),
    "T7": failed_task("step-pin.*500"),
    "T8": killed_before,
    "T9": killed,
    "T12": failed_task("denied"),
    "T14": condition("Succeeded", "False", "PipelineRunTimeout"),
    "K2": condition("QuotaReserved", "False", "Pending", "insufficient unused quota for cpu in flavor"),
    "K3": condition("QuotaReserved", "False", "Pending", r"insufficient quota.*maximum capacity"),
    "K4": held,
    "K7": condition("Evicted", "True", "PodsReadyTimeout"),
}
"""What the catalogue looks for, in objects that the incident affects."""

SAID = {
    "A4": "another operation is already in progress",
    "A28": "ERR_HEALTH_NOT_READY",
    "A29": "Cannot sync to .*: auto-sync currently set to",
    "K6": r"0/\d+ nodes are available",
}
"""What it looks for in Events."""

WRITTEN = {
    "B4": "psi_memory_pressure",
    "B11": r"workspace/profile.*timed out after 300000ms",
    "B12": "session_host_start_timeout",
    "B22": "finalize",
}
"""What it looks for in the application's database."""


@pytest.mark.parametrize("key", SHOWN)
def test_an_incident_shows_in_its_objects_as_the_catalogue_says(world, key):
    found = [incident for incident in world.incidents if incident["kind"] == key]
    assert found
    for incident in found:
        assert any(SHOWN[key](item) for item in world.objects_of(incident)), incident


@pytest.mark.parametrize("key", SAID)
def test_an_incident_is_told_by_events(world, key):
    (incident,) = (incident for incident in world.incidents if incident["kind"] == key)
    assert any(re.search(SAID[key], message) for message in world.messages_of(incident))


@pytest.mark.parametrize("key", WRITTEN)
def test_an_incident_of_a_run_is_in_the_database(world, key):
    (incident,) = (incident for incident in world.incidents if incident["kind"] == key)
    assert any(re.search(WRITTEN[key], row) for row in world.rows_of(incident))


def test_a_stopped_queue_and_one_without_its_flavor_are_inactive(world):
    found = [incident for incident in world.incidents if incident["kind"] == "K1"]
    shown = [
        {
            reason
            for item in world.objects_of(incident)
            for reason in ("Stopped", "FlavorNotFound")
            if condition("Active", "False", reason)(item)
        }
        for incident in found
    ]
    assert sorted(map(sorted, shown)) == [["FlavorNotFound"], ["Stopped"]]


def test_every_kind_comes_and_is_over_in_time(world):
    planned = [incident for incident in world.incidents if incident["kind"] != "A25"]
    assert Counter(incident["kind"] for incident in planned) == Counter(kind.key for kind in KINDS)
    assert all(incident["started_at"] < incident["ended_at"] for incident in planned)


def test_the_truth_names_cause_object_and_every_effect(world):
    affected = Counter(effect["incident_id"] for effect in world.effects)
    for incident in world.incidents:
        kind, _, name = incident["object"].split("/")
        assert incident["cause"]
        assert affected[incident["incident_id"]] >= 1
        assert (kind, name) in {(effect["kind"], effect["name"]) for effect in world.effects_of(incident)}


def test_more_than_six_kinds_are_no_fault():
    classes = Counter(kind.incident_class for kind in KINDS)
    assert len(KINDS) >= 25
    assert classes["benign"] >= 6
    assert classes["latency"] >= 6


def test_incidents_of_a_track_do_not_overlap():
    begin = START.timestamp()
    for track in TRACKS:
        planned = schedule(7, begin, begin + 8 * WEEK, [track])
        ends = [incident.starts_at + incident.kind.seconds for incident in planned]
        assert len(planned) == 2 * sum(kind.track == track for kind in KINDS)
        assert all(end < after.starts_at for end, after in zip(ends, planned[1:], strict=False))


def test_the_same_seed_plans_the_same_and_another_seed_another_script():
    begin = START.timestamp()
    one, two, three = (schedule(seed, begin, begin + WEEK) for seed in (7, 7, 8))
    assert one == two
    assert one != three


def test_a_world_of_some_hours_has_no_incident():
    assert schedule(7, 0, 10 * HOUR) == []


def test_an_image_is_stale_where_it_is_none_that_was_pinned(world):
    (incident,) = (incident for incident in world.incidents if incident["kind"] == "A18")
    pinned = world.git("stacks.git", "log", "--all", "-p", "--format=")
    (stale,) = {
        image
        for item in world.objects_of(incident)
        for image in item["status"]["summary"]["images"]
        if settled(item)
    }
    assert stale.partition(":git-")[2] not in pinned


def test_a_world_without_incidents_has_empty_truth_of_them(tmp_path):
    generate(7, 0.2, "small", tmp_path / "out", incidents=False)
    quiet = World(tmp_path / "out")
    assert (quiet.truth("incident"), quiet.truth("incident_effect")) == ([], [])


def test_an_incident_that_is_not_over_has_no_end(tmp_path):
    with ExitStack() as files:
        platform = Platform(
            7,
            0.05,  # some eight hours; drift lasts twelve
            SCALES["small"],
            out=tmp_path,
            api_release="current",
            watching=Watching(),
            incidents=False,
            files=files,
        )
        (kind,) = (kind for kind in KINDS if kind.key == "A7")
        incidents = Incidents(
            [Incident("A7-001", kind, platform.clock.now + HOUR)],
            7,
            platform.clock,
            platform.clusters,
            delivery_plane=platform.delivery,
            capacity_plane=platform.capacity,
            truth=platform._truth,
        )
        incidents.start()
        platform.run()
        incidents.close()
    (row,) = (row for row in World(tmp_path).truth("incident") if row["kind"] == "A7")
    assert (row["started_at"], row["ended_at"]) == (START + timedelta(hours=1), None)


def test_a_scenario_is_all_that_its_cluster_does(tmp_path: Path):
    generate(7, 0.1, "small", tmp_path / "out", scenario="ryzen-3-to-2")
    world = World(tmp_path / "out")
    assert not world.objects("Workload", "dev")
    runs = {item["metadata"]["name"] for item in world.objects("Workload", "ryzen")}
    assert runs
    (layer,) = [row for row in world.truth("capacity_layer") if row["is_binding"]]
    assert layer["cluster"] == "ryzen"


def test_a_run_leaves_its_files_beside_the_database(world):
    reports = list((world.folder / "swebench").glob("*/*.json"))
    assert reports
    assert all(msgspec.json.decode(report.read_bytes()) for report in reports)
