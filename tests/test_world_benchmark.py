import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from statistics import mean

import msgspec
import pyarrow.parquet as pq
import pytest

from gitopslab.capacity.pressure import Pressure
from gitopslab.checks.crds import schemas_from_directory
from gitopslab.checks.schema import drift
from gitopslab.world.apiserver import ApiServer
from gitopslab.world.capacity.artefacts import Artefacts
from gitopslab.world.capacity.models import DEEPSEEK, tasks
from gitopslab.world.capacity.plane import CapacityOptions, CapacityPlane
from gitopslab.world.capacity.runs import Fate, Faults, RunPlan
from gitopslab.world.capacity.scenarios import NO_FAULTS, SCENARIOS
from gitopslab.world.clock import HOUR, WEEK, Clock
from gitopslab.world.emit.postgres import PostgresDump
from gitopslab.world.emit.rows import BenchmarkRun, BenchmarkRunInstance, Lease
from gitopslab.world.scale import SCALES
from gitopslab.world.truth import Truth

CRDS = Path(__file__).parents[1].parent / "shared" / "data" / "crds"
START = 1_772_434_800.0
QUIET = CapacityOptions(faults=NO_FAULTS, has_load=False, has_runs=False, writes_suite=False)


class World:
    """A capacity plane on one cluster, and all that comes out of it."""

    def __init__(
        self, folder: Path, options: CapacityOptions = QUIET, *, cluster: str = "dev", seed: int = 7
    ):
        self.clock, self.rows, self.bodies = Clock(START), [], []
        self.folder = folder
        self.truth = Truth(folder / "truth")
        api = ApiServer(cluster, self.clock, self, seed)
        self.plane = CapacityPlane(
            api,
            seed=seed,
            truth=self.truth,
            sink=self,
            scale=SCALES["small"],
            options=options,
            artefacts=Artefacts(folder / "swebench"),
        )

    def see(self, *told):
        self.bodies.append(told[-1])

    def add(self, row):
        self.rows.append(row)

    def run(self, seconds: float, look: str = "benchmark-fast") -> int:
        """Let time pass, and return the most instances that held quota at once."""
        most, end = 0, self.clock.now + seconds
        while self.clock.now < end:
            self.clock.run(min(end, self.clock.now + 10))
            most = max(most, len(self.plane.kueue.queues[look].holding))
        return most

    def close(self):
        self.plane.close()
        self.truth.close()

    def of(self, kind: type) -> list:
        return [row for row in self.rows if isinstance(row, kind)]

    def true(self, table: str) -> list[dict]:
        return pq.read_table(self.folder / "truth" / f"{table}.parquet").to_pylist()


def played(name: str, folder: Path) -> tuple[World, int]:
    scenario = SCENARIOS[name]
    world = World(folder, scenario.options(QUIET), cluster=scenario.cluster)
    scenario.start(world.plane)
    most = world.run(scenario.seconds)
    world.close()
    return world, most


def plan(count: int, requested: int, **rest) -> RunPlan:
    return RunPlan(run_id="run", model=DEEPSEEK, tasks=tasks(7)[:count], requested=requested, **rest)


def launched(folder: Path, run: RunPlan, faults: Faults = NO_FAULTS, seconds: float = 12 * HOUR) -> World:
    world = World(folder, replace(QUIET, faults=faults))
    world.plane.launch(run)
    world.clock.run(START + seconds)
    world.close()
    return world


@pytest.mark.parametrize(
    ("name", "effective", "reason", "admitted"),
    [
        ("bundle-48", 50, None, 48),
        ("bundle-42", 42, "kueue_capacity", 42),
        ("bundle-41", 50, None, 41),
        ("bundle-34", 50, None, 34),
        ("bundle-30", 50, None, 30),
        ("dev-72-kimi", 72, None, 72),
        ("ryzen-3-to-2", 2, "kueue_capacity", 2),
        ("ryzen-unschedulable", 3, None, 3),
    ],
)
def test_historic_figures_of_concurrency_come_out_again(name, effective, reason, admitted, tmp_path):
    world, most = played(name, tmp_path)
    [run] = world.of(BenchmarkRun)
    assert (run.concurrency, run.summary["capacity"]["capReason"], most) == (effective, reason, admitted)


def test_the_run_of_25_gets_9_of_24_evaluators_and_leaves_no_lease(tmp_path):
    world, _ = played("historic-25-of-25", tmp_path)
    [run] = world.of(BenchmarkRun)
    counts = Counter(row.evaluation_status for row in world.of(BenchmarkRunInstance))
    assert counts == {"resolved": 13, "unresolved": 7, "empty_patch": 5}
    assert (run.concurrency, run.evaluation_concurrency, run.error) == (
        25,
        9,
        "12 benchmark instances did not resolve",
    )
    assert run.summary["capacity"]["evaluationConcurrencyReason"] == "kueue_eval_capacity"
    assert {lease.status for lease in world.of(Lease)} == {"released"}
    assert most_at_once(world, "inference", "openshell_sandbox") == 25
    assert most_at_once(world, "evaluation", "evaluator_slot") == 9


def most_at_once(world: World, phase: str, resource: str) -> int:
    leases = [lease for lease in world.of(Lease) if (lease.phase, lease.resource_type) == (phase, resource)]
    changes = [(lease.acquired_at, 1) for lease in leases] + [(lease.released_at, -1) for lease in leases]
    total = most = 0
    for _, change in sorted(changes):
        total += change
        most = max(most, total)
    return most


def test_two_agent_hosts_find_no_node_and_are_tried_again(tmp_path):
    world, _ = played("ryzen-unschedulable", tmp_path)
    reasons = Counter(stay["reason"] for stay in world.true("workload"))
    assert reasons["PodsReadyTimeout"] >= 2
    layers = {row["layer"]: row for row in world.true("capacity_layer")}
    assert layers["node_fit"]["is_binding"]
    assert layers["node_fit"]["value"] < layers["kueue_available"]["value"]


def test_all_results_of_a_run_come_back_at_one_moment(tmp_path):
    world = launched(tmp_path, plan(12, 12))
    rows = world.of(BenchmarkRunInstance)
    assert len({row.evaluated_at for row in rows}) == 1
    assert len({row.inference_completed_at for row in rows}) == 12


def test_evaluation_waits_for_the_last_inference(tmp_path):
    world = launched(tmp_path, plan(6, 2))
    last = max(row.inference_completed_at for row in world.of(BenchmarkRunInstance))
    evaluators = [lease for lease in world.of(Lease) if lease.phase == "evaluation"]
    assert min(lease.acquired_at for lease in evaluators) > last


def test_a_deadline_is_for_the_whole_run_and_not_for_an_instance(tmp_path):
    world = launched(tmp_path, plan(8, 2, timeout_seconds=900))
    [run] = world.of(BenchmarkRun)
    late = [row for row in world.of(BenchmarkRunInstance) if row.inference_status == "timeout"]
    assert len(late) > 2
    assert {row.inference_completed_at for row in late} <= {None, run.started_at + 1200}
    assert {row.evaluation_status for row in late} == {"empty_patch"}
    failures = Counter(row["infrastructure_failure"] for row in world.true("instance_quality"))
    assert failures["inference_deadline"] == len(late)


def test_a_stalled_session_is_tried_once_more_and_only_leases_tell_of_the_first(tmp_path):
    world = launched(tmp_path, plan(3, 3), Faults(0, stall=1, profile_timeout=0, slow_checkout=0))
    rows = world.of(BenchmarkRunInstance)
    assert {row.termination_reason for row in rows} == {"no_session_progress"}
    first = [row.metadata for row in world.of(Lease) if row.resource_type == "openshell_sandbox"]
    assert Counter(metadata["releaseReason"] for metadata in first) == {
        "no_session_progress_retry_1": 3,
        "inference_error": 3,
    }


def test_infrastructure_that_fails_is_not_the_models_failure(tmp_path):
    failing = {task.instance_id: Fate(failure="workspace_profile_timeout") for task in tasks(7)[:2]}
    world = launched(tmp_path, plan(5, 5, fates=failing))
    errors = [row.inference_error for row in world.of(BenchmarkRunInstance) if row.inference_error]
    assert errors == ["workspace/profile timed out after 300000ms"] * 2
    truth = {row["benchmark_instance_id"]: row for row in world.true("instance_quality")}
    assert all(truth[name]["infrastructure_failure"] == "workspace_profile_timeout" for name in failing)
    assert all(truth[name]["is_correct"] is None for name in failing)


def test_hard_pressure_lets_no_run_start_and_leaves_no_trace_of_it(tmp_path):
    world = World(tmp_path)
    world.plane.pressure = Pressure(("psi_io_pressure",), 1, is_hard=True)
    assert world.plane.launch(plan(5, 5)) is None
    world.close()
    assert (world.plane.refused_count, world.of(BenchmarkRun)) == (1, [])


def test_a_run_that_is_not_over_is_kept_as_it_is_with_its_leases(tmp_path):
    world = launched(tmp_path, plan(10, 10), seconds=240)
    [run] = world.of(BenchmarkRun)
    assert (run.status, run.completed_at) == ("inferencing", None)
    assert {lease.status for lease in world.of(Lease)} == {"active"}
    assert {stay["reason"] for stay in world.true("workload")} == {"Open"}


def test_an_evicted_instance_goes_on_where_it_was(tmp_path):
    world = World(tmp_path)
    world.plane.launch(plan(1, 1, fates={tasks(7)[0].instance_id: Fate(outcome="resolved", turns=30)}))
    world.clock.run(START + 300)
    [workload] = world.plane.kueue.queues["benchmark-fast"].holding.values()
    world.plane.kueue.evict(workload, "Preempted", "Preempted to accommodate a workload", "InClusterQueue")
    world.clock.run(START + 12 * HOUR)
    world.close()
    [row] = world.of(BenchmarkRunInstance)
    assert (row.status, row.turn_count) == ("resolved", 30)
    episodes = [stay["reason"] for stay in world.true("workload") if stay["benchmark_instance_id"]]
    assert episodes == ["Preempted", "Succeeded"]


def test_beyond_its_knee_a_model_solves_less_and_takes_longer():
    contention = DEEPSEEK.contention
    chosen = tasks(7)
    alone, crowded = (mean(task.probability(DEEPSEEK, sessions) for task in chosen) for sessions in (1, 120))
    assert contention.quality(40) == 1
    assert crowded < 0.75 * alone
    throughput = {sessions: sessions / contention.slowdown(sessions) for sessions in range(1, 200)}
    assert max(throughput, key=throughput.get) == round(contention.throughput_knee)


def test_outcomes_are_as_likely_as_the_truth_says(tmp_path):
    world = World(tmp_path)
    world.plane.launch(replace(plan(400, 30), timeout_seconds=48 * HOUR))
    world.clock.run(START + 72 * HOUR)
    world.close()
    rows = world.true("instance_quality")
    expected, got = (mean(row[name] for row in rows) for name in ("probability", "is_correct"))
    assert got == pytest.approx(expected, abs=0.06)


def bytes_of_a_week(folder: Path, seed: int) -> str:
    world = World(folder, CapacityOptions(), seed=seed)
    world.plane.start()
    world.clock.run(START + WEEK)
    world.close()
    digest = hashlib.sha256(b"\n".join(world.bodies))
    digest.update(repr(world.rows).encode())
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def test_the_same_seed_makes_the_same_bytes_and_another_seed_others(tmp_path):
    first, again, other = (
        bytes_of_a_week(tmp_path / name, seed) for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )
    assert first == again
    assert first != other


def test_files_of_a_run_agree_with_the_database(tmp_path):
    world = launched(tmp_path, plan(6, 6))
    report = json.loads((tmp_path / "swebench" / "run" / f"{DEEPSEEK.name}.run.json").read_text())
    resolved = {row.instance_id for row in world.of(BenchmarkRunInstance) if row.status == "resolved"}
    assert set(report["resolved_ids"]) == resolved
    predictions = json.loads((tmp_path / "swebench" / "run" / "trajectories" / "preds.json").read_text())
    assert {name: row["model_patch"] for name, row in predictions.items()} == {
        row.instance_id: row.model_patch for row in world.of(BenchmarkRunInstance)
    }


def test_rows_are_those_that_the_dump_takes(tmp_path):
    world = World(tmp_path, replace(QUIET, writes_suite=True))
    world.plane.start()
    world.plane.launch(plan(4, 4))
    world.clock.run(START + 6 * HOUR)
    world.close()
    with PostgresDump(tmp_path / "dump.sql") as dump:
        for row in world.rows:
            dump.add(row)
    assert (tmp_path / "dump.sql").read_text().count("\tSWE-bench_Verified\t") == 1


def test_prometheus_sees_the_queues_as_they_are(tmp_path):
    world = World(tmp_path)
    world.plane.launch(plan(10, 10))
    world.clock.run(START + 300)
    values = {
        sample.labels["cluster_queue"]: sample.value
        for sample in world.plane.scrape()
        if sample.family.name == "kueue_admitted_active_workloads"
    }
    assert values["benchmark-fast"] == 10
    assert values["secure-gvisor"] == 0


@pytest.mark.skipif(not CRDS.is_dir(), reason="CRDs lie beside the repository only")
def test_every_object_of_a_run_is_one_that_its_api_would_take(tmp_path):
    world, _ = played("dev-177-profile-timeouts", tmp_path / "cancelled")
    done = launched(tmp_path / "done", plan(5, 5))
    bodies = world.bodies + done.bodies
    schemas = schemas_from_directory(CRDS / "kueue") + schemas_from_directory(CRDS / "tekton-pipeline")
    report = drift(((("", "", str(number)), body) for number, body in enumerate(bodies)), schemas)
    assert report.findings == ()
    kinds = {kind.kind for kind in report.objects_examined}
    assert {"ClusterQueue", "LocalQueue", "Workload", "ResourceFlavor", "Cohort", "TaskRun"} <= kinds
    events = [msgspec.json.decode(body) for body in bodies if b'"kind":"Event"' in body[:60]]
    assert {"QuotaReserved", "Admitted", "Pending"} <= {event["reason"] for event in events}
