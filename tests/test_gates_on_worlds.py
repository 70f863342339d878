"""Gates of a simulated platform, from what is landed of it, beside what they should say."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from gitopslab import cli, settings
from gitopslab.capacity.evidence import Question, gather
from gitopslab.capacity.gates import Finding, Status, findings
from gitopslab.warehouse import Warehouse
from gitopslab.world.platform import generate

pytestmark = pytest.mark.slow

SETTINGS = """
[[databases]]
name = "benchmark"
cluster = "dev"
dsn_variable = "BENCHMARK_DATABASE_URL"
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: Any) -> Path:
    folder: Path = tmp_path_factory.mktemp("project")
    (folder / "gitopslab.toml").write_text(SETTINGS)
    generate(7, 4, "small", folder / "world")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for cluster in ("dev", "ryzen"):
            objects = f"world/objects/{cluster}.ndjson.zst"
            cli.app(["land", "files", objects, "--cluster", cluster], standalone_mode=False)
        dump = ["land", "dump", "world/postgres.sql", "--database", "benchmark"]
        for arguments in (dump, ["build"]):
            cli.app(arguments, standalone_mode=False)
    return folder


def gates(world: Path, concurrency: int, as_of: str = "", **question: Any) -> dict[str, Finding]:
    with Warehouse(world / settings.Settings().warehouse.path) as opened:
        asked = Question(concurrency, opened.window("28d", as_of), **question)
        return {each.gate: each for each in findings(gather(opened, asked))}


@pytest.mark.parametrize("cluster", ["dev", "ryzen"])
def test_gates_say_what_they_should_and_let_through_what_they_should(world, cluster):
    truth = [
        row
        for row in pq.read_table(world / "world/truth/gate.parquet").to_pylist()
        if row["cluster"] == cluster
    ]

    assert truth
    for row in truth:
        found = gates(world, 2, cluster=cluster, model=row["model"] or "")[row["gate"]]
        assert (found.status is Status.PASS, found.limit) == (row["is_open"], row["limit"]), found


def test_no_gate_of_a_platform_that_is_wholly_landed_is_unknown(world):
    assert [str(each) for each in gates(world, 50).values() if each.status is Status.UNKNOWN] == []


def test_more_than_a_model_or_the_workers_take_fails_at_their_limits(world):
    found = gates(world, 250, model="deepseek-v4-pro")

    failed = {name: each.limit for name, each in found.items() if each.status is Status.FAIL}
    assert failed.items() >= {"Dapr readiness": 192, "model limits": 192, "agent turns": 192}.items()


def test_while_the_control_plane_is_rolled_out_no_raise_is_stable(world):
    with Warehouse(world / settings.Settings().warehouse.path) as opened:
        [row] = opened.sql(
            "SELECT max(observed_at) AS at FROM kubernetes_deployment"
            " WHERE cluster = 'dev' AND deployment = 'workflow-builder'"
            " AND observed_generation = generation AND ready_replica_count < wanted_replica_count"
        ).dicts()
    found = gates(world, 50, as_of=row["at"].isoformat(), cluster="dev")["launch stability"]
    assert (found.status, found.is_blocking) == (Status.FAIL, True)
    assert "workflow-builder is not rolled out" in found.evidence
