"""Objects that stand in every cluster of the fleet and hardly change: namespaces, projects, the generator."""

from collections.abc import Mapping, Sequence

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.delivery.applications import NAMESPACE
from gitopslab.world.delivery.commits import CONFIG_URL

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
                "message": "All applications have been generated successfully",
                "reason": "ApplicationSetUpToDate",
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
    }
    hub.patch_status(item, manager="argocd-applicationset-controller")


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
        "metadata": {"name": "default", "namespace": NAMESPACE},
        "spec": {
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            "destinations": [{"namespace": "*", "server": "*"}],
            "sourceRepos": ["*"],
        },
        "status": {},
    }


def _application_set() -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "spoke-workloads", "namespace": NAMESPACE},
        "spec": {
            "generators": [
                {
                    "git": {
                        "directories": [{"path": "packages/dev/*"}],
                        "repoURL": CONFIG_URL,
                        "revision": "main",
                    }
                }
            ],
            "goTemplate": True,
            "template": {
                "metadata": {"name": "{{ .path.basename }}", "namespace": "dev"},
                "spec": {
                    "destination": {"name": "dev", "namespace": "{{ .path.basename }}"},
                    "project": "default",
                    "source": {
                        "path": "{{ .path.path }}",
                        "repoURL": CONFIG_URL,
                        "targetRevision": "main",
                    },
                },
            },
        },
    }
