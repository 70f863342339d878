"""What incidents of capacity leave behind in objects, metrics and the database, and what ryzen adds."""

import shutil
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

from gitopslab.world.clock import HOUR, WEEK
from gitopslab.world.incidents.script import KINDS, Incident, Incidents
from gitopslab.world.platform import START, Platform, generate
from gitopslab.world.scale import SCALES
from gitopslab.world.watching import Watching

from .simulated import World

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="a world has git repositories")


def stricken(folder: Path, key: str, hours: float, *, interrupted_at: float | None = None) -> World:
    """Let one incident begin after an hour in which nothing else happens on dev.

    At `interrupted_at` somebody asks for a benchmark run.
    """
    scale = replace(SCALES["small"], scrape_seconds=600, benchmark_runs_per_day=0, workloads_per_day=0)
    with ExitStack() as files:
        platform = Platform(
            7,
            hours * HOUR / WEEK,
            scale,
            out=folder,
            api_release="current",
            watching=Watching(),
            incidents=False,
            files=files,
        )
        (kind,) = (kind for kind in KINDS if kind.key == key)
        incidents = Incidents(
            [Incident(f"{key}-001", kind, platform.clock.now + HOUR)],
            7,
            platform.clock,
            platform.clusters,
            delivery_plane=platform.delivery,
            capacity_plane=platform.capacity,
            truth=platform._truth,
        )
        incidents.start()
        if interrupted_at is not None:
            ask = lambda: platform.capacity.launch_when_possible(platform.capacity._plan())  # noqa: E731 - said once
            platform.clock.after(interrupted_at, ask)
        platform.run()
        incidents.close()
    return World(folder)


def when(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def conditions(item: dict) -> dict[str, dict]:
    return {each["type"]: each for each in item.get("status", {}).get("conditions", ())}


def test_preemption_takes_back_what_was_borrowed_and_names_who_wanted_it(tmp_path):
    world = stricken(tmp_path, "K5", 2)
    workloads = world.objects("Workload", "dev")
    uid_queues = {item["metadata"]["uid"]: item["spec"]["queueName"] for item in workloads}
    evicted = [item for item in workloads if conditions(item).get("Evicted", {}).get("status") == "True"]

    assert {conditions(item)["Evicted"]["reason"] for item in evicted} == {"Preempted"}
    assert {conditions(item)["Preempted"]["reason"] for item in evicted} == {"InCohortReclamation"}
    messages = {conditions(item)["Evicted"]["message"] for item in evicted}
    preemptors = {message.partition("(UID: ")[2].partition(",")[0] for message in messages}
    assert {uid_queues[uid] for uid in preemptors} == {"benchmark-eval"}
    victims = {item["metadata"]["uid"] for item in evicted}
    effects = [row for row in world.truth("incident_effect") if row["kind"] == "Workload"]
    assert victims == {row["uid"] for row in effects}
    assert len(victims) >= 4


def test_a_starved_queue_waits_beside_quota_that_nobody_uses(tmp_path):
    world = stricken(tmp_path, "K11", 2)
    (incident,) = world.truth("incident")
    assert incident["object"] == "ClusterQueue//interactive-agent"
    seen = [(event.observed_at, event.object) for event in world.events("dev", kind="ClusterQueue")]

    def counts(queue: str, count: str) -> list[tuple[datetime, int]]:
        return [
            (when(at.rstrip("Z")), item.get("status", {}).get(count, 0))
            for at, item in seen
            if item["metadata"]["name"] == queue
        ]

    pending = counts("interactive-agent", "pendingWorkloads")
    waited = [until - since for (since, count), (until, _) in pairwise(pending) if count]
    assert sum(waited, timedelta(0)) > timedelta(minutes=20)
    assert {count for _, count in counts("benchmark-fast", "reservingWorkloads")} == {0}


def test_disk_pressure_shows_on_two_nodes_and_lets_no_run_start(tmp_path):
    world = stricken(tmp_path, "K10", 4, interrupted_at=1.5 * HOUR)
    (incident,) = world.truth("incident")
    pressed = set()
    for file in (tmp_path / "metrics" / "dev").iterdir():
        for line in zstandard.decompress(file.read_bytes(), max_output_size=1 << 28).decode().splitlines():
            if 'condition="DiskPressure",status="true"} 1 ' in line:
                labels, _, at = line.rpartition("} 1 ")
                pressed.add((labels.partition('node="')[2].partition('"')[0], float(at)))
    (run,) = world.rows("benchmark_runs")

    assert {node for node, _ in pressed} == {"dev-cpx51-worker-1", "dev-cpx51-worker-2"}
    scraped = sorted({at for _, at in pressed})
    assert scraped[0] - incident["started_at"].timestamp() < 600
    assert 0 < incident["ended_at"].timestamp() - scraped[-1] <= 600
    assert all(later - sooner == 600 for sooner, later in pairwise(scraped))
    asked_at = START + timedelta(hours=1.5)
    assert incident["started_at"] < asked_at < incident["ended_at"] <= when(run["created_at"])


def test_a_paused_launch_is_a_run_that_begins_only_when_the_pressure_is_gone(tmp_path):
    world = stricken(tmp_path, "B5", 6)
    (incident,) = world.truth("incident")
    (effect,) = world.truth("incident_effect")
    (run,) = world.rows("benchmark_runs")

    assert (effect["kind"], effect["name"]) == ("BenchmarkRun", run["id"])
    assert timedelta(0) <= when(run["created_at"]) - incident["ended_at"] <= timedelta(minutes=15)
    assert not [
        item
        for event in world.events("dev", kind="Workload")
        if (item := event.object)["spec"]["queueName"] == "benchmark-fast"
        and when(item["metadata"]["creationTimestamp"].rstrip("Z")) < incident["ended_at"]
    ]


def test_a_stalled_session_is_tried_once_more_and_then_given_up(tmp_path):
    world = stricken(tmp_path, "B14", 6)
    instances = world.rows("benchmark_run_instances")
    stalled = [row for row in instances if row["termination_reason"] == "no_session_progress"]
    retried = [
        row["instance_id"]
        for row in world.rows("benchmark_resource_leases")
        if "no_session_progress_retry_1" in row["metadata"]
    ]
    asked = {
        (item["metadata"]["uid"], labels["benchmark-instance-id"])
        for item in world.objects("Workload", "dev")
        if "benchmark-instance-id" in (labels := item["spec"]["podSets"][0]["template"]["metadata"]["labels"])
    }

    assert len(stalled) == 3
    assert {row["instance_id"] for row in stalled} == set(retried)
    for row in stalled:
        assert sum(instance == row["instance_id"] for _, instance in asked) == 2
        assert row["inference_status"] == "error"


def test_ryzen_has_queues_and_runs_of_its_own_beside_those_of_dev(tmp_path):
    generate(7, 2, "small", tmp_path / "out", incidents=False)
    world = World(tmp_path / "out")
    queues = {
        cluster: {item["metadata"]["name"] for item in world.objects("ClusterQueue", cluster)}
        for cluster in ("dev", "ryzen", "hub", "staging")
    }
    runs = {
        cluster: {
            row["benchmark_run_id"]
            for row in world.truth("workload")
            if row["cluster"] == cluster and row["benchmark_run_id"]
        }
        for cluster in ("dev", "ryzen")
    }

    assert queues["ryzen"] == {"benchmark-fast", "benchmark-eval"} < queues["dev"]
    assert not queues["hub"] | queues["staging"]
    assert runs["ryzen"]
    assert not runs["ryzen"] & runs["dev"]
    assert len(runs["ryzen"]) < len(runs["dev"])
    assert len(world.rows("benchmark_runs")) == len(runs["dev"] | runs["ryzen"])
    assert len(world.rows("benchmark_suites")) == 1
    assert any(
        b"kueue_cluster_queue_nominal_quota"
        in zstandard.decompress(file.read_bytes(), max_output_size=1 << 28)
        for file in (tmp_path / "out" / "metrics" / "ryzen").iterdir()
    )
