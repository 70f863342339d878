"""Work beside benchmark runs: interactive sessions by day, warm images and sealed sandboxes at all times."""

from collections.abc import Callable
from dataclasses import dataclass

from gitopslab.capacity.slots import Amounts
from gitopslab.world.capacity.layout import BENCHMARK_NAMESPACE, Container, PodShape, amounts
from gitopslab.world.capacity.objects import job_owner, pod_owner, workload_name
from gitopslab.world.capacity.runs import Bench
from gitopslab.world.capacity.workloads import Job, Workload
from gitopslab.world.clock import DAY, HOUR, moment
from gitopslab.world.random import hexadecimal, lognormal, stream, uid


def _pod(role: str, image: str, requests: Amounts, count: int = 1) -> PodShape:
    container = Container(image, f"ghcr.io/example/{image}:2026.5", requests)
    return PodShape(role, (container,), count)


_SESSION = (
    _pod("sandbox", "session", amounts("300m", "768Mi", "4Gi")),
    _pod("agent-host", "agent-host", amounts("300m", "1Gi", "3Gi")),
)
_WARM = (_pod("main", "image-warmer", amounts("1", "2Gi", "8Gi"), count=3),)
_SEALED = (_pod("main", "sealed", amounts("1", "2Gi", "4Gi")),)


@dataclass(frozen=True)
class Load:
    """Work of one kind.

    Attributes:
        queue: Its queue.
        priority_class: Its priority.
        pods: Its pods.
        share: Its share of all work beside benchmark runs.
        median_seconds: How long half of it runs at least.
        by_day: Whether people start it, in working hours.
        is_group: Whether its Workload belongs to a group of pods; else it belongs to a Job.
    """

    queue: str
    priority_class: str
    pods: tuple[PodShape, ...]
    share: float
    median_seconds: float
    by_day: bool = False
    is_group: bool = False


LOADS = (
    Load("interactive-agent", "interactive", _SESSION, 0.6, 1500, by_day=True, is_group=True),
    Load("background-warm", "background", _WARM, 0.32, 900),
    Load("secure-gvisor", "interactive", _SEALED, 0.08, 600),
)

_WORKING_HOURS = range(6, 18)
_FIRST_WEEKEND_DAY = 5
_QUIET = 0.08
"""Share of the working hours' rate at night and at weekends."""


class Background:
    """Starts work of one kind in one queue, again and again.

    Args:
        bench: The cluster it runs in.
        load: The kind of work.
        queue: The queue, of those that `load` names one.
        per_day: How much of it on a working day.
    """

    def __init__(self, bench: Bench, load: Load, *, queue: str, per_day: float) -> None:
        self._cluster, self._clock, self._kueue = bench.cluster, bench.clock, bench.kueue
        self._load, self._queue = load, queue
        self._random = stream(bench.seed, "load", bench.cluster, queue)
        hours = len(_WORKING_HOURS) + _QUIET * (24 - len(_WORKING_HOURS)) if load.by_day else 24
        self._gap_seconds = hours * HOUR / per_day if per_day else 0
        self._count = 0

    def start(self) -> None:
        """Begin."""
        if self._gap_seconds:
            self._clock.after(self._random.uniform(0, min(self._gap_seconds, DAY)), self._submit)

    def burst(self, count: int, seconds: float) -> None:
        """Start more of it at once, spread over so many seconds."""
        for _ in range(count):
            self._clock.after(self._random.uniform(0, seconds), self._run)

    def _submit(self) -> None:
        if self._random.random() < self._rate():
            self._run()
        self._clock.after(self._random.expovariate(1 / self._gap_seconds), self._submit)

    def _rate(self) -> float:
        if not self._load.by_day:
            return 1
        now = moment(self._clock.now)
        return 1 if now.weekday() < _FIRST_WEEKEND_DAY and now.hour in _WORKING_HOURS else _QUIET

    def _run(self) -> None:
        self._count += 1
        left = lognormal(self._random, self._load.median_seconds, 0.8)
        started_at = self._clock.now

        def run() -> None:
            nonlocal started_at
            started_at = begin = self._clock.now
            self._clock.after(left, lambda: self._finish(workload, begin == started_at))

        workload = self._kueue.submit(self._job(run))

    def _finish(self, workload: Workload, is_current: bool) -> None:  # noqa: FBT001 - said where it is called
        if is_current and workload.is_running:
            self._kueue.finish(workload, is_success=self._random.random() > _FAILURE_SHARE)

    def _job(self, on_running: Callable[[], object]) -> Job:
        mark = hexadecimal(20, self._cluster, self._queue, str(self._count))
        name = f"agent-session-{mark}" if self._load.is_group else f"{self._queue}-{mark[:8]}"
        job_uid = uid(self._cluster, name)
        if self._load.is_group:
            owners = [
                pod_owner(f"{name}-{shape.role}", uid(self._cluster, name, shape.role))
                for shape in self._load.pods
            ]
        else:
            owners = [job_owner(name, job_uid)]
        return Job(
            name=name if self._load.is_group else workload_name("job", name, job_uid),
            namespace=BENCHMARK_NAMESPACE,
            queue=self._queue,
            priority_class=self._load.priority_class,
            pods=self._load.pods,
            owners=owners,
            labels={"agent-app-id": name} if self._load.is_group else {},
            start_seconds=lognormal(self._random, 12, 0.4),
            on_running=on_running,
        )


_FAILURE_SHARE = 0.03
