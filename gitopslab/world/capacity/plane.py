"""The capacity plane of one cluster: nodes, Kueue, background work and benchmark runs, and their truth."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import ceil

from gitopslab.capacity.pressure import Pressure
from gitopslab.world.apiserver import ApiServer
from gitopslab.world.capacity import objects
from gitopslab.world.capacity.artefacts import Artefacts
from gitopslab.world.capacity.benchmark import Run
from gitopslab.world.capacity.benchmark_rows import run_rows, suite_rows
from gitopslab.world.capacity.ground_truth import CapacityTruth
from gitopslab.world.capacity.image_builds import ready_image_rows
from gitopslab.world.capacity.kueue import Kueue, Stay
from gitopslab.world.capacity.layout import ClusterLayout, dev
from gitopslab.world.capacity.load import LOADS, Background
from gitopslab.world.capacity.models import MODELS, Task, tasks
from gitopslab.world.capacity.nodes import NodePool
from gitopslab.world.capacity.runs import Bench, EvaluatorFault, Faults, Leases, RunPlan, Sink, nanoid
from gitopslab.world.clock import DAY, MINUTE, WEEK, moment
from gitopslab.world.emit.prometheus import Sample
from gitopslab.world.random import stream
from gitopslab.world.scale import Scale
from gitopslab.world.truth import Truth

_QUEUES_IN_A_POOL = 5
_RETRY_SECONDS = 900.0
_FIRST_WEEKEND_DAY = 5
_REQUESTED_LARGE = (48, 56, 64, 80, 80)
"""Concurrency that people ask for where a run is large."""

_LARGE_FACTOR, _LARGEST = 6, 160
"""How many times as large a large run is, and the most instances that makes."""

_KUEUE_SHARE = 0.5
"""Of runs that the application launches by what Kueue's quota has room for."""


@dataclass(frozen=True)
class CapacityOptions:
    """How a plane is to be.

    Attributes:
        layout: Nodes and queues; None: those of dev, as many pools as the scale has queues for.
        api_version: Of Kueue's objects, one of `objects`.
        faults: How often infrastructure fails.
        has_load: Whether there is work beside benchmark runs.
        has_runs: Whether benchmark runs start by themselves.
        writes_suite: Whether the suite's rows are written; one plane of a world does.
        ready_count: Instances whose exact image was built before the world began, where that is known.
        requested: Concurrency that people ask for.
        large_share: Share of runs that are large.
    """

    layout: ClusterLayout | None = None
    api_version: str = objects.CURRENT
    faults: Faults = field(default_factory=Faults)
    has_load: bool = True
    has_runs: bool = True
    writes_suite: bool = True
    ready_count: int = 0
    requested: tuple[int, ...] = (10, 16, 24, 32, 50, 64)
    large_share: float = 0.2


class CapacityPlane:
    """Everything in one cluster that has to do with capacity.

    Args:
        api: The cluster's API server, whose clock drives all.
        seed: Seed of the world.
        truth: Where the truth goes.
        sink: Where rows of the application's database go, a `PostgresDump`.
        scale: How much happens.
        options: How it is to be.
        artefacts: Where files of runs go; None: nowhere.

    Attributes:
        kueue: To stop queues, hold admission checks and change quotas.
        pool: To take nodes away.
        bench: To change how often infrastructure fails.
        pressure: What the application knows of pressure on the cluster.
        evaluator_fault: What is wrong with the evaluator of runs that start by themselves, as in `RunPlan`.
        tasks: The instances that runs choose from.
        refused_count: Launches that capacity pressure let not happen.
    """

    def __init__(  # noqa: PLR0913 - the parts of a world that it is wired to
        self,
        api: ApiServer,
        *,
        seed: int,
        truth: Truth,
        sink: Sink,
        scale: Scale,
        options: CapacityOptions | None = None,
        artefacts: Artefacts | None = None,
    ) -> None:
        self._options = options or CapacityOptions()
        self._clock, self._cluster, self._seed = api.clock, api.name, seed
        self._truth, self._sink, self._scale = CapacityTruth(truth, api.name), sink, scale
        layout = self._options.layout or dev(pools=ceil(scale.queue_count / _QUEUES_IN_A_POOL))
        self.pool = NodePool(layout.nodes)
        self.kueue = Kueue(
            api,
            layout,
            self.pool,
            stream(seed, "kueue", api.name),
            api_version=self._options.api_version,
            on_stay=self._truth.stay,
        )
        leases = Leases(api.clock, sink)
        self.bench = Bench(api.name, seed, api, api.clock, self.kueue, sink, leases, self._options.faults)
        self.pressure = Pressure()
        self.evaluator_fault: EvaluatorFault = ""
        self.tasks: tuple[Task, ...] = tasks(seed)
        self.refused_count = 0
        self._random = stream(seed, "launches", api.name)
        self._artefacts = artefacts
        self._runs: dict[str, Run] = {}
        self._run_count = 0
        self._loads: dict[str, Background] = {}

    def start(self) -> None:
        """Let work begin."""
        if self._options.writes_suite:
            for row in suite_rows(self.tasks, self._clock.now):
                self._sink.add(row)
            for build in ready_image_rows(self.tasks[: self._options.ready_count], self._clock.now):
                self._sink.add(build)
        if self._options.has_load:
            self._start_load()
        if self._options.has_runs and self._scale.benchmark_runs_per_day:
            self._clock.after(self._random.uniform(0.1, 0.4) * DAY, self._launch_by_itself)

    @property
    def exact_image_count(self) -> int:
        """Instances that have the image of their very commit."""
        return min(self._options.ready_count, len(self.tasks))

    def launch(self, plan: RunPlan) -> Run | None:
        """Start a benchmark run now; None, and nothing is kept of it, if pressure lets none start."""
        run = Run(self.bench, plan, self.pressure, self._end_run)
        if run.launch.concurrency.effective == 0:
            self.refused_count += 1
            return None
        self._runs[plan.run_id] = run
        self._truth.layers(run, self._clock.now)
        run.start()
        return run

    def launch_when_possible(self, plan: RunPlan) -> None:
        """Start a benchmark run now, or once pressure lets it, asking again every quarter of an hour."""
        if self.launch(plan) is None:
            self._clock.after(_RETRY_SECONDS, lambda: self.launch_when_possible(plan))

    def scrape(self) -> Iterator[Sample]:
        """Yield what Prometheus would read of Kueue and the nodes now."""
        return self.kueue.meter.scrape(self.kueue.queues.values(), self.pool.nodes, self._clock.now)

    def close(self) -> None:
        """Write what is not over at the end of the world."""
        for queue in self.kueue.queues.values():
            for workload in queue.holding.values():
                self._truth.stay(Stay(workload, None, "Open"))
        for run in list(self._runs.values()):
            self._end_run(run)
        self.bench.leases.close()

    def _start_load(self) -> None:
        pool_count = ceil(self._scale.queue_count / _QUEUES_IN_A_POOL)
        for load in LOADS:
            per_day = self._scale.workloads_per_day / pool_count * load.share
            for queue in _of_all_pools(load.queue, self.kueue.queues):
                self._loads[queue] = Background(self.bench, load, queue=queue, per_day=per_day)
                self._loads[queue].start()

    def _launch_by_itself(self) -> None:
        gap = DAY / self._scale.benchmark_runs_per_day
        if moment(self._clock.now).weekday() < _FIRST_WEEKEND_DAY:
            self.launch_when_possible(self._plan())
        self._clock.after(gap * self._random.uniform(0.6, 1.4), self._launch_by_itself)

    def _accompany(self, pool: str) -> None:
        """Let a large run have company: images are warmed for it, and people come to look."""
        if warm := self._loads.get(f"background-warm{pool}"):
            warm.burst(14, 5 * MINUTE)
        if sessions := self._loads.get(f"interactive-agent{pool}"):
            sessions.burst(self._random.randint(16, 30), 25 * MINUTE)

    def _plan(self) -> RunPlan:
        """Plan the next run; those of a week choose from the same tasks, so that models can be compared."""
        self._run_count += 1
        week = int(self._clock.now // WEEK)
        chosen = stream(self._seed, "campaign", str(week)).sample(self.tasks, len(self.tasks))
        size = round(self._scale.instances_per_run * self._random.choice((0.5, 1, 1, 1, 1.5)))
        pools = _of_all_pools("benchmark-fast", self.kueue.queues)
        queue = pools[self._run_count % len(pools)]
        is_large = self._random.random() < self._options.large_share
        if is_large:
            size = max(size, min(size * _LARGE_FACTOR, _LARGEST))
            self._accompany(queue.removeprefix("benchmark-fast"))
        model = self._random.choice(MODELS)
        return RunPlan(
            run_id=nanoid("run", str(self._seed), self._cluster, str(self._run_count)),
            model=model,
            tasks=tuple(chosen[: max(3, size)]),
            requested=self._random.choice(_REQUESTED_LARGE if is_large else self._options.requested),
            max_turns=self._random.choice((25, 30, 50)),
            queue=queue,
            evaluation_queue=queue.replace("benchmark-fast", "benchmark-eval"),
            uses_kueue_limits=self._random.random() < _KUEUE_SHARE,
            configured_limit=80,
            evaluator_fault=self.evaluator_fault,
            tags=(f"campaign-{week}",),
        )

    def _end_run(self, run: Run) -> None:
        del self._runs[run.plan.run_id]
        for row in run_rows(self.bench, run):
            self._sink.add(row)
        for instance in run.instances:
            self._truth.quality(run, instance)
        if self._artefacts:
            self._artefacts.keep(run)


def _of_all_pools(queue: str, names: Iterable[str]) -> list[str]:
    """Return the names of a queue in every pool: `benchmark-fast`, then `benchmark-fast-2`."""
    return [name for name in names if name == queue or name.startswith(f"{queue}-")]
