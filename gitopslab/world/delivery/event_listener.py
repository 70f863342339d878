"""Tekton Triggers: the EventListener that webhooks of the source repository go to, and its Events.

Source: tektoncd/triggers `pkg/reconciler/events`; written where the controller has `-el-events=enable`.
"""

from typing import Literal

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.delivery.policies import ARGO_CD_CONTROLLER
from gitopslab.world.delivery.task_runs import NAMESPACE
from gitopslab.world.events import Recorder

Heard = Literal["and run", "and not run", "not at all"]
"""What becomes of a webhook: a run, an error after it was accepted, or nothing since it never arrives."""

_REASON = "dev.tekton.event.triggers."
_NO_SINK = 'Post "/": unsupported protocol scheme ""'
_TRUE = ("Available", "Deployment", "Ready", "Service")


class EventListener:
    """The one EventListener of the hub.

    Args:
        api: The hub.

    Attributes:
        item: The object.
    """

    def __init__(self, api: ApiServer) -> None:
        self.item: Object = api.create(_event_listener(), manager=ARGO_CD_CONTROLLER)
        self._recorder = Recorder(api, "el-github")
        now = api.clock.stamp()
        self.item["status"] = {
            "address": {"url": f"http://el-github.{NAMESPACE}.svc.cluster.local:8080"},
            "conditions": [
                {"lastTransitionTime": now, "message": "", "reason": "", "status": "True", "type": kind}
                for kind in _TRUE
            ],
            "configuration": {"generatedName": "el-github"},
        }
        api.patch_status(self.item, manager="tekton-triggers-controller")

    def hear(self, *, is_run: bool) -> None:
        """Accept a webhook; if it makes no run, say why."""
        self._recorder.emit(self.item, f"{_REASON}started.v1", "")
        if is_run:
            self._recorder.emit(self.item, f"{_REASON}successful.v1", "")
        else:
            self._recorder.emit(self.item, f"{_REASON}failed.v1", _NO_SINK, "Warning")
        self._recorder.emit(self.item, f"{_REASON}done.v1", "")


def _event_listener() -> Object:
    return {
        "apiVersion": "triggers.tekton.dev/v1beta1",
        "kind": "EventListener",
        "metadata": {"name": "github", "namespace": NAMESPACE},
        "spec": {
            "namespaceSelector": {},
            "resources": {},
            "serviceAccountName": "tekton-triggers",
            "triggerGroups": [],
            "triggers": [{"triggerRef": "outer-loop"}],
        },
    }
