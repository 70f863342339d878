"""The reflector, deploy/ and the API server of the tests, held to a real one where that is installed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from gitopslab.clusters import Cluster, connect
from gitopslab.errors import AccessDeniedError
from gitopslab.extract.kubernetes.catalogue import chosen
from gitopslab.lake import Lake
from gitopslab.resources import EXTRACTED

from .apiserver import kubeconfig, real
from .test_deploy import DEPLOY, KUSTOMIZATIONS, needs_kubectl, pod, rendered
from .test_reflector import APPLICATIONS, coverage, landed, list_once, until, watching
from .test_reflector_soak import EXAMPLES, RESOURCES, Changes, Reader, item, rule, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(real.binaries() is None, reason="etcd and kube-apiserver are not installed"),
]

_CLUSTER_SCOPED = {"Namespace", "ClusterRole", "ClusterRoleBinding"}


class Identity(NamedTuple):
    """Who asks, for a kubeconfig."""

    url: str
    ca_file: Path
    token: str


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[real.RealServer]:
    running = real.RealServer(tmp_path_factory.mktemp("real"), map(str, EXTRACTED))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def connected(tmp_path, monkeypatch) -> Callable[[kubeconfig.Server], Cluster]:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))

    def connected(asker: kubeconfig.Server) -> Cluster:
        kubeconfig.write(tmp_path / "kubeconfig", dev=asker)
        return connect("dev", "dev")

    return connected


@pytest.fixture
def cluster(connected, server) -> Cluster:
    return connected(server)


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(str(tmp_path / "lake"))


# --- what is read


class RealChanges(Changes):
    """Changes on a real API server, which the reader's restarts, compaction and outages stand between."""

    server: real.RealServer

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self.served = self.server
        self.reader = Reader(Path(self._folder.name), self.server, RESOURCES)
        self.settle()

    @rule()
    def forget(self) -> None:
        self.server.forget()

    def teardown(self) -> None:
        try:
            self.compare()
        finally:
            self.reader.stop()
            self._folder.cleanup()


def test_what_landed_is_what_a_real_api_server_served(server):
    RealChanges.server = server
    run(RealChanges, example_count=EXAMPLES, step_count=12)


def test_what_a_real_api_server_forgot_while_nobody_watched_is_a_gap(server, cluster, lake):
    server.put(APPLICATIONS, item("goes", 1))
    with watching(cluster, lake) as watch:
        until(lambda: watch.is_synced, 30)
    server.delete(APPLICATIONS, "goes", "n")
    server.forget()

    with watching(cluster, lake) as watch:
        until(lambda: watch.is_synced, 30)

    assert (coverage(lake)["gap"], coverage(lake)["list"]) == (1, 2)


def test_a_cluster_that_was_restored_from_a_backup_is_listed_anew(server, cluster, lake):
    server.put(APPLICATIONS, item("app", 1))
    server.save()
    for number in range(100):
        server.put(APPLICATIONS, item("app", number))
    with watching(cluster, lake) as watch:
        until(lambda: watch.is_synced, 30)
        server.restore()
        after = server.put(APPLICATIONS, item("app", -1))
        until(lambda: (after.name, str(after.resource_version)) in landed(lake), 60)

    assert coverage(lake)["gap"] == 1


# --- what deploy/ grants


@pytest.fixture(scope="module")
def extractor(server) -> Identity:
    """The ServiceAccount of deploy/access, which may what its ClusterRole says."""
    for document in rendered(DEPLOY / "access"):
        create(server, document)
    path = "/api/v1/namespaces/gitopslab/serviceaccounts/gitopslab/token"
    token = server.send("POST", path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"})
    return Identity(server.url, server.ca_file, token["status"]["token"])


def create(server: real.RealServer, document: dict[str, Any], query: str = "") -> dict[str, Any]:
    version, kind, metadata = document["apiVersion"], document["kind"], document["metadata"]
    within = "" if kind in _CLUSTER_SCOPED else f"/namespaces/{metadata['namespace']}"
    plural = f"{kind.lower()}s"
    return server.send(
        "POST", f"/{'apis' if '/' in version else 'api'}/{version}{within}/{plural}{query}", document
    )


@needs_kubectl
def test_the_cluster_role_is_enough_to_list_and_watch_every_kind(extractor, connected, lake):
    cluster = connected(extractor)

    assert {outcome.state for outcome in list_once(cluster, lake, chosen(())).outcomes} == {"list"}
    with watching(cluster, lake, chosen(())) as watch:
        until(lambda: watch.is_synced and all(each.state == "watching" for each in watch.reflectors), 60)


@needs_kubectl
def test_the_cluster_role_refuses_secrets_and_the_refusal_says_what_to_grant(extractor, connected, lake):
    cluster = connected(extractor)

    with pytest.raises(AccessDeniedError):
        cluster.page("/api/v1/secrets", what="`list` on secrets")
    [outcome] = list_once(cluster, lake, chosen(("configmaps",))).outcomes
    assert (outcome.state, outcome.message) == (
        "refused",
        "dev: grant `list` on configmaps to this identity",
    )


@needs_kubectl
@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
@pytest.mark.usefixtures("extractor")
def test_a_real_api_server_takes_what_a_kustomization_renders(server, folder):
    for document in rendered(folder):
        name = f"{document['metadata']['name']}-again"
        metadata = document["metadata"] | {"name": name}
        create(server, document | {"metadata": metadata}, "?dryRun=All&fieldValidation=Strict")


@needs_kubectl
@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
@pytest.mark.usefixtures("extractor")
def test_the_restricted_standard_admits_every_pod(server, folder):
    for workload in rendered(folder):
        if workload["kind"] in {"Deployment", "CronJob"}:
            metadata = {"name": workload["metadata"]["name"], "namespace": "gitopslab"}
            document = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod(workload)}
            create(server, document, "?dryRun=All&fieldValidation=Strict")
