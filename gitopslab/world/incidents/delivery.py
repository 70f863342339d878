"""Incidents of Argo CD: operations that hang or fail, what cannot be compared, pods that cannot start."""

from collections.abc import Callable
from functools import partial

from gitopslab.world.apiserver import Object
from gitopslab.world.clock import HOUR, MINUTE
from gitopslab.world.delivery import applications
from gitopslab.world.delivery.applications import RETRY
from gitopslab.world.delivery.argocd import CONTROLLER, Application, kitchen_time
from gitopslab.world.delivery.commits import image
from gitopslab.world.events import Recorder
from gitopslab.world.incidents.story import Blast, Kind, Stage, Story
from gitopslab.world.random import hexadecimal

Say = Callable[[Stage, Application], str]
"""The message of an operation."""


def _blast(environment: str, application: Application) -> Blast:
    """Return the blast of what strikes one Application; each environment here has its name as its cluster."""
    return Blast(environment, [application.item], environment, application.name)


def _operate(stage: Stage, application: Application, revision: str, message: str, **state: object) -> None:
    """Let an operation of `application` be under way at `revision`, as `message` tells of it."""
    item = application.item
    item["operation"] = {
        "initiatedBy": {"automated": True},
        "retry": RETRY,
        "sync": {"prune": True, "revision": revision},
    }
    result = {
        "resources": applications.sync_resources(application.name, kinds=("Service",)),
        "revision": revision,
        "source": applications.source(item),
    }
    item["status"]["operationState"] = {
        "message": message,
        "operation": item["operation"],
        "phase": "Running",
        "retryCount": 0,
        "startedAt": stage.clock.stamp(),
        "syncResult": result,
        **state,
    }


def _fail(stage: Stage, application: Application, message: str) -> None:
    """Let the operation that is under way fail."""
    application.item["status"]["operationState"] |= {
        "finishedAt": stage.clock.stamp(),
        "message": message,
        "phase": "Failed",
    }
    application.item.pop("operation", None)


def _hanging(environment: str, say: Say, stage: Stage) -> Story:
    """Play an operation that runs until somebody terminates it."""
    application = yield from stage.idle_application(environment)
    application.seize()
    revision = application.item["status"]["sync"]["revision"]
    _operate(stage, application, revision, say(stage, application))
    application.show(sync="OutOfSync")
    yield _blast(environment, application)
    _fail(stage, application, "Operation terminated")
    application.free()


def _hook(_: Stage, application: Application) -> str:
    return f"waiting for completion of hook batch/Job/{application.name}-db-migrate"


def _stuck_at_old_revision(stage: Stage) -> Story:
    """Play an operation that is retried at a revision while there is a newer one."""
    application = yield from stage.idle_application("dev")
    status = application.item["status"]
    while not application.is_idle or status["history"][0]["revision"] == application.target.revision:
        yield None
    application.seize()
    revision = status["history"][0]["revision"]
    message = (
        "one or more synchronization tasks completed unsuccessfully, reason: Deployment exceeded its "
        f"progress deadline. Retrying attempt #5 at {kitchen_time(stage.clock.now + 180)}."
    )
    _operate(stage, application, revision, message, retryCount=5, finishedAt=stage.clock.stamp())
    application.show(sync="OutOfSync")
    yield _blast("dev", application)
    _fail(stage, application, "Operation terminated")
    application.free()


def _failing(environment: str, say: Say, stage: Stage) -> Story:
    """Play an operation that failed, at a revision that is not tried again until somebody says so."""
    application = yield from stage.idle_application(environment)
    application.seize()
    revision, message = application.item["status"]["sync"]["revision"], say(stage, application)
    _operate(stage, application, revision, "waiting to start")
    application.show(sync="OutOfSync")
    _fail(stage, application, message)
    text = f"Failed last sync attempt to [{revision}]: {message}"
    application.item["status"]["conditions"] = [applications.condition("SyncError", text, stage.clock.now)]
    application.write()
    recorder = Recorder(stage.clusters[environment], CONTROLLER)
    failed = f"Sync operation to {revision} failed: {message}"
    recorder.emit(application.item, "OperationCompleted", failed, "Warning")
    yield _blast(environment, application)
    application.free()


def _refused(_: Stage, application: Application) -> str:
    return (
        f"one or more objects failed to apply, reason: Deployment.apps {application.name} is invalid: "
        "spec.selector: field is immutable (retried 5 times)."
    )


def _said(message: str) -> Say:
    return lambda _, application: message.replace("NAME", application.name)


def _incomparable(stage: Stage) -> Story:
    """Play a repo-server that is not up yet: what is compared meanwhile is Unknown."""
    first = yield from stage.idle_application("ryzen")
    idle = [each for each in stage.delivery.applications["ryzen"].values() if each.is_idle and each != first]
    message = (
        "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = "
        'Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp '
        '10.43.118.20:8081: connect: connection refused"'
    )
    for application in (first, *idle):
        application.seize()
        application.item["status"]["conditions"] = [
            applications.condition("ComparisonError", message, stage.clock.now)
        ]
        application.show(sync="Unknown")
    yield Blast("ryzen", [each.item for each in (first, *idle)], "ryzen")
    for application in (first, *idle):
        application.free()


def _rejected(reason: str, message: str, stage: Stage) -> Story:
    """Play an operation that somebody asks for in vain: it leaves an Event and nothing else."""
    application = yield from stage.idle_application("dev")
    recorder = Recorder(stage.clusters["dev"], "argocd-server")
    text = message.replace("SHA", application.target.revision)
    recorder.emit(application.item, reason, text, "Warning")
    yield _blast("dev", application)


def _stale_image(stage: Stage) -> Story:
    """Play an image that stays as it was although the Application is Synced and Healthy."""
    application = yield from stage.idle_application("dev")
    application.seize()
    summary = application.item["status"]["summary"]
    images = summary["images"]
    summary["images"] = [image(application.name, hexadecimal(40, stage.name, "stale"))]
    application.write()
    yield _blast("dev", application)
    application.item["status"]["summary"]["images"] = images
    application.free()


def _unpullable(prefix: str, reference: str, stage: Stage) -> Story:
    """Play an image that no node can pull."""
    application = yield from stage.idle_application("dev")
    application.seize()
    wanted = reference or image(application.name, hexadecimal(40, stage.name, "absent"))
    message = (
        f'{prefix}ImagePullBackOff: Back-off pulling image "{wanted}": ErrImagePull: failed to pull and '
        f'unpack image "{wanted}": failed to resolve reference: {wanted}: not found'
    )
    application.show(health="Progressing", message=message)
    stage.clock.after(4 * MINUTE, lambda: application.show(health="Degraded", message=message))
    yield _blast("dev", application)
    application.free()


def _masked(stage: Stage) -> Story:
    """Play a developer's session that owns the pod: Argo CD is told to look away."""
    application = yield from stage.idle_application("ryzen")
    application.seize()
    item = application.item
    item["metadata"]["annotations"] = {"argocd.argoproj.io/skip-reconcile": "true"}
    images = item["status"]["summary"]["images"]
    item["status"]["summary"]["images"] = [f"localhost:5000/{application.name}:skaffold-dirty"]
    application.write()
    yield _blast("ryzen", application)
    del item["metadata"]["annotations"]
    item["status"]["summary"]["images"] = images
    application.free()


def _sidecar_not_ready(stage: Stage) -> Story:
    """Play a sidecar that never becomes ready after the placement service moved."""
    application = yield from stage.idle_application("dev")
    application.seize()
    application.show(health="Progressing", message="Waiting for rollout to finish: 1 of 2 pods are ready")
    message = (
        'Readiness probe failed: HTTP probe failed with statuscode: 500: {"errorCode":"ERR_HEALTH_NOT_READY"}'
    )
    Recorder(stage.clusters["dev"], "kubelet").emit(_pod(application), "Unhealthy", message, "Warning")
    yield _blast("dev", application)
    application.free()


def _pod(application: Application) -> Object:
    metadata = application.item["metadata"]
    name = f"{application.name}-{hexadecimal(10, metadata['uid'])}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": application.name,
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
    }


_TOO_LONG = (
    "one or more objects failed to apply, reason: CustomResourceDefinition.apiextensions.k8s.io "
    '"workloads.kueue.x-k8s.io" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes'
)
_NO_REPOSITORY = (
    'one or more objects failed to apply, reason: Application.argoproj.io "NAME" is invalid: '
    "status.sync.comparedTo.source.repoURL: Required value"
)
_NO_NAMESPACE = 'one or more objects failed to apply, reason: namespaces "gitea" not found'
_NO_CRD = (
    "one or more synchronization tasks are not valid: could not find tailscale.com/ProxyGroup: "
    'no matches for kind "ProxyGroup" in version "tailscale.com/v1alpha1"'
)
_BUSY = "rpc error: code = FailedPrecondition desc = another operation is already in progress"
_TRACKS = "rpc error: code = FailedPrecondition desc = Cannot sync to SHA: auto-sync currently set to env/dev"

KINDS = (
    Kind(
        "A1",
        "Hook-blocked sync",
        "fault",
        "delivery",
        35 * MINUTE,
        "the Job of the migration hook is Terminating, held by argocd.argoproj.io/hook-finalizer",
        partial(_hanging, "dev", _hook),
    ),
    Kind(
        "A2",
        "Stuck operation blocks newer revision",
        "fault",
        "delivery",
        50 * MINUTE,
        "the operation under way is pinned to a revision whose pods cannot start",
        _stuck_at_old_revision,
    ),
    Kind(
        "A3",
        "Failed revision never retried",
        "fault",
        "delivery",
        2 * HOUR,
        "a field that cannot change was changed, and Argo CD does not try a revision again",
        partial(_failing, "dev", _refused),
    ),
    Kind(
        "A4",
        "Concurrent operation rejected",
        "latency",
        "delivery",
        5 * MINUTE,
        "somebody syncs while an operation winds down",
        partial(_rejected, "OperationStarted", _BUSY),
    ),
    Kind(
        "A12",
        "Repo-server cold start",
        "latency",
        "delivery",
        8 * MINUTE,
        "the repo-server restarts",
        _incomparable,
    ),
    Kind(
        "A14",
        "Parent cannot apply child Application",
        "fault",
        "delivery",
        90 * MINUTE,
        "server-side apply sets the status of the child to null",
        partial(_failing, "hub", _said(_NO_REPOSITORY)),
    ),
    Kind(
        "A15",
        "Huge CRD wedge",
        "fault",
        "delivery",
        3 * HOUR,
        "client-side apply keeps the whole CRD in an annotation",
        partial(_failing, "hub", _said(_TOO_LONG)),
    ),
    Kind(
        "A16",
        "Kustomize add clobbers",
        "fault",
        "delivery",
        HOUR,
        "two patches add at the same path, and the namespace is lost",
        partial(_failing, "ryzen", _said(_NO_NAMESPACE)),
    ),
    Kind(
        "A17",
        "Missing CRD at cold start",
        "fault",
        "delivery",
        40 * MINUTE,
        "the dry run comes before the CRD",
        partial(_failing, "hub", _said(_NO_CRD)),
    ),
    Kind(
        "A18",
        "Synced but image stale",
        "fault",
        "delivery",
        4 * HOUR,
        "the image override is missing in the source",
        _stale_image,
    ),
    Kind(
        "A20",
        "Image tag absent",
        "fault",
        "delivery",
        70 * MINUTE,
        "the build of the tag never ran",
        partial(_unpullable, "", ""),
    ),
    Kind(
        "A21",
        "Utility image unreachable",
        "fault",
        "delivery",
        55 * MINUTE,
        "a registry that only ryzen reaches is pinned for all",
        partial(_unpullable, "Init:", "gitea.cnoe.localtest.me:8443/giteaadmin/busybox:1.36"),
    ),
    Kind(
        "A22",
        "Skaffold mask",
        "fault",
        "delivery",
        5 * HOUR,
        "a developer's session owns the pod",
        _masked,
    ),
    Kind(
        "A28",
        "Sidecar not ready",
        "fault",
        "delivery",
        30 * MINUTE,
        "the placement service moved",
        _sidecar_not_ready,
    ),
    Kind(
        "A29",
        "Autosync refuses revision sync",
        "latency",
        "delivery",
        5 * MINUTE,
        "somebody syncs to a revision by hand",
        partial(_rejected, "OperationStarted", _TRACKS),
    ),
)
