"""Where quality falls, in series that were made with a knee, and without one."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from gitopslab.metrics.instance_outcomes import Outcome, instance_outcomes
from gitopslab.metrics.quality_knee import Knee, Quality, TooFewInstances, quality
from gitopslab.metrics.quality_levels import ladder, quality_levels
from gitopslab.metrics.run_shares import run_share


def instances(seed: int, *, falls_from: float = np.inf, runs: int = 24, scatter: float = 0.0) -> pd.DataFrame:
    """Runs of up to 60 at once: half is resolved, and from `falls_from` on a fortieth less by session."""
    generator = np.random.default_rng(seed)
    parts = []
    for number in range(runs):
        level = generator.choice([5, 10, 20, 30, 40, 50, 60])
        at_once = level * generator.uniform(0.8, 1, 2 * level + 10)
        kept = np.exp(-np.maximum(0, at_once - falls_from) / 40)
        is_resolved = generator.random(len(at_once)) < (0.5 + generator.normal(0, scatter)) * kept
        outcome = np.where(is_resolved, Outcome.RESOLVED, Outcome.UNRESOLVED)
        parts.append(pd.DataFrame({"run": f"run-{number}", "concurrency": at_once, "outcome": outcome}))
    return pd.concat(parts, ignore_index=True)


# A tenth is lost 4.2 sessions beyond where it begins to fall: -40 ln 0.9.
KNEE = 30 + 4.2
SEEDS = range(30)


@cache
def series(falls_from: float, scatter: float = 0.0) -> list[Quality]:
    return [quality(instances(seed, falls_from=falls_from, scatter=scatter)) for seed in SEEDS]


def knees(found: list[Quality]) -> list[Knee]:
    return [each.answers for each in found if isinstance(each.answers, Knee)]


def knee(rows: pd.DataFrame) -> Knee:
    [found] = knees([quality(rows)])
    return found


@pytest.mark.parametrize("scatter", [0.0, 0.05])
def test_the_interval_holds_the_knee_nine_times_in_ten(scatter):
    found = knees(series(30, scatter))

    held = [
        each.interval.low is not None
        and each.interval.low <= KNEE
        and (each.interval.high is None or each.interval.high >= KNEE)
        for each in found
    ]
    assert sum(held) >= 24
    assert np.median([each.interval.estimate for each in found]) == pytest.approx(KNEE, rel=0.1)


def test_where_nothing_falls_a_knee_is_seen_about_as_often_as_the_level_says():
    found = knees(series(np.inf))

    assert sum(each.is_seen for each in found) <= 6


def test_the_safe_concurrency_is_beyond_the_knee_one_time_in_ten_at_most():
    safe = [each.safe_concurrency for each in series(30)]

    assert sum(limit is None or limit > KNEE for limit in safe) <= 3


def test_a_knee_is_said_with_what_it_is_from():
    found = knee(instances(1, falls_from=20, runs=80))

    assert str(found).startswith("Quality has lost 10% of its 49% at 26.7 at once, 90% interval")
    assert "5,050 instances of 80 runs, at most 60 at once" in str(found)


def test_without_a_fall_it_is_said_how_far_quality_is_known_to_hold():
    assert str(knee(instances(3))).startswith("No knee of quality is seen within what was observed")


def test_infrastructure_that_fails_is_no_fault_of_the_model():
    rows = instances(3)
    is_crowded = rows["concurrency"] > 45
    rows.loc[is_crowded & (rows.index % 3 == 0), "outcome"] = Outcome.INFRASTRUCTURE

    found = quality(rows)

    assert isinstance(found.answers, Knee)
    assert isinstance(found.platform, Knee)
    assert found.answers.ratio == pytest.approx(0.5, abs=0.05)
    assert not found.answers.is_seen
    assert found.platform.is_seen
    assert found.platform.interval.estimate == pytest.approx(46, abs=4)
    assert found.safe_concurrency is not None
    assert found.safe_concurrency < 48


def test_ambiguous_and_open_instances_are_counted_and_in_no_share():
    rows = instances(1)
    rows.loc[:9, "outcome"] = Outcome.AMBIGUOUS
    rows.loc[10:29, "outcome"] = Outcome.OPEN

    found = quality(rows)

    assert isinstance(found.answers, Knee)
    assert found.answers.n == len(rows) - 30
    assert sum(level.ambiguous_count for level in found.levels) == 10
    assert str(found).endswith("Not in it: 10 ambiguous, 20 open.")


def rows_of(count: int, concurrency: float, outcome: Outcome, runs: int = 5) -> pd.DataFrame:
    return pd.DataFrame(
        {"run": [f"run-{n % runs}" for n in range(count)], "concurrency": concurrency, "outcome": outcome}
    )


def test_one_level_one_outcome_and_few_instances_bear_no_knee_and_say_so():
    half = pd.concat([rows_of(60, 8, Outcome.RESOLVED), rows_of(60, 8, Outcome.UNRESOLVED)])
    same = pd.concat([rows_of(60, 8, Outcome.RESOLVED), rows_of(60, 16, Outcome.RESOLVED)])

    assert str(quality(half).answers) == (
        "No knee of quality: 120 instances of 5 runs, at one level of concurrency."
    )
    assert str(quality(same).answers) == (
        "No knee of quality: 120 instances of 5 runs, of which all came to the same."
    )
    assert str(quality(half.head(20)).answers) == (
        "No knee of quality: 20 instances of 5 runs; it takes 100 of 5."
    )
    assert isinstance(quality(half.head(0)).answers, TooFewInstances)
    assert quality(half.head(0)).safe_concurrency is None


def test_levels_hold_all_that_ended_and_are_tested_in_order():
    rows = pd.concat(
        [
            part
            for concurrency, resolved in ((5, 200), (20, 195), (40, 100))
            for part in (
                rows_of(resolved, concurrency, Outcome.RESOLVED),
                rows_of(400 - resolved, concurrency, Outcome.UNRESOLVED),
            )
        ]
    )
    levels = quality_levels(rows)
    # Runs here are as alike as they can be, so the shares are those of 400 independent instances.
    tested = ladder(levels, margin=0.2)

    assert [(level.low, level.resolved.yes_count, level.resolved.n) for level in levels] == [
        (5, 200, 400),
        (20, 195, 400),
        (40, 100, 400),
    ]
    assert (tested.not_worse_to, tested.worse_from) == (20, 40)
    assert str(tested) == (
        "Levels up to 20 at once are shown to lose less than 20% of what low concurrency resolves; from 40 on"
        " they resolve less (one-sided tests at 5%, corrected for their number)."
    )


def test_runs_that_differ_make_a_share_less_sure():
    alike = run_share([True, False] * 50, [f"run-{n // 10}" for n in range(100)])
    apart = run_share([n < 50 for n in range(100)], [f"run-{n // 10}" for n in range(100)])

    assert (alike.ratio, apart.ratio) == (0.5, 0.5)
    assert alike.effective_count == 100
    assert apart.effective_count == pytest.approx(9)
    assert apart.interval[0] < 0.25


def test_a_share_of_few_runs_is_less_sure_than_one_of_many():
    def share(run_count: int) -> tuple[float, float]:
        return run_share([True, False] * 50, [f"run-{n * run_count // 100}" for n in range(100)]).interval

    # As of 100 x (1.96 / 2.262)^2 = 75 things: Student's t of 9 degrees of freedom, in place of the normal's.
    assert share(10) == pytest.approx((0.390, 0.610), abs=0.001)
    assert share(50) == pytest.approx((0.402, 0.598), abs=0.001)
    assert share(1) == pytest.approx((0.404, 0.596), abs=0.001)


def instance(**changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "status": "failed",
        "inference_status": "inferred",
        "evaluation_status": "unresolved",
        "termination_reason": "end_turn",
        "evaluation_error": None,
        "harness_status": None,
        "is_active": False,
    }
    return row | changes


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"status": "resolved", "evaluation_status": "resolved"}, Outcome.RESOLVED),
        ({}, Outcome.UNRESOLVED),
        ({"evaluation_status": "empty_patch"}, Outcome.UNRESOLVED),
        ({"harness_status": "patch_failed"}, Outcome.UNRESOLVED),
        ({"termination_reason": "no_session_progress_retry_1"}, Outcome.UNRESOLVED),
        ({"evaluation_error": "no space left on device"}, Outcome.AMBIGUOUS),
        ({"harness_status": "eval_failed"}, Outcome.AMBIGUOUS),
        ({"inference_status": "error", "termination_reason": "no_session_progress"}, Outcome.STALLED),
        (
            {"inference_status": "error", "termination_reason": "session_host_start_timeout"},
            Outcome.INFRASTRUCTURE,
        ),
        ({"inference_status": "error", "termination_reason": "agent_error"}, Outcome.AMBIGUOUS),
        ({"status": "timeout", "inference_status": "timeout"}, Outcome.TIMEOUT),
        ({"status": "cancelled", "inference_status": "cancelled"}, Outcome.CANCELLED),
        ({"status": "evaluating", "evaluation_status": "evaluating", "is_active": True}, Outcome.OPEN),
        ({"status": "a new one", "evaluation_status": "a new one"}, Outcome.AMBIGUOUS),
    ],
)
def test_what_came_of_an_instance_is_the_model_s_only_where_nothing_else_failed(changes, outcome):
    assert instance_outcomes(pd.DataFrame([instance(**changes)])).tolist() == [outcome]
