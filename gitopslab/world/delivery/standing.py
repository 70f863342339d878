"""Objects that stand in every cluster of the fleet and hardly change: namespaces, projects, the generator."""

from collections.abc import Mapping, Sequence

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.delivery import applications
from gitopslab.world.delivery.commits import CONFIG_URL
from gitopslab.world.scale import ENVIRONMENTS

MANAGER = "argocd-server"


def create(clusters: Mapping[str, ApiServer], generated: Sequence[Object]) -> None:
    """Create what stands in `clusters`; `generated` are Applications that an ApplicationSet made."""
    for api in clusters.values():
        api.create(_project(), manager=MANAGER)
    hub = clusters["hub"]
    item = hub.create(_application_set(), manager="argocd-applicationset-controller")
    now = hub.clock.stamp()
    item["status"] = {
        "conditions": [
            {
                "lastTransitionTime": now,
                "message": _PARAMETERS if kind == "ParametersGenerated" else _UP_TO_DATE,
                "reason": kind if kind == "ParametersGenerated" else "ApplicationSetUpToDate",
                "status": status,
                "type": kind,
            }
            for kind, status in (
                ("ErrorOccurred", "False"),
                ("ParametersGenerated", "True"),
                ("ResourcesUpToDate", "True"),
            )
        ],
        "resources": [
            {
                "group": "argoproj.io",
                "kind": "Application",
                "name": application["metadata"]["name"],
                "namespace": "dev",
                "version": "v1alpha1",
            }
            for application in generated
        ],
        "resourcesCount": len(generated),
    }
    hub.patch_status(item, manager="argocd-applicationset-controller")


_PARAMETERS = "Successfully generated parameters for all Applications"
_UP_TO_DATE = "All applications have been generated successfully"


def create_system_namespace(api: ApiServer) -> None:
    """Create kube-system, by whose uid a cluster is known."""
    name = "kube-system"
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }
    api.create(namespace, manager="kube-apiserver")


def _project() -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "default", "namespace": applications.NAMESPACE},
        "spec": {
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            "destinations": [{"namespace": "*", "server": "*"}],
            "sourceRepos": ["*"],
        },
        "status": {},
    }


def _application_set() -> Object:
    """Return what generates the Applications of dev on the hub, from which its agent takes them."""
    (environment,) = (each for each in ENVIRONMENTS if each.name == "dev")
    name = "{{ .path.basename }}"
    generated = applications.application(name, environment)
    metadata = generated["metadata"] | {"namespace": environment.cluster}
    destination = {"name": environment.cluster, "namespace": name}
    directories = {
        "directories": [{"path": f"packages/{environment.name}/*"}],
        "repoURL": CONFIG_URL,
        "revision": "main",
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "spoke-workloads", "namespace": applications.NAMESPACE},
        "spec": {
            "generators": [{"git": directories}],
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "template": {
                "metadata": metadata,
                "spec": generated["spec"] | {"destination": destination},
            },
        },
    }
