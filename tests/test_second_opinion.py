"""A second opinion: what was recorded, replayed with other numbers at once, on few literal jobs."""

from datetime import UTC, datetime, timedelta

import pytest

from gitopslab.capacity.definitions import DEFINITIONS
from gitopslab.capacity.replay import Plane
from gitopslab.capacity.replay.history import History, Recorded
from gitopslab.capacity.replay.recording import Recording, recording
from gitopslab.capacity.second_opinion import second_opinion
from gitopslab.window import Window
from tests.test_replay import job, queue

SINCE = datetime(2026, 5, 4, tzinfo=UTC)
WINDOW = Window(SINCE, SINCE + timedelta(hours=1))


def recorded(count: int, *, size: int = 9, gate: str = "a/run") -> Recording:
    """Return a run of jobs of 100 s that all ran at once."""
    jobs = [job(f"{number}", "a", 1, gate=gate, run_seconds=100.0) for number in range(count)]
    passed = tuple(Recorded(each, True, 0.0, 0, 100.0) for each in jobs)
    return Recording(Plane((queue("a", size),)), History(WINDOW, passed, 0, 0))


def test_four_jobs_take_twice_as_long_two_at_a_time_and_the_law_is_beside_it():
    found = second_opinion(recorded(4), "a", 2, 4, None, seed=7)

    assert found is not None
    assert found.slowdown is None
    assert str(found) == (
        "Replayed with 2 of a run's jobs at a time (4 Workloads, 10 times): runs take 3 min 20 s on average"
        " (1 min 40 s as it was), jobs of a wait 0.1 s on average (0.1 s as it was), 0 jobs are preempted"
        " (0 as it was). Replayed as recorded, 4 Workloads wait 0.1 s on average (recorded: 0 s), with 0"
        " preemptions (recorded: 0)."
    )


def test_more_at_once_than_quota_takes_ends_no_run_sooner():
    found = second_opinion(recorded(4, size=2), "a", 50, 4, None, seed=7)

    assert found is not None
    row = found.comparison.row("a", "run_makespan_seconds")
    assert row is not None
    assert row.after.mean == pytest.approx(200, abs=1)


def test_where_no_run_was_recorded_there_is_no_second_opinion():
    assert second_opinion(None, "a", 50, 4, None, seed=7) is None
    assert second_opinion(recorded(4, gate=""), "a", 50, 4, None, seed=7) is None
    assert second_opinion(recorded(4), "another", 50, 4, None, seed=7) is None


def test_the_more_was_recorded_the_fewer_times_it_is_replayed():
    found = second_opinion(recorded(4_000, size=4_000), "a", 2_000, 4_000, None, seed=7)
    assert found is not None
    assert found.comparison.replications == 2


def test_a_cluster_without_queues_has_nothing_to_replay(warehouse_of):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "uid": "n"}}
    assert recording(warehouse_of([namespace]), WINDOW, "dev", WINDOW.until) is None


def test_what_a_plan_measures_is_defined_once_each():
    names = [each.definition_id for each in DEFINITIONS]
    assert len(set(names)) == len(names)
    assert set(names) >= {"replayed_run", "node_headroom", "wait_forecast", "prediction", "concurrency"}
