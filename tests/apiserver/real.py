"""A real API server, where etcd and kube-apiserver are installed: it speaks for itself.

It takes the words of `Store` (put, delete, compact, log) and of `ApiServer` (start, stop, url), so that the
same tests run against it. Objects are of CRDs made up on the spot, which take anything.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import msgspec
import urllib3

from tests.apiserver.served import SERVED, Served
from tests.apiserver.server import certificate
from tests.apiserver.store import Object, Version

_READY_SECONDS = 120
_PRESERVE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def binaries() -> tuple[str, str] | None:
    """Return where etcd and kube-apiserver are, by KUBEBUILDER_ASSETS or PATH; None if one is missing."""
    path = os.pathsep.join((os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ.get("PATH", "")))
    etcd, server = shutil.which("etcd", path=path), shutil.which("kube-apiserver", path=path)
    return (etcd, server) if etcd and server else None


def tells_progress() -> bool:
    """Return whether etcd can be asked how far it is; else no watch can begin with what is there."""
    printed = subprocess.run(
        [_installed()[0], "--version"], capture_output=True, text=True, check=True
    ).stdout
    numbers = re.findall(r"\d+", printed.partition("\n")[0])
    return tuple(map(int, numbers)) >= (3, 5, 8)


def _installed() -> tuple[str, str]:
    found = binaries()
    assert found, "etcd and kube-apiserver are not installed"
    return found


class RealServer:
    """etcd and kube-apiserver in processes of their own, with everything they write in `folder`.

    RBAC decides, and `token` may do everything.

    Args:
        folder: An empty folder.
        resources: What is served besides what is built in, named as `applications.argoproj.io`; objects
            live in the namespace `n`.
    """

    token = "t0ken"  # noqa: S105 - of a server that lasts for one test

    def __init__(self, folder: Path, resources: Iterable[str]) -> None:
        self.ca_file = certificate(folder)
        self.url = f"https://127.0.0.1:{_free_port()}"
        self._folder = folder
        wanted = set(resources)
        self._served = {str(one): one for one in SERVED if str(one) in wanted}
        self._log: dict[str, list[Version]] = {resource: [] for resource in self._served}
        self._etcd_url = f"http://127.0.0.1:{_free_port()}"
        self._http = urllib3.PoolManager(
            ca_certs=str(self.ca_file), headers={"Authorization": f"Bearer {self.token}"}, retries=False
        )
        self._etcd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start both, and return when all resources are served."""
        self._run_both()
        self.send("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}})
        defined = [one for one in self._served.values() if "." in one.group]
        for one in defined:
            self.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", _definition(one))
        for one in defined:
            self._wait_for(_path(one))

    def stop(self) -> None:
        """End both."""
        _end(self._server)
        _end(self._etcd)
        self._etcd = self._server = None
        self._http.clear()

    def put(self, resource: str, item: Object) -> Version:
        """Create or replace an object in the namespace `n`."""
        one = self._served[resource]
        item = {"apiVersion": _api_version(one), "kind": one.kind, **item}
        path = f"{_path(one, 'n')}/{item['metadata']['name']}"
        there = self.ask("GET", path)
        if there.status == HTTPStatus.NOT_FOUND:
            return self._note(resource, "ADDED", self.send("POST", _path(one, "n"), item))
        version = there.json()["metadata"]["resourceVersion"]
        metadata = item["metadata"] | {"resourceVersion": version}
        return self._note(resource, "MODIFIED", self.send("PUT", path, item | {"metadata": metadata}))

    def delete(self, resource: str, name: str, namespace: str) -> Version:
        """Delete an object; which version that made only a watch tells."""
        path = _path(self._served[resource], namespace)
        last = self.ask("GET", f"{path}/{name}").json()["metadata"]["resourceVersion"]
        self.ask("DELETE", f"{path}/{name}")
        query = f"?watch=1&fieldSelector=metadata.name%3D{name}&resourceVersion={last}"
        told = self.ask("GET", path + query, preload_content=False)
        event = json.loads(next(iter(told)))
        told.close()
        assert event["type"] == "DELETED", event
        return self._note(resource, "DELETED", event["object"])

    def compact(self) -> None:
        """Let etcd forget what is past; the API server still remembers a part."""
        revision = self.ask("GET", "/api/v1/namespaces").json()["metadata"]["resourceVersion"]
        body = {"revision": int(revision), "physical": True}
        self._http.request("POST", f"{self._etcd_url}/v3/kv/compaction", json=body)

    def forget(self) -> None:
        """Let both forget what is past, and break every connection."""
        self.compact()
        self._run_both()

    def save(self) -> None:
        """Save what etcd holds, for `restore()`."""
        self.stop()
        shutil.copytree(self._folder / "etcd", self._folder / "saved")
        self._run_both()

    def restore(self) -> None:
        """Bring back what was saved: all that happened since has never happened."""
        self.stop()
        shutil.rmtree(self._folder / "etcd")
        shutil.move(self._folder / "saved", self._folder / "etcd")
        self._run_both()

    def log(self, resource: str) -> list[Version]:
        """Return every version of `resource` that was committed, in order."""
        return list(self._log[resource])

    def ask(
        self, method: str, path: str, document: Object | None = None, *, preload_content: bool = True
    ) -> urllib3.BaseHTTPResponse:
        """Return the answer, whatever it is."""
        return self._http.request(method, self.url + path, json=document, preload_content=preload_content)

    def send(self, method: str, path: str, document: Object) -> Object:
        """Return the object that came of `document`, which has to be taken."""
        answer = self.ask(method, path, document)
        assert answer.status < HTTPStatus.BAD_REQUEST, answer.data
        return dict(answer.json())

    def _note(self, resource: str, event_type: str, item: Object) -> Version:
        version = _version(event_type, item)
        self._log[resource].append(version)
        return version

    def _run_both(self) -> None:
        etcd, server = _installed()
        _end(self._server)
        if not self._etcd:
            self._etcd = self._run(etcd, *_etcd_arguments(self._folder, self._etcd_url))
        self._server = self._run(server, *self._server_arguments())
        self._wait_for("/readyz")

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{Path(program).name}.log").open("ab") as log:
            return subprocess.Popen([program, *arguments], stdout=log, stderr=log)

    def _server_arguments(self) -> list[str]:
        key = str(self.ca_file.with_name("key.pem"))
        tokens = self._folder / "tokens.csv"
        tokens.write_text(f"{self.token},admin,admin,system:masters\n")
        return [
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={urllib3.util.parse_url(self.url).port}",
            f"--etcd-servers={self._etcd_url}",
            f"--tls-cert-file={self.ca_file}",
            f"--tls-private-key-file={key}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://127.0.0.1",
            f"--service-account-key-file={self.ca_file}",
            f"--service-account-signing-key-file={key}",
        ]

    def _wait_for(self, path: str) -> None:
        ends_at = time.monotonic() + _READY_SECONDS
        while not self._answers(path):
            assert self._server
            assert self._server.poll() is None, f"it ended; see the logs in {self._folder}"
            assert time.monotonic() < ends_at, f"{path} does not answer; see the logs in {self._folder}"
            time.sleep(0.2)

    def _answers(self, path: str) -> bool:
        try:
            return self.ask("GET", path).status == HTTPStatus.OK
        except urllib3.exceptions.HTTPError:
            return False


def _end(process: subprocess.Popen[bytes] | None) -> None:
    # Asked to end, an API server waits a minute for whoever watches.
    if process:
        process.kill()
        process.wait()


def _etcd_arguments(folder: Path, url: str) -> list[str]:
    peers = f"http://127.0.0.1:{_free_port()}"
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
    ]


def _definition(one: Served) -> Object:
    versions = [
        {"name": name, "served": True, "storage": place == 0, "schema": {"openAPIV3Schema": _PRESERVE}}
        for place, name in enumerate(one.versions)
    ]
    spec = {
        "group": one.group,
        "names": {"plural": one.resource, "singular": one.kind.lower(), "kind": one.kind},
        "scope": "Namespaced" if one.is_namespaced else "Cluster",
        "versions": versions,
    }
    # Groups under *.k8s.io are protected; this says that nobody approved, and that it is known.
    approval = {"api-approved.kubernetes.io": "unapproved, made up by a test"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": str(one), "annotations": approval},
        "spec": spec,
    }


def _api_version(one: Served) -> str:
    return f"{one.group}/{one.versions[0]}" if one.group else one.versions[0]


def _path(one: Served, namespace: str = "") -> str:
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/{'apis' if one.group else 'api'}/{_api_version(one)}{within}/{one.resource}"


def _version(event_type: str, item: Object) -> Version:
    metadata = item["metadata"]
    tail = msgspec.json.encode(
        {name: value for name, value in item.items() if name not in {"apiVersion", "kind"}}
    )[1:]
    return Version(
        int(metadata["resourceVersion"]),
        event_type,
        metadata.get("namespace", ""),
        metadata["name"],
        metadata["uid"],
        metadata.get("labels") or {},
        tail,
        datetime.now(UTC),
    )


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
