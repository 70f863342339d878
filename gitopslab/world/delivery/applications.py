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
                "syncOptions": ["CreateNamespace=true", "ServerSideApply=true"],
            },
        },
    }


def first_status(item: Object, *, revision: str, image: str, now: float) -> Object:
    """Return the status of an Application that has been synced to `revision` and runs `image`."""
    name, synced_from = item["metadata"]["name"], source(item)
    is_hydrated = "sourceHydrator" in item["spec"]
    return {
        "controllerNamespace": NAMESPACE,
        "health": {"lastTransitionTime": stamp(now), "status": "Healthy"},
        "history": [history_entry(0, revision, synced_from, started_at=stamp(now), ended_at=stamp(now))],
        "reconciledAt": stamp(now),
        "resources": resources(name, "Synced", "Healthy"),
        "sourceType": "Directory" if is_hydrated else "Kustomize",
        "summary": {"images": [image]},
        "sync": {
            "comparedTo": {"destination": item["spec"]["destination"], "source": synced_from},
            "revision": revision,
            "status": "Synced",
        },
    }


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


def resources(name: str, sync_status: str, health: str) -> list[Object]:
    """Return `status.resources`: a Service and a Deployment."""
    return [
        {
            **({"group": group} if group else {}),
            "health": {"status": "Healthy" if kind == "Service" else health},
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
    is_failed: bool = False,
    has_hook: bool = False,
    kinds: Iterable[str] = ("Service", "Deployment"),
) -> list[Object]:
    """Return `syncResult.resources` after an attempt that reached `kinds`."""
    found: list[Object] = []
    if has_hook:
        found.append(
            {
                "group": "batch",
                "hookPhase": "Succeeded",
                "hookType": "PreSync",
                "kind": "Job",
                "message": "Reached expected number of succeeded pods",
                "name": f"{name}-db-migrate",
                "namespace": name,
                "syncPhase": "PreSync",
                "version": "v1",
            }
        )
    for group, kind in _KIND_OF_WAVE:
        if kind not in kinds:
            continue
        fails = is_failed and kind == "Deployment"
        lower = f"{kind.lower()}.{group}" if group else kind.lower()
        found.append(
            {
                "group": group,
                "hookPhase": "Failed" if fails else "Running",
                "kind": kind,
                "message": _REFUSAL if fails else f"{lower}/{name} serverside-applied",
                "name": name,
                "namespace": name,
                "status": "SyncFailed" if fails else "Synced",
                "syncPhase": "Sync",
                "version": "v1",
            }
        )
    return found


_REFUSAL = (
    'Internal error occurred: failed calling webhook "mutate.kueue.x-k8s.io": '
    "failed to call webhook: context deadline exceeded"
)


def condition(kind: str, message: str, now: float) -> dict[str, Any]:
    """Return a condition of an Application, which is there while it is true."""
    return {"lastTransitionTime": stamp(now), "message": message, "type": kind}
