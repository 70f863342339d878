"""Windows of constant concurrency, and Little's law in them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from gitopslab.metrics.in_flight import mean_in_flight
from gitopslab.metrics.littles_law import Balance, LittlesLaws, littles_law
from gitopslab.metrics.scaling_law import ScalingLaw
from gitopslab.metrics.steady_state import Steadiness, SteadyWindow, steady_windows

from .closed_loop import Loop

START = datetime(2026, 5, 1, tzinfo=UTC)


def minutes(count: float) -> datetime:
    return START + timedelta(minutes=count)


def relay(slots: int, rounds: int, *, minutes_each: float = 10) -> pd.DataFrame:
    """Sessions of the same length in each slot, one after the other; slots begin a little later each."""
    rows = [
        ("run-1", minutes(slot + number * minutes_each), minutes(slot + (number + 1) * minutes_each), True)
        for slot in range(slots)
        for number in range(rounds)
    ]
    return pd.DataFrame(rows, columns=["run", "started_at", "ended_at", "is_completed"])


def test_a_full_queue_is_one_window_without_its_start_and_its_drain():
    [window] = steady_windows(relay(4, 6))

    # Three are there from minute 2 on, so it has settled at 12; the second of them is gone at 61.
    assert (window.since, window.until) == (minutes(12), minutes(61))
    assert window.concurrency == pytest.approx((48 * 4 + 3) / 49)
    assert window.throughput == pytest.approx(24, rel=0.05)
    assert window.mean_seconds == 600


def test_sessions_that_begin_and_end_together_are_no_window():
    assert steady_windows(relay(10, 1)) == []
    assert steady_windows(relay(0, 0)) == []


def test_two_levels_are_two_windows():
    more = relay(12, 6)
    later = more.assign(
        run="run-2",
        started_at=more["started_at"] + timedelta(hours=5),
        ended_at=more["ended_at"] + timedelta(hours=5),
    )

    windows = steady_windows(pd.concat([relay(4, 6), later], ignore_index=True))

    assert [(window.run, round(window.concurrency)) for window in windows] == [("run-1", 4), ("run-2", 12)]


def test_what_failed_takes_a_slot_and_completes_nothing():
    rows = relay(4, 6)
    [window] = steady_windows(rows.assign(is_completed=rows.index % 2 == 0))

    assert (window.ended_count, window.completed_count) == (19, 9)
    assert littles_law([window]).held == [window]


def test_a_window_with_few_completions_is_left_out():
    assert steady_windows(relay(1, 12), Steadiness(fewest=12)) == []
    assert len(steady_windows(relay(1, 12), Steadiness(fewest=5))) == 1


def test_a_session_that_is_not_over_is_in_flight_and_has_no_mean():
    rows = relay(1, 1).assign(ended_at=pd.NaT)
    assert mean_in_flight(rows).isna().all()
    both = pd.concat([rows, relay(1, 1)], ignore_index=True)
    assert mean_in_flight(both).tolist()[1] == 2


def test_littles_law_holds_in_nearly_all_windows_of_a_full_queue():
    windows = steady_windows(Loop(ScalingLaw(8, 0.01, 0.0011)).sessions([5, 10, 20, 30] * 6, 8, seed=4))

    laws = littles_law(windows)

    assert len(windows) >= 20
    assert len(laws.held) / len(windows) >= 0.9


def steady(**changes: float) -> SteadyWindow:
    """10 in flight, 100 ended in 10 hours after one hour each: in balance."""
    window = SteadyWindow("run-1", START, START + timedelta(hours=10), 10, 10, 10, 100, 100, 3600, 100)
    return replace(window, **changes)


@pytest.mark.parametrize(
    ("changes", "balance"),
    [
        ({}, Balance.HOLDS),
        ({"concurrency": 11.4}, Balance.HOLDS),
        ({"concurrency": 20.0}, Balance.MORE_IN_FLIGHT),
        ({"ended_count": 50}, Balance.MORE_IN_FLIGHT),
        ({"mean_seconds": 7200.0}, Balance.FEWER_IN_FLIGHT),
        ({"concurrency": 15.0, "last_concurrency": 20}, Balance.DRIFTS),
    ],
)
def test_what_is_out_of_balance_says_what_it_can_come_from(changes, balance):
    [law] = littles_law([steady(**changes)]).windows

    assert law.balance is balance
    assert law.meaning in str(law)
    assert law.holds is (balance is Balance.HOLDS)


def test_windows_that_little_s_law_refuses_are_not_fitted():
    laws = littles_law([steady(), steady(concurrency=20.0)])

    assert laws.held == [steady()]
    assert laws.counts == {Balance.HOLDS: 1, Balance.MORE_IN_FLIGHT: 1}
    assert str(laws).startswith("Little's law holds in 1 of 2 windows. 1 more in flight: sessions that never")
    assert str(LittlesLaws(())) == "There is no steady window to hold Little's law to."
