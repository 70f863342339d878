"""Scaling laws of queues whose law is known, from their windows and from their sessions."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from gitopslab.metrics.durations import Bootstrap
from gitopslab.metrics.scaling_law import LINEAR, UNIVERSAL, BeyondObserved, Interval, ScalingFit, ScalingLaw
from gitopslab.metrics.scaling_windows import TooFewWindows, fit_scaling_law
from gitopslab.metrics.session_clock import TooFewSessions, fit_session_clock
from gitopslab.metrics.steady_state import SteadyWindow, steady_windows

from .closed_loop import Loop

LAW = ScalingLaw(rate=8.0, contention=0.01, coherence=0.0011)  # its knee is at 30
START = datetime(2026, 5, 1, tzinfo=UTC)
LEVELS = [2, 4, 8, 16, 24, 32, 40, 48] * 2


def window(concurrency: float, throughput: float, *, run: str, hours: float = 10) -> SteadyWindow:
    count = round(throughput * hours)
    n = round(concurrency)
    until = START + timedelta(hours=hours)
    return SteadyWindow(run, START, until, concurrency, n, n, count, count, 60.0, count)


def exact(levels: list[int], law: ScalingLaw = LAW, hours: float = 1000) -> list[SteadyWindow]:
    return [window(n, law.throughput(n), run=f"run-{n}", hours=hours) for n in levels]


def fitted(windows: list[SteadyWindow], samples: int = 100) -> ScalingFit:
    fit = fit_scaling_law(windows, Bootstrap(seed=1, samples=samples))
    assert isinstance(fit, ScalingFit)
    return fit


def test_a_law_is_found_again_where_nothing_scatters():
    fit = fitted(exact([1, 2, 4, 8, 16, 32, 48]))

    assert fit.best == UNIVERSAL
    assert fit.law.rate == pytest.approx(8, rel=0.01)
    assert fit.law.contention == pytest.approx(0.01, rel=0.1)
    assert fit.knee is not None
    assert fit.knee.estimate == pytest.approx(30, rel=0.01)


def test_a_straight_line_has_no_knee():
    fit = fitted(exact([1, 2, 4, 8, 16, 32], ScalingLaw(8.0, 0.0, 0.0)))

    assert (fit.best, fit.knee) == (LINEAR, None)
    assert str(fit).startswith("No knee of throughput within what was observed: a straight line fits best")


def test_a_law_that_was_fitted_below_its_knee_does_not_say_where_it_is():
    fit = fitted(exact([1, 2, 4, 8, 12, 16]))

    assert fit.law.knee > 1.2 * 16
    assert fit.knee is None


def test_nothing_is_predicted_beyond_a_fifth_more_than_was_observed():
    fit = fitted(exact([1, 2, 4, 8, 16, 40]))

    within, beyond = fit.predict(48), fit.predict(49)

    assert isinstance(within, Interval)
    assert within.estimate == pytest.approx(LAW.throughput(48), rel=0.01)
    assert beyond == BeyondObserved(49, 40)
    assert str(beyond) == (
        "No throughput is predicted for 49 at once: the largest observed is 40, and nothing is said beyond"
        " 48."
    )


def test_windows_of_one_level_bear_no_curve():
    windows = [window(10, 60, run=f"run-{n}") for n in range(9)]

    answer = fit_scaling_law(windows, Bootstrap(1, 50))

    assert answer == TooFewWindows(window_count=9, level_count=1, run_count=9)
    assert str(answer) == (
        "No scaling law: 9 steady windows at 1 levels of concurrency in 9 runs; it takes 6 at 3 in 3."
    )
    assert fit_scaling_law([], Bootstrap(1, 50)) == TooFewWindows(0, 0, 0)


def test_the_same_seed_gives_the_same_interval():
    windows = steady_windows(Loop(LAW).sessions(LEVELS, 6, seed=3))
    assert str(fitted(windows)) == str(fitted(windows))


def test_a_curve_that_the_law_cannot_follow_is_doubted():
    steps = [window(n, 8 * n if n <= 24 else 400, run=f"run-{n}", hours=200) for n in range(2, 50, 2)]
    assert str(fitted(steps)).endswith("The law misses a pattern in them.")


def covered(fit: ScalingFit) -> bool:
    """Whether the interval of the knee holds it, where an open end holds all that may not be said."""
    knee = fit.knee_of_universal_law
    return knee.low is not None and knee.low <= LAW.knee and (knee.high is None or LAW.knee <= knee.high)


def test_windows_hold_the_knee_nine_times_in_ten():
    fits = [
        fitted(steady_windows(Loop(LAW).sessions(LEVELS, 6, seed=seed)), samples=200) for seed in range(40)
    ]

    assert sum(covered(fit) for fit in fits) >= 32
    assert np.median([fit.law.knee for fit in fits]) == pytest.approx(30, rel=0.1)


def test_sessions_hold_the_knee_nine_times_in_ten_in_runs_of_little_more_than_a_wave():
    fits = []
    for seed in range(30):
        levels = np.random.default_rng(seed).choice([2, 5, 10, 20, 30, 40, 50], 24).tolist()
        sessions = Loop(LAW).sessions(levels, 1.3, seed)
        fit = fit_session_clock(sessions, Bootstrap(seed, 100))
        assert isinstance(fit, ScalingFit)
        fits.append(fit)

    assert sum(covered(fit) for fit in fits) >= 24
    assert np.median([fit.law.knee for fit in fits]) == pytest.approx(30, rel=0.1)


def test_a_session_that_had_more_work_is_not_taken_for_a_slowed_one():
    sessions = Loop(LAW).sessions([2, 10, 30, 50], 3, seed=1)
    alone = Loop(ScalingLaw(8.0, 0.0, 0.0)).sessions([2, 10, 30, 50], 3, seed=1)
    work = (alone["ended_at"] - alone["started_at"]).dt.total_seconds()

    known = fit_session_clock(sessions.assign(work_units=work), Bootstrap(1, 50))
    unknown = fit_session_clock(sessions, Bootstrap(1, 50))

    assert isinstance(known, ScalingFit)
    assert isinstance(unknown, ScalingFit)
    assert known.law.knee == pytest.approx(30, rel=0.01)
    assert abs(known.law.knee - 30) < abs(unknown.law.knee - 30)


def test_a_session_that_was_evicted_slowed_the_others_but_is_not_fitted():
    sessions = Loop(LAW).sessions([5, 15, 30, 45], 3, seed=2)
    evicted = sessions.assign(is_completed=np.arange(len(sessions)) % 5 > 0)

    fit = fit_session_clock(evicted, Bootstrap(1, 50))

    assert isinstance(fit, ScalingFit)
    assert fit.n == evicted["is_completed"].sum()
    assert fit.law.knee == pytest.approx(30, rel=0.2)


@pytest.mark.parametrize("columns", [{}, {"work_units": 7}])
def test_sessions_that_all_take_equally_long_are_not_slowed(columns):
    rows = [
        {"run": f"run-{run}", "started_at": START + timedelta(days=run), "is_completed": True, **columns}
        for run, count in enumerate((5, 15, 30))
        for _ in range(count)
    ]
    sessions = pd.DataFrame(rows).assign(ended_at=lambda each: each["started_at"] + timedelta(minutes=30))

    fit = fit_session_clock(sessions, Bootstrap(1, 50))

    assert isinstance(fit, ScalingFit)
    assert fit.best == LINEAR
    predicted = fit.predict(30)
    assert isinstance(predicted, Interval)
    assert (predicted.estimate, predicted.low, predicted.high) == pytest.approx((60, 60, 60), rel=0.02)


def test_time_of_sessions_that_complete_nothing_is_lost():
    sessions = Loop(ScalingLaw(8.0, 0.0, 0.0)).sessions([5, 15, 30, 45], 3, seed=2)
    is_completed = np.arange(len(sessions)) % 5 > 0

    whole = fit_session_clock(sessions, Bootstrap(1, 50))
    fit = fit_session_clock(sessions.assign(is_completed=is_completed), Bootstrap(1, 50))

    assert isinstance(whole, ScalingFit)
    assert isinstance(fit, ScalingFit)
    assert fit.law.rate / whole.law.rate == pytest.approx(0.8, rel=0.05)


def test_few_sessions_bear_no_curve():
    sessions = Loop(LAW).sessions([2], 5, seed=1)

    answer = fit_session_clock(sessions, Bootstrap(1, 50))

    assert answer == TooFewSessions(10, 1)
    assert str(answer) == "No scaling law: 10 sessions were completed in 1 runs; it takes 30 in 3."
