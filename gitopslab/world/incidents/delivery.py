"""Incidents of Argo CD: operations that hang, fail or are refused, and what cannot be compared."""

from collections.abc import Callable
from functools import partial

from gitopslab.world.clock import HOUR, MINUTE
from gitopslab.world.delivery import applications
from gitopslab.world.delivery.argocd import CONTROLLER, Application, Flaw
from gitopslab.world.delivery.sync_operation import kitchen_time, report_failure
from gitopslab.world.events import Recorder
from gitopslab.world.incidents.rollout import blast
from gitopslab.world.incidents.story import Blast, Kind, Stage, Story

_HOOKED = "workflow-builder"
"""The service whose database a hook migrates."""


def _operate(stage: Stage, application: Application, message: str, **state: object) -> None:
    """Let an operation of `application` be under way at its revision, as `message` tells of it."""
    item = application.item
    revision, image = item["status"]["sync"]["revision"], item["status"]["summary"]["images"][-1]
    item["operation"] = applications.operation(revision)
    is_hooked = "hook" in message
    result = {
        "resources": applications.sync_resources(
            application.name,
            image=image,
            kinds=() if is_hooked else ("Service",),
            hook_phase="Running" if is_hooked else "",
        ),
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


def _hanging(stage: Stage) -> Story:
    """Play a migration whose Job never ends, so that its sync runs until somebody terminates it."""
    application = yield from stage.idle_application("dev", _HOOKED)
    application.seize()
    stage.change("dev", application, "feat: index the runs")
    yield from stage.seen("dev", application)
    _operate(stage, application, f"waiting for completion of hook batch/Job/{application.name}-db-migrate")
    application.write()
    yield blast("dev", application)
    _fail(stage, application, "Operation terminated")
    application.free()


def _stuck_at_old_revision(stage: Stage) -> Story:
    """Play a change whose sync is tried again and again while its repair waits for that to end."""
    application = yield from stage.idle_application("dev")
    application.seize()
    bad = stage.change("dev", application, "feat: read the settings from a file")
    yield from stage.seen("dev", application)
    message = (
        "one or more synchronization tasks completed unsuccessfully, reason: Deployment exceeded its "
        f"progress deadline. Retrying attempt #4 at {kitchen_time(stage.clock.now + 40)}."
    )
    _operate(stage, application, message, retryCount=4, finishedAt=stage.clock.stamp())
    application.write()
    stage.change("dev", application, "fix: settings are optional")
    yield from stage.seen("dev", application)
    yield blast("dev", application, bad)
    _fail(stage, application, "Operation terminated")
    application.free()


def _refused(environment: str, subject: str, refusal: str, stage: Stage) -> Story:
    """Play a change that the API server refuses: its revision is not tried again until somebody syncs it."""
    application = yield from stage.idle_application(environment)
    change = stage.change(environment, application, subject)
    dry_index = stage.delivery.config.head.index
    flaw = Flaw(dry_index, refusal.replace("NAME", application.name), is_refused=True)
    yield from stage.struck(environment, application, flaw)
    yield blast(environment, application, change)
    application.mend()


def _failing(say: Callable[[str], str], stage: Stage) -> Story:
    """Play an operation of the hub that failed, at a revision that is not tried again by itself."""
    application = yield from stage.idle_application("hub")
    application.seize()
    revision = application.item["status"]["sync"]["revision"]
    message = say(application.name)
    _operate(stage, application, "waiting to start")
    application.show(sync="OutOfSync")
    _fail(stage, application, message)
    report_failure(application.item, revision, stage.clock.now)
    application.write()
    recorder = Recorder(stage.clusters["hub"], CONTROLLER)
    failed = f"Sync operation to {revision} failed: {message}"
    recorder.emit(application.item, "OperationCompleted", failed, "Warning")
    yield blast("hub", application)
    application.free()


def _said(message: str) -> Callable[[str], str]:
    return lambda name: message.replace("NAME", name)


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


def _unmapped(stage: Stage) -> Story:
    """Play an Application of the hub for a spoke whose agent does not dial in any more."""
    api, now = stage.clusters["hub"], stage.clock.now
    item = applications.adopted("spoke-dev-namespaces", revision=stage.delivery.config.head.sha, now=now)
    server = "https://argocd-agent-resource-proxy:9090?agentName=dev"
    destination = {"namespace": "spoke-dev-namespaces", "server": server}
    item["spec"]["destination"] = item["status"]["sync"]["comparedTo"]["destination"] = destination
    api.create(item, manager=CONTROLLER)
    status, health = item["status"], item["status"]["health"]
    message = (
        f'Failed to load live state: failed to get cluster info for "{server}": error synchronizing cache '
        f'state : failed to get server version: Get "{server}&timeout=32s": EOF'
    )
    status["conditions"] = [applications.condition("ComparisonError", message, now)]
    status["sync"]["status"], status["health"] = "Unknown", health | {"status": "Unknown"}
    api.patch_status(item, manager=CONTROLLER)
    yield Blast("hub", [item], "dev")
    del status["conditions"]
    status["health"] = {"lastTransitionTime": stage.clock.stamp(), "status": "Healthy"}
    status["reconciledAt"], status["sync"]["status"] = stage.clock.stamp(), "Synced"
    api.patch_status(item, manager=CONTROLLER)
    stage.clock.after(HOUR, partial(api.delete, item))


def _rejected(message: str, stage: Stage) -> Story:
    """Play an operation that somebody asks for in vain: it leaves an Event and nothing else."""
    application = yield from stage.idle_application("dev")
    recorder = Recorder(stage.clusters["dev"], "argocd-server")
    text = message.replace("SHA", application.target.revision)
    recorder.emit(application.item, "OperationStarted", text, "Warning")
    yield blast("dev", application)


_IMMUTABLE = (
    'Deployment.apps "NAME" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"NAME"}}: '
    "field is immutable"
)
_TOO_LONG = (
    'CustomResourceDefinition.apiextensions.k8s.io "workloads.kueue.x-k8s.io" is invalid: '
    "metadata.annotations: Too long: may not be more than 262144 bytes"
)
_NO_NAMESPACE = 'namespaces "gitea" not found'
_NO_REPOSITORY = (
    'one or more objects failed to apply, reason: Application.argoproj.io "NAME" is invalid: '
    "status.sync.comparedTo.source.repoURL: Required value (retried 5 times)."
)
_NO_CRD = (
    "one or more synchronization tasks are not valid: could not find tailscale.com/ProxyGroup: "
    'no matches for kind "ProxyGroup" in version "tailscale.com/v1alpha1" (retried 5 times).'
)
_BUSY = "rpc error: code = FailedPrecondition desc = another operation is already in progress"
_TRACKS = "rpc error: code = FailedPrecondition desc = Cannot sync to SHA: auto-sync currently set to env/dev"


def _fault(key: str, name: str, seconds: float, cause: str, tell: Callable[[Stage], Story]) -> Kind:
    return Kind(key, name, "fault", "delivery", seconds, cause, tell)


def _slow(key: str, name: str, seconds: float, cause: str, tell: Callable[[Stage], Story]) -> Kind:
    return Kind(key, name, "latency", "delivery", seconds, cause, tell, "person")


KINDS = (
    _fault(
        "A1",
        "Hook-blocked sync",
        35 * MINUTE,
        "the Job of the migration hook is Terminating, held by argocd.argoproj.io/hook-finalizer",
        _hanging,
    ),
    _fault(
        "A2",
        "Stuck operation blocks newer revision",
        50 * MINUTE,
        "the operation under way is pinned to a revision whose pods cannot start",
        _stuck_at_old_revision,
    ),
    _fault(
        "A3",
        "Failed revision never retried",
        2 * HOUR,
        "a field that cannot change was changed, and Argo CD does not try a revision again",
        partial(_refused, "dev", "refactor: select pods by component", _IMMUTABLE),
    ),
    _slow(
        "A4",
        "Concurrent operation rejected",
        5 * MINUTE,
        "somebody syncs while an operation winds down",
        partial(_rejected, _BUSY),
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
    _fault(
        "A13",
        "Stale agent mapping",
        3 * HOUR,
        "the certificate of the spoke's agent has run out, and it does not dial in any more",
        _unmapped,
    ),
    _fault(
        "A14",
        "Parent cannot apply child Application",
        90 * MINUTE,
        "server-side apply sets the status of the child to null",
        partial(_failing, _said(_NO_REPOSITORY)),
    ),
    _fault(
        "A15",
        "Huge CRD wedge",
        3 * HOUR,
        "client-side apply keeps the whole of a new CRD in an annotation",
        partial(_refused, "hub", "chore: take the next release of Kueue", _TOO_LONG),
    ),
    _fault(
        "A16",
        "Kustomize add clobbers",
        HOUR,
        "two patches add at the same path, and the namespace is lost",
        partial(_refused, "ryzen", "feat: patch the registry for ryzen", _NO_NAMESPACE),
    ),
    _fault(
        "A17",
        "Missing CRD at cold start",
        40 * MINUTE,
        "the dry run comes before the CRD",
        partial(_failing, _said(_NO_CRD)),
    ),
    _slow(
        "A29",
        "Autosync refuses revision sync",
        5 * MINUTE,
        "somebody syncs to a revision by hand",
        partial(_rejected, _TRACKS),
    ),
)
