"""TaskRuns as Tekton writes them: statuses in the order in which a pod gets on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from gitopslab.world.apiserver import Object, owner_reference
from gitopslab.world.clock import stamp
from gitopslab.world.random import hexadecimal

NAMESPACE = "tekton-pipelines"
RELEASE = "2f8d3c1"
"""The commit that Tekton was built from."""

FEATURE_FLAGS = {
    "awaitSidecarReadiness": True,
    "coschedule": "workspaces",
    "enableAPIFields": "beta",
    "enableProvenanceInStatus": True,
    "enforceNonfalsifiability": "none",
    "maxResultSize": 4096,
    "resultExtractionMethod": "termination-message",
    "runningInEnvWithInjectedSidecars": True,
    "verificationNoMatchPolicy": "ignore",
}


@dataclass(frozen=True, slots=True)
class Task:
    """One task of the pipeline.

    Attributes:
        name: Its name in the pipeline.
        steps: Names of its steps.
        median_seconds: How long it takes.
        sigma: How much that varies.
        retries: How often it is tried again.
    """

    name: str
    steps: tuple[str, ...]
    median_seconds: float
    sigma: float = 0.3
    retries: int = 0


TASKS = (
    Task("clone", ("clone",), 10),
    Task("build-image", ("prepare", "build-and-push"), 65, 0.45, retries=1),
    Task("update-stacks", ("pin", "push"), 11),
)


def task_run(run: Object, task: Task, params: Mapping[str, str]) -> Object:
    """Return the TaskRun of `task` in the PipelineRun `run`, before it is created."""
    metadata = run["metadata"]
    labels = metadata["labels"] | {
        "app.kubernetes.io/managed-by": "tekton-pipelines",
        "tekton.dev/memberOf": "tasks",
        "tekton.dev/pipelineRun": metadata["name"],
        "tekton.dev/pipelineRunUID": metadata["uid"],
        "tekton.dev/pipelineTask": task.name,
        "tekton.dev/task": task.name,
    }
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "TaskRun",
        "metadata": {
            "name": f"{metadata['name']}-{task.name}",
            "namespace": NAMESPACE,
            "annotations": {"pipeline.tekton.dev/release": RELEASE},
            "labels": labels,
            "ownerReferences": [owner_reference(run)],
        },
        "spec": {
            "params": [{"name": name, "value": value} for name, value in params.items()],
            **({"retries": task.retries} if task.retries else {}),
            "serviceAccountName": "outer-loop",
            "taskRef": {"kind": "Task", "name": task.name},
            "timeout": "1h0m0s",
        },
    }


def pending(item: Object, task: Task, now: float) -> Object:
    """Return the status of a TaskRun whose pod was just made."""
    name = item["metadata"]["name"]
    message = 'pod status "Initialized":"False"; message: "containers with incomplete status: [prepare]"'
    return {
        "artifacts": {},
        "conditions": [succeeded("Unknown", "Pending", message, now)],
        "podName": f"{name}-pod",
        "provenance": {"featureFlags": FEATURE_FLAGS},
        "startTime": stamp(now),
        "steps": [
            {"container": f"step-{step}", "name": step, "waiting": {"reason": "PodInitializing"}}
            for step in task.steps
        ],
        "taskSpec": {
            "params": [{"name": param["name"], "type": "string"} for param in item["spec"]["params"]],
            "steps": [
                {"computeResources": {}, "image": "ghcr.io/example/build-tools:v7", "name": step}
                for step in task.steps
            ],
        },
    }


def running(status: Object, task: Task, now: float) -> None:
    """Let the steps of a TaskRun run."""
    status["conditions"] = [
        succeeded("Unknown", "Running", "Not all Steps in the Task have finished executing", now)
    ]
    status["steps"] = [
        {
            "container": f"step-{step}",
            "imageID": f"ghcr.io/example/build-tools@sha256:{hexadecimal(64, task.name)}",
            "name": step,
            "running": {"startedAt": stamp(now)},
        }
        for step in task.steps
    ]


def ended(  # noqa: PLR0913 - what the end of a run is
    status: Object,
    *,
    reason: str,
    message: str,
    results: Sequence[Object],
    now: float,
    exit_code: int = 1,
    step_reason: str = "Error",
) -> None:
    """Let a TaskRun whose steps ran end; all reasons but `Succeeded` are failures, of its last step."""
    is_success = reason == "Succeeded"
    status["completionTime"] = stamp(now)
    status["conditions"] = [succeeded("True" if is_success else "False", reason, message, now)]
    steps = status["steps"]
    times = _step_times(steps[0]["running"]["startedAt"], stamp(now), len(steps))
    for step, (started_at, finished_at) in zip(steps, pairwise(times), strict=True):
        del step["running"]
        is_failed = step is steps[-1] and not is_success
        step["terminated"] = {
            "containerID": f"containerd://{hexadecimal(64, step['name'], started_at)}",
            "exitCode": exit_code if is_failed else 0,
            "finishedAt": finished_at,
            "reason": step_reason if is_failed else "Completed",
            "startedAt": started_at,
        }
        step["terminationReason"] = step["terminated"]["reason"]
    if results:
        status["results"] = [
            {"name": each["name"], "type": "string", "value": each["value"]} for each in results
        ]


def unpulled(status: Object) -> str:
    """Let the last step wait for an image that cannot be pulled; return what the kubelet says."""
    step = status["steps"][-1]
    back_off = 'Back-off pulling image "ghcr.io/example/build-tools:v7"'
    step["waiting"] = {"message": back_off, "reason": "ImagePullBackOff"}
    return back_off


def given_up(status: Object, *, reason: str, message: str, now: float) -> None:
    """Let Tekton end a TaskRun and delete its pod, whatever its steps do: it answers for them then."""
    status["completionTime"] = stamp(now)
    status["conditions"] = [succeeded("False", reason, message, now)]
    for step in status["steps"]:
        running = step.pop("running", None)
        step.pop("waiting", None)
        step["terminated"] = {
            "exitCode": 1,
            "finishedAt": stamp(now),
            "message": f"Step {step['name']} terminated as pod {status['podName']} is terminated",
            "reason": reason,
        } | (running or {})
        step["terminationReason"] = reason


def _step_times(started_at: str, finished_at: str, count: int) -> list[str]:
    """Return when each of so many steps began, and when the last one ended: one waits for the other."""
    first, last = (datetime.fromisoformat(time).timestamp() for time in (started_at, finished_at))
    return [stamp(first + (last - first) * step / count) for step in range(count)] + [finished_at]


def succeeded(status: str, reason: str, message: str, now: float) -> dict[str, Any]:
    """Return the one condition that runs have."""
    return {
        "lastTransitionTime": stamp(now),
        "message": message,
        "reason": reason,
        "status": status,
        "type": "Succeeded",
    }
