"""The outer loop: a Tekton PipelineRun for a push that touches a service, and its TaskRuns."""

from collections import deque
from collections.abc import Sequence
from functools import partial

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.clock import DAY, HOUR, stamp
from gitopslab.world.delivery import task_runs
from gitopslab.world.delivery.changes import Change
from gitopslab.world.delivery.commits import SOURCE_URL, image
from gitopslab.world.delivery.event_listener import EventListener, Heard
from gitopslab.world.delivery.pins import ConfigBranch
from gitopslab.world.delivery.task_runs import FEATURE_FLAGS, NAMESPACE, TASKS, Task, succeeded
from gitopslab.world.events import Recorder
from gitopslab.world.random import hexadecimal, lognormal, stream, suffix, uid
from gitopslab.world.scale import Service

MANAGER = "tekton-pipelines-controller"

_FAILED_SHARE, _RETRIED_SHARE = 0.06, 0.05
_UNPULLED_SHARE = 0.5
"""Of attempts at the image that fail, so many cannot pull the image of the build itself."""

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
        lost: Changes whose webhook made no run, since it was last heard.
        unpinned: Builds whose pin was refused, and not made since.
        refuses_pins: Whether the config repository refuses what is pushed to it.
    """

    def __init__(self, api: ApiServer, seed: int, config: ConfigBranch) -> None:
        self.api, self.seed, self.config = api, seed, config
        self.run_recorder, self.task_recorder = Recorder(api, "PipelineRun"), Recorder(api, "TaskRun")
        self.finished: deque[Object] = deque()
        self.latest: dict[str, Change] = {}
        self.lost: list[tuple[Service, Change]] = []
        self.unpinned: list[Build] = []
        self.refuses_pins = False
        self._listener = EventListener(api)
        self._heard: Heard = "and run"

    @property
    def listener(self) -> Object:
        """The EventListener that webhooks go to."""
        return self._listener.item

    def start(self) -> None:
        """Begin to prune."""
        now = self.api.clock.now
        next_pruning = (now - _PRUNED_AT) // DAY * DAY + DAY + _PRUNED_AT
        self.api.clock.at(next_pruning, self._prune)

    def hear(self, heard: Heard) -> None:
        """Let webhooks arrive and make runs, or not; as soon as they do again, build what was lost."""
        self._heard = heard
        if heard != "and run":
            return
        newest = {service.name: (service, change) for service, change in self.lost}
        for _, change in self.lost:
            change.build_state = "covered"
        self.lost = []
        for service, change in newest.values():
            self.trigger(service, change)

    def trigger(self, service: Service, change: Change) -> None:
        """Build `service` from `change`, if its webhook is heard."""
        if self._heard != "not at all":
            self._listener.hear(is_run=self._heard == "and run")
        if self._heard == "and run":
            Build(self, service, change)
        else:
            self.lost.append((service, change))

    def _prune(self) -> None:
        while len(self.finished) > _KEPT_RUNS:
            self.api.delete(self.finished.popleft())
        self.api.clock.after(DAY, self._prune)


class Build:
    """One PipelineRun, from the webhook to its end.

    Attributes:
        service: What is built.
        objects: The run and its TaskRuns, as far as they are there.
    """

    def __init__(self, builds: Builds, service: Service, change: Change) -> None:
        self._builds, self.service, self._change = builds, service, change
        self._api, self._clock = builds.api, builds.api.clock
        self._random = stream(builds.seed, "build", change.sha)
        self._name = f"outer-loop-{service.name}-{suffix(5, str(builds.seed), change.sha)}"
        self._digest = f"sha256:{hexadecimal(64, change.sha, service.name)}"
        self._children: list[Object] = []
        self.objects: list[Object] = []
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
        change, name = self._change, f"outer-loop-{self.service.name}"
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
        self.objects.append(self._run)
        change.build_state, change.pipeline_run = "running", self._name
        self._builds.latest[self.service.name] = change
        self._clock.after(self._random.uniform(0.2, 3), self._start)

    def _start(self) -> None:
        now = self._clock.now
        self._change.build_started_at = now
        self._run["status"] = {
            "pipelineSpec": _PIPELINE_SPEC,
            "provenance": {"featureFlags": FEATURE_FLAGS},
            "startTime": stamp(now),
        }
        self._say("Unknown", "Started", "")
        self._builds.run_recorder.emit(self._run, "Started", "")
        self._clock.after(self._random.uniform(0.3, 1.5), lambda: self._run_task(0))

    def _run_task(self, number: int) -> None:
        self._task = task = TASKS[number]
        item = task_runs.task_run(self._run, task, self._params())
        self._task_run = self._api.create(item, manager=MANAGER)
        self.objects.append(self._task_run)
        self._builds.task_recorder.emit(self._task_run, "Started", "")
        child = {
            "apiVersion": "tekton.dev/v1",
            "kind": "TaskRun",
            "name": item["metadata"]["name"],
            "pipelineTaskName": task.name,
        }
        self._children.append(child)
        self._run["status"]["childReferences"] = self._children
        left = len(TASKS) - number
        message = f"Tasks Completed: {number} (Failed: 0, Cancelled 0), Incomplete: {left}, Skipped: 0"
        self._say("Unknown", "Running", message)
        self._builds.run_recorder.emit(self._run, "Running", message)
        self._clock.after(self._random.uniform(0.1, 0.6), lambda: self._start_pod(number))

    def _start_pod(self, number: int) -> None:
        retries = self._task_run.get("status", {}).get("retriesStatus")
        self._task_run["status"] = task_runs.pending(self._task_run, self._task, self._clock.now)
        if retries:
            self._task_run["status"]["retriesStatus"] = retries
        self._write_task()
        wait_seconds = lognormal(self._random, 6, 0.5)
        if self._is_failing and self._random.random() < _UNPULLED_SHARE:
            self._clock.after(wait_seconds, lambda: self._wait_for_image(number))
        else:
            self._clock.after(wait_seconds, lambda: self._run_steps(number))

    @property
    def _is_failing(self) -> bool:
        return self._task.retries > 0 and self._failures_left > 0

    def _wait_for_image(self, number: int) -> None:
        """Give up soon: the image of the last step cannot be pulled."""
        status = self._task_run["status"]
        said = task_runs.unpulled(status)
        self._write_task()
        step, name = self._task.steps[-1], self._task_run["metadata"]["name"]
        message = (
            f'The step "{step}" in TaskRun "{name}" failed to pull the image "". '
            f'The pod errored with the message: "{said}."'
        )
        self._clock.after(self._random.uniform(8, 20), lambda: self._give_up(number, message))

    def _give_up(self, number: int, message: str) -> None:
        status, now = self._task_run["status"], self._clock.now
        task_runs.given_up(status, reason="TaskRunImagePullFailed", message=message, now=now)
        self._fail(number)

    def _run_steps(self, number: int) -> None:
        task_runs.running(self._task_run["status"], self._task, self._clock.now)
        self._write_task()
        seconds = lognormal(self._random, self._task.median_seconds, self._task.sigma)
        self._clock.after(seconds, lambda: self._end_task(number))

    def _end_task(self, number: int) -> None:
        is_pin = self._task.name == "update-stacks"
        if self._is_failing or (is_pin and self._builds.refuses_pins):
            step = self._task.steps[-1]
            self._stop("Failed", f'"step-{step}" exited with code 1: Error', ())
            if is_pin:
                self._builds.unpinned.append(self)
            self._fail(number)
            return
        if is_pin:
            self.pin()
        results = self._results(self._task)
        if self._task.name == "build-image":
            self._change.image_digest = self._digest
        self._stop("Succeeded", "All Steps have completed executing", results)
        self._write_task()
        self._builds.task_recorder.emit(
            self._task_run, "Succeeded", self._task_run["status"]["conditions"][0]["message"]
        )
        is_last = number + 1 == len(TASKS)
        follow = (
            partial(self._end, number, is_success=True) if is_last else partial(self._run_task, number + 1)
        )
        self._clock.after(self._random.uniform(0.2, 0.8), follow)

    def pin(self) -> None:
        """Pin what was built, unless something newer is pinned."""
        self._builds.config.pin(self.service, self._change, digest=self._digest, pipeline_run=self._name)

    def _stop(self, reason: str, message: str, results: Sequence[Object]) -> None:
        task_runs.ended(
            self._task_run["status"], reason=reason, message=message, results=results, now=self._clock.now
        )

    def _fail(self, number: int) -> None:
        """Keep an attempt that failed in the status and begin again, unless it was the last one."""
        status, task_run = self._task_run["status"], self._task_run
        message = status["conditions"][0]["message"]
        self._failures_left -= 1
        if len(status.get("retriesStatus", ())) >= self._task.retries:
            self._write_task()
            self._builds.task_recorder.emit(task_run, "Failed", message, "Warning")
            self._clock.after(0.4, lambda: self._end(number, is_success=False))
            return
        task_run["status"] = {
            "conditions": [succeeded("Unknown", "ToBeRetried", message, self._clock.now)],
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
            run["status"]["results"] = [result for task in TASKS for result in self._results(task)]
        self._say(str(is_success), "Succeeded" if is_success else "Failed", message)
        self._builds.run_recorder.emit(
            run, "Succeeded" if is_success else "Failed", message, "Normal" if is_success else "Warning"
        )
        self._builds.finished.append(run)

    def _params(self) -> dict[str, str]:
        return {
            "git-url": SOURCE_URL,
            "git-sha": self._change.sha,
            "image": image(self.service.name, self._change.sha),
        }

    def _results(self, task: Task) -> list[Object]:
        values = {
            "clone": {"CHAINS-GIT_COMMIT": self._change.sha, "CHAINS-GIT_URL": SOURCE_URL},
            "build-image": {
                "IMAGE_URL": image(self.service.name, self._change.sha),
                "IMAGE_DIGEST": self._digest,
            },
        }
        return [{"name": name, "value": value} for name, value in values.get(task.name, {}).items()]

    def _say(self, status: str, reason: str, message: str) -> None:
        self._run["status"]["conditions"] = [succeeded(status, reason, message, self._clock.now)]
        self._api.patch_status(self._run, manager=MANAGER)

    def _write_task(self) -> None:
        self._api.patch_status(self._task_run, manager=MANAGER)
