"""Clusters, each reached through one kubeconfig context. The only module that imports kubernetes.

Only GET is ever sent. Answers are raw JSON: the client is used for kubeconfig, authentication and
transport, not for its models.
"""

import json
import os
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import urllib3
from kubernetes import client, config

from gitopslab.errors import AccessDeniedError, NotServedError, SettingsError, SourceError, UnreachableError
from gitopslab.resources import Resource

_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Cluster:
    """One cluster, under the name that gitopslab.toml gives it."""

    name: str
    api: client.ApiClient

    def get(self, path: str, *, what: str = "") -> dict[str, Any]:
        """Return the JSON object at `path`.

        Args:
            path: Path and query below the API server's URL.
            what: What a refusal should say to grant, such as "`get` on namespaces".

        Raises:
            UnreachableError: Nobody answered, or not with JSON.
            AccessDeniedError: The identity may not read it.
            NotServedError: There is nothing at `path`.
            SourceError: The API server answered with another error.
        """
        try:
            request = self.api.param_serialize(
                "GET", path, header_params={"Accept": "application/json"}, auth_settings=["BearerToken"]
            )
            response = self.api.call_api(*request, _request_timeout=_TIMEOUT_SECONDS)
            if response.status != HTTPStatus.OK:
                raise self._refusal(response.status, path, what)
            answer = json.loads(response.read())
        except client.ApiException as error:
            raise self._refusal(error.status, path, what) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnreachableError(f"{self.name}: no answer from the API server: {_reason(error)}") from error
        except ValueError as error:
            raise UnreachableError(f"{self.name}: {path}: the answer is not JSON") from error
        if not isinstance(answer, dict):
            raise UnreachableError(f"{self.name}: {path}: the answer is not an object")
        return answer

    def uid(self) -> str:
        """Return the uid of the kube-system namespace, which stands for the cluster's own."""
        namespace = self.get("/api/v1/namespaces/kube-system", what="`get` on namespaces")
        return str(namespace["metadata"]["uid"])

    def versions(self, api_group: str) -> list[str]:
        """Return the versions of `api_group` that the cluster serves, the preferred one first.

        Raises:
            NotServedError: It serves none: the controller is not installed.
        """
        if not api_group:
            return [str(version) for version in self.get("/api")["versions"]]
        group = self.get(f"/apis/{api_group}")
        preferred = group["preferredVersion"]["version"]
        versions = [str(version["version"]) for version in group["versions"]]
        return sorted(versions, key=lambda version: version != preferred)

    def may_list(self, resource: Resource, version: str) -> None:
        """Return if `resource` can be listed in all namespaces.

        Raises:
            AccessDeniedError: The identity may not; the message names the rule to add.
            NotServedError: The group is served, this resource or version is not.
        """
        prefix = f"/apis/{resource.api_group}" if resource.api_group else "/api"
        self.get(f"{prefix}/{version}/{resource.resource}?limit=1", what=f"`list` on {resource}")

    def _refusal(self, status: int | None, path: str, what: str) -> SourceError:
        if status == HTTPStatus.NOT_FOUND:
            return NotServedError(f"{self.name}: {path} is not served")
        if status == HTTPStatus.UNAUTHORIZED:
            return AccessDeniedError(f"{self.name}: the API server does not know this identity; log in again")
        if status == HTTPStatus.FORBIDDEN:
            return AccessDeniedError(f"{self.name}: grant {what or f'`get` on {path}'} to this identity")
        return SourceError(f"{self.name}: {path}: the API server answered {status}")


def connect(name: str, context: str) -> Cluster:
    """Return the cluster that kubeconfig context `context` leads to; no request is made yet.

    Raises:
        SettingsError: There is no kubeconfig, or no such context in it.
    """
    try:
        # The client looks at KUBECONFIG once, when it is imported; a path given is looked at each time.
        api = config.new_client_from_config(config_file=os.environ.get("KUBECONFIG"), context=context)
    except config.ConfigException as error:
        raise SettingsError(
            f"cluster {name}: no kubeconfig context {context!r}; see `kubectl config get-contexts`"
        ) from error
    # One try: whoever calls knows better than the transport whether another is wanted.
    api.rest_client.pool_manager.connection_pool_kw["retries"] = False
    return Cluster(name, api)


def _reason(error: Exception) -> str:
    """Return what went wrong, without URLs, which may hold credentials."""
    cause = error.__cause__ or getattr(error, "reason", None) or error
    return type(cause).__name__
