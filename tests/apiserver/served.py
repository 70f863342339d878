"""What the server serves: resources, their versions, and the documents of discovery about them."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from gitopslab.resources import EXTRACTED

Document = dict[str, Any]


class Served(NamedTuple):
    """A resource that is served; the first of its versions is the preferred one."""

    group: str
    versions: tuple[str, ...]
    resource: str
    kind: str
    is_namespaced: bool

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


_VERSIONS = {"": ("v1",), "tekton.dev": ("v1", "v1beta1"), "kueue.x-k8s.io": ("v1beta2", "v1beta1")}
_CLUSTER_SCOPED = {"clusterqueues", "cohorts", "resourceflavors"}

NAMESPACES = Served("", ("v1",), "namespaces", "Namespace", is_namespaced=False)
SERVED = (
    NAMESPACES,
    *(
        Served(group, _VERSIONS.get(group, ("v1alpha1",)), resource, kind, resource not in _CLUSTER_SCOPED)
        for group, resource, kind in EXTRACTED
    ),
)

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def discovery(served: Iterable[Served]) -> dict[str, Document]:
    """Return every document of discovery by its path."""
    by_group: dict[str, list[Served]] = {}
    for one in served:
        by_group.setdefault(one.group, []).append(one)
    documents: dict[str, Document] = {
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/version": {"major": "1", "minor": "35", "gitVersion": "v1.35.0", "platform": "linux/amd64"},
    }
    groups = [_group(name, resources) for name, resources in by_group.items() if name]
    documents["/apis"] = {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    for group in groups:
        documents[f"/apis/{group['name']}"] = {"kind": "APIGroup", "apiVersion": "v1", **group}
    for name, resources in by_group.items():
        for version in _versions(resources):
            documents[_prefix(name, version)] = _resource_list(name, version, resources)
    return documents


def _prefix(group: str, version: str) -> str:
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def _versions(resources: list[Served]) -> list[str]:
    return list(dict.fromkeys(version for one in resources for version in one.versions))


def _group(name: str, resources: list[Served]) -> Document:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in _versions(resources)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resource_list(group: str, version: str, resources: list[Served]) -> Document:
    listed: list[Document] = []
    for one in resources:
        if version in one.versions:
            entry = {"singularName": one.kind.lower(), "namespaced": one.is_namespaced, "kind": one.kind}
            listed.append({"name": one.resource, **entry, "verbs": _VERBS})
            listed.append({"name": f"{one.resource}/status", **entry, "verbs": ["get", "patch", "update"]})
    group_version = f"{group}/{version}" if group else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": listed,
    }
