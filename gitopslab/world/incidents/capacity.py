"""Incidents of Kueue, of nodes, and of benchmark runs."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from gitopslab.capacity.pressure import Pressure
from gitopslab.capacity.slots import Amounts
from gitopslab.world.apiserver import Object
from gitopslab.world.capacity.layout import BENCHMARK_NAMESPACE, Container, PodShape, amounts
from gitopslab.world.capacity.models import DEEPSEEK
from gitopslab.world.capacity.nodes import Node
from gitopslab.world.capacity.objects import job_owner, workload_name
from gitopslab.world.capacity.runs import EvaluatorFault, Fate, RunPlan, nanoid
from gitopslab.world.capacity.workloads import Job, Workload
from gitopslab.world.clock import HOUR, MINUTE
from gitopslab.world.incidents.story import Blast, Kind, Stage, Story
from gitopslab.world.random import hexadecimal, uid

_INSTANCE = amounts("450m", "1792Mi", "6696Mi")
_INSTANCE_COUNT = 10
_WIDE = amounts("1", "4Gi", "4Gi")
"""What fills a cohort soon: its memory ends before its CPU does."""


def _submit(  # noqa: PLR0913 - what one Job differs in from another
    stage: Stage,
    queue: str,
    requests: Amounts,
    count: int,
    start_seconds: float,
    *,
    priority_class: str = "background",
) -> list[Workload]:
    """Ask for quota for so many Jobs of one pod each, which run until they are cancelled."""
    return [
        stage.capacity.kueue.submit(
            _job(f"{stage.name}-{queue}-{number}", queue, requests, start_seconds, priority_class)
        )
        for number in range(count)
    ]


def _job(key: str, queue: str, requests: Amounts, start_seconds: float, priority_class: str) -> Job:
    name = f"probe-{hexadecimal(8, key)}"
    job_uid = uid("probe", key)
    container = Container("probe", "ghcr.io/example/probe:2026.5", requests)
    return Job(
        name=workload_name("job", name, job_uid),
        namespace=BENCHMARK_NAMESPACE,
        queue=queue,
        priority_class=priority_class,
        pods=(PodShape("main", (container,)),),
        owners=[job_owner(name, job_uid)],
        labels={},
        start_seconds=start_seconds,
    )


def _cancel(stage: Stage, workloads: list[Workload]) -> None:
    for workload in workloads:
        stage.capacity.kueue.cancel(workload)


def _queue_inactive(queue: str, reason: str, message: str, stage: Stage) -> Story:
    """Play a queue that admits nobody; `Stopped` is somebody's wish, other reasons are what it lacks."""
    kueue = stage.capacity.kueue
    if reason == "Stopped":
        kueue.stop_queue(queue)
    else:
        kueue.deactivate_queue(queue, reason, message)
    probes = _submit(stage, queue, _INSTANCE, 2, 20)
    items = [kueue.queues[queue].item, kueue.queues[queue].local_item]
    yield Blast("dev", items + [probe.item for probe in probes])
    kueue.resume_queue(queue)
    _cancel_later(stage, probes)


def _cancel_later(stage: Stage, workloads: list[Workload]) -> None:
    """Let Workloads run for some minutes before they are gone."""
    stage.clock.after(5 * MINUTE, lambda: _cancel(stage, workloads))


def _asking(queue: str, requests: Amounts, count: int, start_seconds: float, stage: Stage) -> Story:
    """Play Jobs that ask for what they cannot have, or not soon."""
    probes = _submit(stage, queue, requests, count, start_seconds)
    yield Blast("dev", [probe.item for probe in probes])
    _cancel(stage, probes)


def _preempted(stage: Stage) -> Story:
    """Play queues that borrow all that a cohort has, until one whose quota they have asks for it back."""
    lent = [
        probe
        for queue, count in (("background-warm", 12), ("interactive-agent", 12), ("benchmark-fast", 32))
        for probe in _submit(stage, queue, _WIDE, count, 20)
    ]
    owners: list[Workload] = []
    stage.clock.after(
        2 * MINUTE,
        lambda: owners.extend(
            _submit(stage, "benchmark-eval", _WIDE, 4, 20, priority_class="swebench-cohort")
        ),
    )
    blast = Blast("dev", [stage.capacity.kueue.queues["benchmark-eval"].item])
    yield blast
    blast.objects = [probe.item for probe in lent if probe.evicted_at] + blast.objects
    _cancel(stage, owners)
    _cancel(stage, lent)


def _starved(stage: Stage) -> Story:
    """Play people who wait for sessions while other queues of the cohort have quota that nobody uses."""
    kueue = stage.capacity.kueue
    while kueue.queues["benchmark-fast"].holding:
        yield None
    probes = _submit(stage, "interactive-agent", _WIDE, 16, 20, priority_class="interactive")
    yield Blast("dev", [kueue.queues["interactive-agent"].item] + [probe.item for probe in probes])
    _cancel(stage, probes)


def _launch_paused(stage: Stage) -> Story:
    """Play pressure so hard that no run may start: who asks for one is refused, and asks again later."""
    capacity = stage.capacity
    before, capacity.pressure = capacity.pressure, Pressure(("psi_memory_pressure",), 0, is_hard=True)
    plan = _plan(stage, {}, "")
    capacity.launch_when_possible(plan)
    yield Blast("dev", [_benchmark_run(plan)])
    capacity.pressure = before


def _checks_held(stage: Stage) -> Story:
    """Play pressure on the memory of nodes, for which nobody who has quota is admitted."""
    kueue = stage.capacity.kueue
    kueue.hold_checks()
    probes = _submit(stage, "benchmark-fast", _INSTANCE, 2, 20)
    yield Blast("dev", [probe.item for probe in probes])
    kueue.release_checks()
    _cancel_later(stage, probes)


def _nodes_full(stage: Stage) -> Story:
    """Play quota that is there where nodes are not: Jobs are admitted, and their pods find no place."""
    nodes, pods = stage.capacity.pool.nodes, stage.capacity.kueue.pods
    for node in nodes:
        node.is_ready = False
    pods.note_nodes()
    probes = _submit(stage, "background-warm", _INSTANCE, 2, 20)
    yield Blast("dev", [probe.item for probe in probes] + [_node(node) for node in nodes])
    for node in nodes:
        node.is_ready = True
    pods.note_nodes()
    _cancel(stage, probes)


def _disk_pressure(stage: Stage) -> Story:
    """Play nodes that run out of disk: nothing is placed on them, and the application starts no run."""
    capacity = stage.capacity
    nodes = capacity.pool.nodes[:2]
    for node in nodes:
        node.has_disk_pressure = True
    capacity.kueue.pods.note_nodes()
    before, capacity.pressure = capacity.pressure, Pressure(("disk_pressure",), 0, is_hard=True)
    yield Blast("dev", [_node(node) for node in nodes])
    for node in nodes:
        node.has_disk_pressure = False
    capacity.kueue.pods.note_nodes()
    capacity.pressure = before


def _node(node: Node) -> Object:
    """Return a node as far as it is named."""
    return {"kind": "Node", "metadata": {"name": node.name}}


def _run(fates: Mapping[int, Fate], evaluator_fault: EvaluatorFault, stage: Stage) -> Story:
    """Play a benchmark run to whose instances happens what `fates` says, by number."""
    plan = _plan(stage, fates, evaluator_fault)
    while stage.capacity.launch(plan) is None:
        yield None
    yield Blast("dev", [_benchmark_run(plan)])


def _plan(stage: Stage, fates: Mapping[int, Fate], evaluator_fault: EvaluatorFault) -> RunPlan:
    chosen = tuple(stage.random.sample(stage.capacity.tasks, _INSTANCE_COUNT))
    return RunPlan(
        run_id=nanoid("incident", stage.name),
        model=DEEPSEEK,
        tasks=chosen,
        requested=_INSTANCE_COUNT,
        fates={chosen[number].instance_id: fate for number, fate in fates.items()},
        evaluator_fault=evaluator_fault,
    )


def _clamped(stage: Stage) -> Story:
    """Play pressure that halves how many instances a run may have at once."""
    capacity = stage.capacity
    before, capacity.pressure = capacity.pressure, Pressure(("psi_memory_pressure",), 0.5)
    run = _run({}, "", stage)
    yield from run
    capacity.pressure = before


def _benchmark_run(plan: RunPlan) -> Object:
    """Return a run as far as it is named; it is a row of the application's database and no object."""
    return {"kind": "BenchmarkRun", "metadata": {"name": plan.run_id}}


def _some(count: int, fate: Fate) -> dict[int, Fate]:
    return {number: replace(fate) for number in range(count)}


_NO_FLAVOR = "Can't admit new workloads: references missing ResourceFlavor(s): [dev-benchmark]."


def _kind(key: str, name: str, seconds: float, cause: str, tell: "partial[Story]") -> Kind:
    return Kind(key, name, "fault", "capacity", seconds, cause, tell)


def _latency(key: str, name: str, seconds: float, cause: str, tell: "partial[Story]") -> Kind:
    return Kind(key, name, "latency", "capacity", seconds, cause, tell)


KINDS = (
    _kind(
        "K1",
        "Queue stopped",
        HOUR,
        "somebody stopped the queue and forgot it",
        partial(_queue_inactive, "benchmark-eval", "Stopped", ""),
    ),
    _kind(
        "K1",
        "Queue without its flavor",
        40 * MINUTE,
        "the ResourceFlavor was deleted",
        partial(_queue_inactive, "background-warm", "FlavorNotFound", _NO_FLAVOR),
    ),
    _latency(
        "K2",
        "Quota wait",
        25 * MINUTE,
        "more is asked for than the queue has",
        partial(_asking, "secure-gvisor", amounts("2", "2Gi", "4Gi"), 5, 20),
    ),
    _kind(
        "K3",
        "Never fits",
        2 * HOUR,
        "a request is larger than what the queue can ever have",
        partial(_asking, "benchmark-eval", amounts("40", "200Gi", "40Gi"), 1, 20),
    ),
    _latency(
        "K4",
        "Memory pressure holds admission",
        20 * MINUTE,
        "nodes are short of memory",
        partial(_checks_held),
    ),
    _latency(
        "K5",
        "Preempted",
        20 * MINUTE,
        "quota that was only borrowed is wanted back",
        partial(_preempted),
    ),
    _kind(
        "K6",
        "Admitted and unschedulable",
        4 * MINUTE,
        "no node is ready",
        partial(_nodes_full),
    ),
    _kind(
        "K7",
        "Pods not ready in time",
        30 * MINUTE,
        "a slow registry",
        partial(_asking, "background-warm", _INSTANCE, 3, 900),
    ),
    _kind(
        "K10",
        "Disk pressure",
        90 * MINUTE,
        "images and logs fill the disk",
        partial(_disk_pressure),
    ),
    _kind(
        "K11",
        "Starved interactive queue",
        25 * MINUTE,
        "the queue may borrow too little of what its cohort has",
        partial(_starved),
    ),
    _latency(
        "B4",
        "Capacity clamp",
        3 * HOUR,
        "nodes are short of memory as the run starts",
        partial(_clamped),
    ),
    _kind(
        "B5",
        "Launch paused",
        2 * HOUR,
        "nodes are short of memory, far beyond what is safe",
        partial(_launch_paused),
    ),
    _kind(
        "B11",
        "Workspace profile timeouts",
        3 * HOUR,
        "a proxy cuts calls off",
        partial(_run, _some(4, Fate(failure="workspace_profile_timeout")), ""),
    ),
    _kind(
        "B12",
        "Session hosts do not start",
        3 * HOUR,
        "the image of the host is not on the nodes",
        partial(_run, _some(3, Fate(failure="session_host_start_timeout")), ""),
    ),
    _kind(
        "B14",
        "Sessions stall",
        4 * HOUR,
        "calls of the model hang",
        partial(_run, _some(3, Fate(stalls=True)), ""),
    ),
    _latency(
        "B16",
        "Checkout outlier",
        3 * HOUR,
        "the network to the repository is slow",
        partial(_run, _some(1, Fate(checkout_seconds=355.0)), ""),
    ),
    _kind(
        "B19",
        "All unresolved, all patched",
        4 * HOUR,
        "the environment of the tests is broken",
        partial(_run, _some(10, Fate(outcome="resolved")), "environment"),
    ),
    _kind(
        "B22",
        "Finalize fails",
        4 * HOUR,
        "the object store answers with 500",
        partial(_run, {}, "finalize"),
    ),
)
