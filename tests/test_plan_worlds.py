"""Plans of simulated platforms, from their objects and database through the whole chain, beside the truth."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import product
from math import log
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from scipy.stats import binom
from typer.testing import CliRunner

from gitopslab import cli, settings
from gitopslab.capacity.decision import Action
from gitopslab.capacity.evidence import Question, gather
from gitopslab.capacity.gates import Status
from gitopslab.capacity.plan import Plan, plan
from gitopslab.capacity.predictions import rows
from gitopslab.datasets import PREDICTIONS
from gitopslab.errors import UsageError
from gitopslab.lake import Lake, new_run_id
from gitopslab.warehouse import Warehouse
from gitopslab.world.capacity.models import MODELS, Contention

pytestmark = pytest.mark.slow

SEEDS = (1, 2)
MARGIN, STEP = 0.1, 1.2
SETTINGS = """
[[databases]]
name = "benchmark"
cluster = "dev"
dsn_variable = "BENCHMARK_DATABASE_URL"
"""


def built(folder: Path, *world: str) -> Path:
    """Return the warehouse of a world of which objects and database were landed."""
    command = [sys.executable, "-m", "gitopslab", "world", "generate", *world, "--out", str(folder / "world")]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "gitopslab.toml").write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for cluster in ("dev", "ryzen"):
            file = f"world/objects/{cluster}.ndjson.zst"
            cli.app(["land", "files", file, "--cluster", cluster], standalone_mode=False)
        dump = ["land", "dump", "world/postgres.sql", "--database", "benchmark"]
        for arguments in (dump, ["build"]):
            cli.app(arguments, standalone_mode=False)
        return folder / settings.load().warehouse.path


def planned(path: Path, concurrency: int, since: str = "56d", **question: Any) -> Plan:
    with Warehouse(path) as opened:
        window = opened.window(since, question.pop("as_of", ""))
        return plan(gather(opened, Question(concurrency, window, samples=50, **question)))


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    """Return plans of scenarios by name, each built once."""

    def of(name: str, concurrency: int, **question: Any) -> Plan:
        folder = tmp_path_factory.mktemp(name)
        path = built(folder, "--scenario", name, "--weeks", "1")
        return planned(path, concurrency, since="14d", **question)

    return of


def gates(found: Plan) -> dict[str, Any]:
    return {gate.gate: gate for gate in found.gates}


def layers(found: Plan) -> dict[str, int]:
    assert found.evidence.real is not None
    return {layer.name: layer.value for layer in found.evidence.real.layers}


def test_25_of_25_with_9_evaluators_of_24(scenario):
    found = scenario("historic-25-of-25", 25, current=25)

    assert gates(found)["quota"].status is Status.PASS
    assert gates(found)["evaluator"].evidence == (
        "the last launch got 9 evaluators of 24 (kueue_eval_capacity)"
    )
    assert found.quality.counts["resolved"] == 13
    assert found.decision.action is Action.HOLD


def test_3_of_which_2_fit_on_the_node_and_more_into_the_quota(scenario):
    found = scenario("ryzen-3-to-2", 3, cluster="ryzen")

    assert gates(found)["quota"].status is Status.PASS
    assert (gates(found)["node headroom"].status, gates(found)["node headroom"].limit) == (Status.FAIL, 2)


@pytest.mark.parametrize(("name", "admitted"), [("bundle-48", 48), ("bundle-34", 34), ("bundle-41", 41)])
def test_50_of_which_quota_takes_what_it_was_seen_to_admit(scenario, name, admitted):
    found = scenario(name, 50)

    assert gates(found)["quota"].limit == admitted
    assert gates(found)["quota"].status is Status.FAIL
    assert not found.decision.is_supported


def test_the_application_reckons_42_where_48_are_had(scenario):
    found = scenario("bundle-42", 50)

    assert found.evidence.platform is not None
    assert found.evidence.platform.deterministic == 42
    assert gates(found)["quota"].limit in {42, 48}


def test_no_run_has_more_than_the_161_instances_with_an_exact_image(scenario):
    found = scenario("coverage-161", 200)

    assert gates(found)["exact images"].status is Status.FAIL
    assert layers(found)["exact_ready"] == 161
    assert found.decision.supported is not None
    assert found.decision.supported <= 161


def test_the_command_says_by_its_exit_code_whether_it_is_supported(tmp_path, monkeypatch):
    built(tmp_path, "--scenario", "historic-25-of-25", "--weeks", "1")
    monkeypatch.chdir(tmp_path)

    def asked(*arguments: str) -> Any:
        return CliRunner().invoke(cli.app, ["plan", "--since", "14d", *arguments])

    held = asked("--concurrency", "25", "--current", "25", "--log", "--json")
    assert held.exit_code == 0
    assert json.loads(held.output)["decision"]["action"] == "hold"
    assert asked("--concurrency", "50").exit_code == 1
    assert isinstance(asked("--concurrency", "25", "--model", "nobody").exception, UsageError)
    cli.app(["build"], standalone_mode=False)
    logged = Warehouse(tmp_path / settings.load().warehouse.path).run(
        "prediction_outcomes_as_of", as_of=datetime(2030, 1, 1, tzinfo=UTC), cluster="dev", model=""
    )
    assert [row["concurrency"] for row in logged.dicts()] == [25]


def knee(contention: Contention) -> float:
    """Return where a tenth of the answers is lost, by the simulation's own curve."""
    return contention.quality_knee * (1 - log(1 - MARGIN / contention.quality_loss))


@pytest.fixture(scope="module")
def platforms(tmp_path_factory) -> dict[int, Path]:
    """Return warehouses of platforms by seed."""
    return {
        seed: built(tmp_path_factory.mktemp(f"seed-{seed}"), "--seed", str(seed), "--scale", "medium")
        for seed in SEEDS
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_no_raise_goes_past_the_true_quality_knee_by_more_than_a_step(platforms, seed):
    raised = 0
    for model in MODELS:
        for current in (5, 12, 30, None):
            asked = 200 if current is None else 5 * current
            decision = planned(platforms[seed], asked, model=model.name, current=current).decision
            if decision.action is Action.RAISE:
                raised += 1
                assert decision.to <= STEP * knee(model.contention), (model.name, current, str(decision))

    assert raised


def outcomes(path: Path) -> list[dict[str, Any]]:
    """Return what came of plans made four and three weeks before a world's end, logged and built again."""
    with Warehouse(path) as opened:
        ends_at = opened.window("1d").until
    lake = Lake(str(path.parent / "lake"))
    for weeks, model, (current, asked) in product((4, 3), MODELS, ((10, 16), (24, 32), (40, 50))):
        at = ends_at - timedelta(weeks=weeks)
        found = planned(path, asked, as_of=at.isoformat(), model=model.name, current=current)
        lake.append(PREDICTIONS, rows(found, at), new_run_id(at))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parents[1])
        cli.app(["build"], standalone_mode=False)
    with Warehouse(path) as opened:
        late = ends_at + timedelta(weeks=4)
        return opened.run("prediction_outcomes_as_of", as_of=late, cluster="dev", model="").dicts()


def test_what_was_predicted_and_then_run_lies_in_its_interval_about_as_often_as_is_said(platforms):
    found = [row for path in platforms.values() for row in outcomes(path)]

    for column, level in (("is_throughput_inside", 0.9), ("is_resolved_ratio_inside", 0.95)):
        judged = [row[column] for row in found if row[column] is not None]
        assert len(judged) >= 20
        assert sum(judged) >= binom.ppf(0.05, len(judged), level)
    ratios = [
        row["actual_throughput"] / row["throughput"]
        for row in found
        if row["is_throughput_inside"] is not None
    ]
    assert median(ratios) == pytest.approx(1, abs=0.1)
