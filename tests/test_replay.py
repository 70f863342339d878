"""Kueue's scheduling semantics in the replay, on queues small enough to follow by hand."""

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitopslab.capacity.cohort_tree import CohortTree, Quota
from gitopslab.capacity.cohorts import ClusterQueue, Cohort, FlavorQuota
from gitopslab.capacity.replay import Gate, Job, Pace, Plane, Policy, replay
from gitopslab.capacity.replay.ledger import Ledger
from gitopslab.errors import UsageError
from gitopslab.world.apiserver import ApiServer
from gitopslab.world.capacity import objects
from gitopslab.world.capacity.kueue import Kueue
from gitopslab.world.capacity.layout import (
    NOTHING,
    ClusterLayout,
    Container,
    NodeLayout,
    PodShape,
    Preemption,
    QueueLayout,
    amounts,
)
from gitopslab.world.capacity.nodes import NodePool
from gitopslab.world.capacity.workloads import Job as WorldJob
from gitopslab.world.clock import HOUR, Clock

CYCLE = Pace().cycle_seconds
RECLAIM = Policy(within_cluster_queue="LowerPriority", reclaim_within_cohort="Any")


def queue(name, cpu, *, borrow=None, lend=None, cohort="team", flavors=("on",), stop_policy="None"):  # noqa: PLR0913 - a ClusterQueue in one line
    def limit(amount):
        return None if amount is None else Decimal(amount)

    quotas = {"cpu": Quota(Decimal(cpu), limit(borrow), limit(lend))}
    group = tuple(FlavorQuota(flavor, quotas) for flavor in flavors)
    return ClusterQueue(name, (group,), cohort, stop_policy)


def job(name, queue, cpu, *, priority=0, created_at=0.0, run_seconds=100.0, **rest):  # noqa: PLR0913 - a Job in one line
    return Job(name, queue, priority, {"cpu": Decimal(cpu)}, created_at, run_seconds, **rest)


def reserved(jobs, found):
    """Return when each job was last let in, in whole seconds."""
    return {
        job.name: None if passage is None or passage.reserved_at is None else round(passage.reserved_at)
        for job, passage in zip(jobs, found.passages, strict=True)
    }


def test_a_job_waits_until_quota_is_freed():
    jobs = [job("first", "a", 3), job("second", "a", 3)]
    assert reserved(jobs, replay(Plane((queue("a", 4),)), jobs)) == {"first": 0, "second": 100}


def test_a_queue_borrows_up_to_its_limit_what_its_cohort_has_left():
    plane = Plane((queue("a", 4, borrow=2), queue("b", 4)))
    jobs = [job("own", "a", 4), job("borrowed", "a", 2), job("too much", "a", 1)]
    assert reserved(jobs, replay(plane, jobs)) == {"own": 0, "borrowed": 0, "too much": 100}


def test_what_is_not_lent_is_not_borrowed():
    plane = Plane((queue("a", 4), queue("b", 4, lend=1)))
    jobs = [job("six", "a", 6), job("five", "a", 5, created_at=1)]
    assert reserved(jobs, replay(plane, jobs)) == {"six": None, "five": 1}


def test_the_higher_priority_goes_first_and_then_the_older():
    plane = Plane((queue("a", 1),))
    jobs = [
        job("running", "a", 1),
        job("low", "a", 1, created_at=1),
        job("old", "a", 1, created_at=2, priority=9),
        job("new", "a", 1, created_at=3, priority=9),
    ]
    assert reserved(jobs, replay(plane, jobs)) == {"running": 0, "old": 100, "new": 200, "low": 300}


@pytest.mark.parametrize(("strategy", "small"), [("BestEffortFIFO", 2), ("StrictFIFO", 100)])
def test_only_strict_fifo_holds_up_those_behind_a_head_that_does_not_fit(strategy, small):
    plane = Plane((queue("a", 4),), policies={"a": Policy(strategy)})
    jobs = [job("first", "a", 3), job("large", "a", 2, created_at=1), job("small", "a", 1, created_at=2)]
    assert reserved(jobs, replay(plane, jobs)) == {"first": 0, "large": 100, "small": small}


def test_a_job_of_higher_priority_pushes_out_the_one_that_came_last_and_its_work_is_lost():
    plane = Plane((queue("a", 2),), policies={"a": RECLAIM})
    jobs = [
        job("early", "a", 1),
        job("late", "a", 1, created_at=10),
        job("urgent", "a", 1, created_at=40, priority=9),
    ]
    found = replay(plane, jobs, Pace(termination_seconds=5))
    assert reserved(jobs, found) == {"early": 0, "urgent": 45, "late": 100}
    [preemption] = found.preemptions
    assert (preemption.victim, preemption.preemptor, preemption.how) == (1, 2, "InClusterQueue")
    assert preemption.lost_seconds == pytest.approx(30, abs=2 * CYCLE)
    assert found.passages[1].ended_at == pytest.approx(200, abs=1)


def test_a_queue_below_its_quota_reclaims_what_others_borrowed_whatever_their_priority():
    plane = Plane((queue("a", 2), queue("b", 2)), policies={"b": RECLAIM})
    jobs = [job(f"a{number}", "a", 1, priority=9) for number in range(4)]
    jobs.append(job("owner", "b", 2, created_at=10))
    found = replay(plane, jobs, Pace(termination_seconds=0))
    assert {preemption.how for preemption in found.preemptions} == {"InCohortReclamation"}
    assert len(found.preemptions) == 2
    assert reserved(jobs, found)["owner"] == 10


def test_a_queue_that_never_preempts_waits():
    plane = Plane((queue("a", 2), queue("b", 2)))
    jobs = [job("borrower", "a", 4), job("owner", "b", 2, created_at=10, priority=9)]
    assert reserved(jobs, replay(plane, jobs)) == {"borrower": 0, "owner": 100}


def test_the_second_flavor_is_tried_where_the_first_is_full():
    plane = Plane((queue("a", 2, cohort=None, flavors=("on", "spot")),))
    jobs = [job(f"{number}", "a", 2) for number in range(3)]
    found = replay(plane, jobs)
    assert reserved(jobs, found) == {"0": 0, "1": 0, "2": 100}
    assert [(use.flavor, use.most) for use in found.uses] == [("on", 2.0), ("spot", 2.0)]


def test_resource_groups_choose_their_flavors_apart():
    on, spot, disk = (
        FlavorQuota("on", {"cpu": Quota(Decimal(1))}),
        FlavorQuota("spot", {"cpu": Quota(Decimal(1))}),
        FlavorQuota("ssd", {"disk": Quota(Decimal(10))}),
    )
    plane = Plane((ClusterQueue("a", ((on, spot), (disk,))),))
    requests = {"cpu": Decimal(1), "disk": Decimal(5)}
    jobs = [Job(f"{number}", "a", 0, requests, 0.0, 100.0) for number in range(3)]
    found = replay(plane, jobs)
    assert reserved(jobs, found) == {"0": 0, "1": 0, "2": 100}
    assert {use.flavor: use.most for use in found.uses} == {"on": 1, "spot": 1, "ssd": 10}


def test_a_job_that_asks_for_what_the_queue_has_no_quota_of_is_never_let_in():
    jobs = [Job("gpu", "a", 0, {"gpu": Decimal(1)}, 0.0, 1.0), job("cpu", "a", 1)]
    assert reserved(jobs, replay(Plane((queue("a", 4),)), jobs)) == {"gpu": None, "cpu": 0}


def test_a_stopped_queue_lets_nobody_in_and_its_quota_can_be_borrowed():
    plane = Plane((queue("a", 2, stop_policy="Hold"), queue("b", 2)))
    jobs = [job("held", "a", 1), job("borrower", "b", 4)]
    assert reserved(jobs, replay(plane, jobs)) == {"held": None, "borrower": 0}


def test_hold_and_drain_frees_what_was_held_before():
    plane = Plane((queue("a", 2, stop_policy="HoldAndDrain"), queue("b", 2)))
    jobs = [job("drained", "a", 2, held_since=-50.0), job("borrower", "b", 4)]
    found = replay(plane, jobs, Pace(termination_seconds=5))
    assert found.passages[0].lost_seconds == 50
    assert found.passages[1].reserved_at == pytest.approx(5, abs=1)


def test_a_job_whose_pods_are_not_ready_backs_off_twice_as_long_each_time():
    jobs = [job("slow", "a", 1, failed_starts=2)]
    pace = Pace(termination_seconds=1, pods_ready_seconds=300, backoff_seconds=60)
    found = replay(Plane((queue("a", 1),)), jobs, pace)
    assert found.passages[0].unready_count == 2
    assert reserved(jobs, found) == {"slow": 300 + 60 + 300 + 120}


def test_a_job_that_leaves_while_it_waits_takes_nothing():
    jobs = [job("first", "a", 1), job("gone", "a", 1, leaves_at=50.0), job("third", "a", 1, created_at=1)]
    found = replay(Plane((queue("a", 1),)), jobs)
    assert reserved(jobs, found) == {"first": 0, "gone": None, "third": 100}
    assert found.passages[1].left_at == 50


def test_a_gate_lets_in_the_next_when_one_is_done():
    jobs = [job(f"{number}", "a", 1, gate="run") for number in range(4)]
    found = replay(Plane((queue("a", 9),)), jobs, gates={"run": Gate(2)})
    assert [round(passage.created_at) for passage in found.passages] == [0, 0, 100, 100]


def test_reservations_follow_one_another_at_the_schedulers_pace():
    plane = Plane((queue("a", 9, cohort=None), queue("b", 9, cohort=None)))
    jobs = [job(f"{name}{number}", name, 1) for name in "ab" for number in range(3)]
    found = replay(plane, jobs, Pace(cycle_seconds=0, write_seconds=10))
    assert sorted(reserved(jobs, found).values()) == [10, 20, 30, 40, 50, 60]


def test_use_is_weighted_by_time_and_tells_what_was_borrowed():
    plane = Plane((queue("a", 2), queue("b", 2)))
    jobs = [job("one", "a", 3, run_seconds=50.0)]
    [use, idle] = replay(plane, jobs, Pace(cycle_seconds=0), measured_until=100).uses
    assert (use.used, use.borrowed, use.most, idle.used) == (1.5, 0.5, 3, 0)


def test_jobs_held_from_before_keep_their_quota_for_the_rest_of_their_time():
    jobs = [job("old", "a", 4, held_since=-70.0, created_at=-80.0), job("new", "a", 4)]
    assert reserved(jobs, replay(Plane((queue("a", 4),)), jobs)) == {"old": -70, "new": 30}


def test_cohorts_that_form_a_cycle_are_refused():
    plane = Plane((queue("a", 1),), (Cohort("team", "over"), Cohort("over", "team")))
    with pytest.raises(UsageError, match="cycle"):
        replay(plane, [])


amount = st.integers(0, 20).map(lambda tenths: Decimal(tenths) / 10)
limit = st.none() | amount
some_cohort = st.sampled_from([None, "x", "y", "z"])


@settings(max_examples=300, deadline=None)
@given(
    queues=st.lists(st.builds(Quota, amount, limit, limit, some_cohort), min_size=1, max_size=5),
    cohorts=st.tuples(*(st.builds(Quota, amount, limit, limit, st.none()) for _ in range(3))),
    parents=st.sampled_from([{}, {"y": "x"}, {"y": "x", "z": "y"}, {"x": "z", "y": "z"}]),
    takes=st.lists(st.tuples(st.integers(0, 4), amount), max_size=12),
)
def test_the_ledger_counts_as_the_cohort_tree_does(queues, cohorts, parents, takes):
    declared = {
        name: Quota(quota.nominal, quota.borrowing_limit, quota.lending_limit, parents.get(name))
        for name, quota in zip("xyz", cohorts, strict=True)
    }
    named = {f"q{number}": quota for number, quota in enumerate(queues)}
    tree = CohortTree(named, declared)
    plane = Plane(
        tuple(
            ClusterQueue(name, ((FlavorQuota("on", {"cpu": quota}),),), quota.parent)
            for name, quota in named.items()
        ),
        tuple(
            Cohort(name, quota.parent, (FlavorQuota("on", {"cpu": quota}),))
            for name, quota in declared.items()
        ),
    )
    ledger = Ledger(plane, [{"cpu": taken} for _, taken in takes])
    for place, taken in takes:
        number = place % len(queues)
        tree.take(f"q{number}", taken)
        ledger.take(number, 0, ledger.count("cpu", taken))
    unit = ledger.units["cpu"]
    for number in range(len(queues)):
        assert ledger.available(number, 0) * unit == tree.available(f"q{number}")
        assert ledger.potential(number, 0) * unit == tree.potential(f"q{number}")
        assert ledger.usage(number, 0) * unit == tree.usage(f"q{number}")


class Even(Random):
    """Chance that always takes the middle, so that two simulations agree on it."""

    def uniform(self, a, b):
        return (a + b) / 2


class _Nobody:
    def see(self, *told):
        pass


def in_world(plane, jobs):
    """Return each stay of each job in the simulated cluster: name, when it was let in, how it ended."""
    start = 1_780_000_000.0
    clock, stays = Clock(start), []
    layouts = tuple(
        QueueLayout(
            each.name,
            "ns",
            each.cohort or "",
            each.resource_groups[0],
            Preemption(
                plane.policy(each.name).within_cluster_queue, plane.policy(each.name).reclaim_within_cohort
            ),
            plane.policy(each.name).strategy,
        )
        for each in plane.queues
    )
    node = NodeLayout("node", 1, amounts("1k", "1Ti", "1Ti", 1000), NOTHING)
    cohorts = {each.cohort: None for each in plane.queues if each.cohort}
    layout = ClusterLayout(
        (node,), {"on": {}, "spot": {}}, cohorts, layouts, {f"p{job.priority}": job.priority for job in jobs}
    )
    kueue = Kueue(
        ApiServer("dev", clock, _Nobody(), 7),
        layout,
        NodePool(layout.nodes),
        Even(1),
        on_stay=lambda stay: stays.append(
            (stay.workload.job.name, stay.workload.reserved_at - start, stay.reason)
        ),
    )

    def submit(job):
        pods = (PodShape("main", (Container("main", "image:1", dict(job.requests)),)),)
        owners = [objects.job_owner(job.name, f"uid-{job.name}")]
        # the world's pods are placed a second after admission
        asked = WorldJob(
            job.name, "ns", job.queue, f"p{job.priority}", pods, owners, {}, job.start_seconds - 1
        )
        workload = kueue.submit(asked)

        def run():
            episode = workload.episode
            clock.after(job.run_seconds, lambda: workload.episode == episode and kueue.finish(workload))

        asked.on_running = run

    for each in jobs:
        clock.at(start + each.created_at, lambda each=each: submit(each))
    clock.run(start + 100 * HOUR)
    return sorted(stays)


@pytest.mark.parametrize("seed", range(12))
def test_the_replay_lets_in_and_pushes_out_whom_the_simulated_cluster_does(seed):
    chance = Random(seed)  # noqa: S311 - no secret
    policies = [Policy(), RECLAIM, Policy("StrictFIFO", "LowerOrNewerEqualPriority", "LowerPriority")]
    queues = tuple(
        queue(
            name,
            chance.randint(2, 6),
            borrow=chance.choice([None, 0, 3]),
            lend=chance.choice([None, 2]),
            flavors=chance.choice([("on",), ("on", "spot")]),
        )
        for name in "abc"
    )
    plane = Plane(queues, policies={each.name: chance.choice(policies) for each in queues})
    jobs = [
        job(
            f"j{number:03}",
            chance.choice("abc"),
            chance.randint(1, 4),
            created_at=chance.uniform(0, 2_000),
            run_seconds=chance.uniform(50, 400),
            priority=chance.choice([0, 0, 5, 9]),
            start_seconds=30.0,
        )
        for number in range(150)
    ]
    stays = in_world(plane, jobs)
    found = replay(
        plane, jobs, Pace(termination_seconds=7.0)
    )  # what the world takes when it takes the middle
    succeeded = {stay[0]: stay[1] for stay in stays if stay[2] == "Succeeded"}
    assert succeeded == pytest.approx(
        {
            each.name: passage.reserved_at
            for each, passage in zip(jobs, found.passages, strict=True)
            if passage.ended_at is not None
        },
        abs=0.001,
    )
    assert sorted(stay[0] for stay in stays if stay[2] == "Preempted") == sorted(
        jobs[each.victim].name for each in found.preemptions
    )
