"""Layers and bundles of a simulated platform, found from its objects and its database, beside the truth."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitopslab import cli, settings
from gitopslab.checks.scores import Score, score
from gitopslab.world.platform import generate
from tests import postgres_server

pytestmark = pytest.mark.slow

SETTINGS = """
[[databases]]
name = "benchmark"
cluster = "dev"
dsn_variable = "BENCHMARK_DATABASE_URL"
"""


@pytest.fixture(scope="module")
def scores(tmp_path_factory: Any) -> Iterator[dict[str, Score]]:
    folder: Path = tmp_path_factory.mktemp("project")
    (folder / "gitopslab.toml").write_text(SETTINGS)
    generate(7, 4, "small", folder / "world")
    with postgres_server.running() as server, pytest.MonkeyPatch.context() as patch:
        server.run("-c", "CREATE DATABASE world", database="postgres")
        server.run("-f", str(folder / "world/postgres.sql"), database="world")
        server.run("-c", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database="world")
        patch.chdir(folder)
        patch.setenv("BENCHMARK_DATABASE_URL", server.dsn("world"))
        for cluster in ("dev", "ryzen"):
            objects = f"world/objects/{cluster}.ndjson.zst"
            cli.app(["land", "files", objects, "--cluster", cluster], standalone_mode=False)
        for arguments in (["extract", "postgres"], ["build"]):
            cli.app(arguments, standalone_mode=False)
        yield {f"{each.subject} {each.part}": each for each in score(settings.load(), folder / "world/truth")}


def test_the_layer_that_binds_is_named_of_19_runs_in_20(scores):
    assert scores["capacity_layers binding"].true_count >= 15
    assert scores["capacity_layers binding"].recall >= 0.95


def test_what_the_application_gave_is_computed_as_it_does(scores):
    assert scores["capacity_layers effective"].recall >= 0.95


def test_the_bundle_is_what_instances_asked_for_to_the_percent(scores):
    assert scores["bundles cpu"].recall == scores["bundles memory"].recall == 1


def test_slots_of_the_cohort_tree_are_right_once_an_instance_was_admitted(scores):
    found = scores["capacity_layers kueue_available"]
    assert found.true_count - found.matched_count <= 2  # the first run on each of two clusters


def test_room_on_nodes_is_what_pods_leave_once_an_instance_was_admitted(scores):
    found = scores["capacity_layers node_fit"]
    assert found.true_count - found.matched_count <= 2  # the first run on each of two clusters
