"""The repositories of a simulated world, extracted and built: the tables hold what its truth says."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gitopslab import settings
from gitopslab.cli import app
from gitopslab.warehouse import Warehouse
from gitopslab.world.platform import generate

from .simulated import World

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="a world has git repositories")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world") / "out"
    generate(7, 2, "small", folder)
    return World(folder)


@pytest.fixture(scope="module")
def warehouse(world: World) -> Warehouse:
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(world.folder)
        for command in (["extract", "git"], ["build"]):
            done = CliRunner().invoke(app, command)
            assert done.exit_code == 0, done.output
    with Warehouse(settings.load(world.folder / settings.FILE).warehouse.path) as opened:
        yield opened


def test_every_change_is_a_source_commit_of_its_service(world, warehouse):
    found = {
        (row["sha"], row["service"]): row["committed_at"]
        for row in warehouse.sql("SELECT sha, service, committed_at FROM source_commits").dicts()
    }
    true = {
        (row["change_id"], row["service"]): row["committed_at"].replace(microsecond=0)
        for row in world.truth("change")
        if row["repository"] == "source"
    }

    assert true.items() <= found.items()


def test_reverts_name_what_they_take_back(world, warehouse):
    found = warehouse.sql(
        "SELECT DISTINCT sha, reverted_sha FROM source_commits WHERE reverted_sha <> ''"
    ).dicts()
    true = [row for row in world.truth("change") if row["reverts"] and row["repository"] == "source"]

    assert {(row["sha"], row["reverted_sha"]) for row in found} == {
        (r["change_id"], r["reverts"]) for r in true
    }


def test_every_pin_of_a_change_is_found_at_its_time(world, warehouse):
    found = warehouse.sql("SELECT DISTINCT service, sha, pinned_at FROM pins").dicts()
    built = {row["change_id"] for row in world.truth("change") if row["repository"] == "source"}
    passages = [
        row for row in world.truth("change_environment") if row["pinned_at"] and row["change_id"] in built
    ]
    pinned = {(row["service"], row["pinned_at"]) for row in found}

    assert passages
    assert {(row["service"], row["pinned_at"].replace(microsecond=0)) for row in passages} <= pinned


def test_a_pin_names_the_commit_that_its_image_was_built_from(world, warehouse):
    commits = {row["change_id"] for row in world.truth("change")}
    shas = {
        row["source_sha"] for row in warehouse.sql("SELECT source_sha FROM pins WHERE NOT is_removed").dicts()
    }
    later = warehouse.sql("SELECT source_sha FROM pins WHERE change_kind = 'changed'").dicts()

    assert {row["source_sha"] for row in later} <= commits
    assert all(len(sha) == 40 for sha in shas)


def test_every_hydration_and_every_merge_is_found(world, warehouse):
    hydrated = {
        (row["environment"], row["dry_sha"], row["sha"])
        for row in warehouse.sql("SELECT environment, dry_sha, sha FROM hydrated_commits").dicts()
    }
    merged = {
        (row["environment"], row["sha"]): row["committed_at"]
        for row in warehouse.sql("SELECT environment, sha, committed_at FROM branch_promotions").dicts()
    }
    passages = world.truth("change_environment")
    true_hydrations = {
        (r["environment"], r["dry_sha"], r["hydrated_sha"]) for r in passages if r["hydrated_sha"]
    }
    true_merges = {(r["environment"], r["merge_sha"]): r["merged_at"] for r in passages if r["merge_sha"]}

    assert len(true_merges) > 10
    assert true_hydrations <= hydrated
    assert {key: at.replace(microsecond=0) for key, at in true_merges.items()}.items() <= merged.items()


def test_what_a_merge_contains_is_known_by_positions(world, warehouse):
    [row] = warehouse.sql(
        """
        SELECT count(*) AS n, count(*) FILTER (WHERE proposed.position <= merge.position) AS contained
        FROM branch_promotions AS merge
        JOIN branch_commits AS proposed
            ON proposed.repository = merge.repository
            AND proposed.branch = merge.branch
            AND proposed.sha = merge.proposed_hydrated_sha
        """
    ).dicts()

    assert row["n"] == row["contained"] > 10


def test_extracting_twice_lands_nothing_new(world, warehouse, monkeypatch):
    monkeypatch.chdir(world.folder)
    before = sum(1 for _ in Path("data/lake/raw").glob("git_*/**/*.parquet"))

    assert CliRunner().invoke(app, ["extract", "git", "stacks"]).exit_code == 0
    assert sum(1 for _ in Path("data/lake/raw").glob("git_*/**/*.parquet")) == before


def test_a_dry_run_says_what_would_be_read(world, monkeypatch):
    monkeypatch.chdir(world.folder)

    said = CliRunner().invoke(app, ["extract", "git", "--dry-run"])

    assert "would read" in said.output
    assert "stacks.git as stacks" in said.output


def test_without_repositories_it_says_what_to_add(project):
    said = CliRunner().invoke(app, ["extract", "git"])

    assert said.exit_code != 0
    assert "[[repositories]]" in str(said.exception)


def test_one_that_cannot_be_read_does_not_stop_the_others(project, world):
    (project / "gitopslab.toml").write_text(
        f"""
        [[repositories]]
        name = "gone"
        url = "http://127.0.0.1:9/x.git"

        [[repositories]]
        name = "stacks"
        role = "config"
        path = "{world.folder}/git/stacks.git"
        """
    )

    said = CliRunner().invoke(app, ["extract", "git"])

    assert getattr(said.exception, "exit_code", None) == 3
    assert (project / "data/lake/raw/git_commits/repository=stacks").is_dir()
