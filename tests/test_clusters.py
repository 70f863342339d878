"""Against a real HTTP server that answers as an API server does."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from gitopslab.clusters import Cluster, connect, path_of
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

APPLICATIONS = Resource("argoproj.io", "applications", "Application")
ANSWERS: dict[str, tuple[int, object]] = {
    "/api/v1/namespaces/kube-system": (200, {"metadata": {"uid": "cluster-uid"}}),
    "/apis/kueue.x-k8s.io": (
        200,
        {
            "preferredVersion": {"version": "v1beta2"},
            "versions": [{"version": "v1beta1"}, {"version": "v1beta2"}],
        },
    ),
    "/apis/argoproj.io/v1alpha1/applications?limit=1": (403, {"kind": "Status", "code": 403}),
    "/apis/broken": (500, {"kind": "Status"}),
    "/apis/page": (200, "<html>"),
    "/apis/busy": (429, {"kind": "Status"}),
    "/apis/gone": (410, {"kind": "Status", "reason": "Expired"}),
    "/apis/odd": (422, {"kind": "Status"}),
    "/apis/restored": (504, {"details": {"causes": [{"reason": "ResourceVersionTooLarge"}]}}),
    "/apis/lines?watch=1": (200, '{"n": 1}\n{"n": 2}\n{"n":'),
}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch) -> Iterator[Cluster]:
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.command, self.headers["Authorization"]))
            status, answer = ANSWERS.get(self.path, (404, {"kind": "Status", "code": 404}))
            body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Retry-After", "7")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(
            json.dumps(
                {
                    "clusters": [
                        {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
                    ],
                    "users": [{"name": "u", "user": {"token": "t0ken"}}],
                    "contexts": [{"name": "hub", "context": {"cluster": "c", "user": "u"}}],
                }
            )
        )
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        yield connect("hub", "hub")
        server.shutdown()
    assert set(asked) <= {("GET", "Bearer t0ken")}


def test_a_cluster_is_known_by_its_kube_system_namespace(cluster):
    assert cluster.uid() == "cluster-uid"


def test_the_preferred_version_comes_first(cluster):
    assert cluster.versions("kueue.x-k8s.io") == ["v1beta2", "v1beta1"]


def test_a_group_that_is_not_served_is_an_error_of_its_own(cluster):
    with pytest.raises(NotServedError, match=r"^hub: /apis/tekton\.dev is not served"):
        cluster.versions("tekton.dev")


def test_a_refusal_names_what_to_grant(cluster):
    with pytest.raises(
        AccessDeniedError, match=r"^hub: grant `list` on applications\.argoproj\.io to this identity"
    ):
        cluster.may_list(APPLICATIONS, "v1alpha1")


def test_another_status_is_named(cluster):
    with pytest.raises(SourceError, match=r"^hub: /apis/broken: the API server answered 500"):
        cluster.get("/apis/broken")


def test_what_is_no_json_is_no_answer(cluster):
    with pytest.raises(UnreachableError, match=r"^hub: /apis/page: the answer is not JSON"):
        cluster.get("/apis/page")


def test_a_context_that_is_not_there_is_named(cluster):
    with pytest.raises(SettingsError, match=r"cluster dev: no kubeconfig context 'nope'"):
        connect("dev", "nope")


def test_a_busy_server_says_for_how_long(cluster):
    with pytest.raises(BusyError, match="the API server answered 429") as raised:
        cluster.get("/apis/busy")
    assert raised.value.retry_after_seconds == 7


@pytest.mark.parametrize("path", ["/apis/gone", "/apis/restored"])
def test_a_version_that_is_not_known_any_more_or_not_yet_has_expired(cluster, path):
    with pytest.raises(ExpiredError):
        cluster.page(path)


def test_what_an_older_server_does_not_understand_is_an_error_of_its_own(cluster):
    with pytest.raises(BadRequestError):
        cluster.page("/apis/odd")


def test_only_whole_lines_of_a_watch_are_told(cluster):
    with cluster.watch("/apis/lines?watch=1") as stream:
        assert [line for lines in stream for line in lines] == [b'{"n": 1}', b'{"n": 2}']


def test_a_query_stands_in_no_message(cluster):
    with pytest.raises(NotServedError, match=r"^hub: /apis/none is not served$"):
        cluster.page("/apis/none?continue=t0ken")


def test_a_path_names_group_version_and_plural():
    assert path_of(APPLICATIONS, "v1", limit=5, continue_="a b") == (
        "/apis/argoproj.io/v1/applications?limit=5&continue=a+b"
    )
    assert path_of(Resource("", "events", "Event"), "v1") == "/api/v1/events"


def test_outside_a_cluster_there_is_no_in_cluster(monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SettingsError, match="cluster dev: this process does not run in a cluster"):
        connect("dev", "in-cluster")
