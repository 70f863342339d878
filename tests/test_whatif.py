"""`gitopslab whatif`: recorded Workloads replayed before and after a change."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from gitopslab.capacity.cohort_tree import Quota
from gitopslab.capacity.replay import Job, Pace, Plane, comparison
from gitopslab.capacity.replay import change as changes
from gitopslab.capacity.replay.history import History, Recorded, history
from gitopslab.cli import app
from gitopslab.errors import UsageError
from gitopslab.window import Window
from tests.test_replay import job, queue

SINCE = datetime(2026, 5, 4, tzinfo=UTC)
WINDOW = Window(SINCE, SINCE + timedelta(hours=1))


def recorded(one, *, is_run_known=True, wait_seconds=0.0, ended_at=None):
    return Recorded(one, is_run_known, wait_seconds, 0, ended_at)


def seen(*jobs):
    return History(WINDOW, tuple(recorded(each) for each in jobs), 0, 0)


def compared(plane, found, text, replications=3):
    return comparison.compare(
        plane, found, changed(text), pace=Pace(), replications=replications, seed=7, where="change.yaml"
    )


def changed(content):
    return changes.parse(content, "change.yaml")


def test_run_times_are_drawn_from_those_of_the_same_queue_and_class():
    jobs = [job(f"{number}", "a", 1, run_seconds=100.0 + number % 2, kind="short") for number in range(20)]
    jobs += [job(f"long {number}", "a", 1, run_seconds=900.0, kind="long") for number in range(3)]
    drawn = seen(*jobs).drawn(seed=7, replication=1)
    assert {each.run_seconds for each in drawn[:20]} == {100.0, 101.0}
    assert {each.run_seconds for each in drawn[20:]} == {900.0}
    assert drawn == seen(*jobs).drawn(seed=7, replication=1)
    assert drawn != seen(*jobs).drawn(seed=7, replication=2)


def test_what_still_runs_counts_as_running_longer():
    ended = [recorded(job(f"{number}", "a", 1, run_seconds=100.0)) for number in range(5)]
    running = [recorded(job(f"open {n}", "a", 1, run_seconds=400.0), is_run_known=False) for n in range(5)]
    found = History(WINDOW, (*ended, *running), 0, 0)
    drawn = [each.run_seconds for number in range(40) for each in found.drawn(seed=1, replication=number)]
    assert set(drawn) == {100.0, 400.0}
    assert drawn.count(400.0) / len(drawn) == pytest.approx(0.5, abs=0.1)


def test_one_that_ran_before_the_window_runs_longer_than_it_had():
    others = [job(f"{number}", "a", 1, run_seconds=seconds) for number, seconds in enumerate((50.0, 500.0))]
    running = job("old", "a", 1, run_seconds=500.0, held_since=-100.0, created_at=-100.0)
    drawn = [seen(*others, running).drawn(seed=3, replication=number)[-1].run_seconds for number in range(9)]
    assert set(drawn) == {500.0}


def test_workloads_whose_request_or_queue_is_unknown_are_counted():
    row = {
        "uid": "u", "workload": "w", "cluster_queue": "a", "priority": 5, "priority_class": None,
        "benchmark_run_id": "run", "created_at": SINCE + timedelta(seconds=9), "held_since": None,
        "start_seconds": 3.0, "run_seconds": None, "ran_seconds": 40.0, "unready_count": 1, "left_at": None,
        "ended_at": None, "wait_seconds": None, "preempted_count": 0,
    }  # fmt: skip
    rows = [row, row | {"uid": "x"}, row | {"cluster_queue": "gone"}]
    requests = [
        {"uid": "u", "resource": "cpu", "amount": Decimal(2)},
        {"uid": "u", "resource": "disk", "amount": Decimal(1)},
    ]
    found = history(WINDOW, rows, requests, {"a": frozenset({"cpu"})})
    assert (found.missing_request_count, found.missing_queue_count) == (1, 1)
    [one] = found.recorded
    assert one.job == Job("w", "a", 5, {"cpu": Decimal(2)}, 9.0, 40.0, 3.0, "", 1, gate="a/run")
    assert not one.is_run_known


def test_more_quota_lets_two_run_at_a_time():
    plane = Plane((queue("a", 1),))
    found = compared(
        plane,
        seen(*(job(f"{number}", "a", 1) for number in range(4))),
        {"queues": {"a": {"quotas": {"on": {"cpu": {"nominal": 2}}}}}},
    )
    waits = found.row("a", "wait_mean_seconds")
    assert (round(waits.before.mean), round(waits.after.mean)) == (150, 50)
    assert waits.is_clear
    assert found.row("a", "cpu_use_ratio").after.mean == pytest.approx(400 / 7_200)
    assert "the mean wait goes from 2 min 30 s to 50 s" in str(found)
    assert str(found).endswith("a differs clearly.")


def test_a_change_of_nothing_changes_nothing():
    found = compared(Plane((queue("a", 1),)), seen(job("x", "a", 1), job("y", "a", 1)), {})
    assert all(row.difference.mean == 0 for row in found.rows)
    assert found.unchanged_queues == ["a"]
    assert "no queue differs clearly in anything" in str(found)


def test_the_replay_is_held_to_the_record():
    jobs = [job("first", "a", 1), job("second", "a", 1)]
    found = History(WINDOW, (recorded(jobs[0]), recorded(jobs[1], wait_seconds=90.0)), 0, 0)
    check = comparison.check(Plane((queue("a", 1),)), found, Pace(), seed=7)
    assert (check.n, check.recorded_seconds, round(check.replayed_seconds)) == (2, 45, 50)
    assert str(check) == (
        "Replayed as recorded, 2 Workloads wait 50 s on average (recorded: 45 s), with 0 preemptions"
        " (recorded: 0)."
    )


def test_a_change_of_concurrency_lets_a_run_in_piece_by_piece():
    jobs = [job(f"{number}", "a", 1, gate="a/run") for number in range(4)]
    found = History(WINDOW, tuple(recorded(each, ended_at=100.0) for each in jobs), 0, 0)
    spans = compared(Plane((queue("a", 9),)), found, {"queues": {"a": {"concurrency": 2}}})
    row = spans.row("a", "run_makespan_seconds")
    assert (round(row.before.mean), round(row.after.mean)) == (100, 200)


def test_a_bundle_is_what_each_job_asks_for():
    found = compared(
        Plane((queue("a", 1),)),
        seen(job("x", "a", 1), job("y", "a", 1)),
        {"queues": {"a": {"bundle": {"cpu": "500m"}}}},
    )
    assert found.row("a", "wait_mean_seconds").after.mean < 1


def test_arrivals_come_again_in_whole_runs():
    jobs = [job(f"{number}", "a", 1, gate="a/run") for number in range(3)]
    found = compared(Plane((queue("a", 9),)), seen(*jobs), {"queues": {"a": {"arrivals": 2}}})
    use = found.row("a", "cpu_use_ratio")
    assert use.after.mean == pytest.approx(2 * use.before.mean, rel=0.1)


def test_priorities_change_by_class():
    jobs = [job("running", "a", 1), job("low", "a", 1, created_at=1, kind="background"),
            job("high", "a", 1, created_at=2, priority=9, kind="benchmark")]  # fmt: skip
    case = changes.before_and_after(
        jobs, changed({"priorities": {"background": 99}}), {}, 3600.0, comparison.chance(7, 1)
    )
    assert [each.priority for each in case[1]] == [0, 99, 9]


def test_a_queue_is_taken_out_of_its_cohort_and_its_limits_off():
    plane = Plane((queue("a", 1, borrow=0), queue("b", 1)))
    change = changed(
        {
            "queues": {
                "a": {"quotas": {"on": {"cpu": {"borrowing_limit": "unlimited"}}}, "strategy": "StrictFIFO"},
                "b": {"cohort": None, "stop_policy": "Hold"},
            },
            "cohorts": {"team": {"parent": "platform"}},
        }
    )
    a, b = changes.changed_plane(plane, change, "change.yaml").queues
    assert a.resource_groups[0][0].quotas["cpu"] == Quota(Decimal(1))
    assert (a.cohort, b.cohort, b.stop_policy) == ("team", None, "Hold")
    after = changes.changed_plane(plane, change, "change.yaml")
    assert after.cohorts[0].parent == "platform"
    assert after.policy("a").strategy == "StrictFIFO"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"queue": {}}, "change.yaml: unknown key queue; `gitopslab whatif --example`"),
        ({"queues": {"a": {"concurrency": 0}}}, "queues.a.concurrency: Input should be greater than"),
        ({"queues": {"a": {"bundle": {"cpu": "much"}}}}, "quantity 'much': not a quantity; write a number"),
        ({"queues": {"a": {"bundle": {"cpu": -1}}}}, "-1 is below 0"),
        ({"queues": {"a": {"stop_policy": "Stop"}}}, "queues.a.stop_policy: Input should be 'None'"),
        ([], "change.yaml: the document: Input should be a valid dictionary"),
    ],
)
def test_what_is_no_change_is_refused_with_what_would_be_right(content, message):
    with pytest.raises(UsageError) as error:
        changed(content)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"queues": {"z": {}}}, "queues.z: no such ClusterQueue; there are: a"),
        ({"queues": {"a": {"quotas": {"of": {}}}}}, "the queue has no such flavor; there are: on"),
        ({"queues": {"a": {"quotas": {"on": {"gpu": {}}}}}}, "no such resource; there are: cpu"),
        ({"queues": {"a": {"bundle": {"gpu": 1}}}}, "the queue has no quota of it; there are: cpu"),
        ({"cohorts": {"z": {"parent": None}}}, "cohorts.z: no such cohort; there are: team"),
    ],
)
def test_what_is_not_there_cannot_be_changed(content, message):
    with pytest.raises(UsageError) as error:
        changes.changed_plane(Plane((queue("a", 1),)), changed(content), "change.yaml")
    assert message in str(error.value)


def stamp(minutes):
    return (SINCE + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


CLUSTER_QUEUE = {
    "apiVersion": "kueue.x-k8s.io/v1beta2",
    "kind": "ClusterQueue",
    "metadata": {"name": "fast", "uid": "q", "resourceVersion": "1", "creationTimestamp": stamp(0)},
    "spec": {
        "cohortName": "team",
        "preemption": {"borrowWithinCohort": {"policy": "LowerPriority"}},
        "resourceGroups": [
            {
                "coveredResources": ["cpu"],
                "flavors": [{"name": "on", "resources": [{"name": "cpu", "nominalQuota": "2"}]}],
            }
        ],
    },
}


def workload(number):
    """Return one of a line of Workloads that each took the whole quota for ten minutes."""
    reserved, finished = stamp(10 * number), stamp(10 * number + 10)

    def condition(kind, time):
        return {"type": kind, "status": "True", "lastTransitionTime": time, "reason": kind, "message": ""}

    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": {
            "name": f"w{number}",
            "namespace": "ns",
            "uid": f"u{number}",
            "resourceVersion": "9",
            "creationTimestamp": stamp(0),
        },
        "spec": {
            "queueName": "fast",
            "priority": 5,
            "active": True,
            "podSets": [{"name": "main", "count": 1, "template": {"spec": {"containers": []}}}],
        },
        "status": {
            "admission": {
                "clusterQueue": "fast",
                "podSetAssignments": [
                    {"name": "main", "count": 1, "flavors": {"cpu": "on"}, "resourceUsage": {"cpu": "2"}}
                ],
            },
            "conditions": [
                condition("QuotaReserved", reserved),
                condition("Admitted", reserved),
                {**condition("Finished", finished), "reason": "Succeeded"},
            ],
        },
    }


@pytest.fixture
def cluster(tmp_path, monkeypatch, warehouse_of):
    """A warehouse of one queue through which three Workloads went in turn; the working directory."""
    warehouse_of([(CLUSTER_QUEUE, stamp(0)), *((workload(number), stamp(40)) for number in range(3))])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["whatif", *arguments], catch_exceptions=True)


def test_whatif_says_what_twice_the_quota_would_have_done(cluster):
    (cluster / "change.yaml").write_text(
        "name: twice\nqueues: {fast: {quotas: {on: {cpu: {nominal: 4}}}}}\n", encoding="utf-8"
    )
    found = run("change.yaml", "--since", "1h", "--replications", "3", "--json")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told["headline"].startswith("twice: the mean wait goes from 10 min to 3 min 20 s")
    assert told["comparison"]["check"] == {
        "n": 3,
        "recorded_seconds": 600.0,
        "replayed_seconds": pytest.approx(600, abs=1),
        "recorded_preemptions": 0,
        "replayed_preemptions": 0,
    }
    assert told["notes"] == ["Not simulated: preemption while borrowing (borrowWithinCohort), of fast."]
    table = run("change.yaml", "--since", "1h", "--replications", "3").stdout
    assert "wait_mean_seconds" in table
    assert "Replayed as recorded, 3 Workloads wait 10 min on average (recorded: 10 min)" in table


def test_whatif_prints_an_example_that_it_reads_itself(cluster):
    example = run("--example").stdout
    (cluster / "change.yaml").write_text(example, encoding="utf-8")
    found = run("change.yaml", "--since", "1h")
    assert "queues.benchmark-fast: no such ClusterQueue; there are: fast" in str(found.exception)


@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [
        ([], "", "which change? Name a file"),
        (["absent.yaml"], "", "absent.yaml: cannot be read"),
        (["change.yaml"], "", "0 documents; a change is one"),
        (["change.yaml"], "a: [", "change.yaml: line"),
        (["change.yaml", "--cluster", "moon"], "name: x", "no ClusterQueue was seen of it"),
    ],
)
def test_whatif_refuses_what_it_cannot_read(cluster, arguments, text, message):
    (cluster / "change.yaml").write_text(text, encoding="utf-8")
    found = run(*arguments, *(["--since", "1h"] if arguments else []))
    assert isinstance(found.exception, UsageError)
    assert message in str(found.exception)


@pytest.mark.parametrize("part", [changes.Change, changes.QueueChange, changes.QuotaChange])
def test_the_example_shows_every_key_there_is(part):
    assert [key for key in part.model_fields if f"{key}:" not in changes.EXAMPLE] == []
