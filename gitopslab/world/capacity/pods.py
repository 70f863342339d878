"""Nodes and Pods as the API server has them: what each Node has, and what holds it.

A Pod is written when it is bound or cannot be, when it runs, and when it is gone; how it waits for Kueue
before is left out.
"""

from dataclasses import dataclass

from gitopslab.capacity.slots import Amounts
from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.capacity.layout import Container, PodShape
from gitopslab.world.capacity.nodes import Node, NodePool
from gitopslab.world.capacity.objects import quantities
from gitopslab.world.capacity.workloads import Workload

_KUBELET, _SCHEDULER = "kubelet", "kube-scheduler"
_SYSTEM = "kube-system"


@dataclass(eq=False, slots=True)
class _Pod:
    """A Pod of a Workload; `node` is None while it fits nowhere."""

    item: Object
    requests: Amounts
    node: Node | None = None


class Pods:
    """Writes the Nodes of a cluster and the Pods on them.

    Args:
        api: The cluster's API server.
        pool: Its nodes, with what stands on them from the beginning.
    """

    def __init__(self, api: ApiServer, pool: NodePool) -> None:
        self._api, self._pool = api, pool
        self._pods: dict[str, list[_Pod]] = {}
        self._nodes = {
            node.name: api.create(_node(node, api.clock.stamp()), manager=_KUBELET) for node in pool.nodes
        }
        for node in pool.nodes:
            for item in _standing(node, api.clock.stamp()):
                api.create(item, manager=_KUBELET)

    def note_nodes(self) -> None:
        """Write the conditions of Nodes that changed."""
        for node in self._pool.nodes:
            item = self._nodes[node.name]
            before = {each["type"]: each for each in item["status"]["conditions"]}
            now = _conditions(node, self._api.clock.stamp())
            if any(before[each["type"]]["status"] != each["status"] for each in now):
                item["status"]["conditions"] = now
                self._api.patch_status(item, manager=_KUBELET)

    def place(self, workload: Workload) -> None:
        """Write the Pods of a Workload that may be scheduled, or the nodes of those that waited for room."""
        if workload.uid not in self._pods:
            self._pods[workload.uid] = self._created(workload)
            return
        for pod in self._bound(workload, self._pods[workload.uid]):
            self._schedule(pod)
            self._api.patch_status(pod.item, manager=_SCHEDULER)

    def run(self, workload: Workload) -> None:
        """Write that the Pods of a Workload run."""
        now = self._api.clock.stamp()
        for pod in self._pods[workload.uid]:
            pod.item["status"] |= {"phase": "Running", "startTime": now}
            self._api.patch_status(pod.item, manager=_KUBELET)

    def remove(self, workload: Workload) -> None:
        """Delete the Pods of a Workload, if it has any."""
        for pod in self._pods.pop(workload.uid, ()):
            self._api.delete(pod.item)

    def _created(self, workload: Workload) -> list[_Pod]:
        shapes = [shape for shape in workload.job.pods for _ in range(shape.count)]
        names = _names(workload, shapes)
        pods = [
            _Pod(_pod(workload, shape, name), shape.requests)
            for shape, name in zip(shapes, names, strict=True)
        ]
        self._bound(workload, pods)
        for pod in pods:
            self._schedule(pod)
            self._api.create(pod.item, manager=_SCHEDULER)
        return pods

    def _bound(self, workload: Workload, pods: list[_Pod]) -> list[_Pod]:
        """Return the Pods that were bound since this was last asked."""
        free = list(workload.placement.placed)
        for pod in pods:
            if pod.node is not None:
                free.remove((pod.node, pod.requests))
        found = []
        for pod in pods:
            place = next((each for each in free if each[1] is pod.requests), None)
            if pod.node is None and place is not None:
                free.remove(place)
                pod.node = place[0]
                found.append(pod)
        return found

    def _schedule(self, pod: _Pod) -> None:
        condition = {"lastTransitionTime": self._api.clock.stamp(), "status": "True", "type": "PodScheduled"}
        if pod.node is None:
            condition |= {"reason": "Unschedulable", "status": "False"}
        else:
            pod.item["spec"]["nodeName"] = pod.node.name
        pod.item["status"] = {"conditions": [condition], "phase": "Pending"}


def _names(workload: Workload, shapes: list[PodShape]) -> list[str]:
    """Return a name for each Pod: those that queue themselves have their own."""
    owners = [owner["name"] for owner in workload.job.owners if owner["kind"] == "Pod"]
    if len(owners) == len(shapes):
        return owners
    return [f"{workload.job.owners[0]['name']}-{number}" for number, _ in enumerate(shapes, 1)]


def _pod(workload: Workload, shape: PodShape, name: str) -> Object:
    owner = workload.job.owners[0]
    metadata: Object = {
        "labels": dict(workload.job.labels),
        "name": f"{name}-{workload.episode}" if workload.episode > 1 else name,
        "namespace": workload.job.namespace,
    }
    if owner["kind"] != "Pod":
        metadata["ownerReferences"] = [owner]
    return _object(metadata, [_container(part) for part in shape.containers])


def _container(container: Container) -> Object:
    return {
        "image": container.image,
        "name": container.name,
        "resources": {"requests": quantities(container.requests)},
    }


def _standing(node: Node, now: str) -> list[Object]:
    """Return the Pods that stand on a Node from the beginning: the first asks for all that they do."""
    requests = {resource: amount for resource, amount in node.requested.items() if resource != "pods"}
    found = []
    for number in range(int(node.requested.get("pods", 0))):
        asked = {"requests": quantities(requests)} if number == 0 else {}
        item = _object(
            {"name": f"standing-{node.name}-{number}", "namespace": _SYSTEM},
            [{"image": "ghcr.io/example/node-agent:2026.5", "name": "agent", "resources": asked}],
        )
        item["spec"]["nodeName"] = node.name
        scheduled = {"lastTransitionTime": now, "status": "True", "type": "PodScheduled"}
        item["status"] = {"conditions": [scheduled], "phase": "Running", "startTime": now}
        found.append(item)
    return found


def _object(metadata: Object, containers: list[Object]) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}}


def _node(node: Node, now: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"labels": {"kubernetes.io/hostname": node.name, **node.labels}, "name": node.name},
        "spec": {},
        "status": {
            "allocatable": quantities(node.allocatable),
            "capacity": quantities(node.allocatable),
            "conditions": _conditions(node, now),
        },
    }


def _conditions(node: Node, now: str) -> list[Object]:
    states = (
        ("DiskPressure", node.has_disk_pressure, "KubeletHasDiskPressure", "KubeletHasNoDiskPressure"),
        ("Ready", node.is_ready, "KubeletReady", "KubeletNotReady"),
    )
    return [
        {
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
            "reason": yes if is_so else no,
            "status": "True" if is_so else "False",
            "type": kind,
        }
        for kind, is_so, yes, no in states
    ]
