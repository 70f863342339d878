"""Incidents of Tekton: webhooks that make no run, pins that are refused, environment images that fail."""

from dataclasses import dataclass
from functools import partial

from gitopslab.world.apiserver import Object
from gitopslab.world.clock import HOUR, MINUTE, stamp
from gitopslab.world.delivery import task_runs
from gitopslab.world.delivery.builds import MANAGER
from gitopslab.world.delivery.changes import Change
from gitopslab.world.delivery.commits import SOURCE_URL
from gitopslab.world.delivery.event_listener import Heard
from gitopslab.world.delivery.task_runs import FEATURE_FLAGS, NAMESPACE, Task, succeeded
from gitopslab.world.incidents.story import Blast, Kind, Stage, Story
from gitopslab.world.random import suffix

_TASKS = (
    Task("build-environment", ("build-and-push",), 240),
    Task("validate", ("validate",), 90),
    Task("pin-environment", ("pin",), 20),
)
_PIPELINE_SPEC = {
    "params": [{"name": name, "type": "string"} for name in ("git-url", "environment")],
    "tasks": [{"name": task.name, "taskRef": {"kind": "Task", "name": task.name}} for task in _TASKS],
}
_TIMED_OUT = "TaskRun cancelled as the PipelineRun it belongs to has timed out."
_LOCK_SECONDS = 1800.0
"""After so long a lock of the cache is stale."""


@dataclass(frozen=True)
class Ending:
    """How a build fails.

    Attributes:
        task: Which of the tasks fails.
        message: What its condition says.
        reason: Reason of the TaskRun.
        step: Reason and exit code of its last step; none: Tekton deletes the pod.
        seconds: How long the task runs before it fails.
        run: Reason of the PipelineRun.
        run_message: What its condition says; empty: how many tasks failed.
        is_retried: Whether the task fails twice, and waits for the lock that its first attempt left.
    """

    task: str
    message: str
    reason: str = "Failed"
    step: tuple[str, int] | tuple[()] = ("Error", 1)
    seconds: float = 120
    run: str = "Failed"
    run_message: str = ""
    is_retried: bool = False


class EnvironmentBuild:
    """One PipelineRun for the image of an environment of the benchmark; no change waits for it.

    Attributes:
        objects: The run and its TaskRuns, as far as they are there.
    """

    def __init__(self, stage: Stage, number: int, ending: Ending) -> None:
        self._api, self._clock, self._ending = stage.clusters["hub"], stage.clock, ending
        self._builds = stage.delivery.builds
        self._random = stage.random
        self._params = {"git-url": SOURCE_URL, "environment": f"swe-env-{number}"}
        self._run = self._api.create(self._pipeline_run(stage.name, number), manager="swebench-coordinator")
        self._task_run: Object = {}
        self._run["status"] = {
            "childReferences": [],
            "pipelineSpec": _PIPELINE_SPEC,
            "provenance": {"featureFlags": FEATURE_FLAGS},
            "startTime": self._clock.stamp(),
        }
        self.objects = [self._run]
        self._say("Unknown", "Started", "")
        self._builds.run_recorder.emit(self._run, "Started", "")
        self._clock.after(1, lambda: self._begin(0))

    def _pipeline_run(self, name: str, number: int) -> Object:
        return {
            "apiVersion": "tekton.dev/v1",
            "kind": "PipelineRun",
            "metadata": {
                "name": f"swe-env-{suffix(5, name, str(number))}",
                "namespace": NAMESPACE,
                "labels": {"stacks.io/build-loop": "environment", "tekton.dev/pipeline": "swe-env"},
            },
            "spec": {
                "params": [{"name": key, "value": value} for key, value in self._params.items()],
                "pipelineRef": {"name": "swe-env"},
                "taskRunTemplate": {"serviceAccountName": "swe-env"},
                "timeouts": {"pipeline": "1h0m0s"},
            },
        }

    def _begin(self, number: int) -> None:
        task = _TASKS[number]
        item = task_runs.task_run(self._run, task, self._params)
        item["spec"]["retries"] = int(self._ending.is_retried)
        self._task_run = self._api.create(item, manager=MANAGER)
        self.objects.append(item)
        self._builds.task_recorder.emit(item, "Started", "")
        child = {"apiVersion": "tekton.dev/v1", "kind": "TaskRun"}
        child |= {"name": item["metadata"]["name"], "pipelineTaskName": task.name}
        self._run["status"]["childReferences"] = [*self._run["status"]["childReferences"], child]
        left = len(_TASKS) - number
        self._say(
            "Unknown",
            "Running",
            f"Tasks Completed: {number} (Failed: 0, Cancelled 0), Incomplete: {left}, Skipped: 0",
        )
        self._attempt(number, ())

    def _attempt(self, number: int, failed: tuple[Object, ...]) -> None:
        task, ending, status = _TASKS[number], self._ending, self._task_run
        status["status"] = task_runs.pending(self._task_run, task, self._clock.now)
        if failed:
            status["status"]["retriesStatus"] = list(failed)
        self._write_task()
        self._clock.after(self._random.uniform(3, 9), lambda: self._run_steps(task))
        if task.name != ending.task:
            seconds = task.median_seconds * self._random.uniform(0.8, 1.3)
            self._clock.after(9 + seconds, lambda: self._succeed(number))
            return
        seconds = ending.seconds + (_LOCK_SECONDS if failed else 0)
        is_last = bool(failed) or not ending.is_retried
        self._clock.after(9 + seconds, lambda: self._fail(number, is_last=is_last))

    def _run_steps(self, task: Task) -> None:
        task_runs.running(self._task_run["status"], task, self._clock.now)
        self._write_task()

    def _succeed(self, number: int) -> None:
        message = "All Steps have completed executing"
        status = self._task_run["status"]
        task_runs.ended(status, reason="Succeeded", message=message, results=(), now=self._clock.now)
        self._write_task()
        self._builds.task_recorder.emit(self._task_run, "Succeeded", message)
        self._begin(number + 1)

    def _fail(self, number: int, *, is_last: bool) -> None:
        self._end_task()
        self._write_task()
        if not is_last:
            failed = self._task_run["status"]
            self._clock.after(1, lambda: self._attempt(number, (failed,)))
            return
        ending = self._ending
        said = self._task_run["status"]["conditions"][0]["message"]
        self._builds.task_recorder.emit(self._task_run, "Failed", said, "Warning")
        self._run["status"]["completionTime"] = stamp(self._clock.now)
        counts = (
            f"Tasks Completed: {number + 1} (Failed: 1, Cancelled 0), Skipped: {len(_TASKS) - number - 1}"
        )
        message = ending.run_message.replace("NAME", self._run["metadata"]["name"]) or counts
        self._say("False", ending.run, message)
        self._builds.run_recorder.emit(self._run, "Failed", message, "Warning")
        self._builds.finished.append(self._run)

    def _end_task(self) -> None:
        """Let the task end as it is to: by its last step, or because Tekton gives it up."""
        ending, task_run, now = self._ending, self._task_run, self._clock.now
        message = ending.message.replace("NAME", task_run["metadata"]["name"])
        if not ending.step:
            task_run["spec"] |= {"status": ending.reason, "statusMessage": _TIMED_OUT}
            self._api.update(task_run, manager=MANAGER)
            task_runs.given_up(task_run["status"], reason=ending.reason, message=message, now=now)
            return
        step_reason, exit_code = ending.step
        task_runs.ended(
            task_run["status"],
            reason=ending.reason,
            message=message,
            results=(),
            now=now,
            exit_code=exit_code,
            step_reason=step_reason,
        )

    def _say(self, status: str, reason: str, message: str) -> None:
        self._run["status"]["conditions"] = [succeeded(status, reason, message, self._clock.now)]
        self._api.patch_status(self._run, manager=MANAGER)

    def _write_task(self) -> None:
        self._api.patch_status(self._task_run, manager=MANAGER)


def _failing(count: int, ending: Ending, stage: Stage) -> Story:
    """Play so many builds, all with the same ending."""
    blast = Blast("hub", [])
    builds = [EnvironmentBuild(stage, number, ending) for number in range(count)]
    blast.objects.append(builds[0].objects[0])
    yield blast
    blast.objects[:] = [item for build in builds for item in build.objects]


def _unheard(heard: Heard, stage: Stage) -> Story:
    """Play webhooks that make no run: what is pushed is not built until they are delivered again."""
    builds, service = stage.delivery.builds, stage.service()
    builds.hear(heard)
    stage.delivery.developers.push(service)
    blast = Blast("hub", [builds.listener], service=service.name)
    yield blast
    blast.objects += [_commit(change) for _, change in builds.lost]
    builds.hear("and run")


def _commit(change: Change) -> Object:
    """Return a change as an object that an incident affects; no API server knows it."""
    return {"kind": "Commit", "metadata": {"name": change.sha}}


def _unpinned(stage: Stage) -> Story:
    """Play a push of a pin that is refused: the image is there, and nothing asks for it."""
    builds, service = stage.delivery.builds, stage.service()
    builds.refuses_pins = True
    change = stage.delivery.developers.push(service)
    while not builds.unpinned:
        if change.build_state == "failed":
            change = stage.delivery.developers.push(service)
        yield None
    builds.refuses_pins = False
    (build, *_) = builds.unpinned
    yield Blast("hub", build.objects, service=build.service.name)
    for build in builds.unpinned:
        build.pin()
    builds.unpinned.clear()


_KILLED = '"step-build-and-push" exited with code 137'

KINDS = (
    Kind(
        "T1",
        "Funnel orphan tag",
        "fault",
        "delivery",
        4 * HOUR,
        "the tunnel that webhooks come through was closed",
        partial(_unheard, "not at all"),
    ),
    Kind(
        "T2",
        "Accepted, no PipelineRun",
        "fault",
        "delivery",
        2 * HOUR,
        "the address that the listener sends to is empty",
        partial(_unheard, "and not run"),
    ),
    Kind(
        "T6",
        "Built, not pinned",
        "fault",
        "delivery",
        40 * MINUTE,
        "another push came first, and this one is not tried again",
        _unpinned,
    ),
    Kind(
        "T7",
        "Pin of an environment failed",
        "fault",
        "delivery",
        20 * MINUTE,
        "GitHub answers with 500",
        partial(
            _failing, 1, Ending("pin-environment", '"step-pin" exited with code 1: HTTP 500 from GitHub')
        ),
    ),
    Kind(
        "T8",
        "Cache lock held by itself",
        "fault",
        "delivery",
        50 * MINUTE,
        "a build that was killed left the lock of the cache",
        partial(_failing, 1, Ending("build-environment", _KILLED, step=("OOMKilled", 137), is_retried=True)),
    ),
    Kind(
        "T9",
        "Build out of memory",
        "fault",
        "delivery",
        15 * MINUTE,
        "the limit of memory is too small",
        partial(_failing, 2, Ending("build-environment", _KILLED, step=("OOMKilled", 137))),
    ),
    Kind(
        "T12",
        "Registry denies all",
        "fault",
        "delivery",
        30 * MINUTE,
        "the packages are not linked to the repository",
        partial(_failing, 3, Ending("validate", '"step-validate" exited with code 1: ghcr.io: denied')),
    ),
    Kind(
        "T14",
        "Build timed out",
        "fault",
        "delivery",
        75 * MINUTE,
        "the mirror of the package index does not answer",
        partial(
            _failing,
            1,
            Ending(
                "build-environment",
                f'TaskRun "NAME" was cancelled. {_TIMED_OUT}',
                reason="TaskRunCancelled",
                step=(),
                seconds=HOUR - 15,
                run="PipelineRunTimeout",
                run_message='PipelineRun "NAME" failed to finish within "1h0m0s"',
            ),
        ),
    ),
)
