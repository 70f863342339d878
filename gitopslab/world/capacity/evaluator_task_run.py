"""The TaskRun of an evaluator, whose pod waits for Kueue's quota before it runs."""

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.capacity.layout import BENCHMARK_NAMESPACE, EVALUATOR
from gitopslab.world.clock import HOUR
from gitopslab.world.delivery import task_runs
from gitopslab.world.delivery.task_runs import Task
from gitopslab.world.random import hexadecimal

_MANAGER = "swebench-coordinator"
_CONTROLLER = "Go-http-client"
_KEEP_SECONDS = 6 * HOUR
_TASK = Task("swebench-evaluator", ("evaluate",), 110)
_IMAGE = EVALUATOR[0].containers[0].image
_TEKTON_LABELS = {"app.kubernetes.io/managed-by": "tekton-pipelines", "tekton.dev/task": _TASK.name}


class EvaluatorTaskRun:
    """One TaskRun, from its creation until the evaluator clears it away.

    Args:
        api: The cluster's API server.
        name: Its name.
        labels: Its labels, which its pod has too.

    Attributes:
        name: As given.
        pod_name: Name of its pod.
    """

    def __init__(self, api: ApiServer, name: str, labels: dict[str, str]) -> None:
        self.name, self.pod_name = name, f"{name}-pod"
        self._api = api
        self._item: Object = api.create(
            {
                "apiVersion": "tekton.dev/v1",
                "kind": "TaskRun",
                "metadata": {
                    "name": name,
                    "namespace": BENCHMARK_NAMESPACE,
                    "labels": labels | _TEKTON_LABELS,
                },
                "spec": {
                    "params": [{"name": "run-id", "value": labels["swebench.benchmark-run-id"]}],
                    "retries": 0,
                    "serviceAccountName": "swebench-evaluator",
                    "taskRef": {"kind": "Task", "name": _TASK.name},
                    "timeout": "2h0m0s",
                },
            },
            manager=_MANAGER,
        )
        self._item["status"] = task_runs.pending(self._item, _TASK, api.clock.now)
        for step in self._item["status"]["taskSpec"]["steps"]:
            step["image"] = _IMAGE
        self._write()

    def run(self) -> None:
        """Let its step run."""
        task_runs.running(self._item["status"], _TASK, self._api.clock.now)
        for step in self._item["status"]["steps"]:
            step["imageID"] = f"{_IMAGE.partition(':')[0]}@sha256:{hexadecimal(64, _IMAGE)}"
        self._write()

    def end(self, reason: str, message: str) -> None:
        """Let it end; one whose pod never ran has no step that ended."""
        status, now = self._item["status"], self._api.clock.now
        if "running" not in status["steps"][0]:
            status["steps"] = []
            status["conditions"] = [task_runs.succeeded("False", reason, message, now)]
            status["completionTime"] = self._api.clock.stamp()
        else:
            task_runs.ended(status, reason=reason, message=message, results=(), now=now)
        self._write()
        self._api.clock.after(_KEEP_SECONDS, lambda: self._api.delete(self._item))

    def _write(self) -> None:
        self._api.patch_status(self._item, manager=_CONTROLLER)
