"""Kubernetes resources by kind: which API group serves a kind, and under which plural name."""

from typing import NamedTuple


class Resource(NamedTuple):
    """A resource as the API server names it: `Resource("argoproj.io", "applications", "Application")`.

    Attributes:
        api_group: The API group; empty for the core group.
        resource: The plural name that stands in URLs and RBAC rules.
        kind: The name that stands in objects.
    """

    api_group: str
    resource: str
    kind: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.api_group}" if self.api_group else self.resource


EXTRACTED = (
    Resource("argoproj.io", "applications", "Application"),
    Resource("argoproj.io", "applicationsets", "ApplicationSet"),
    Resource("argoproj.io", "appprojects", "AppProject"),
    Resource("promoter.argoproj.io", "promotionstrategies", "PromotionStrategy"),
    Resource("promoter.argoproj.io", "changetransferpolicies", "ChangeTransferPolicy"),
    Resource("promoter.argoproj.io", "pullrequests", "PullRequest"),
    Resource("promoter.argoproj.io", "commitstatuses", "CommitStatus"),
    Resource("promoter.argoproj.io", "timedcommitstatuses", "TimedCommitStatus"),
    Resource("promoter.argoproj.io", "argocdcommitstatuses", "ArgoCDCommitStatus"),
    Resource("tekton.dev", "pipelineruns", "PipelineRun"),
    Resource("tekton.dev", "taskruns", "TaskRun"),
    Resource("kueue.x-k8s.io", "clusterqueues", "ClusterQueue"),
    Resource("kueue.x-k8s.io", "localqueues", "LocalQueue"),
    Resource("kueue.x-k8s.io", "workloads", "Workload"),
    Resource("kueue.x-k8s.io", "resourceflavors", "ResourceFlavor"),
    Resource("kueue.x-k8s.io", "cohorts", "Cohort"),
    Resource("apps", "deployments", "Deployment"),
    Resource("", "nodes", "Node"),
    Resource("", "pods", "Pod"),
    Resource("", "events", "Event"),
)
"""What gitopslab has typed tables for, in the order a change passes through them."""

# Plural names that the rule below would miss; `Endpoints` is the API server's own exception.
_IRREGULAR = {"Endpoints": "endpoints", "EndpointSlice": "endpointslices"}


def split_api_version(api_version: str) -> tuple[str, str]:
    """Return group and version: `argoproj.io/v1alpha1` is ("argoproj.io", "v1alpha1"), `v1` is ("", "v1")."""
    group, _, version = api_version.rpartition("/")
    return group, version


def resource_of_kind(kind: str) -> str:
    """Return the plural that `kind` is served under, as far as its name tells.

    The rule is apimachinery's UnsafeGuessKindToResource (pkg/api/meta/restmapper.go): lower case,
    then -s becomes -ses, -y becomes -ies, all else takes -s. It is right for every kind in EXTRACTED.
    """
    if kind in _IRREGULAR:
        return _IRREGULAR[kind]
    singular = kind.lower()
    if singular.endswith("s"):
        return f"{singular}es"
    return f"{singular.removesuffix('y')}ies" if singular.endswith("y") else f"{singular}s"
