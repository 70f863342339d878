"""Kubernetes Events of a simulated cluster: written once, gone after an hour."""

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.clock import HOUR
from gitopslab.world.random import hexadecimal

_TTL_SECONDS = HOUR
"""kube-apiserver's --event-ttl; the lease runs out in etcd, and watchers see the Event deleted."""


class Recorder:
    """Writes the Events of one controller in one cluster, an object an occurrence.

    Args:
        api: The cluster.
        component: What the controller calls itself, `argocd-application-controller`.
    """

    def __init__(self, api: ApiServer, component: str) -> None:
        self._api, self._component = api, component

    def emit(self, about: Object, reason: str, message: str, event_type: str = "Normal") -> None:
        """Write an Event about `about`, which is there."""
        api, metadata = self._api, about["metadata"]
        namespace, now = metadata.get("namespace", "default"), api.clock.stamp()
        # client-go names an Event by nanoseconds; those of one moment differ by less than 2 ms.
        number = int(api.clock.now * 1e9) + int(hexadecimal(5, reason, message), 16)
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{number:x}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": metadata["name"],
                "namespace": namespace,
                "resourceVersion": metadata["resourceVersion"],
                "uid": metadata["uid"],
            },
            "reason": reason,
            "message": message,
            "source": {"component": self._component},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": event_type,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": "",
        }
        api.create(event, manager=self._component)
        api.clock.after(_TTL_SECONDS, lambda: api.delete(event))
