"""A real API server, where etcd and kube-apiserver are installed: it speaks for itself.

It takes the words of `Store` (put, delete, compact, log) and of `ApiServer` (start, stop, url), so that the
same tests run against it. Objects are of CRDs made up on the spot, which take anything.
"""

import json
import os
import shutil
import socket
import subprocess
import time
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
import urllib3

from tests.apiserver.served import SERVED, Served
from tests.apiserver.server import certificate
from tests.apiserver.store import Object, Version

_READY_SECONDS = 60
_PRESERVE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def binaries() -> tuple[str, str] | None:
    """Return where etcd and kube-apiserver are, by KUBEBUILDER_ASSETS or PATH; None if one is missing."""
    path = os.pathsep.join((os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ.get("PATH", "")))
    etcd, server = shutil.which("etcd", path=path), shutil.which("kube-apiserver", path=path)
    return (etcd, server) if etcd and server else None


class RealServer:
    """etcd and kube-apiserver in processes of their own, with everything they write in `folder`.

    Args:
        folder: An empty folder.
        resources: What is served, named as `applications.argoproj.io`; objects live in the namespace `n`.
    """

    token = "t0ken"  # noqa: S105 - of a server that lasts for one test

    def __init__(self, folder: Path, resources: tuple[str, ...]) -> None:
        self.ca_file = certificate(folder)
        self.url = f"https://127.0.0.1:{_free_port()}"
        self._folder = folder
        self._served = {str(one): one for one in SERVED if str(one) in resources}
        self._etcd_url = f"http://127.0.0.1:{_free_port()}"
        self._http = urllib3.PoolManager(
            ca_certs=str(self.ca_file), headers={"Authorization": f"Bearer {self.token}"}, retries=False
        )
        self._processes: list[subprocess.Popen[bytes]] = []
        self._began_at = ""

    def start(self) -> None:
        """Start both, and return when the CRDs are served."""
        etcd, server = binaries() or ("etcd", "kube-apiserver")
        self._run(etcd, *_etcd_arguments(self._folder, self._etcd_url))
        self._run(server, *self._server_arguments())
        self._wait_for("/readyz")
        self._send("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}})
        for one in self._served.values():
            self._send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", _definition(one))
        for one in self._served.values():
            self._wait_for(_path(one))
        self._began_at = self._list(next(iter(self._served)))["metadata"]["resourceVersion"]

    def stop(self) -> None:
        """End both."""
        for process in reversed(self._processes):
            process.terminate()
            process.wait()
        self._processes.clear()
        self._http.clear()

    def put(self, resource: str, item: Object) -> None:
        """Create or replace an object in the namespace `n`."""
        one = self._served[resource]
        group_version = f"{one.group}/{one.versions[0]}"
        item = {"apiVersion": group_version, "kind": one.kind, **item}
        path = f"{_path(one, 'n')}/{item['metadata']['name']}"
        there = self._http.request("GET", self.url + path)
        if there.status == HTTPStatus.NOT_FOUND:
            self._send("POST", _path(one, "n"), item)
            return
        version = there.json()["metadata"]["resourceVersion"]
        self._send("PUT", path, item | {"metadata": item["metadata"] | {"resourceVersion": version}})

    def delete(self, resource: str, name: str, namespace: str) -> None:
        """Delete an object, if it is there."""
        self._http.request("DELETE", f"{self.url}{_path(self._served[resource], namespace)}/{name}")

    def compact(self) -> None:
        """Let etcd forget what is past."""
        revision = int(self._list(next(iter(self._served)))["metadata"]["resourceVersion"])
        body = json.dumps({"revision": revision, "physical": True})
        self._http.request("POST", f"{self._etcd_url}/v3/kv/compaction", body=body)

    def log(self, resource: str) -> list[Version]:
        """Return every version of `resource` since the start, as the watch cache remembers it."""
        query = f"?watch=1&timeoutSeconds=1&resourceVersion={self._began_at}"
        answer = self._http.request("GET", self.url + _path(self._served[resource]) + query)
        events = [json.loads(line) for line in answer.data.splitlines()]
        return [_version(event["type"], event["object"]) for event in events]

    def _run(self, program: str, *arguments: str) -> None:
        with (self._folder / f"{Path(program).name}.log").open("wb") as log:
            self._processes.append(subprocess.Popen([program, *arguments], stdout=log, stderr=log))

    def _server_arguments(self) -> list[str]:
        key = str(self.ca_file.with_name("key.pem"))
        tokens = self._folder / "tokens.csv"
        tokens.write_text(f"{self.token},reader,reader,system:masters\n")
        return [
            "--bind-address=127.0.0.1",
            f"--secure-port={urllib3.util.parse_url(self.url).port}",
            f"--etcd-servers={self._etcd_url}",
            f"--tls-cert-file={self.ca_file}",
            f"--tls-private-key-file={key}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=AlwaysAllow",
            "--disable-admission-plugins=ServiceAccount",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://127.0.0.1",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
        ]

    def _list(self, resource: str) -> Any:
        return self._http.request("GET", self.url + _path(self._served[resource])).json()

    def _send(self, method: str, path: str, document: Object) -> None:
        answer = self._http.request(method, self.url + path, json=document)
        assert answer.status < HTTPStatus.BAD_REQUEST, answer.data

    def _wait_for(self, path: str) -> None:
        ends_at = time.monotonic() + _READY_SECONDS
        while not self._answers(path):
            assert time.monotonic() < ends_at, f"{path} does not answer; see the logs in {self._folder}"
            time.sleep(0.2)

    def _answers(self, path: str) -> bool:
        try:
            return self._http.request("GET", self.url + path).status == HTTPStatus.OK
        except urllib3.exceptions.HTTPError:
            return False


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


def _path(one: Served, namespace: str = "") -> str:
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{one.group}/{one.versions[0]}{within}/{one.resource}"


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
