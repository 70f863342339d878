"""What looks like an incident and is none: Applications of the hub that are never as Argo CD wants."""

from collections.abc import Sequence
from functools import partial

from gitopslab.world.apiserver import Object
from gitopslab.world.clock import HOUR
from gitopslab.world.delivery import applications
from gitopslab.world.delivery.argocd import CONTROLLER
from gitopslab.world.incidents.story import Blast, Kind, Stage, Story

Resource = tuple[str, str, str]
"""Group, kind and name."""


def _resource(resource: Resource, namespace: str, sync: str) -> Object:
    group, kind, name = resource
    known = {"kind": kind, "name": name, "namespace": namespace, "status": sync, "version": "v1"}
    return known | ({"group": group} if group else {})


def _standing(name: str, drifted: Sequence[Resource], health: str, stage: Stage) -> Story:
    """Play an Application that is OutOfSync by `drifted` only, or whose health is odd."""
    api, revision = stage.clusters["hub"], stage.delivery.config.head.sha
    item = applications.adopted(name, revision=revision, now=stage.clock.now)
    status = item["status"]
    status["sync"]["status"] = "OutOfSync" if drifted and health == "Healthy" else "Synced"
    status["health"]["status"] = health
    sync = status["sync"]["status"]
    status["resources"] += [_resource(each, name, sync) for each in drifted]
    if health != "Healthy":
        status["health"]["message"] = "waiting for first consumer to be created before binding"
    api.create(item, manager=CONTROLLER)
    yield Blast("hub", [item])
    api.delete(item)


def _kind(key: str, name: str, cause: str, tell: "partial[Story]") -> Kind:
    return Kind(key, name, "benign", "benign", 12 * HOUR, cause, tell, "design")


KINDS = (
    _kind(
        "A6",
        "Adopted application without operation",
        "it never needed an operation",
        partial(_standing, "cert-manager", (), "Healthy"),
    ),
    _kind(
        "A7",
        "Drift of ExternalSecrets in the root application",
        "defaults of the operator under server-side apply",
        partial(
            _standing,
            "root-application",
            (("external-secrets.io", "ExternalSecret", "github-app"),),
            "Healthy",
        ),
    ),
    _kind(
        "A8",
        "Drift of an ExternalSecret without a difference",
        "the server fills in fields",
        partial(
            _standing,
            "external-secrets-config",
            (("external-secrets.io", "ExternalSecret", "model-keys"),),
            "Healthy",
        ),
    ),
    _kind(
        "A9",
        "Drift of a Tailscale egress",
        "the operator rewrites the name that it points to",
        partial(_standing, "dev-spoke-transport", (("", "Service", "dev-spoke-egress"),), "Healthy"),
    ),
    _kind(
        "A10",
        "Cache that waits for its first consumer",
        "the volume is bound only once a pod wants it",
        partial(
            _standing,
            "hub-swebench-runtime-builds",
            (("", "PersistentVolumeClaim", "buildkit-cache"),),
            "Progressing",
        ),
    ),
    _kind(
        "A11",
        "Drift of Tekton's defaults",
        "the webhook fills in empty fields",
        partial(
            _standing,
            "tekton-pipelines-config",
            (("tekton.dev", "Pipeline", "swe-env"), ("tekton.dev", "Task", "pin-environment")),
            "Healthy",
        ),
    ),
)
