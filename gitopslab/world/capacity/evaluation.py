"""The evaluation of a benchmark run: prepare, a task for every patch, finalize, and one batch of results."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from gitopslab.world.capacity.evaluator_task_run import EvaluatorTaskRun
from gitopslab.world.capacity.layout import BENCHMARK_NAMESPACE, EVALUATOR
from gitopslab.world.capacity.objects import pod_owner, workload_name
from gitopslab.world.capacity.runs import Bench, Instance, RunPlan
from gitopslab.world.capacity.workloads import Job, Workload
from gitopslab.world.random import hexadecimal, lognormal, stream, uid

_SLOT = {"evaluator_slot": "swebench-evaluator"}
_PRIORITY = "swebench-cohort"
_LONGEST_NAME = 63
_SUCCEEDED = "Succeeded", "All Steps have completed executing"
_FAILED = "Failed", '"step-evaluate" exited with code 1: Error'


class Evaluation:
    """Drives the evaluation of all instances of a run.

    Args:
        bench: What runs share.
        plan: The run.
        instances: Its instances, inferred or failed; those without a patch need no test.
        concurrency: How many tests run at once.
        on_done: Called with whether the last step succeeded.
    """

    def __init__(
        self,
        bench: Bench,
        plan: RunPlan,
        instances: Sequence[Instance],
        concurrency: int,
        on_done: Callable[[bool], object],
    ) -> None:
        self._bench, self._plan, self._on_done = bench, plan, on_done
        self._waiting = deque(instance for instance in instances if instance.has_patch)
        self._instances = instances
        self._concurrency = concurrency
        self._running_count = 0
        self._random = stream(bench.seed, "evaluation", plan.run_id)
        self._workloads: dict[int, tuple[Workload, EvaluatorTaskRun]] = {}

    def start(self) -> None:
        """Prepare, and go on from there."""
        self._task("prepare", "", self._random.uniform(20, 50), self._fill)

    def abort(self) -> None:
        """Delete every task that is there."""
        self._waiting.clear()
        for workload, task_run in self._workloads.values():
            task_run.end("TaskRunCancelled", f'TaskRun "{task_run.name}" was cancelled')
            self._bench.kueue.cancel(workload)
        self._workloads.clear()
        for instance in self._instances:
            instance_id = instance.task.instance_id
            self._bench.leases.release(self._plan, instance_id, "evaluation", "cancelled")

    def _fill(self) -> None:
        while self._waiting and self._running_count < self._concurrency:
            self._evaluate(self._waiting.popleft())
        if not self._running_count:
            self._task("finalize", "", self._random.uniform(8, 25), self._finish)

    def _evaluate(self, instance: Instance) -> None:
        instance_id = instance.task.instance_id
        self._running_count += 1
        self._bench.leases.acquire(self._plan, instance_id, "evaluation", _SLOT)
        instance.tested_at = self._bench.clock.now
        instance.test_seconds = 30 + lognormal(instance.random, 110, 0.7)
        self._task("run-instance", instance_id, instance.test_seconds, lambda: self._end_test(instance))

    def _end_test(self, instance: Instance) -> None:
        self._running_count -= 1
        instance_id = instance.task.instance_id
        self._bench.leases.release(self._plan, instance_id, "evaluation", "evaluation_completed")
        self._fill()

    def _finish(self) -> None:
        is_success = self._plan.evaluator_fault != "finalize"
        if is_success:
            for instance in self._instances:
                self._judge(instance)
        self._on_done(is_success)

    def _judge(self, instance: Instance) -> None:
        instance.evaluated_at = instance.updated_at = self._bench.clock.now
        if not instance.has_patch:
            instance.status, instance.evaluation_status = "failed", "empty_patch"
            instance.is_resolved = False
            return
        is_unlucky = instance.random.random() < instance.task.flaky_ratio and instance.fate.outcome is None
        can_pass = self._plan.evaluator_fault != "environment"
        instance.is_resolved = bool(instance.is_correct) and can_pass and not is_unlucky
        instance.status = "resolved" if instance.is_resolved else "failed"
        instance.evaluation_status = "resolved" if instance.is_resolved else "unresolved"

    def _task(self, phase: str, instance_id: str, seconds: float, then: Callable[[], object]) -> None:
        """Run a Tekton task that needs quota; one that is evicted starts again once it is admitted."""
        clock, kueue = self._bench.clock, self._bench.kueue
        labels = self._labels(phase, instance_id)
        task_run = EvaluatorTaskRun(
            self._bench.api, task_run_name(phase, self._plan.run_id, instance_id), labels
        )
        is_success = (phase, self._plan.evaluator_fault) != ("finalize", "finalize")
        starts: list[float] = []

        def end(start: float) -> None:
            if starts[-1] == start and workload.is_running:
                self._workloads.pop(workload.number)
                task_run.end(*(_SUCCEEDED if is_success else _FAILED))
                kueue.finish(workload, is_success=is_success)
                then()

        def run() -> None:
            starts.append(clock.now)
            task_run.run()
            clock.after(seconds, partial(end, clock.now))

        workload = kueue.submit(self._job(task_run.pod_name, labels, run))
        self._workloads[workload.number] = workload, task_run

    def _labels(self, phase: str, instance_id: str) -> dict[str, str]:
        labels = {
            "app.kubernetes.io/part-of": "swebench-evaluator",
            "kueue.x-k8s.io/priority-class": _PRIORITY,
            "kueue.x-k8s.io/queue-name": self._plan.evaluation_queue,
            "swebench.benchmark-run-id": self._plan.run_id.strip("_-"),
            "swebench.phase": phase,
        }
        return labels | ({"swebench.instance-id": instance_id} if instance_id else {})

    def _job(self, pod: str, labels: dict[str, str], on_running: Callable[[], object]) -> Job:
        owner = pod_owner(pod, uid(self._bench.cluster, pod), is_controller=True)
        return Job(
            name=workload_name("pod", pod, owner["uid"]),
            namespace=BENCHMARK_NAMESPACE,
            queue=self._plan.evaluation_queue,
            priority_class=_PRIORITY,
            pods=EVALUATOR,
            owners=[owner],
            labels=labels,
            start_seconds=self._random.uniform(4, 15),
            on_running=on_running,
        )


def task_run_name(phase: str, run_id: str, instance_id: str) -> str:
    """Return the name of an evaluator's TaskRun, which tells the run only up to a point."""

    def plain(text: str) -> str:
        return "".join(letter if letter.isalnum() else "-" for letter in text.lower())

    parts = ["swebench", phase, plain(run_id)[:30].strip("-"), plain(instance_id)]
    name = "-".join(part for part in parts if part)
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - 11]}-{hexadecimal(10, name)}"
    return name
