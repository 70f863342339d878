"""Kueue's own scheduler benchmark in the replay: what must hold of it, whatever the machine."""

from decimal import Decimal
from heapq import heappop, heappush

import pytest

from gitopslab.capacity.replay import replay, scenario
from gitopslab.capacity.replay.arrivals import JobClass, at_random
from gitopslab.capacity.replay.model import Pace, Plane
from gitopslab.capacity.replay.scenario import PUBLISHED
from gitopslab.errors import UsageError
from tests.test_replay import queue


def test_the_benchmark_is_the_published_one():
    plane, jobs = scenario.baseline()
    assert (len(plane.queues), len({each.cohort for each in plane.queues}), len(jobs)) == (30, 5, 15_000)
    first = [job for job in jobs if job.queue == plane.queues[0].name]
    assert [(kind, sum(job.kind == kind for job in first)) for kind in ("small", "medium", "large")] == [
        ("small", 350),
        ("medium", 100),
        ("large", 50),
    ]
    assert max(job.created_at for job in first) == 60


def test_calibration_finds_the_pace_that_makes_the_makespan():
    def run(pace):
        return scenario.Figures(10 + 100 * pace.write_seconds, 0.5, {})

    pace, found = scenario.calibrated(run, 35.0, steps=20)
    assert pace.write_seconds == pytest.approx(0.25, abs=1e-4)
    assert found.makespan_seconds == pytest.approx(35, abs=0.01)
    with pytest.raises(UsageError, match="without limit needs 10 s"):
        scenario.calibrated(run, 9.0)


@pytest.mark.slow
def test_calibrated_on_the_makespan_the_replay_orders_the_classes_as_kueue_does():
    _, found = scenario.calibrated(scenario.run_baseline, PUBLISHED.makespan_seconds)
    assert found.makespan_seconds == pytest.approx(PUBLISHED.makespan_seconds, rel=0.02)
    waits, published = found.seconds_to_admission, PUBLISHED.seconds_to_admission
    assert waits["large"] < waits["medium"] < waits["small"]
    assert waits["medium"] == pytest.approx(published["medium"], rel=0.25)
    assert waits["small"] == pytest.approx(published["small"], rel=0.1)


def test_in_the_benchmark_everybody_ends_and_no_cohort_uses_more_than_it_has():
    plane, jobs = scenario.baseline()
    found = replay(plane, jobs, scenario.paced(0.02))
    assert all(passage.ended_at is not None for passage in found.passages)
    assert all(use.most <= 120 for use in found.uses)
    work = sum(float(job.requests["cpu"]) * job.run_seconds for job in jobs)
    used = sum(use.used for use in found.uses) * found.ended_at
    lost = sum(each.lost_seconds * float(jobs[each.victim].requests["cpu"]) for each in found.preemptions)
    assert used == pytest.approx(work + lost, rel=0.001)


def test_of_one_queue_first_come_is_first_served_by_whoever_is_free():
    arrivals = JobClass("job", 0, {"cpu": Decimal(1)}, run_seconds=80.0)
    jobs = list(at_random("a", arrivals, per_hour=144, seconds=20 * 3_600, seed=3))
    found = replay(Plane((queue("a", 4),)), jobs, Pace(cycle_seconds=0))
    free_at, expected = [0.0] * 4, []
    for each in jobs:
        expected.append(max(each.created_at, heappop(free_at)))
        heappush(free_at, expected[-1] + each.run_seconds)
    assert [passage.reserved_at for passage in found.passages] == pytest.approx(expected)
