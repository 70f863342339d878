"""Incidents of Tekton: builds of environment images that run out of memory or time, or are refused."""

from dataclasses import dataclass
from functools import partial

from gitopslab.world.apiserver import Object
from gitopslab.world.clock import HOUR, MINUTE, stamp
from gitopslab.world.delivery import task_runs
from gitopslab.world.delivery.builds import MANAGER
from gitopslab.world.delivery.commits import SOURCE_URL
from gitopslab.world.delivery.task_runs import NAMESPACE, Task, succeeded
from gitopslab.world.incidents.story import Blast, Kind, Stage, Story
from gitopslab.world.random import suffix

_TASKS = (
    Task("build-environment", ("build-and-push",), 240),
    Task("validate", ("validate",), 90),
    Task("pin-environment", ("pin",), 20),
)
_LOCK_SECONDS = 1800.0
"""After so long a lock of the cache is stale."""


@dataclass(frozen=True)
class Ending:
    """How a build fails.

    Attributes:
        task: Which of the tasks fails.
        message: What its condition says.
        reason: Reason of the TaskRun.
        step: Reason and exit code of its last step.
        seconds: How long the task runs before it fails.
        run: Reason of the PipelineRun.
        run_message: What its condition says; empty: how many tasks failed.
        is_retried: Whether the task fails twice, and waits for the lock that its first attempt left.
    """

    task: str
    message: str
    reason: str = "Failed"
    step: tuple[str, int] = ("Error", 1)
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
        self._finished = stage.delivery.builds.finished
        self._random = stage.random
        self._params = {"git-url": SOURCE_URL, "environment": f"swe-env-{number}"}
        self._run = self._api.create(self._pipeline_run(stage.name, number), manager="swebench-coordinator")
        self._task_run: Object = {}
        self._run["status"] = {"childReferences": [], "startTime": self._clock.stamp()}
        self.objects = [self._run]
        self._say("Unknown", "Started", "")
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
        self._end_task("Succeeded", message)
        self._write_task()
        self._begin(number + 1)

    def _fail(self, number: int, *, is_last: bool) -> None:
        ending = self._ending
        self._end_task(ending.reason, ending.message)
        terminated = self._task_run["status"]["steps"][-1]["terminated"]
        terminated["reason"], terminated["exitCode"] = ending.step
        self._write_task()
        if not is_last:
            failed = self._task_run["status"]
            self._clock.after(1, lambda: self._attempt(number, (failed,)))
            return
        self._run["status"]["completionTime"] = stamp(self._clock.now)
        counts = (
            f"Tasks Completed: {number + 1} (Failed: 1, Cancelled 0), Skipped: {len(_TASKS) - number - 1}"
        )
        self._say("False", ending.run, ending.run_message or counts)
        self._finished.append(self._run)

    def _end_task(self, reason: str, message: str) -> None:
        status = self._task_run["status"]
        task_runs.ended(status, reason=reason, message=message, results=(), now=self._clock.now)

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


_KILLED = '"step-build-and-push" exited with code 137'

KINDS = (
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
                "TaskRun was cancelled. TaskRun cancelled as the PipelineRun it belongs to has timed out.",
                reason="TaskRunCancelled",
                step=("Error", 143),
                seconds=HOUR - 15,
                run="PipelineRunTimeout",
                run_message='PipelineRun "swe-env" failed to finish within "1h0m0s"',
            ),
        ),
    ),
)
