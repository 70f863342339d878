"""Waits for quota, by rows that can be added up; and forecasts on queues whose waits are known."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from gitopslab.metrics.wait_forecast import QueuedJob, WaitForecaster, replay
from gitopslab.metrics.waits import queue_waits

START = datetime(2026, 5, 4, tzinfo=UTC)


def wait(at: float, seconds: float | None = None, *, still_open: float | None = None, **rest: object) -> dict:
    row = {
        "cluster": "dev",
        "cluster_queue": "benchmark",
        "priority": 5,
        "uid": f"{at:012.3f}",
        "attempt_number": 1,
        "queued_at": START + timedelta(seconds=at),
        "ahead_count": 0,
        "wait_seconds": seconds,
        "open_seconds": still_open,
        "is_waiting": None if still_open is None else True,
    }
    return row | rest


def frame(*rows: dict) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


def test_jobs_that_still_wait_make_the_wait_longer_than_the_naive_one():
    over = [wait(number, 60) for number in range(8)]
    waiting = [wait(100 + number, still_open=600) for number in range(8)]
    [told] = queue_waits(frame(*over, *waiting))

    assert (told.attempt_count, told.waiting_count, told.left_count) == (16, 8, 0)
    assert told.naive_seconds == 60
    assert told.survival.quantiles[0.75] is None
    assert "8 still wait" in str(told)
    assert "too many are open to say what nine in ten do" in str(told)
    assert "of those that are over alone: 1 min" in str(told)


def test_who_left_the_queue_counts_for_as_long_as_it_waited():
    rows = [wait(number, 10) for number in range(8)]
    [told] = queue_waits(frame(*rows, wait(50, still_open=40, is_waiting=False)))

    assert (told.left_count, told.survival.open_count) == (1, 1)
    assert "1 left without" in str(told)


def test_a_wait_that_nobody_saw_is_counted_and_in_no_estimate():
    rows = [wait(number, 10) for number in range(8)]
    [told] = queue_waits(frame(*rows, wait(50, is_waiting=False)))

    assert (told.attempt_count, told.missed_count, told.left_count, told.survival.open_count) == (9, 1, 0, 0)
    assert "of 1 nobody saw the wait" in str(told)


def test_queues_come_by_name_and_priorities_from_high_to_none():
    rows = [
        wait(1, 1, priority=1),
        wait(2, 1, priority=9),
        wait(3, 1, priority=None),
        wait(4, 1, cluster_queue="a"),
    ]
    found = [(each.cluster_queue, each.priority) for each in queue_waits(frame(*rows))]

    assert found == [("a", 5), ("benchmark", 9), ("benchmark", 1), ("benchmark", None)]


def test_too_few_waits_are_no_estimate():
    [told] = queue_waits(frame(wait(0, 2), wait(1, 3)))

    assert told.naive_seconds is None
    assert str(told) == (
        "benchmark on dev, priority 5: 2 queued; 2 had quota within 5 s; too few got theirs for an estimate."
    )


def test_a_forecast_knows_nothing_before_the_first_wait_is_over():
    assert WaitForecaster().forecast(QueuedJob("dev", "benchmark", 5, 0)) is None


def test_twice_as_many_ahead_are_expected_to_wait_twice_as_long():
    forecaster = WaitForecaster()
    forecaster.learn(QueuedJob("dev", "benchmark", 5, 0), 100)
    one = forecaster.forecast(QueuedJob("dev", "benchmark", 5, 0))
    three = forecaster.forecast(QueuedJob("dev", "benchmark", 5, 3))

    assert one is not None
    assert three is not None
    assert one.middle_seconds == pytest.approx(100)
    assert three.middle_seconds == pytest.approx(400)
    assert three.low_seconds < three.middle_seconds < three.high_seconds


def test_a_queue_is_compared_with_its_own_waits_before_those_of_others():
    forecaster = WaitForecaster()
    forecaster.learn(QueuedJob("dev", "slow", 5, 0), 1_000)
    forecaster.learn(QueuedJob("dev", "quick", 5, 0), 10)
    middles = [forecaster.forecast(QueuedJob("dev", queue, 1, 0)) for queue in ("slow", "quick", "new")]

    assert [round(each.middle_seconds) for each in middles if each] == [1_000, 10, 100]


def test_a_miss_moves_its_end_away_and_a_hit_both_closer():
    forecaster, job = WaitForecaster(), QueuedJob("dev", "benchmark", 5, 0)
    forecaster.learn(job, 1_000)
    before = forecaster.forecast(job)
    forecaster.judge(was_below=False, was_above=True)
    after = forecaster.forecast(job)

    assert before is not None
    assert after is not None
    assert after.high_seconds > before.high_seconds
    assert after.low_seconds > before.low_seconds


def test_the_share_that_had_quota_at_once_is_told_beside_the_interval():
    forecaster, job = WaitForecaster(), QueuedJob("dev", "benchmark", 5, 0)
    for number in range(8):
        forecaster.learn_at_once(job, was_at_once=number > 1)
    forecaster.learn(job, 60)

    assert "gets quota at once in 75% of cases; if not, it has to wait" in str(forecaster.forecast(job))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_a_steady_queue_four_in_five_waits_are_inside(seed):
    generator = np.random.default_rng(seed)
    rows = [
        wait(at, float(seconds), ahead_count=int(ahead))
        for at, seconds, ahead in zip(
            np.arange(1_500) * 90.0,
            6 + generator.exponential(300, 1_500),
            generator.integers(0, 4, 1_500),
            strict=True,
        )
    ]
    _, calibration = replay(frame(*rows))

    assert calibration.inside.ratio == pytest.approx(0.8, abs=0.05)


def test_of_a_queue_that_gets_ten_times_slower_four_in_five_are_inside_again():
    generator = np.random.default_rng(4)
    scales = np.where(np.arange(1_200) < 600, 60, 600)
    rows = [
        wait(number * 90.0, 6 + float(generator.exponential(scale))) for number, scale in enumerate(scales)
    ]
    _, calibration = replay(frame(*rows))

    assert calibration.inside.ratio == pytest.approx(0.8, abs=0.05)
    assert "inside the 80% interval" in str(calibration)


def test_a_forecast_does_not_know_what_came_later():
    rows = [wait(number * 100.0, 50.0 + number % 7) for number in range(40)]
    _, early = replay(frame(*rows[:20]))
    _, with_later = replay(frame(*rows))

    assert early.inside.known_count < with_later.inside.known_count
    assert str(early) == str(replay(frame(*reversed(rows[:20])))[1])


def test_who_left_before_the_intervals_end_is_not_judged_and_after_it_is_outside():
    rows = [wait(0, 100), wait(200, still_open=50), wait(300, still_open=100_000)]
    _, calibration = replay(frame(*rows))

    assert (calibration.inside.yes_count, calibration.inside.no_count, calibration.inside.unknown_count) == (
        0,
        1,
        1,
    )
    assert "too few to say how good they are" in str(calibration)


def test_without_a_wait_there_is_nothing_to_judge():
    _, calibration = replay(frame(*(wait(number, 0.0) for number in range(20))))

    assert calibration.inside.known_count == 0
    assert calibration.middle_width is None
    assert (calibration.at_once_expected_count, calibration.at_once_count) == (12, 12)
