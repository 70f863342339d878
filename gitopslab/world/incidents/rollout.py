"""Incidents of what Argo CD rolled out: images that are absent or stale, pods that do not start."""

from functools import partial

from gitopslab.world.apiserver import Object
from gitopslab.world.clock import HOUR, MINUTE
from gitopslab.world.delivery.argocd import Application, Flaw
from gitopslab.world.delivery.commits import image
from gitopslab.world.delivery.policies import HEALTH
from gitopslab.world.events import Recorder
from gitopslab.world.incidents.story import Blast, Kind, Stage, Story
from gitopslab.world.random import hexadecimal


def blast(environment: str, application: Application, cause_change_id: str | None = None) -> Blast:
    """Return the blast of what strikes one Application; each environment here has its name as its cluster."""
    return Blast(environment, [application.item], environment, application.name, cause_change_id)


def _ailing(subject: str, message: str, stage: Stage) -> Story:
    """Play a change whose pods do not become ready; `TAG` and `NAME` are those of the Application."""
    application = yield from stage.idle_application("dev")
    wanted = image(application.name, hexadecimal(40, stage.name, "absent"))
    text = message.replace("IMAGE", wanted).replace("NAME", application.name)
    change = stage.change("dev", application, subject)
    yield from stage.struck("dev", application, Flaw(stage.delivery.config.head.index, text))
    yield blast("dev", application, change)
    application.mend()


def _failing_gate(stage: Stage) -> Story:
    """Play a change that degrades one Application, so that the health gate of all does not open."""
    application = yield from stage.idle_application("dev")
    change = stage.change("dev", application, "feat: probe the readiness of the database")
    flaw = Flaw(stage.delivery.config.head.index, f'Deployment "{application.name}": {_CRASHING}')
    yield from stage.struck("dev", application, flaw)
    policy = stage.policy("dev")
    objects = [policy.gates.items[HEALTH], policy.item]
    yield Blast("hub", objects, "dev", application.name, change)
    application.mend()


def _stale_image(stage: Stage) -> Story:
    """Play a change that loses the image's override: Synced and Healthy, and none that was pinned."""
    application = yield from stage.idle_application("dev")
    application.seize()
    change = stage.change("dev", application, "refactor: move the overrides")
    yield from stage.seen("dev", application)
    summary = application.item["status"]["summary"]
    images = summary["images"]
    summary["images"] = [image(application.name, hexadecimal(40, stage.name, "stale"))]
    application.show(sync="Synced")
    yield blast("dev", application, change)
    application.item["status"]["summary"]["images"] = images
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
    yield blast("ryzen", application)
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
    yield blast("dev", application)
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


def _by_itself(_: Stage) -> Story:
    """Play nothing: it happens by itself, whenever a change is bad."""
    yield None


_CRASHING = "back-off 5m0s restarting failed container"
_UNPULLED = (
    'ImagePullBackOff: Back-off pulling image "IMAGE": ErrImagePull: failed to pull and unpack image '
    '"IMAGE": failed to resolve reference: IMAGE: not found'
)
_OF_RYZEN = "gitea.cnoe.localtest.me:8443/giteaadmin/busybox:1.36"

CRASH_LOOP = Kind(
    "A25",
    "Crash-loop degraded",
    "fault",
    "delivery",
    HOUR,
    "the release crashes some minutes after it starts",
    _by_itself,
)
"""What no script plans: a release of a bad change degrades an Application until it is repaired."""

KINDS = (
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
        "somebody pins a tag whose build never ran",
        partial(_ailing, "chore: run what is not built yet", _UNPULLED),
    ),
    Kind(
        "A21",
        "Utility image unreachable",
        "fault",
        "delivery",
        55 * MINUTE,
        "a registry that only ryzen reaches is pinned for all",
        partial(_ailing, "chore: wait for the database", f"Init:{_UNPULLED.replace('IMAGE', _OF_RYZEN)}"),
    ),
    Kind(
        "A22",
        "Skaffold mask",
        "fault",
        "delivery",
        5 * HOUR,
        "a developer's session owns the pod",
        _masked,
        "person",
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
        "P6",
        "Gate failing",
        "fault",
        "delivery",
        45 * MINUTE,
        "one Application is degraded, and all have to be healthy",
        _failing_gate,
    ),
)
