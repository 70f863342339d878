"""Simulated platforms, landed and stitched by the commands that people type, beside what truly happened."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gitopslab import settings
from gitopslab.checks.scores import Score, score
from gitopslab.cli import app
from gitopslab.warehouse import Warehouse

from .simulated import CLUSTERS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stitching")]

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


def links_above_nine_tenths(folder: Path) -> tuple[int, int]:
    """Return how many pins lead to a landed commit with a confidence above 0.9, and how many wrongly."""
    with Warehouse(folder / "data" / "gitopslab.duckdb") as lab:
        lab.read_also("truth_change", folder / "truth" / "change.parquet")
        [links] = lab.sql(
            """
            SELECT
                count(*) AS link_count,
                count(*) FILTER (WHERE truth.change_id IS DISTINCT FROM pin.source_sha) AS wrong_count
            FROM pin_sources AS pin
            LEFT JOIN truth_change AS truth
                ON truth.image_digest = pin.digest AND truth.service = pin.service
            WHERE pin.confidence > 0.9 AND pin.is_landed
            """
        ).dicts()
    return links["link_count"], links["wrong_count"]


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
    sure, wrong = links_above_nine_tenths(tmp_path / "world")
    assert sure > 50
    assert wrong == 0


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
    with Warehouse(Path("data/gitopslab.duckdb")) as lab:
        [bounded] = lab.sql(
            "SELECT count(*) AS change_count FROM change_environments WHERE healthy_earliest_at < healthy_at"
        ).dicts()
    assert bounded["change_count"] > 0
