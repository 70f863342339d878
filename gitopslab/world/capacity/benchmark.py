"""The benchmark coordinator: launches a run at the concurrency it gets, waits for all, has them evaluated."""

from collections import deque
from collections.abc import Callable

from gitopslab.capacity.pressure import Pressure
from gitopslab.world.capacity import launch
from gitopslab.world.capacity.evaluation import Evaluation
from gitopslab.world.capacity.image_builds import image_build_rows
from gitopslab.world.capacity.inference import Inference
from gitopslab.world.capacity.launch import Launch
from gitopslab.world.capacity.runs import DEADLINE, Bench, Fate, Instance, RunPlan
from gitopslab.world.random import stream

DEADLINE_GRACE_SECONDS = 300.0
_START_SECONDS = 0.2
"""Between two starts of one batch."""


class Run:
    """A benchmark run, from its launch to its end.

    Args:
        bench: What runs share.
        plan: What was asked for.
        pressure: What the application knows of pressure on the cluster.
        on_done: Called once it has ended.

    Attributes:
        status: queued, inferencing, evaluating, completed, failed or cancelled.
        launch: What it got, and what really bounded it.
        instances: Its instances.
    """

    def __init__(
        self, bench: Bench, plan: RunPlan, pressure: Pressure, on_done: Callable[["Run"], object]
    ) -> None:
        self.plan, self.status = plan, "queued"
        self.launch: Launch = launch.measure(bench, plan, pressure)
        self.instances = [
            Instance(
                task,
                plan.fates.get(task.instance_id, Fate()),
                stream(bench.seed, "instance", plan.run_id, task.instance_id),
            )
            for task in plan.tasks
        ]
        self.created_at = self.updated_at = bench.clock.now
        self.started_at: float | None = None
        self.completed_at: float | None = None
        self.cancel_requested_at: float | None = None
        self.error: str | None = None
        self._bench, self._on_done = bench, on_done
        self._waiting = deque(self.instances)
        self._active: dict[str, Inference] = {}
        self._evaluation: Evaluation | None = None
        self._random = stream(bench.seed, "run", plan.run_id)

    def start(self) -> None:
        """Check the environments' images, then start instances; a missing image is built first."""
        if self._random.random() < _MISSING_IMAGE_SHARE:
            seconds = self._random.uniform(600, 2400)
            self._bench.clock.after(seconds, self._end_image_build)
        else:
            self._bench.clock.after(self._random.uniform(15, 70), self._begin)

    def _end_image_build(self) -> None:
        now = self._bench.clock.now
        for row in image_build_rows(self.plan.run_id, self.plan.tasks[0], self.created_at, now):
            self._bench.sink.add(row)
        self._begin()

    def _begin(self) -> None:
        clock = self._bench.clock
        self._enter("inferencing")
        self.started_at = clock.now
        clock.after(self.plan.timeout_seconds + DEADLINE_GRACE_SECONDS, self._reach_deadline)
        if self.plan.cancelled_after_seconds is not None:
            clock.after(self.plan.cancelled_after_seconds, self.cancel)
        self._fill()

    def _enter(self, status: str) -> None:
        self.status, self.updated_at = status, self._bench.clock.now

    def _fill(self) -> None:
        delay = 0.0
        while self._waiting and len(self._active) < max(1, self.launch.concurrency.effective):
            instance = self._waiting.popleft()
            inference = Inference(self._bench, self.plan, instance, self._end_instance)
            self._active[instance.task.instance_id] = inference
            self._bench.clock.after(delay, inference.start)
            delay += _START_SECONDS

    def _end_instance(self, instance: Instance) -> None:
        self._active.pop(instance.task.instance_id, None)
        if self.status != "inferencing":
            return
        self._fill()
        if not self._active and not self._waiting:
            self._evaluate()

    def _evaluate(self) -> None:
        self._enter("evaluating")
        for instance in self.instances:
            instance.status = instance.evaluation_status = "evaluating"
        self.launch = launch.clamp_evaluation(self._bench, self.plan, self.launch)
        self._evaluation = Evaluation(
            self._bench, self.plan, self.instances, self.launch.evaluation.effective, self._end
        )
        self._evaluation.start()

    def _end(self, is_evaluated: bool) -> None:  # noqa: FBT001 - the one thing a callback is told
        self._enter("completed" if is_evaluated else "failed")
        self.completed_at = self._bench.clock.now
        unresolved = sum(not instance.is_resolved for instance in self.instances)
        if not is_evaluated:
            self.error = "evaluator finalize failed: blob not found (500)"
        elif unresolved:
            self.error = f"{unresolved} benchmark instances did not resolve"
        self._on_done(self)

    def _reach_deadline(self) -> None:
        if self.status != "inferencing":
            return
        error = "Inference timed out before patch extraction"
        while self._waiting:
            instance = self._waiting.popleft()
            instance.status = instance.inference_status = "timeout"
            instance.inference_error, instance.has_patch = error, False
            instance.failure = DEADLINE
        for inference in list(self._active.values()):
            inference.abort("timeout", error, "benchmark_run_failed")

    def cancel(self) -> None:
        """Cancel the run, whatever it is doing."""
        if self.status not in {"inferencing", "evaluating"}:
            return
        self._enter("cancelled")
        self.cancel_requested_at = self._bench.clock.now
        self._waiting.clear()
        for inference in list(self._active.values()):
            inference.abort("cancelled", None, "benchmark_run_cancelled")
        if self._evaluation is not None:
            self._evaluation.abort()
        for instance in self.instances:
            instance.status = "cancelled"
            instance.evaluation_status = "cancelled"
            if instance.inference_status == "queued":
                instance.inference_status = "cancelled"
        self.completed_at = self._bench.clock.now
        self._bench.clock.after(_START_SECONDS, lambda: self._on_done(self))


_MISSING_IMAGE_SHARE = 0.08
"""Of runs that wait for an environment's image to be built."""
