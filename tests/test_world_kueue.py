from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from gitopslab.capacity.cohort_tree import Quota
from gitopslab.checks.crds import schemas_from_directory
from gitopslab.checks.schema import drift
from gitopslab.world.apiserver import ApiServer
from gitopslab.world.capacity import objects
from gitopslab.world.capacity.kueue import Kueue
from gitopslab.world.capacity.layout import (
    NOTHING,
    ClusterLayout,
    Container,
    FlavorQuota,
    NodeLayout,
    PodShape,
    Preemption,
    QueueLayout,
    amounts,
)
from gitopslab.world.capacity.nodes import NodePool
from gitopslab.world.capacity.objects import quantity
from gitopslab.world.capacity.workloads import Job, Phase, Workload
from gitopslab.world.clock import HOUR, Clock
from gitopslab.world.random import stream

CRDS = Path(__file__).parents[1].parent / "shared" / "data" / "crds" / "kueue"
START = 1_780_000_000.0
RECLAIM = Preemption("LowerPriority", "LowerPriority")


class Recorder:
    """Keeps what a watcher is told, by name of the object."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def see(self, *told: object) -> None:
        self.bodies.append(told[-1])

    def versions(self, kind: str, name: str) -> list[dict]:
        found = (
            msgspec.json.decode(body) for body in self.bodies if b'"kind":"%s"' % kind.encode() in body[:120]
        )
        return [item for item in found if item["metadata"]["name"] == name]


def queue(
    name: str,
    cpu: int,
    *,
    borrow: int | None = 0,
    cohort: str = "team",
    flavors: tuple[str, ...] = ("on",),
    **rest,
) -> QueueLayout:
    limit = None if borrow is None else Decimal(borrow)
    quotas = tuple(FlavorQuota(flavor, {"cpu": Quota(Decimal(cpu), limit)}) for flavor in flavors)
    return QueueLayout(name, "ns", cohort, quotas, preemption=RECLAIM, **rest)


class Cluster:
    """Kueue over one large node, unless told otherwise."""

    def __init__(self, *queues: QueueLayout, cpu: str = "1k", version: str = objects.CURRENT) -> None:
        self.clock, self.seen, self.stays = Clock(START), Recorder(), []
        node = NodeLayout("node", 1, amounts(cpu, "1Ti", "1Ti", 1000), NOTHING)
        layout = ClusterLayout((node,), {"on": {}, "spot": {}}, {"team": None}, queues, {"low": 1, "high": 9})
        api = ApiServer("dev", self.clock, self.seen, 7)
        pool = NodePool(layout.nodes)
        self.kueue = Kueue(
            api, layout, pool, stream(1, "kueue"), api_version=version, on_stay=self.stays.append
        )

    def submit(
        self, name: str, queue: str, cpu: int, priority: str = "low", seconds: float = 600
    ) -> Workload:
        pods = (PodShape("main", (Container("main", "image:1", {"cpu": Decimal(cpu)}),)),)
        job = Job(name, "ns", queue, priority, pods, [objects.job_owner(name, f"uid-{name}")], {}, 30.0)
        job.on_running = lambda: self.clock.after(seconds, lambda: self.kueue.finish(workload))
        workload = self.kueue.submit(job)
        return workload

    def wait(self, seconds: float) -> None:
        self.clock.run(self.clock.now + seconds)

    def conditions(self, name: str) -> dict[str, dict]:
        status = self.seen.versions("Workload", name)[-1]["status"]
        return {condition["type"]: condition for condition in status["conditions"]}

    def holding(self, queue: str) -> list[str]:
        return [workload.job.name for workload in self.kueue.queues[queue].holding.values()]


@pytest.mark.parametrize(
    ("resource", "amount", "written"),
    [("cpu", "33.6", "33600m"), ("cpu", "8", "8"), ("memory", "1879048192", "1792Mi"), ("memory", "0", "0")],
)
def test_quantities_are_written_as_go_writes_them(resource, amount, written):
    assert quantity(resource, Decimal(amount)) == written


def test_a_workload_is_reserved_admitted_started_finished_and_deleted():
    cluster = Cluster(queue("fast", 4))
    cluster.submit("one", "fast", 3)
    cluster.wait(1200)
    versions = cluster.seen.versions("Workload", "one")
    last = [version.get("status", {}).get("conditions", [{}])[-1].get("type") for version in versions]
    assert last == [None, "Admitted", "PodsReady", "PodsReady", "Finished", "Finished", "Finished"]
    assert "deletionTimestamp" in versions[-1]["metadata"]
    assert versions[-1]["status"]["admission"]["podSetAssignments"] == [
        {"count": 1, "flavors": {"cpu": "on"}, "name": "main", "resourceUsage": {"cpu": "3"}}
    ]
    [stay] = cluster.stays
    assert stay.reason == "Succeeded"


def test_the_api_server_remembers_nothing_of_a_workload_that_is_gone():
    cluster = Cluster(queue("fast", 4))
    cluster.wait(60)
    api = cluster.kueue._api
    before = len(api._objects), len(api._dependents)
    for number in range(20):
        cluster.submit(f"w{number}", "fast", 1)
    cluster.wait(20 * HOUR)
    assert (len(api._objects), len(api._dependents)) == before


def test_a_workload_that_does_not_fit_says_what_is_missing_and_goes_when_there_is_room():
    cluster = Cluster(queue("fast", 4))
    cluster.submit("first", "fast", 3)
    cluster.submit("second", "fast", 3)
    cluster.wait(60)
    pending = cluster.conditions("second")["QuotaReserved"]
    why = "insufficient unused quota for cpu in flavor on, 2 more needed"
    assert pending["message"] == f"couldn't assign flavors to pod set main: {why}"
    cluster.wait(620)
    assert cluster.holding("fast") == ["second"]


def test_a_request_beyond_all_quota_never_fits():
    cluster = Cluster(queue("fast", 4))
    cluster.submit("huge", "fast", 9)
    cluster.wait(60)
    assert (
        "current podset request (9) > maximum capacity (4)"
        in cluster.conditions("huge")["QuotaReserved"]["message"]
    )


def test_the_second_flavor_is_taken_where_the_first_is_full():
    cluster = Cluster(queue("fast", 4, flavors=("spot", "on")))
    first, second = cluster.submit("first", "fast", 3), cluster.submit("second", "fast", 3)
    cluster.wait(5)
    assert (first.flavor, second.flavor) == ("spot", "on")


def test_higher_priority_goes_first_then_the_older():
    cluster = Cluster(queue("fast", 1))
    for name, priority in (("running", "high"), ("old", "low"), ("new", "low"), ("urgent", "high")):
        cluster.submit(name, "fast", 1, priority)
        cluster.wait(1)
    order = []
    for _ in range(4):
        order += cluster.holding("fast")
        cluster.wait(640)
    assert order == ["running", "urgent", "old", "new"]


def test_borrowed_quota_is_reclaimed_by_two_writes_with_the_pods_going_between_them():
    cluster = Cluster(queue("fast", 4, borrow=4), queue("eval", 4))
    for name in ("a", "b"):
        cluster.submit(name, "fast", 4, seconds=3000)
        cluster.wait(60)
    assert cluster.kueue.quotas.cohorts.tree("on", "cpu").borrowed("fast") == 4
    cluster.submit("owner", "eval", 4, "high")
    cluster.wait(1)
    evicting = cluster.conditions("b")
    assert (evicting["Preempted"]["reason"], evicting["QuotaReserved"]["status"]) == (
        "InCohortReclamation",
        "True",
    )
    assert cluster.holding("eval") == []
    cluster.wait(20)
    released = cluster.seen.versions("Workload", "b")[-1]["status"]
    assert "admission" not in released
    assert released["accumulatedPastExecutionTimeSeconds"] > 60
    assert cluster.conditions("b")["Requeued"]["reason"] == "Preempted"
    assert cluster.holding("eval") == ["owner"]


def test_readmission_keeps_the_reason_of_an_eviction_in_a_message_only():
    cluster = Cluster(queue("fast", 4))
    cluster.submit("low", "fast", 4, seconds=3000)
    cluster.wait(60)
    cluster.submit("high", "fast", 4, "high", seconds=60)
    cluster.wait(300)
    evicted = cluster.conditions("low")["Evicted"]
    assert (evicted["status"], evicted["reason"]) == ("False", "QuotaReserved")
    assert evicted["message"].startswith("Previously: Preempted to accommodate a workload (UID: ")
    stats = cluster.seen.versions("Workload", "low")[-1]["status"]["schedulingStats"]
    assert stats == {"evictions": [{"reason": "Preempted", "underlyingCause": "", "count": 1}]}


def test_no_more_is_preempted_than_is_needed():
    cluster = Cluster(queue("fast", 6))
    for name, cpu in (("one", 1), ("two", 2), ("three", 3)):
        cluster.submit(name, "fast", cpu, seconds=3000)
        cluster.wait(5)
    cluster.submit("urgent", "fast", 2, "high", seconds=3000)
    cluster.wait(60)
    assert cluster.holding("fast") == ["one", "two", "urgent"]


def test_a_queue_within_its_own_quota_is_not_preempted_by_another():
    cluster = Cluster(queue("fast", 4), queue("eval", 4, borrow=4))
    cluster.submit("own", "fast", 4, seconds=3000)
    cluster.submit("greedy", "eval", 8, "high")
    cluster.wait(60)
    assert (cluster.holding("fast"), cluster.holding("eval")) == (["own"], [])


def test_pods_that_fit_on_no_node_are_given_up_and_tried_again_later_each_time():
    cluster = Cluster(queue("fast", 4), cpu="2")
    workload = cluster.submit("wide", "fast", 3)
    cluster.wait(330)
    status = cluster.seen.versions("Workload", "wide")[-1]["status"]
    assert cluster.conditions("wide")["Evicted"]["reason"] == "PodsReadyTimeout"
    assert (status["requeueState"]["count"], workload.phase) == (1, Phase.HELD_BACK)
    events = [msgspec.json.decode(body) for body in cluster.seen.bodies if b"FailedScheduling" in body]
    assert "1 Insufficient cpu" in events[0]["message"]
    cluster.wait(60)
    assert cluster.conditions("wide")["Requeued"]["reason"] == "BackoffFinished"


def test_admission_checks_go_back_to_pending_and_the_count_of_requeues_stays():
    cluster = Cluster(queue("fast", 4, admission_checks=("psi",)), cpu="2")
    cluster.submit("wide", "fast", 3)
    cluster.wait(390)
    evicted, released = (
        next(
            version
            for version in cluster.seen.versions("Workload", "wide")
            if key in version.get("status", {})
        )
        for key in ("schedulingStats", "accumulatedPastExecutionTimeSeconds")
    )
    (check,) = evicted["status"]["admissionChecks"]
    assert (check["state"], check["message"]) == (
        "Pending",
        "Reset to Pending after eviction. Previously: Ready",
    )
    assert "admission" in evicted["status"]
    assert evicted["status"]["requeueState"] == released["status"]["requeueState"]
    admitted = cluster.seen.versions("Workload", "wide")[-1]["status"]
    assert admitted["admission"]["clusterQueue"] == "fast"
    assert admitted["requeueState"] == {"count": 1}
    assert admitted["schedulingStats"]["evictions"] == [
        {"reason": "PodsReadyTimeout", "underlyingCause": "WaitForStart", "count": 1}
    ]


def test_the_wait_after_a_backoff_begins_when_the_backoff_ends():
    cluster = Cluster(queue("fast", 4), cpu="2")
    cluster.submit("wide", "fast", 3)
    cluster.wait(390)
    events = [
        msgspec.json.decode(body) for body in cluster.seen.bodies if b'"reason":"QuotaReserved"' in body
    ]
    said = [event["message"] for event in events if event["kind"] == "Event"]
    assert said == ["Quota reserved in ClusterQueue fast, wait time since queued was 0s"] * 2


def test_a_job_and_pods_that_queue_themselves_are_known_by_their_labels():
    pods = (PodShape("a", (Container("a", "image:1", {}),)), PodShape("b", (Container("b", "image:1", {}),)))

    def metadata(owners: list[dict], pods: tuple[PodShape, ...]) -> tuple[dict, dict]:
        item = objects.workload(
            objects.CURRENT,
            name="w",
            namespace="ns",
            queue="fast",
            priority_class="low",
            priority=1,
            pods=pods,
            labels={},
            owners=owners,
        )
        return item["metadata"], item["spec"]["podSets"][0]["template"]["metadata"]

    of_job, of_its_pods = metadata([objects.job_owner("j", "u")], pods[:1])
    assert of_job["labels"] == {"kueue.x-k8s.io/job-uid": "u"}
    assert of_its_pods["labels"] == {
        f"{prefix}{key}": value
        for prefix in ("", "batch.kubernetes.io/")
        for key, value in (("controller-uid", "u"), ("job-name", "j"))
    }
    of_group, of_its_pods = metadata([objects.pod_owner("p", "1"), objects.pod_owner("q", "2")], pods)
    assert of_group["annotations"] == {"kueue.x-k8s.io/is-group-workload": "true"}
    assert of_its_pods["annotations"] == {"kueue.x-k8s.io/pod-group-total-count": "2"}
    assert of_its_pods["labels"]["kueue.x-k8s.io/pod-group-name"] == "w"


def test_a_local_queue_lists_its_flavors_in_v1beta1_only():
    for version, wanted in (
        (objects.OLDER, [{"name": "on", "nodeLabels": {}, "resources": ["cpu"]}]),
        (objects.CURRENT, None),
    ):
        cluster = Cluster(queue("fast", 4), version=version)
        cluster.wait(5)
        status = cluster.seen.versions("LocalQueue", "fast")[-1]["status"]
        assert status.get("flavors") == wanted


def test_a_held_admission_check_reserves_quota_and_admits_nobody():
    cluster = Cluster(queue("fast", 4, admission_checks=("psi",)))
    cluster.kueue.hold_checks()
    cluster.submit("one", "fast", 3)
    cluster.wait(60)
    assert "Admitted" not in cluster.conditions("one")
    cluster.kueue.release_checks()
    cluster.wait(60)
    assert cluster.conditions("one")["Admitted"]["status"] == "True"


def test_a_drained_queue_says_so_and_takes_its_workloads_back_when_it_resumes():
    cluster = Cluster(queue("fast", 4))
    cluster.submit("one", "fast", 3, seconds=3000)
    cluster.wait(60)
    cluster.kueue.stop_queue("fast", "HoldAndDrain")
    cluster.submit("late", "fast", 1)
    cluster.wait(60)
    stopped = cluster.seen.versions("ClusterQueue", "fast")[-1]
    assert (stopped["spec"]["stopPolicy"], stopped["status"]["conditions"][0]["reason"]) == (
        "HoldAndDrain",
        "Stopped",
    )
    assert cluster.conditions("one")["Requeued"]["reason"] == "ClusterQueueStopped"
    assert cluster.conditions("late")["QuotaReserved"]["reason"] == "Inadmissible"
    cluster.kueue.resume_queue("fast")
    cluster.wait(60)
    assert cluster.conditions("one")["Requeued"]["reason"] == "ClusterQueueRestarted"
    assert sorted(cluster.holding("fast")) == ["late", "one"]


def test_a_queue_whose_flavor_is_gone_admits_nobody():
    cluster = Cluster(queue("fast", 4))
    cluster.kueue.deactivate_queue(
        "fast", "FlavorNotFound", "Can't admit new workloads: references missing flavor"
    )
    cluster.submit("one", "fast", 1)
    cluster.wait(60)
    [active] = cluster.seen.versions("ClusterQueue", "fast")[-1]["status"]["conditions"]
    assert (active["status"], active["reason"], cluster.holding("fast")) == ("False", "FlavorNotFound", [])


def test_a_changed_quota_lets_more_in():
    layout = queue("fast", 4)
    cluster = Cluster(layout)
    for name in "ab":
        cluster.submit(name, "fast", 4)
    cluster.wait(10)
    cluster.kueue.change_quota(replace(layout, flavors=queue("fast", 8).flavors))
    cluster.wait(10)
    assert cluster.holding("fast") == ["a", "b"]


def test_a_queues_status_adds_up_to_the_workloads_in_it():
    cluster = Cluster(queue("fast", 4, borrow=2), queue("eval", 4))
    for name in "abc":
        cluster.submit(name, "fast", 3)
    cluster.wait(10)
    status = cluster.seen.versions("ClusterQueue", "fast")[-1]["status"]
    assert [status[f"{count}Workloads"] for count in ("reserving", "admitted", "pending")] == [2, 2, 1]
    assert status["flavorsUsage"] == [
        {"name": "on", "resources": [{"name": "cpu", "total": "6", "borrowed": "2"}]}
    ]


def test_quota_is_never_taken_beyond_what_the_cohort_has():
    cluster = Cluster(queue("fast", 4, borrow=None), queue("eval", 3, borrow=2), queue("warm", 1, borrow=1))
    chance = stream(5, "chance")
    most = 0
    for number in range(300):
        name = chance.choice(("fast", "eval", "warm"))
        cluster.submit(f"w{number}", name, chance.randint(1, 2), chance.choice(("low", "high")), seconds=200)
        cluster.wait(chance.uniform(0, 120))
        used = defaultdict(Decimal)
        for waiting in cluster.kueue.queues.values():
            for workload in waiting.holding.values():
                used[workload.flavor] += workload.requests["cpu"]
        most = max(most, used["on"])
    assert most == 8
    cluster.wait(100_000)
    assert all(not waiting.holding and not waiting.pending_count for waiting in cluster.kueue.queues.values())


@pytest.mark.skipif(not CRDS.is_dir(), reason="CRDs lie beside the repository only")
@pytest.mark.parametrize(("version", "folder"), [(objects.CURRENT, "."), (objects.OLDER, "v0.14.0")])
def test_every_object_is_one_that_kueues_api_would_take(version, folder):
    cluster = Cluster(
        queue("fast", 4, borrow=4, admission_checks=("psi",)), queue("eval", 4), cpu="7", version=version
    )
    for name in "abc":
        cluster.submit(name, "fast", 3)
    cluster.wait(60)
    cluster.submit("owner", "eval", 4, "high")
    cluster.submit("huge", "eval", 99)
    cluster.wait(60)
    cluster.kueue.stop_queue("fast", "HoldAndDrain")
    cluster.wait(60)
    cluster.kueue.resume_queue("fast")
    cluster.wait(4000)
    keyed = [(("", "", str(number)), body) for number, body in enumerate(cluster.seen.bodies)]
    report = drift(keyed, schemas_from_directory(CRDS / folder))
    assert report.findings == ()
    assert sum(report.objects_examined.values()) > 60
