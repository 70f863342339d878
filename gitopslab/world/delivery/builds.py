"""The outer loop: a Tekton PipelineRun for a push that touches a service, and its TaskRuns."""

from collections import deque
from functools import partial

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.clock import DAY, HOUR, stamp
from gitopslab.world.delivery import task_runs
from gitopslab.world.delivery.changes import Change
from gitopslab.world.delivery.commits import SOURCE_URL, image
from gitopslab.world.delivery.pins import ConfigBranch
from gitopslab.world.delivery.task_runs import NAMESPACE, TASKS, Task, succeeded
from gitopslab.world.events import Recorder
from gitopslab.world.random import hexadecimal, lognormal, stream, suffix, uid
from gitopslab.world.scale import Service

MANAGER = "tekton-pipelines-controller"

_FAILED_SHARE, _RETRIED_SHARE = 0.06, 0.05
_FAILURES = (
    ("Failed", '"step-build-and-push" exited with code 1: Error; for logs run: kubectl logs'),
    ("TaskRunImagePullFailed", 'the step "build-and-push" in TaskRun failed to pull the image'),
)
_PIPELINE_SPEC = {
    "params": [{"name": name, "type": "string"} for name in ("git-url", "git-sha", "image")],
    "tasks": [{"name": task.name, "taskRef": {"kind": "Task", "name": task.name}} for task in TASKS],
}
_KEPT_RUNS = 100
_PRUNED_AT = 8 * HOUR


class Builds:
    """Builds what is pushed, pins what was built, and forgets all but the newest runs once a day.

    Args:
        api: The hub.
        seed: Seed of the world.
        config: Where images are pinned.

    Attributes:
        finished: PipelineRuns that ended and are still there, the oldest first.
        latest: The change that was built last, by service.
    """

    def __init__(self, api: ApiServer, seed: int, config: ConfigBranch) -> None:
        self.api, self.seed, self.config = api, seed, config
        self.recorder = Recorder(api, "Tekton")
        self.finished: deque[Object] = deque()
        self.latest: dict[str, Change] = {}

    def start(self) -> None:
        """Begin to prune."""
        now = self.api.clock.now
        next_pruning = (now - _PRUNED_AT) // DAY * DAY + DAY + _PRUNED_AT
        self.api.clock.at(next_pruning, self._prune)

    def trigger(self, service: Service, change: Change) -> None:
        """Build `service` from `change`."""
        Build(self, service, change)

    def _prune(self) -> None:
        while len(self.finished) > _KEPT_RUNS:
            self.api.delete(self.finished.popleft())
        self.api.clock.after(DAY, self._prune)


class Build:
    """One PipelineRun, from the webhook to its end."""

    def __init__(self, builds: Builds, service: Service, change: Change) -> None:
        self._builds, self._service, self._change = builds, service, change
        self._api, self._clock = builds.api, builds.api.clock
        self._random = stream(builds.seed, "build", change.sha)
        self._name = f"outer-loop-{service.name}-{suffix(5, str(builds.seed), change.sha)}"
        self._digest = f"sha256:{hexadecimal(64, change.sha, service.name)}"
        self._children: list[Object] = []
        self._failures_left = self._fate()
        self._task: Task = TASKS[0]
        self._task_run: Object = {}
        self._run: Object = {}
        self._clock.after(self._random.uniform(2, 9), self._create)

    def _fate(self) -> int:
        """Return how many attempts at the image fail: none, the first, or both."""
        point = self._random.random()
        return 2 if point < _FAILED_SHARE else int(point < _FAILED_SHARE + _RETRIED_SHARE)

    def _create(self) -> None:
        change, name = self._change, f"outer-loop-{self._service.name}"
        self._run = {
            "apiVersion": "tekton.dev/v1",
            "kind": "PipelineRun",
            "metadata": {
                "name": self._name,
                "generateName": f"{name}-",
                "namespace": NAMESPACE,
                "labels": {
                    "stacks.io/build-loop": "outer",
                    "tekton.dev/pipeline": name,
                    "triggers.tekton.dev/eventlistener": "github",
                    "triggers.tekton.dev/trigger": name,
                    "triggers.tekton.dev/triggers-eventid": uid("event", change.sha),
                },
            },
            "spec": {
                "params": [{"name": key, "value": value} for key, value in self._params().items()],
                "pipelineRef": {"name": name},
                "taskRunTemplate": {"serviceAccountName": "outer-loop"},
                "timeouts": {"pipeline": "1h0m0s"},
            },
        }
        self._api.create(self._run, manager="eventlistener")
        change.build_state, change.pipeline_run = "running", self._name
        self._builds.latest[self._service.name] = change
        self._clock.after(self._random.uniform(0.2, 3), self._start)

    def _start(self) -> None:
        now = self._clock.now
        self._change.build_started_at = now
        self._run["status"] = {"pipelineSpec": _PIPELINE_SPEC, "startTime": stamp(now)}
        self._say("Unknown", "Started", "")
        self._builds.recorder.emit(self._run, "Started", "")
        self._clock.after(self._random.uniform(0.3, 1.5), lambda: self._run_task(0))

    def _run_task(self, number: int) -> None:
        self._task = task = TASKS[number]
        item = task_runs.task_run(self._run, task, self._params())
        self._task_run = self._api.create(item, manager=MANAGER)
        child = {
            "apiVersion": "tekton.dev/v1",
            "kind": "TaskRun",
            "name": item["metadata"]["name"],
            "pipelineTaskName": task.name,
        }
        self._children.append(child)
        self._run["status"]["childReferences"] = self._children
        left = len(TASKS) - number
        self._say(
            "Unknown",
            "Running",
            f"Tasks Completed: {number} (Failed: 0, Cancelled 0), Incomplete: {left}, Skipped: 0",
        )
        self._clock.after(self._random.uniform(0.1, 0.6), lambda: self._start_pod(number))

    def _start_pod(self, number: int) -> None:
        retries = self._task_run.get("status", {}).get("retriesStatus")
        self._task_run["status"] = task_runs.pending(self._task_run, self._task, self._clock.now)
        if retries:
            self._task_run["status"]["retriesStatus"] = retries
        self._write_task()
        self._clock.after(lognormal(self._random, 6, 0.5), lambda: self._run_steps(number))

    def _run_steps(self, number: int) -> None:
        task_runs.running(self._task_run["status"], self._task, self._clock.now)
        self._write_task()
        seconds = lognormal(self._random, self._task.median_seconds, self._task.sigma)
        self._clock.after(seconds, lambda: self._end_task(number))

    def _end_task(self, number: int) -> None:
        status, now = self._task_run["status"], self._clock.now
        if self._task.retries and self._failures_left:
            self._failures_left -= 1
            self._fail(number)
            return
        if self._task.name == "update-stacks":
            self._builds.config.pin(self._service, self._change, digest=self._digest, pipeline_run=self._name)
        message = "All Steps have completed executing"
        task_runs.ended(
            status, reason="Succeeded", message=message, results=self._results(self._task), now=now
        )
        self._write_task()
        is_last = number + 1 == len(TASKS)
        follow = (
            partial(self._end, number, is_success=True) if is_last else partial(self._run_task, number + 1)
        )
        self._clock.after(self._random.uniform(0.2, 0.8), follow)

    def _fail(self, number: int) -> None:
        """End an attempt; keep it in the status and begin again, unless it was the last one."""
        status = self._task_run["status"]
        reason, message = self._random.choice(_FAILURES)
        task_runs.ended(status, reason=reason, message=message, results=(), now=self._clock.now)
        if "retriesStatus" in status:
            self._write_task()
            self._clock.after(0.4, lambda: self._end(number, is_success=False))
            return
        self._task_run["status"] = {
            "conditions": [
                succeeded("Unknown", "ToBeRetried", status["conditions"][0]["message"], self._clock.now)
            ],
            "podName": "",
            "retriesStatus": [status],
        }
        self._write_task()
        self._clock.after(self._random.uniform(0.3, 1), lambda: self._start_pod(number))

    def _end(self, number: int, *, is_success: bool) -> None:
        run, change, now = self._run, self._change, self._clock.now
        change.build_state = "succeeded" if is_success else "failed"
        change.build_finished_at = now
        run["status"]["completionTime"] = stamp(now)
        done, skipped = number + 1, len(TASKS) - number - 1
        failed = 0 if is_success else 1
        message = f"Tasks Completed: {done} (Failed: {failed}, Cancelled 0), Skipped: {skipped}"
        if is_success:
            change.image_digest = self._digest
            run["status"]["results"] = [result for task in TASKS for result in self._results(task)]
        self._say(str(is_success), "Succeeded" if is_success else "Failed", message)
        self._builds.recorder.emit(
            run, "Succeeded" if is_success else "Failed", message, "Normal" if is_success else "Warning"
        )
        self._builds.finished.append(run)

    def _params(self) -> dict[str, str]:
        return {
            "git-url": SOURCE_URL,
            "git-sha": self._change.sha,
            "image": image(self._service.name, self._change.sha),
        }

    def _results(self, task: Task) -> list[Object]:
        values = {
            "clone": {"CHAINS-GIT_COMMIT": self._change.sha, "CHAINS-GIT_URL": SOURCE_URL},
            "build-image": {
                "IMAGE_URL": image(self._service.name, self._change.sha),
                "IMAGE_DIGEST": self._digest,
            },
        }
        return [{"name": name, "value": value} for name, value in values.get(task.name, {}).items()]

    def _say(self, status: str, reason: str, message: str) -> None:
        self._run["status"]["conditions"] = [succeeded(status, reason, message, self._clock.now)]
        self._api.patch_status(self._run, manager=MANAGER)

    def _write_task(self) -> None:
        self._api.patch_status(self._task_run, manager=MANAGER)
