"""Causes of incidents of delivery in a simulated fleet, and what those leave that no single object shows."""

import re
import shutil
from datetime import datetime, timedelta

import pytest

from gitopslab.world.platform import generate

from .simulated import Stricken

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="a world has git repositories")

CAUSED_BY_A_CHANGE = {"A2", "A3", "A15", "A16", "A18", "A20", "A21", "A25", "P6"}
"""All others have a cause that is no commit."""

LONG = timedelta(minutes=10)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Stricken:
    folder = tmp_path_factory.mktemp("causes") / "out"
    generate(7, 3, "small", folder)
    return Stricken(folder)


def only(world: Stricken, kind: str) -> dict:
    (incident,) = (incident for incident in world.incidents if incident["kind"] == kind)
    return incident


def of_delivery(world: Stricken) -> list[dict]:
    return [incident for incident in world.incidents if incident["kind"][0] in "APT"]


def committed(world: Stricken, repository: str, branch: str, incident: dict) -> list[str]:
    """Return the commits that came onto a branch while an incident lasted."""
    log = world.git(repository, "log", "--first-parent", "--format=%H %ct", branch)
    since, until = incident["started_at"].timestamp(), int(incident["ended_at"].timestamp())
    return [sha for sha, time in (line.split() for line in log.splitlines()) if since < int(time) < until]


def gate(world: Stricken, incident: dict) -> dict:
    return world.last_of(incident, "CommitStatus")["spec"]


def runs_of(world: Stricken, change: dict) -> list[dict]:
    sha = change["change_id"].encode()
    return [
        event.object
        for event in world.seen["hub"]
        if sha in bytes(event.body) and event.kind == "PipelineRun"
    ]


def before(run: dict, incident: dict) -> bool:
    return run["metadata"]["creationTimestamp"] < f"{incident['ended_at']:%Y-%m-%dT%H:%M:%SZ}"


def lost_changes(world: Stricken, incident: dict) -> list[dict]:
    lost = {row["name"] for row in world.effects_of(incident) if row["kind"] == "Commit"}
    return [change for change in world.truth("change") if change["change_id"] in lost]


def test_an_incident_names_its_change_exactly_where_a_change_is_its_cause(world):
    for incident in world.incidents:
        is_named = incident["cause_change_id"] is not None
        assert is_named == (incident["kind"] in CAUSED_BY_A_CHANGE), incident
        assert is_named == (incident["cause_kind"] == "change")


def test_a_change_that_is_blamed_came_to_the_service_before_the_incident(world):
    changes = {change["change_id"]: change for change in world.truth("change")}
    passages = {(row["change_id"], row["environment"]): row for row in world.truth("change_environment")}
    for incident in world.incidents:
        if change := changes.get(incident["cause_change_id"]):
            passage = passages[change["change_id"], incident["environment"]]
            assert change["service"] == incident["service"]
            assert change["committed_at"] <= passage["pinned_at"] < incident["started_at"]


def test_a_crash_is_blamed_on_a_change_that_is_bad(world):
    bad = {change["change_id"] for change in world.truth("change") if change["is_bad"]}
    crashes = [incident for incident in world.incidents if incident["kind"] == "A25"]
    assert crashes
    assert {crash["cause_change_id"] for crash in crashes} <= bad
    assert all(crash["started_at"] < crash["ended_at"] for crash in crashes)


def test_roll_outs_shortly_before_an_incident_are_not_blamed_for_it(world):
    blamed = {incident["cause_change_id"] for incident in world.incidents} - {None}
    innocent = [
        passage["change_id"]
        for incident in of_delivery(world)
        for passage in world.truth("change_environment")
        if passage["environment"] == incident["environment"] and passage["synced_at"]
        if timedelta() < incident["started_at"] - passage["synced_at"] < timedelta(hours=6)
        if passage["change_id"] != incident["cause_change_id"]
    ]
    assert innocent
    assert not blamed & set(innocent)
    assert len(blamed) == sum(incident["cause_kind"] == "change" for incident in world.incidents)


def test_what_looks_wrong_and_is_meant_to_be_so_has_that_as_its_cause(world):
    assert {row["cause_kind"] for row in world.incidents if row["is_benign"]} == {"design"}


def test_a_hydrator_behind_main_proposes_nothing_although_main_has_moved(world):
    incident = only(world, "P2")
    head = world.git("stacks.git", "log", "-1", "--format=%H", f"--before={incident['ended_at']}", "main")
    assert committed(world, "stacks.git", "env/spokes-dev-next", incident) == []
    for item in world.objects_of(incident):
        operation = item["status"]["sourceHydrator"]
        assert operation["currentOperation"]["phase"] == "Hydrating"
        assert "drySHA" not in operation["currentOperation"]
        assert operation["lastSuccessfulOperation"]["drySHA"] != head.strip()
    started_at = datetime.fromisoformat(item["status"]["sourceHydrator"]["currentOperation"]["startedAt"])
    assert incident["ended_at"] - started_at > LONG


def test_a_promoter_that_proposes_an_old_commit_does_not_see_the_tip_of_the_branch(world):
    incident = only(world, "P3")
    proposed = world.last_of(incident, "ChangeTransferPolicy")["status"]["proposed"]
    before = f"--before={incident['ended_at']}"
    tip = world.git("stacks.git", "log", "-1", "--format=%H %ct", before, "env/spokes-dev-next").split()
    assert proposed["hydrated"]["sha"] != tip[0]
    assert incident["ended_at"].timestamp() - int(tip[1]) > LONG.total_seconds()


def test_a_gate_waits_for_an_application_that_sees_nothing_new(world):
    incident = only(world, "P4")
    status = world.last_of(incident, "ChangeTransferPolicy")["status"]
    assert gate(world, incident)["phase"] == "pending"
    assert re.search(r", [1-9]\d* pending", gate(world, incident)["description"])
    assert status["proposed"]["dry"]["sha"] == status["active"]["dry"]["sha"]


def test_a_pull_request_that_is_not_merged_stays_open_and_the_branch_where_it_is(world):
    incident = only(world, "P5")
    item = world.last_of(incident, "PullRequest")
    policy = world.last_of(incident, "ChangeTransferPolicy")["status"]["conditions"][0]
    assert (item["spec"]["state"], item["status"]["state"]) == ("merged", "open")
    assert (policy["status"], policy["reason"]) == ("False", "PullRequestNotReady")
    assert committed(world, "stacks.git", "env/spokes-dev", incident) == []


def test_one_degraded_application_keeps_the_gate_of_all_pending(world):
    incident = only(world, "P6")
    assert gate(world, incident)["phase"] == "pending"
    assert re.search(r", 1 degraded", gate(world, incident)["description"])


def test_a_webhook_that_does_not_arrive_leaves_neither_a_run_nor_an_event(world):
    incident = only(world, "T1")
    lost = lost_changes(world, incident)
    assert lost
    assert not [text for text in world.messages_of(incident) if "protocol scheme" in text]
    assert not any(before(run, incident) for change in lost for run in runs_of(world, change))
    assert {change["build_state"] for change in lost} <= {"succeeded", "failed", "covered"}


def test_a_webhook_that_makes_no_run_leaves_an_event_that_says_why(world):
    incident = only(world, "T2")
    lost = lost_changes(world, incident)
    refused = [text for text in world.messages_of(incident) if 'unsupported protocol scheme ""' in text]
    assert lost
    assert refused
    assert not any(before(run, incident) for change in lost for run in runs_of(world, change))


def test_an_image_whose_pin_is_refused_is_there_and_nothing_asks_for_it(world):
    incident = only(world, "T6")
    run = world.last_of(incident, "PipelineRun")
    states = {
        item["metadata"]["labels"]["tekton.dev/pipelineTask"]: item["status"]
        for item in world.objects("TaskRun", "hub")
        if item["metadata"]["labels"].get("tekton.dev/pipelineRun") == run["metadata"]["name"]
        if "status" in item
    }
    (digest,) = (each["value"] for each in states["build-image"]["results"] if each["name"] == "IMAGE_DIGEST")
    last = incident["ended_at"] - timedelta(seconds=1)
    pinned = {
        when: digest in world.git("stacks.git", "log", "-p", f"--{when}={last}", "main")
        for when in ("before", "since")
    }
    assert states["update-stacks"]["conditions"][0]["reason"] == "Failed"
    assert run["status"]["conditions"][0]["reason"] == "Failed"
    assert pinned == {"before": False, "since": True}


def test_a_broken_environment_of_tests_resolves_nothing_of_what_is_patched(world):
    rows = [row for row in world.rows_of(only(world, "B19")) if "\tbinst_" in row]
    patched = [row for row in rows if "diff --git" in row]
    assert len(rows) >= 5
    assert len(patched) >= 0.8 * len(rows)
    assert all("\tunresolved\t" in row and "tests_status" not in row for row in patched)
