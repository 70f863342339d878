"""Simulated platforms, landed and stitched by the commands that people type, beside what truly happened."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gitopslab import settings
from gitopslab.checks.scores import Score, score
from gitopslab.cli import app
from gitopslab.warehouse import Warehouse

from .simulated import CLUSTERS

pytestmark = pytest.mark.slow

STAGES = ("pin", "hydrate", "promote", "sync", "healthy")


def stitched(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> dict[tuple[str, str], Score]:
    """Return the scores of a world that was landed from its objects and repositories, by subject and part."""
    run("world", "generate", "--out", str(folder), *options)
    monkeypatch.chdir(folder)
    for cluster in CLUSTERS:
        run("land", "files", f"objects/{cluster}.ndjson.zst", "--cluster", cluster)
    run("extract", "git")
    run("build")
    found = score(settings.load(folder / settings.FILE), folder / "truth")
    return {(each.subject, each.part): each for each in found}


def run(*arguments: str) -> None:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def assert_no_sure_link_is_wrong(found: dict[tuple[str, str], Score]) -> None:
    for stage in ("build", *STAGES):
        assert found["links", stage].matched_count > 50
        assert found["links", stage].wrong_count == 0


@pytest.mark.parametrize("seed", ["3", "11"])
def test_of_stitchable_changes_99_in_100_are_stitched_at_the_true_times_and_classed_right(
    tmp_path, monkeypatch, seed
):
    found = stitched(tmp_path / "world", monkeypatch, "--seed", seed, "--weeks", "3")

    for stage in STAGES:
        of_stage = found["changes", stage]
        assert of_stage.true_count > 50
        assert of_stage.recall >= 0.99
        assert of_stage.precision >= 0.99
        assert abs(of_stage.worst_error_seconds) <= 5
    for part in ("delivered", "superseded", "open"):
        assert found["change_classes", part].recall >= 0.99
        assert found["change_classes", part].precision >= 0.99
    assert_no_sure_link_is_wrong(found)


def test_with_polling_and_gaps_the_bounds_of_every_stage_still_hold_the_truth(tmp_path, monkeypatch):
    options = (
        "--seed",
        "5",
        "--weeks",
        "4",
        "--poll-seconds",
        "300",
        "--gap",
        "dev:5d:12h",
        "--gap",
        "dev:15d:3d",
    )
    found = stitched(tmp_path / "world", monkeypatch, *options)

    for stage in STAGES:
        assert found["changes", stage].recall >= 0.99
        assert found["changes", stage].precision >= 0.99
    assert_no_sure_link_is_wrong(found)
    with Warehouse(Path("data/gitopslab.duckdb")) as lab:
        [bounded] = lab.sql(
            "SELECT count(*) AS change_count FROM change_environments WHERE healthy_earliest_at < healthy_at"
        ).dicts()
    assert bounded["change_count"] > 0


def test_syncs_that_argo_cd_forgot_in_a_long_gap_leave_bounds_and_no_sure_link_that_is_wrong(
    tmp_path, monkeypatch
):
    options = ("--seed", "42", "--weeks", "4", "--poll-seconds", "3600", "--gap", "dev:5d:12d")
    found = stitched(tmp_path / "world", monkeypatch, *options)

    assert found["syncs", "dev"].recall < 1
    for stage in ("sync", "healthy"):
        assert found["changes", stage].recall >= 0.99
        assert found["changes", stage].precision >= 0.99
    assert_no_sure_link_is_wrong(found)
