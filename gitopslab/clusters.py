"""Clusters, each reached through one kubeconfig context. The only module that imports kubernetes.

Only GET is ever sent. Answers are raw JSON: the client is used for kubeconfig, authentication and
transport, not for its models.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config

from gitopslab.errors import (
    AccessDeniedError,
    BadRequestError,
    BusyError,
    ExpiredError,
    NotServedError,
    SettingsError,
    SourceError,
    UnreachableError,
)
from gitopslab.resources import Resource

IN_CLUSTER = "in-cluster"
"""The context that stands for the cluster this process runs in, by its service account."""

_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 60
# A bookmark comes once a minute, but only where something happened since the watch began.
_SILENCE_SECONDS = 90.0
# A watch keeps its connection; with fewer places in the pool each one more is made and thrown away.
_CONNECTIONS = 64
# Who had to wait so long for more had read everything; what is told first, of the past, may come haltingly.
_PAUSE_SECONDS = 0.001
_LULL_SECONDS = 0.25
_READ_BYTES = 1 << 20
_MAX_LINE_BYTES = 256 << 20
_MAX_REFUSAL_BYTES = 64 << 10


class WatchStream:
    """The lines of one watch, as they arrive; `close()` may be called by another thread.

    It ends when the API server ends it, and after a silence: who asks anew learns whether somebody is there.

    Attributes:
        caught_up_at: The last time, UTC, when all that the API server had told was read, so that the reader
            had to wait; None while what happened before the watch began may still be coming.
    """

    def __init__(self, cluster: str, response: urllib3.BaseHTTPResponse) -> None:
        self._cluster, self._response = cluster, response
        self.caught_up_at: datetime | None = None

    def __iter__(self) -> Iterator[list[bytes]]:
        """Yield the complete lines that arrived together, until the watch ends.

        Raises:
            UnreachableError: The connection broke.
        """
        rest = b""
        with _transport(self._cluster):
            while received := self._receive():
                *lines, rest = (rest + received).split(b"\n")
                if lines:
                    yield lines
                elif len(rest) > _MAX_LINE_BYTES:
                    raise UnreachableError(f"{self._cluster}: a watch event does not end")

    def _receive(self) -> bytes:
        asked_at, started = datetime.now(UTC), monotonic()
        received = b""
        with suppress(urllib3.exceptions.ReadTimeoutError):
            received = self._response.read1(_READ_BYTES)
        if monotonic() - started >= (_LULL_SECONDS if self.caught_up_at is None else _PAUSE_SECONDS):
            self.caught_up_at = asked_at
        return received

    def close(self) -> None:
        """End the watch at once; whoever waits for a line gets an error or the end."""
        # It may have ended by itself, just now.
        with suppress(ValueError, RuntimeError, OSError):
            self._response.shutdown()


@dataclass(frozen=True)
class Cluster:
    """One cluster, under the name that gitopslab.toml gives it.

    Attributes:
        name: That name.
        api: The transport, with its credentials.
        silence_seconds: How long a watch waits to be told something.
    """

    name: str
    api: client.ApiClient
    silence_seconds: float = _SILENCE_SECONDS

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
            answer = json.loads(self.page(path, what=what))
        except ValueError as error:
            raise UnreachableError(f"{self.name}: {_bare(path)}: the answer is not JSON") from error
        if not isinstance(answer, dict):
            raise UnreachableError(f"{self.name}: {_bare(path)}: the answer is not an object")
        return answer

    def page(self, path: str, *, what: str = "") -> bytes:
        """Return the answer at `path` as it came; arguments and errors are those of `get()`.

        Raises:
            ExpiredError: The list that is continued is older than what the API server keeps.
            BusyError: The API server asked to be left alone for a while, or failed.
        """
        with _transport(self.name):
            return bytes(self._open(path, what, _ANSWER_SECONDS).data)

    @contextmanager
    def watch(self, path: str, *, what: str = "") -> Iterator[WatchStream]:
        """Open the watch at `path`; its connection ends with the block. Errors are those of `page()`."""
        with _transport(self.name):
            response = self._open(path, what, self.silence_seconds)
        try:
            yield WatchStream(self.name, response)
        finally:
            response.close()

    def uid(self) -> str:
        """Return the uid of the kube-system namespace, which stands for the cluster's own.

        Raises:
            UnreachableError: What answered is no API server.
        """
        path = "/api/v1/namespaces/kube-system"
        metadata = self.get(path, what="`get` on namespaces").get("metadata")
        if not isinstance(metadata, dict) or not metadata.get("uid"):
            raise UnreachableError(f"{self.name}: {path}: the answer is not a namespace")
        return str(metadata["uid"])

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

    def kinds(self, api_group: str, version: str) -> dict[str, str]:
        """Return the kind of every resource that is served in `version` of `api_group`, by plural name."""
        served = self.get(_prefix(api_group, version)).get("resources") or []
        return {
            str(each["name"]): str(each["kind"])
            for each in served
            if isinstance(each, dict) and {"name", "kind"} <= each.keys() and "/" not in str(each["name"])
        }

    def may_list(self, resource: Resource, version: str) -> None:
        """Return if `resource` can be listed in all namespaces.

        Raises:
            AccessDeniedError: The identity may not; the message names the rule to add.
            NotServedError: The group is served, this resource or version is not.
        """
        self.page(path_of(resource, version, limit=1), what=f"`list` on {resource}")

    def _open(self, path: str, what: str, silence_seconds: float) -> urllib3.BaseHTTPResponse:
        """Return the answer at `path`, of which only the head was read."""
        request = self.api.param_serialize(
            "GET", path, header_params={"Accept": "application/json"}, auth_settings=["BearerToken"]
        )
        timeouts = (_CONNECT_SECONDS, silence_seconds)
        response: urllib3.BaseHTTPResponse = self.api.call_api(*request, _request_timeout=timeouts).response
        if response.status != HTTPStatus.OK:
            body = response.read(_MAX_REFUSAL_BYTES)
            response.close()
            raise self._refusal(response, body, _bare(path), what)
        return response

    def _refusal(self, response: urllib3.BaseHTTPResponse, body: bytes, path: str, what: str) -> SourceError:
        status = response.status
        answered = f"{self.name}: {path}: the API server answered {status}"
        if status == HTTPStatus.NOT_FOUND:
            return NotServedError(f"{self.name}: {path} is not served")
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            unknown = "the API server does not know this identity; log in again"
            grant = f"grant {what or f'`get` on {path}'} to this identity"
            return AccessDeniedError(f"{self.name}: {grant if status == HTTPStatus.FORBIDDEN else unknown}")
        # After etcd was restored from a backup, the version that is asked for is yet to come.
        if status == HTTPStatus.GONE or b"ResourceVersionTooLarge" in body:
            return ExpiredError(answered)
        if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
            return BadRequestError(answered)
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return BusyError(answered, _seconds(response.headers.get("Retry-After", "")))
        return SourceError(answered)


def connect(name: str, context: str) -> Cluster:
    """Return the cluster that kubeconfig context `context` leads to; no request is made yet.

    The context `in-cluster` is the cluster that this process runs in.

    Raises:
        SettingsError: There is no kubeconfig, or no such context in it.
    """
    try:
        api = _in_cluster() if context == IN_CLUSTER else _from_kubeconfig(context)
    except config.ConfigException as error:
        if context == IN_CLUSTER:
            message = f"cluster {name}: this process does not run in a cluster, with a service account"
        else:
            message = f"cluster {name}: no kubeconfig context {context!r}; see `kubectl config get-contexts`"
        raise SettingsError(message) from error
    # One try: whoever calls knows better than the transport whether another is wanted.
    api.rest_client.pool_manager.connection_pool_kw |= {"retries": False, "maxsize": _CONNECTIONS}
    return Cluster(name, api)


def path_of(resource: Resource, version: str, **query: str | int) -> str:
    """Return the path of `resource` in all namespaces, with `query` behind it.

    Names of the query are the API's own; `continue` is written `continue_`.
    """
    path = f"{_prefix(resource.api_group, version)}/{resource.resource}"
    return f"{path}?{urlencode({key.rstrip('_'): value for key, value in query.items()})}" if query else path


def _prefix(api_group: str, version: str) -> str:
    return f"/apis/{api_group}/{version}" if api_group else f"/api/{version}"


def _in_cluster() -> client.ApiClient:
    configuration = client.Configuration()
    config.load_incluster_config(client_configuration=configuration)
    return client.ApiClient(configuration)


def _from_kubeconfig(context: str) -> client.ApiClient:
    # What a credential plugin complains of may be a credential, and the client logs it with the root logger.
    logging.getLogger().addFilter(_is_not_of_kubeconfig)
    # The client looks at KUBECONFIG once, when it is imported; a path given is looked at each time.
    api: client.ApiClient = config.new_client_from_config(
        config_file=os.environ.get("KUBECONFIG"), context=context
    )
    return api


def _is_not_of_kubeconfig(record: logging.LogRecord) -> bool:
    return record.module != "kube_config"


@contextmanager
def _transport(cluster: str) -> Iterator[None]:
    """Turn what the transport and the credentials' plugin raise into errors that name `cluster`."""
    try:
        yield
    except config.ConfigException as error:
        raise AccessDeniedError(f"{cluster}: the credentials could not be renewed; log in again") from error
    except (client.ApiException, urllib3.exceptions.HTTPError, OSError) as error:
        raise UnreachableError(f"{cluster}: no answer from the API server: {_reason(error)}") from error


def _bare(path: str) -> str:
    return path.partition("?")[0]


def _seconds(text: str) -> float | None:
    return float(text) if text.isdecimal() else None


def _reason(error: Exception) -> str:
    """Return what went wrong, without URLs, which may hold credentials."""
    cause = error.__cause__ or getattr(error, "reason", None) or error
    return type(cause).__name__
