"""Applications as Argo CD and argocd-agent write them."""

from collections.abc import Iterable
from typing import Any

from gitopslab.world.apiserver import Object
from gitopslab.world.clock import stamp
from gitopslab.world.delivery.commits import CONFIG_URL
from gitopslab.world.scale import Environment

NAMESPACE = "argocd"
RETRY = {"backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}, "limit": 5}
RETRY_LIMIT = 5
SYNC_OPTIONS = ["CreateNamespace=true", "ServerSideApply=true"]
HISTORY_LIMIT = 10
_KIND_OF_WAVE = (("", "Service"), ("apps", "Deployment"))


def application(name: str, environment: Environment) -> Object:
    """Return the Application of a service or component in an environment, before it is created."""
    dry = {"path": f"packages/{environment.name}/{name}", "repoURL": CONFIG_URL, "targetRevision": "main"}
    source: Object = {"source": dry}
    if environment.branch:
        sync = {"path": dry["path"], "targetBranch": environment.branch}
        hydrate_to = {"targetBranch": f"{environment.branch}-next"}
        source = {"sourceHydrator": {"drySource": dry, "hydrateTo": hydrate_to, "syncSource": sync}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": {"stacks.io/component": name, "stacks.io/environment": environment.name},
            "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        },
        "spec": {
            "destination": {"name": "in-cluster", "namespace": name},
            "project": "default",
            **source,
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "retry": RETRY,
                "syncOptions": SYNC_OPTIONS,
            },
        },
    }


def operation(revision: str) -> Object:
    """Return the operation by which automated sync asks for `revision`."""
    return {
        "initiatedBy": {"automated": True},
        "retry": RETRY,
        "sync": {"prune": True, "revision": revision, "syncOptions": SYNC_OPTIONS},
    }


def first_status(item: Object, *, revision: str, image: str, now: float) -> Object:
    """Return the status of an Application that has been synced to `revision` and runs `image`."""
    name, synced_from = item["metadata"]["name"], source(item)
    is_hydrated = "sourceHydrator" in item["spec"]
    return {
        "controllerNamespace": NAMESPACE,
        "health": {"lastTransitionTime": stamp(now), "status": "Healthy"},
        "history": [history_entry(0, revision, synced_from, started_at=stamp(now), ended_at=stamp(now))],
        "operationState": {
            "finishedAt": stamp(now),
            "message": "successfully synced (all tasks run)",
            "operation": operation(revision),
            "phase": "Succeeded",
            "retryCount": 0,
            "startedAt": stamp(now),
            "syncResult": {
                "resources": sync_resources(name, image=image),
                "revision": revision,
                "source": synced_from,
            },
        },
        "reconciledAt": stamp(now),
        # where health of resources is kept: not here, as is the default since 3.0
        "resourceHealthSource": "appTree",
        "resources": resources(name, "Synced"),
        "sourceType": "Directory" if is_hydrated else "Kustomize",
        "summary": {"images": [image]},
        "sync": {
            "comparedTo": {"destination": item["spec"]["destination"], "source": synced_from},
            "revision": revision,
            "status": "Synced",
        },
    }


def adopted(name: str, *, revision: str, now: float) -> Object:
    """Return an Application of the hub that Argo CD took over: Synced and Healthy, never operated on."""
    item = application(name, Environment("hub", "direct", "hub"))
    del item["metadata"]["finalizers"]
    item["metadata"]["labels"] = {"stacks.io/component": name}
    status = first_status(item, revision=revision, image="", now=now)
    del status["history"], status["operationState"]
    item["status"] = status | {"summary": {}}
    return item


def history_entry(
    number: int, revision: str, synced_from: Object, *, started_at: str, ended_at: str
) -> Object:
    """Return an entry of `status.history`."""
    return {
        "deployStartedAt": started_at,
        "deployedAt": ended_at,
        "id": number,
        "initiatedBy": {"automated": True},
        "revision": revision,
        "source": synced_from,
    }


def mirror(original: Object, agent: str, *, is_autonomous: bool) -> Object:
    """Return the copy of an Application that argocd-agent keeps on the hub, before it is created there.

    It has the agent's name as its namespace, and shares spec and status with the original, since whoever
    writes the one writes the other; top-level `operation` never travels.
    """
    metadata = original["metadata"]
    spec = original["spec"] | {"destination": {"name": agent, "namespace": metadata["name"]}}
    return {
        "apiVersion": original["apiVersion"],
        "kind": "Application",
        "metadata": {
            "name": metadata["name"],
            "namespace": agent,
            "labels": metadata["labels"],
            "annotations": {"argocd.argoproj.io/source-uid": metadata["uid"]},
        },
        "spec": spec | ({"project": f"{agent}-default"} if is_autonomous else {}),
        "status": original["status"],
    }


def source(item: Object) -> Object:
    """Return where an Application syncs from."""
    spec = item["spec"]
    if "source" in spec:
        return dict(spec["source"])
    hydrator = spec["sourceHydrator"]
    return {
        "path": hydrator["syncSource"]["path"],
        "repoURL": hydrator["drySource"]["repoURL"],
        "targetRevision": hydrator["syncSource"]["targetBranch"],
    }


def resources(name: str, sync_status: str) -> list[Object]:
    """Return `status.resources`: a Service and a Deployment."""
    return [
        {
            **({"group": group} if group else {}),
            "kind": kind,
            "name": name,
            "namespace": name,
            "status": "Synced" if kind == "Service" else sync_status,
            "version": "v1",
        }
        for group, kind in _KIND_OF_WAVE
    ]


def sync_resources(
    name: str,
    *,
    image: str,
    kinds: Iterable[str] = ("Service", "Deployment"),
    refusal: str = "",
    hook_phase: str = "",
) -> list[Object]:
    """Return `syncResult.resources` of an attempt.

    Args:
        name: Of the Application, and of what it consists of.
        image: What the Deployment runs.
        kinds: How far it has come.
        refusal: What the API server answers to the Deployment; empty if it takes it.
        hook_phase: How far the hook has come that migrates the database; empty if there is none.
    """
    found = [_hook(name, hook_phase)] if hook_phase else []
    for group, kind in _KIND_OF_WAVE:
        if kind not in kinds:
            continue
        is_refused = bool(refusal) and kind == "Deployment"
        lower = f"{kind.lower()}.{group}" if group else kind.lower()
        found.append(
            {
                "group": group,
                "hookPhase": "Failed" if is_refused else "Running",
                **({"images": [image]} if kind == "Deployment" and image else {}),
                "kind": kind,
                "message": refusal if is_refused else f"{lower}/{name} serverside-applied",
                "name": name,
                "namespace": name,
                "status": "SyncFailed" if is_refused else "Synced",
                "syncPhase": "Sync",
                "version": "v1",
            }
        )
    return found


def _hook(name: str, phase: str) -> Object:
    message = (
        "Reached expected number of succeeded pods"
        if phase == "Succeeded"
        else f"job.batch/{name}-db-migrate created"
    )
    return {
        "group": "batch",
        "hookPhase": phase,
        "hookType": "PreSync",
        "kind": "Job",
        "message": message,
        "name": f"{name}-db-migrate",
        "namespace": name,
        "syncPhase": "PreSync",
        "version": "v1",
    }


WEBHOOK_TIMEOUT = (
    'Internal error occurred: failed calling webhook "mutate.kueue.x-k8s.io": failed to call webhook: '
    'Post "https://kueue-webhook-service.kueue-system.svc:443/mutate?timeout=10s": context deadline exceeded'
)
"""Why most syncs fail that succeed when they are tried again."""


def condition(kind: str, message: str, now: float) -> dict[str, Any]:
    """Return a condition of an Application, which is there while it is true."""
    return {"lastTransitionTime": stamp(now), "message": message, "type": kind}
