"""The reflector, deploy/ and the API server of the tests, held to a real one where that is installed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
import urllib3

from gitopslab.clusters import Cluster, connect
from gitopslab.errors import AccessDeniedError
from gitopslab.extract.kubernetes.catalogue import chosen
from gitopslab.lake import Lake
from gitopslab.resources import EXTRACTED

from .apiserver import kubeconfig, real
from .apiserver.server import ApiServer
from .apiserver.store import Store
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


# --- how the server of the tests answers

COMPARED = "commitstatuses.promoter.argoproj.io"
INITIAL = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
BOOKMARKS = {"allowWatchBookmarks": "true"}


class Said(NamedTuple):
    """What an answer comes to, whatever its wording.

    Attributes:
        status: Of HTTP.
        reason: Of a Status.
        retry_after: The header.
        told: Names in a list, or of a watch the type of each event, with its name or its code.
        has_more: Whether a list goes on.
    """

    status: int
    reason: str
    retry_after: str | None
    told: list[Any]
    has_more: bool


class Version(NamedTuple):
    """A resource version that means the same on both servers: of the last object, and then so many more."""

    after: int

    def on(self, last: int) -> str:
        return str(last + self.after)


Query = dict[str, str | Version]


@pytest.fixture(scope="module")
def both(server) -> Iterator[Callable[[str, Query], tuple[Said, Said]]]:
    """Ask both servers, which have the same three objects."""
    with ApiServer(Store()) as stand_in, urllib3.PoolManager(retries=False) as http:
        for name in "abc":
            last = server.put(COMPARED, item(name, 1)).resource_version
            stand_in_last = stand_in.store.put(COMPARED, item(name, 1)).resource_version

        def ask(path: str, query: Query) -> tuple[Said, Said]:
            asked = f"/apis/promoter.argoproj.io/v1alpha1/{path}"
            return (
                said(server.ask("GET", f"{asked}?{written(query, last)}")),
                said(http.request("GET", f"{stand_in.url}{asked}?{written(query, stand_in_last)}")),
            )

        yield ask


def written(query: Query, last: int) -> str:
    return urlencode({
        name: value.on(last) if isinstance(value, Version) else value for name, value in query.items()
    })  # fmt: skip


def said(answer: urllib3.BaseHTTPResponse) -> Said:
    try:
        documents = [json.loads(line) for line in answer.data.splitlines()]
    except json.JSONDecodeError:
        documents = [{"items": [answer.data]}]
    first = documents[0] if documents else {}
    told = [each["metadata"]["name"] if isinstance(each, dict) else each for each in first.get("items", ())]
    told += [event_of(each["type"], each["object"]) for each in documents if "type" in each]
    has_more = bool(first.get("metadata", {}).get("continue"))
    reason = first.get("reason", "")
    return Said(answer.status, reason, answer.headers.get("Retry-After"), told, has_more)


def event_of(event_type: str, item: dict[str, Any]) -> tuple[Any, ...]:
    metadata = item["metadata"]
    return event_type, item.get("code"), metadata.get("name"), metadata.get("annotations")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"limit": "2"},
        {"limit": "2", "resourceVersion": "0"},
        {"limit": "2", "resourceVersion": Version(0), "resourceVersionMatch": "NotOlderThan"},
        {"resourceVersion": Version(-1), "resourceVersionMatch": "Exact"},
        {"resourceVersion": Version(100_000)},
        {"resourceVersion": "x"},
        {"resourceVersion": "0", "resourceVersionMatch": "Exact"},
        {"resourceVersion": "1", "resourceVersionMatch": "Newest"},
        {"resourceVersionMatch": "Exact"},
        {"continue": "not a token"},
        {"limit": "many"},
        {"fieldSelector": "metadata.name=b"},
        {"fieldSelector": "spec.number=1"},
        {"labelSelector": "!team"},
        {"labelSelector": "a=b=c"},
        {"sendInitialEvents": "true"},
        {"watch": "1"},
        {"watch": "1", "resourceVersion": "0"},
        {"watch": "1", "resourceVersion": "1"},
        {"watch": "1", "resourceVersion": "x"},
        {"watch": "1", "resourceVersion": Version(-1)},
        {"watch": "1", "resourceVersion": Version(-1), "fieldSelector": "metadata.name=a"},
        {"watch": "1", "resourceVersion": Version(100_000)},
        {"watch": "1", "resourceVersionMatch": "NotOlderThan"},
        {"watch": "1", "sendInitialEvents": "true"},
        {"watch": "1", **INITIAL},
        {"watch": "1", **INITIAL, **BOOKMARKS},
        {"watch": "1", **INITIAL, **BOOKMARKS, "resourceVersion": Version(100_000)},
    ],
    ids=lambda query: "&".join(query) or "plain",
)
def test_the_server_of_the_tests_answers_as_a_real_one(both, query):
    if query.keys() >= INITIAL.keys() and not real.tells_progress():
        pytest.skip("etcd is too old to be asked how far it is, so that no watch begins with what is there")
    seconds = {"timeoutSeconds": "1"} if "watch" in query else {}
    really, found = both("commitstatuses", query | seconds)

    assert found == really


@pytest.mark.parametrize("path", ["namespaces/n/commitstatuses/none", "nothings"])
def test_what_is_not_there_is_said_as_a_real_one_does(both, path):
    really, found = both(path, {})

    assert found == really
