"""Figures of the platform's history, as objects and the database of a scenario's world show them."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from gitopslab.world.capacity.scenarios import SCENARIOS
from gitopslab.world.platform import generate
from gitopslab.world.scale import ScenarioName

from .simulated import World

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="a world has git repositories")


class Seen(NamedTuple):
    """A run: what it was given and why, most Workloads admitted at once, and how its instances ended."""

    given: int
    reason: str | None
    admitted: int
    ends: dict[str, int]


SEEN: dict[ScenarioName, Seen] = {
    "historic-25-of-25": Seen(25, None, 25, {"resolved": 13, "unresolved": 7, "empty_patch": 5}),
    "bundle-48": Seen(50, None, 48, {"cancelled": 50}),
    "bundle-42": Seen(42, "kueue_capacity", 42, {"resolved": 23, "unresolved": 20, "empty_patch": 7}),
    "bundle-41": Seen(50, None, 41, {"cancelled": 50}),
    "bundle-34": Seen(50, None, 34, {"cancelled": 50}),
    "bundle-30": Seen(50, None, 30, {"cancelled": 50}),
    "dev-24-kimi": Seen(24, None, 24, {"evaluating": 24}),
    "dev-64-deepseek": Seen(64, None, 64, {"resolved": 33, "unresolved": 22, "empty_patch": 9}),
    "dev-72-kimi": Seen(72, None, 72, {"resolved": 22, "unresolved": 28, "empty_patch": 22}),
    "dev-177-profile-timeouts": Seen(177, None, 72, {"cancelled": 177}),
    "ryzen-3-to-2": Seen(2, "kueue_capacity", 2, {"resolved": 1, "unresolved": 1, "empty_patch": 1}),
    "ryzen-unschedulable": Seen(3, None, 3, {"unresolved": 3}),
    "astropy-0-of-10": Seen(10, None, 10, {"unresolved": 10}),
    "astropy-4-of-10": Seen(10, None, 10, {"resolved": 4, "unresolved": 6}),
}


def played(name: ScenarioName, folder: Path, *, days: float = 0.35) -> World:
    generate(7, days / 7, "small", folder / "out", incidents=False, scenario=name)
    return World(folder / "out")


def capacity_of(run: dict[str, str]) -> dict:
    return json.loads(run["summary"].replace("\\\\", "\\"))["capacity"]


def is_admitted(event_type: str, item: dict) -> bool:
    states = {each["type"]: each["status"] for each in item.get("status", {}).get("conditions", ())}
    is_over = states.get("Finished") == "True" or event_type == "DELETED"
    return states.get("Admitted") == "True" and not is_over


def most_admitted(world: World, cluster: str) -> int:
    """Return the most Workloads of instances that were admitted at one time."""
    admitted: set[str] = set()
    most = 0
    for event in world.events(cluster, kind="Workload"):
        item = event.object
        if item["spec"]["queueName"] != "benchmark-fast":
            continue
        change = admitted.add if is_admitted(event.type, item) else admitted.discard
        change(item["metadata"]["uid"])
        most = max(most, len(admitted))
    return most


def test_every_scenario_has_its_figures_here():
    assert set(get_args(ScenarioName)) == SCENARIOS.keys() == SEEN.keys() | {"coverage-161"}


@pytest.mark.parametrize("name", SEEN)
def test_a_scenario_leaves_the_figures_of_history_in_objects_and_database(name, tmp_path):
    world = played(name, tmp_path)
    (run,) = world.rows("benchmark_runs")
    ends = Counter(row["evaluation_status"] for row in world.rows("benchmark_run_instances"))
    capacity = capacity_of(run)

    assert (
        Seen(
            int(run["concurrency"]),
            capacity["capReason"],
            most_admitted(world, SCENARIOS[name].cluster),
            dict(ends),
        )
        == SEEN[name]
    )
    assert capacity["effectiveConcurrency"] == SEEN[name].given


def test_24_evaluators_are_asked_for_and_9_are_given_by_the_quota_of_evaluators(tmp_path):
    world = played("historic-25-of-25", tmp_path)
    (run,) = world.rows("benchmark_runs")
    capacity = capacity_of(run)
    running = Counter[int]()
    admitted: set[str] = set()
    for event in world.events("dev", kind="Workload"):
        item = event.object
        if item["spec"]["queueName"] == "benchmark-eval":
            (admitted.add if is_admitted(event.type, item) else admitted.discard)(item["metadata"]["uid"])
            running[len(admitted)] += 1

    assert (capacity["requestedEvaluationConcurrency"], capacity["effectiveEvaluationConcurrency"]) == (24, 9)
    assert capacity["evaluationConcurrencyReason"] == "kueue_eval_capacity"
    assert run["evaluation_concurrency"] == "9"
    assert max(running) == 9


def test_48_were_admitted_of_what_the_application_takes_for_42(tmp_path):
    world = played("bundle-48", tmp_path / "two")
    modelled = capacity_of(*played("bundle-42", tmp_path / "three").rows("benchmark_runs"))["sandboxCapacity"]
    admitted = next(
        item["status"]["admission"]["podSetAssignments"]
        for item in world.objects("Workload", "dev")
        if "admission" in item.get("status", {}) and item["spec"]["queueName"] == "benchmark-fast"
    )

    assert len(admitted) == 2
    assert modelled["kueueInstancePodCount"] == 3
    assert modelled["kueueAvailableInstanceSlots"] == 42
    assert modelled["kueueInstanceRequestMemoryBytes"] == 2048 << 20
    assert [each["resourceUsage"]["memory"] for each in admitted] == ["640Mi", "1152Mi"]


def test_41_fit_where_pods_request_no_memory_and_34_where_they_do(tmp_path):
    requested = {
        name: {
            resource
            for item in played(name, tmp_path / name).objects("Workload", "dev")
            for each in item.get("status", {}).get("admission", {}).get("podSetAssignments", ())
            for resource in each["resourceUsage"]
        }
        for name in ("bundle-41", "bundle-34")
    }

    assert requested["bundle-34"] - requested["bundle-41"] == {"memory"}


def test_67_of_177_never_get_their_workspace(tmp_path):
    world = played("dev-177-profile-timeouts", tmp_path)
    errors = Counter(row["inference_error"] for row in world.rows("benchmark_run_instances"))

    assert errors["workspace/profile timed out after 300000ms"] == 67


def test_finalize_fails_after_24_of_24_were_inferred(tmp_path):
    world = played("dev-24-kimi", tmp_path)
    (run,) = world.rows("benchmark_runs")
    inferred = Counter(row["inference_status"] for row in world.rows("benchmark_run_instances"))
    ends = Counter(
        (item["metadata"]["labels"]["swebench.phase"], item["status"]["conditions"][0]["reason"])
        for item in {
            item["metadata"]["uid"]: item
            for item in world.objects("TaskRun", "dev")
            if "completionTime" in item.get("status", {})
        }.values()
    )

    assert (run["status"], inferred) == ("failed", {"inferred": 24})
    assert ends["run-instance", "Succeeded"] == ends.total() - 2
    assert ends["prepare", "Succeeded"] == ends["finalize", "Failed"] == 1


def test_quota_of_ryzen_admits_3_whose_agent_hosts_find_no_memory_on_its_node(tmp_path):
    world = played("ryzen-unschedulable", tmp_path)
    said = {
        item["message"] for item in world.objects("Event", "ryzen") if item["reason"] == "FailedScheduling"
    }

    assert said
    assert all("1 Insufficient memory" in message for message in said)


def test_161_of_500_instances_have_their_exact_image_and_a_run_has_no_other(tmp_path):
    world = played("coverage-161", tmp_path)
    commits = {row["base_commit"]: row["instance_id"] for row in world.rows("benchmark_instances")}
    ready = {
        commits[row["base_commit"]]
        for row in world.rows("environment_image_builds")
        if row["validation_status"] == "succeeded" and row["base_commit"] in commits
    }
    chosen = {row["instance_id"] for row in world.rows("benchmark_run_instances")}

    assert len(commits) == 500
    assert len(ready) == 161
    assert chosen == ready
