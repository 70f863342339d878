"""What Argo CD and Tekton count of themselves, as Prometheus would scrape it from one cluster."""

from collections.abc import Iterator

from gitopslab.world.apiserver import Object
from gitopslab.world.clock import Clock
from gitopslab.world.delivery.applications import NAMESPACE
from gitopslab.world.emit.families import (
    ARGOCD_INFO,
    ARGOCD_SYNC_SECONDS,
    ARGOCD_SYNCS,
    TEKTON_PIPELINERUN_SECONDS,
    TEKTON_PIPELINERUNS,
    TEKTON_RUNNING,
    TEKTON_TASKRUNS,
)
from gitopslab.world.emit.prometheus import Metrics, Sample

_SERVER = "https://kubernetes.default.svc"
_ENDS = frozenset({"Succeeded", "Failed", "Error"})


class ControllerMetrics:
    """Follows the writes of one cluster; the Applications that argocd-agent mirrors are not counted.

    Args:
        clock: Says when a run ended.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self._metrics = clock, Metrics()
        self._infos: dict[str, tuple[str, ...]] = {}
        self._operations: dict[str, tuple[str, float]] = {}
        self._running: dict[str, float] = {}

    def note(self, event_type: str, item: Object) -> None:
        """Take note of a write of `item`."""
        if event_type == "DELETED":
            return
        kind = item["kind"]
        if kind == "Application" and item["metadata"]["namespace"] == NAMESPACE:
            self._note_application(item)
        elif kind == "PipelineRun":
            self._note_pipeline_run(item)
        elif kind == "TaskRun" and "completionTime" in item.get("status", {}):
            self._metrics.count(TEKTON_TASKRUNS, _status(item))

    def scrape(self) -> Iterator[Sample]:
        """Yield what is scraped now."""
        return self._metrics.scrape(self._clock.now)

    def _note_application(self, item: Object) -> None:
        metadata, spec, status = item["metadata"], item["spec"], item["status"]
        application = (metadata["namespace"], metadata["name"], spec["project"])
        info = (
            *application,
            "true",
            status["sync"]["comparedTo"]["source"]["repoURL"],
            _SERVER,
            spec["destination"]["namespace"],
            status["sync"]["status"],
            status["health"]["status"],
            "sync" if "operation" in item else "",
        )
        before = self._infos.get(metadata["uid"])
        if before != info:
            if before is not None:
                self._metrics.drop(ARGOCD_INFO, *before)
            self._infos[metadata["uid"]] = info
            self._metrics.set(ARGOCD_INFO, 1, *info)
        self._note_operation(metadata["uid"], application, status.get("operationState", {}))

    def _note_operation(self, uid: str, application: tuple[str, ...], state: Object) -> None:
        """Count an operation when it ends; `startedAt` tells it from the one before."""
        started_at = state.get("startedAt", "")
        named, since = self._operations.get(uid, ("", 0.0))
        if started_at and named != started_at:
            self._operations[uid] = (started_at, self._clock.now)
        elif since and state.get("phase") in _ENDS:
            self._operations[uid] = (started_at, 0.0)
            seconds = self._clock.now - since
            self._metrics.count(ARGOCD_SYNCS, *application, _SERVER, state["phase"], "false")
            self._metrics.count(ARGOCD_SYNC_SECONDS, *application, _SERVER, by=seconds)

    def _note_pipeline_run(self, item: Object) -> None:
        uid, status = item["metadata"]["uid"], item.get("status", {})
        if "completionTime" in status:
            seconds = self._clock.now - self._running.pop(uid, self._clock.now)
            pipeline = item["metadata"]["labels"]["tekton.dev/pipeline"]
            reason = status["conditions"][0]["reason"]
            labels = (item["metadata"]["namespace"], pipeline, _status(item), reason)
            self._metrics.observe(TEKTON_PIPELINERUN_SECONDS, seconds, *labels)
            self._metrics.count(TEKTON_PIPELINERUNS, _status(item))
        elif "startTime" in status:
            self._running.setdefault(uid, self._clock.now)
        self._metrics.set(TEKTON_RUNNING, len(self._running))


def _status(item: Object) -> str:
    return "success" if item["status"]["conditions"][0]["status"] == "True" else "failed"
