"""What a cluster serves: the version in which each kind is asked for is discovered, not assumed."""

from threading import Lock

from gitopslab.clusters import Cluster
from gitopslab.errors import NotServedError, SettingsError
from gitopslab.resources import EXTRACTED, Resource

# Kueue converts on the server: the newer version says more, also where the older one is preferred.
_WANTED_VERSION = {"kueue.x-k8s.io": "v1beta2"}


class Catalogue:
    """The groups, versions and kinds of one cluster; each is asked for once, until `forget()`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._alone = Lock()
        self._versions: dict[str, list[str]] = {}
        self._kinds: dict[tuple[str, str], dict[str, str]] = {}

    def forget(self) -> None:
        """Ask anew from now on, as after a controller was installed or upgraded."""
        with self._alone:
            self._versions.clear()
            self._kinds.clear()

    def locate(self, resource: Resource) -> tuple[Resource, str]:
        """Return `resource` with the kind its objects have, and the version to ask for.

        Raises:
            NotServedError: No version of its group has it.
        """
        with self._alone:
            for version in self._ordered_versions(resource.api_group):
                kinds = self._kinds_of(resource.api_group, version)
                if resource.resource in kinds:
                    return resource._replace(kind=kinds[resource.resource]), version
        raise NotServedError(f"{self._cluster.name}: {resource} is not served")

    def _ordered_versions(self, api_group: str) -> list[str]:
        if api_group not in self._versions:
            self._versions[api_group] = self._cluster.versions(api_group)
        wanted = _WANTED_VERSION.get(api_group)
        return sorted(self._versions[api_group], key=lambda version: version != wanted)

    def _kinds_of(self, api_group: str, version: str) -> dict[str, str]:
        if (api_group, version) not in self._kinds:
            self._kinds[api_group, version] = self._cluster.kinds(api_group, version)
        return self._kinds[api_group, version]


def chosen(names: tuple[str, ...], *, besides: tuple[str, ...] = ()) -> tuple[Resource, ...]:
    """Return the resources called `names`, or all that are typed if there is none, and those `besides`.

    Args:
        names: Plural and group, such as `workloads.kueue.x-k8s.io`; the core group has no name (`events`).
            The plural alone stands for a typed resource too.
        besides: More of them, from the settings.

    Raises:
        SettingsError: A name is none, or Secrets are asked for.
    """
    wanted = [_named(name) for name in names] if names else [*EXTRACTED, *map(_named, besides)]
    return tuple(dict.fromkeys(wanted))


def _named(name: str) -> Resource:
    typed = [each for each in EXTRACTED if name in {str(each), each.resource}]
    if len(typed) == 1:
        return typed[0]
    resource, _, api_group = name.partition(".")
    if not resource.isalnum() or resource != resource.lower():
        raise SettingsError(f"resource {name!r}: write plural.group, such as workloads.kueue.x-k8s.io")
    if (resource, api_group) == ("secrets", ""):
        raise SettingsError("resource secrets: Secrets are never read")
    return Resource(api_group, resource, "")
