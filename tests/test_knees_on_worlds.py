"""Knees of simulated platforms, where it is known what they are."""

import subprocess
import sys
from dataclasses import dataclass
from math import inf, log
from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import binom

from gitopslab.metrics.durations import Bootstrap
from gitopslab.metrics.in_flight import mean_in_flight
from gitopslab.metrics.instance_outcomes import Outcome
from gitopslab.metrics.quality_knee import Knee, quality
from gitopslab.metrics.scaling_law import ScalingFit
from gitopslab.metrics.session_clock import fit_session_clock
from gitopslab.world.capacity.models import MODELS, Contention

from .simulated import World

SEEDS = (1, 2, 3, 4, 5)
MARGIN = 0.1
LEVEL = 0.9
STEP = 1.2
"""A raise goes a fifth up at most."""


@dataclass(frozen=True)
class Measured:
    contention: Contention
    sessions: pd.DataFrame

    @property
    def quality_knee(self) -> float:
        """Where a tenth of the answers is lost, by the simulation's own curve."""
        return self.contention.quality_knee * (1 - log(1 - MARGIN / self.contention.quality_loss))


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> list[Measured]:
    found = []
    for seed in SEEDS:
        folder = tmp_path_factory.mktemp("worlds") / str(seed)
        command = [sys.executable, "-m", "gitopslab", "world", "generate", "--scale", "medium"]
        subprocess.run([*command, "--seed", str(seed), "--out", str(folder)], check=True, capture_output=True)
        sessions = read(folder)
        found += [Measured(model.contention, sessions[sessions["model"] == model.name]) for model in MODELS]
    return found


def read(folder: Path) -> pd.DataFrame:
    """Return sessions with their turns and outcomes: what facts of leases and instances say."""
    world = World(folder)
    rows = pd.DataFrame(world.truth("workload"))
    is_session = rows["benchmark_instance_id"].notna() & rows["cluster_queue"].str.startswith(
        "benchmark-fast"
    )
    rows = rows[is_session & rows["running_at"].notna() & (rows["cluster"] == "dev")]
    truth = pd.DataFrame(world.truth("instance_quality"))
    turns = pd.DataFrame(world.rows("benchmark_run_instances"))
    turns["turns"] = pd.to_numeric(turns["turn_count"].where(turns["turn_count"] != "\\N"))
    joined = (
        rows.assign(run=rows["benchmark_run_id"])
        .merge(_keyed(truth, "benchmark_run_id"), on=["run", "benchmark_instance_id"])
        .merge(
            _keyed(turns, "run_id")[["run", "instance_id", "turns"]],
            left_on=["run", "benchmark_instance_id"],
            right_on=["run", "instance_id"],
        )
    )
    outcome = joined["is_resolved"].map({True: Outcome.RESOLVED, False: Outcome.UNRESOLVED})
    return pd.DataFrame(
        {
            "run": joined["run"],
            "model": joined["model"],
            "started_at": joined["running_at"],
            "ended_at": joined["released_at"],
            "is_completed": (joined["reason"] == "Succeeded") & (joined["episode"] == 1),
            "work_units": joined["turns"],
            "is_last": ~joined.duplicated(["run", "benchmark_instance_id"], keep="last"),
            "outcome": outcome.where(joined["infrastructure_failure"].isna(), Outcome.INFRASTRUCTURE).fillna(
                Outcome.OPEN
            ),
        }
    )


def fewest(n: int) -> int:
    """Return how many of `n` intervals of 90 % hold the truth at least, but for one time in twenty."""
    return int(binom.ppf(0.05, n, LEVEL))


def _keyed(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Workloads have a run's id as a label may hold it."""
    return rows.assign(run=rows[column].str.strip("_-"))


@pytest.mark.slow
def test_throughput_knees_lie_in_their_intervals_at_about_the_rate_that_is_said(measured):
    held = []
    for each in measured:
        fit = fit_session_clock(each.sessions, Bootstrap(seed=1, samples=200))
        assert isinstance(fit, ScalingFit)
        knee = fit.knee_of_universal_law
        limit = 1.2 * fit.largest_observed
        low = limit if knee.low is None else knee.low
        held.append(low <= each.contention.throughput_knee <= (knee.high or inf))

    assert sum(held) >= fewest(len(held))


@pytest.mark.slow
def test_quality_knees_lie_in_their_intervals_and_no_raise_goes_past_them_by_more_than_a_step(measured):
    held, past = [], []
    for each in measured:
        sessions = each.sessions.assign(concurrency=mean_in_flight(each.sessions))
        found = quality(sessions[sessions["is_last"]], margin=MARGIN)
        assert isinstance(found.answers, Knee)
        assert found.safe_concurrency is not None
        interval = found.answers.interval
        low = found.safe_concurrency if interval.low is None else interval.low
        held.append(low <= each.quality_knee <= (interval.high or inf))
        past.append(found.safe_concurrency > STEP * each.quality_knee)

    assert sum(held) >= fewest(len(held))
    assert not any(past)
