"""One instance of a benchmark run while an agent works on it: quota, session, patch, and what goes wrong."""

from collections.abc import Callable

from gitopslab.world.capacity.layout import BENCHMARK_NAMESPACE
from gitopslab.world.capacity.objects import pod_owner
from gitopslab.world.capacity.runs import DEADLINE, Bench, Instance, RunPlan
from gitopslab.world.capacity.workloads import Job
from gitopslab.world.random import hexadecimal, lognormal, uid

_PARTS = 20
"""A session's turns go by in so many parts, each as fast as contention lets it then."""

_STALL_SECONDS = 900.0
_HOST_START_SECONDS = 300.0
_PROFILE_SECONDS = 300.0
_SLOTS = {"openshell_sandbox": "openshell", "dapr_workflow_slot": "workflow-orchestrator"}
_ERRORS = {
    "session_host_start_timeout": "session host did not become ready within 300s",
    "workspace_profile_timeout": "workspace/profile timed out after 300000ms",
    "no_session_progress": "No session progress for 900s",
}


class Inference:
    """Drives one instance from its start to its patch.

    Args:
        bench: What runs share.
        plan: The run.
        instance: The instance, whose state this changes.
        on_done: Called once it ended, one way or another.
    """

    def __init__(
        self, bench: Bench, plan: RunPlan, instance: Instance, on_done: Callable[[Instance], object]
    ) -> None:
        self._bench, self._plan, self._instance, self._on_done = bench, plan, instance, on_done
        self._step = 0
        self._parts_left = _PARTS
        self._is_active = False
        self._is_set_up = False
        self._seen = 0

    def start(self) -> None:
        """Take the slots, and ask Kueue for the pods; nothing happens if it was ended before."""
        instance, plan = self._instance, self._plan
        if instance.is_inferred:
            return
        instance.attempts += 1
        instance.status = instance.inference_status = "inferencing"
        instance.started_at = instance.updated_at = self._bench.clock.now
        self._draw()
        self._bench.leases.acquire(plan, instance.task.instance_id, "inference", _SLOTS)
        instance.workload = self._bench.kueue.submit(self._job())

    def abort(self, status: str, error: str | None, reason: str) -> None:
        """End it from outside: at the run's deadline, or because somebody cancels the run."""
        if self._instance.is_inferred:
            return
        if status == "timeout":
            self._instance.failure = DEADLINE
        self._end(status, error, reason, delay=0)

    def _draw(self) -> None:
        instance, model, fate = self._instance, self._plan.model, self._instance.fate
        random = instance.random
        harder = 1 + 0.15 * max(0.0, instance.task.difficulty)
        turns = round(lognormal(random, model.turns * harder, 0.3))
        instance.turns = fate.turns or max(2, min(self._plan.max_turns, turns))
        instance.setup_seconds = random.uniform(3, 8)
        is_slow = random.random() < self._bench.faults.slow_checkout
        usual = random.uniform(200, 400) if is_slow else lognormal(random, 5.4, 0.1)
        instance.checkout_seconds = fate.checkout_seconds or usual
        self._idle_seconds = instance.turns * lognormal(random, model.turn_seconds, 0.2)
        self._parts_left, self._seen, self._is_set_up = _PARTS, 0, False
        is_stalling = random.random() < self._bench.faults.stall or fate.stalls
        self._stalls_at = random.randrange(1, _PARTS + 1) if is_stalling else 0

    def _job(self) -> Job:
        run_id, instance_id = self._plan.run_id, self._instance.task.instance_id
        app = f"agent-session-{hexadecimal(20, run_id, instance_id, str(self._instance.attempts))}"
        return Job(
            name=app,
            namespace=BENCHMARK_NAMESPACE,
            queue=self._plan.queue,
            priority_class="benchmark",
            pods=self._plan.bundle,
            owners=[
                pod_owner(f"{app}-{shape.role}", uid(self._bench.cluster, app, shape.role))
                for shape in self._plan.bundle
            ],
            labels={
                "agent-app-id": app,
                "benchmark-instance-id": instance_id,
                "benchmark-run-id": run_id.strip("_-"),
            },
            start_seconds=lognormal(self._instance.random, 24, 0.3),
            on_running=self._run,
            on_stopped=self._stop,
        )

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do `action` in so many seconds, unless the session was stopped or went on otherwise before."""
        self._step += 1
        step = self._step

        def act() -> None:
            if self._step == step:
                action()

        self._bench.clock.after(seconds, act)

    def _run(self) -> None:
        """Begin, or after an eviction go on where the durable workflow had got to."""
        if self._is_set_up:
            self._work()
            return
        random, faults = self._instance.random, self._bench.faults
        failure = self._instance.fate.failure
        if failure is None and random.random() < faults.host_start:
            failure = "session_host_start_timeout"
        elif failure is None and random.random() < faults.profile_timeout:
            failure = "workspace_profile_timeout"
        if failure is not None:
            self._later(_HOST_START_SECONDS, lambda: self._fail(failure))
        else:
            self._later(self._instance.setup_seconds + self._instance.checkout_seconds, self._work)

    def _stop(self, _reason: str) -> None:
        self._step += 1
        self._set_active(is_active=False)

    def _set_active(self, *, is_active: bool) -> None:
        self._bench.sessions[self._plan.model.name] += is_active - self._is_active
        self._is_active = is_active

    def _work(self) -> None:
        self._is_set_up = True
        self._set_active(is_active=True)
        if self._parts_left == self._stalls_at:
            self._later(_STALL_SECONDS, self._give_up_stalled)
            return
        sessions = self._bench.sessions[self._plan.model.name]
        self._seen += sessions
        seconds = self._idle_seconds / _PARTS * self._plan.model.contention.slowdown(sessions)
        self._instance.solve_seconds += seconds
        self._later(seconds, self._finish_part)

    def _finish_part(self) -> None:
        self._parts_left -= 1
        if self._parts_left:
            self._work()
            return
        instance, model = self._instance, self._plan.model
        mean = instance.session_count_mean = self._seen / _PARTS
        roll, luck = instance.random.random(), instance.random.random()
        if outcome := instance.fate.outcome:
            instance.has_patch, instance.is_correct = outcome != "empty_patch", outcome == "resolved"
        else:
            instance.has_patch = roll < model.patch_probability(mean)
            is_right = luck < instance.task.patch_correctness(model, mean)
            instance.is_correct = instance.has_patch and is_right
        at_limit = instance.turns >= self._plan.max_turns
        reason = (
            ("max_iters" if instance.has_patch else "max_turns_without_patch") if at_limit else "end_turn"
        )
        self._end("inferred", None, reason, delay=instance.random.uniform(0, 30))

    def _give_up_stalled(self) -> None:
        instance = self._instance
        if instance.attempts > 1:
            self._fail("no_session_progress")
            return
        self._leave("no_session_progress_retry_1", is_success=False)
        instance.termination_reason = "no_session_progress_retry_1"
        instance.solve_seconds = 0
        self.start()

    def _fail(self, reason: str) -> None:
        self._instance.failure = reason
        self._end("error", _ERRORS.get(reason, reason), reason, delay=self._instance.random.uniform(0, 30))

    def _end(self, status: str, error: str | None, reason: str, *, delay: float) -> None:
        """Note the end, and tell the coordinator when it next looks, which gives the slots back."""
        instance = self._instance
        instance.status = instance.inference_status = status
        instance.completed_at = instance.updated_at = self._bench.clock.now
        instance.inference_error = error
        # a reason that says more than that the agent was done is not replaced by one that does not
        if reason != "end_turn" or instance.termination_reason is None:
            instance.termination_reason = reason
        instance.has_patch = bool(instance.has_patch)
        self._leave_session(is_success=status == "inferred")
        self._bench.clock.after(delay, lambda: self._tell(status))

    def _tell(self, status: str) -> None:
        self._release(f"inference_{status}")
        self._on_done(self._instance)

    def _leave(self, reason: str, *, is_success: bool) -> None:
        self._leave_session(is_success=is_success)
        self._release(reason)

    def _leave_session(self, *, is_success: bool) -> None:
        self._stop("")
        workload = self._instance.workload
        if workload is None:
            return
        if is_success:
            self._bench.kueue.finish(workload)
        else:
            self._bench.kueue.cancel(workload)

    def _release(self, reason: str) -> None:
        self._bench.leases.release(self._plan, self._instance.task.instance_id, "inference", reason)
