"""The Deployments that launch benchmark runs: how they are configured, and every rollout of them.

A Deployment follows the health of its Application, as that follows it: Progressing is a rollout under way.
"""

import json
from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.clock import moment
from gitopslab.world.truth import Truth, TruthTable

WORKER_COUNT, WORKFLOWS_PER_WORKER = 4, 48
"""Pods that run the parents' workflows, and how many each takes at once."""

AGENT_TURNS = 192
MODEL_REQUESTS = {"deepseek-v4-pro": 192, "kimi-k2.6": 128, "claude-sonnet-4-6": 96}
"""Requests that a model takes at once. All are more than any run asks for, so that none holds a run back."""

STABLE_SECONDS = 120
"""For so long the control plane has to be left alone before a run starts."""

_BUILDER, _PARENT = "workflow-builder", "workflow-orchestrator"
_REPLICAS = {_BUILDER: 2, _PARENT: WORKER_COUNT, "swebench-coordinator": 1}
_VARIABLES = {
    "AGENT_RUNTIME_POOL_MAX_REPLICAS": "16",
    "AGENT_RUNTIME_SLOTS_PER_REPLICA_JSON": json.dumps({"coding": 12}),
    "BENCHMARK_AGENT_WORKFLOW_MAX_ACTIVE_TURNS": str(AGENT_TURNS),
    "BENCHMARK_CAPACITY_MODE": "auto",
    "BENCHMARK_DEFAULT_CONCURRENCY": "10",
    "BENCHMARK_EXECUTION_BACKEND": "dapr-kueue",
    "BENCHMARK_EXECUTION_CLASS": "benchmark-fast",
    "BENCHMARK_MODEL_MAX_ACTIVE_REQUESTS_JSON": json.dumps(MODEL_REQUESTS),
    "DAPR_WORKFLOW_MAX_CONCURRENT_WORKFLOW_INVOCATIONS": "12",
    "LOG_LEVEL": "info",
    "SWEBENCH_EVAL_MAX_PARALLEL": "24",
}

GATE = TruthTable(
    "gate",
    "What a gate before a raise should say at the end of the world: while open, it lets `limit` through.",
    (
        ("cluster", pa.string()),
        ("gate", pa.string()),
        ("model", pa.string()),  # NULL: of all
        ("is_open", pa.bool_()),
        ("limit", pa.int64()),  # NULL: it sets no number
        ("changed_at", pa.timestamp("us", tz="UTC")),  # NULL: it knows no time
    ),
)


class ControlPlane:
    """The Deployments of one cluster.

    Args:
        api: The cluster's API server.
    """

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._items: dict[str, Object] = {}
        self._health: dict[str, str] = {}
        self._changed_at = 0.0

    def start(self) -> None:
        """Create the Deployments, rolled out, and follow the Applications from now on."""
        for name in _REPLICAS:
            item = _deployment(name)
            item["status"] = self._status(name, generation=1, is_over=True)
            self._items[name] = self._api.create(item, manager="argocd-controller")
        self._changed_at = self._api.clock.now
        self._api.listeners.append(self._note)

    def close(self, truth: Truth, exact_image_count: int) -> None:
        """Write what the gates should say, where so many instances have their exact image."""
        is_left_alone = self._api.clock.now - self._changed_at >= STABLE_SECONDS
        is_rolled_out = all(health == "Healthy" for health in self._health.values())
        workers = self._items[_PARENT]["status"].get("readyReplicas", 0)
        has_workers = workers == WORKER_COUNT
        found: list[tuple[str, str | None, bool, int | None, datetime | None]] = [
            ("launch stability", None, is_left_alone and is_rolled_out, None, moment(self._changed_at)),
            ("Dapr readiness", None, has_workers, WORKER_COUNT * WORKFLOWS_PER_WORKER, None),
            ("agent turns", None, True, AGENT_TURNS, None),
            ("exact images", None, True, exact_image_count, None),
            *(("model limits", model, True, limit, None) for model, limit in MODEL_REQUESTS.items()),
        ]
        for row in found:
            truth.add(GATE, dict(zip(GATE.schema.names, (self._api.name, *row), strict=True)))

    def _note(self, _: str, application: Object) -> None:
        """Take note of an Application: its Deployment is what its health tells of."""
        name = application["metadata"]["name"]
        if application["kind"] != "Application" or name not in self._items:
            return
        status = application["status"]
        health = status["health"]["status"]
        if health == self._health.get(name, "Healthy"):
            return
        self._health[name] = health
        item, is_over = self._items[name], health == "Healthy"
        container = item["spec"]["template"]["spec"]["containers"][0]
        others = [image for image in status["summary"]["images"] if image != container["image"]]
        if others:
            container["image"] = others[0]
            self._api.update(item, manager="argocd-controller")
        generation = item["metadata"]["generation"]
        item["status"] = self._status(name, generation, is_over=is_over, is_late=health == "Degraded")
        self._api.patch_status(item, manager="kube-controller-manager")
        self._changed_at = self._api.clock.now

    def _status(self, name: str, generation: int, *, is_over: bool, is_late: bool = False) -> Object:
        """Return how far a rollout is: over, or one new pod not ready yet while all old ones are but one."""
        wanted, now = _REPLICAS[name], self._api.clock.stamp()
        ready = wanted if is_over else wanted - 1
        counts: Mapping[str, int] = {
            "availableReplicas": ready,
            "readyReplicas": ready,
            "replicas": wanted,
            "unavailableReplicas": wanted - ready,
            "updatedReplicas": wanted if is_over else 1,
        }
        # Go leaves a count of zero out.
        return {key: count for key, count in counts.items() if count} | {
            "conditions": [
                _condition("Available", "MinimumReplicasAvailable", now),
                _condition("Progressing", "ProgressDeadlineExceeded", now, status="False")
                if is_late
                else _condition(
                    "Progressing", "NewReplicaSetAvailable" if is_over else "ReplicaSetUpdated", now
                ),
            ],
            "observedGeneration": generation,
        }


def parent_runtime() -> Object:
    """Return what the application notes at a launch of the parents' workflow workers."""
    return {
        "parentWorkflowReplicas": WORKER_COUNT,
        "parentWorkflowReadyReplicas": WORKER_COUNT,
        "parentWorkflowConnectedWorkerPods": WORKER_COUNT,
        "parentWorkflowLimitPerSidecar": WORKFLOWS_PER_WORKER,
        "parentWorkflowEffectiveCapacity": WORKER_COUNT * WORKFLOWS_PER_WORKER,
        "daprRuntimePressure": False,
        "agentHostDaprRuntimePressure": False,
        "agentWorkflowMaxActiveTurns": AGENT_TURNS,
    }


def _deployment(name: str) -> Object:
    variables = _VARIABLES if name == _BUILDER else {"LOG_LEVEL": "info"}
    container = {
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "image": f"ghcr.io/example/{name}:first",
        "name": name,
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}},
    }
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"labels": dict(labels), "name": name, "namespace": name},
        "spec": {
            "replicas": _REPLICAS[name],
            "selector": {"matchLabels": dict(labels)},
            "strategy": {"type": "RollingUpdate"},
            "template": {"metadata": {"labels": dict(labels)}, "spec": {"containers": [container]}},
        },
    }


def _condition(kind: str, reason: str, now: str, *, status: str = "True") -> Object:
    return {
        "lastTransitionTime": now,
        "lastUpdateTime": now,
        "reason": reason,
        "status": status,
        "type": kind,
    }
