"""The API server of the tests, held to what a real one does, by raw HTTP and by the kubernetes client."""

import http.client
import io
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import zstandard
from kubernetes import client, config, watch

from tests.apiserver import kubeconfig
from tests.apiserver.faults import Fault, Faults, Trouble
from tests.apiserver.replay import Pace, Replayed, fill, replay, writes
from tests.apiserver.server import ApiServer
from tests.apiserver.store import Store
from tests.apiserver.watches import Behaviour

APPLICATIONS = "applications.argoproj.io"
BRIEF = Behaviour(bookmark_seconds=0.05, watch_seconds=0.3)
PATH = "/apis/argoproj.io/v1alpha1/applications"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer(Store(), behaviour=BRIEF) as running:
        yield running


def app(name: str, namespace: str = "argocd", **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels}, "spec": {"project": "p"}}


def put(server: ApiServer, *names: str, **labels: str) -> int:
    return [server.store.put(APPLICATIONS, app(name, **labels)) for name in names][-1].resource_version


def request(
    server: ApiServer, path: str, method: str = "GET", headers: dict[str, str] | None = None, **query
):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    try:
        connection.request(
            method,
            f"{path}?{urlencode(query)}",
            headers=headers or {},
            body=b"{}" if method != "GET" else None,
        )
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def get(server: ApiServer, path: str = PATH, **query) -> dict[str, Any]:
    return json.loads(request(server, path, **query)[1])


def events(server: ApiServer, path: str = PATH, **query) -> list[dict[str, Any]]:
    """Watch until the server ends it."""
    return [json.loads(line) for line in request(server, path, watch="true", **query)[1].splitlines()]


def told(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in found]


def names(page: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in page["items"]]


# Discovery.


def test_discovery_names_groups_versions_and_resources(server):
    assert get(server, "/api")["versions"] == ["v1"]
    assert "kueue.x-k8s.io" in {group["name"] for group in get(server, "/apis")["groups"]}
    assert get(server, "/apis/kueue.x-k8s.io")["preferredVersion"]["version"] == "v1beta2"
    listed = get(server, "/apis/kueue.x-k8s.io/v1beta1")["resources"]
    by_name = {one["name"]: (one["kind"], one["namespaced"]) for one in listed}
    assert by_name["workloads"] == ("Workload", True)
    assert by_name["clusterqueues"] == ("ClusterQueue", False)
    assert get(server, "/version")["major"] == "1"


def test_a_cluster_has_a_kube_system_namespace(server):
    assert get(server, "/api/v1/namespaces/kube-system")["metadata"]["uid"] == server.store.cluster_uid


@pytest.mark.parametrize(
    "path", ["/apis/nobody.io", "/apis/argoproj.io/v2/applications", "/apis/argoproj.io/v1alpha1/x"]
)
def test_what_is_not_served_is_plain_text(server, path):
    assert request(server, path)[:2] == (404, b"404 page not found\n")


def test_an_object_is_served_in_each_version(server):
    server.store.put("workloads.kueue.x-k8s.io", {"metadata": {"name": "w", "namespace": "n"}})
    for version in ("v1beta1", "v1beta2"):
        found = get(server, f"/apis/kueue.x-k8s.io/{version}/namespaces/n/workloads/w")
        assert (found["apiVersion"], found["kind"]) == (f"kueue.x-k8s.io/{version}", "Workload")
    assert get(server, "/apis/kueue.x-k8s.io/v1beta1/namespaces/n/workloads/other")["reason"] == "NotFound"


# Lists.


def test_all_pages_are_of_one_snapshot(server):
    put(server, "a", "b", "c")
    first = get(server, limit=2)
    put(server, "bb", "d")
    server.store.delete(APPLICATIONS, "c", "argocd")
    second = get(server, limit=2, **{"continue": first["metadata"]["continue"]})
    assert (names(first), names(second)) == (["a", "b"], ["c"])
    assert first["metadata"]["remainingItemCount"] == 1
    assert "continue" not in second["metadata"]
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert names(get(server)) == ["a", "b", "bb", "d"]


def test_a_token_expires_with_compaction_and_a_fresh_one_goes_on_without_consistency(server):
    put(server, "a", "b", "c")
    first = get(server, limit=1)
    put(server, "d")
    server.store.compact()
    refusal = get(server, limit=1, **{"continue": first["metadata"]["continue"]})
    assert (refusal["code"], refusal["reason"]) == (410, "Expired")
    rest = get(server, limit=9, **{"continue": refusal["metadata"]["continue"]})
    assert names(rest) == ["b", "c", "d"]
    assert rest["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]


def test_a_full_watch_window_leaves_tokens_as_they_are():
    with ApiServer(Store(window=1), behaviour=BRIEF) as server:
        put(server, "a", "b", "c")
        first = get(server, limit=1)
        put(server, "d", "e")
        assert names(get(server, **{"continue": first["metadata"]["continue"]})) == ["b", "c"]
        assert (
            events(server, resourceVersion=first["metadata"]["resourceVersion"])[0]["object"]["code"] == 410
        )


def test_a_list_at_any_version_has_no_pages(server):
    put(server, "a", "b", "c")
    assert names(get(server, limit=1, resourceVersion="0")) == ["a", "b", "c"]


def test_a_list_can_be_had_as_it_was(server):
    then = put(server, "a")
    put(server, "b")
    exactly = {"resourceVersion": then, "resourceVersionMatch": "Exact"}
    assert names(get(server, **exactly)) == ["a"]
    assert names(get(server, resourceVersion=then, resourceVersionMatch="NotOlderThan")) == ["a", "b"]
    server.store.compact()
    assert get(server, **exactly)["code"] == 410
    assert get(server, resourceVersion=99_999)["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"resourceVersionMatch": "Exact"}, 422),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, 422),
        ({"resourceVersionMatch": "Newest", "resourceVersion": "1"}, 422),
        ({"continue": "not a token"}, 400),
        ({"limit": "many"}, 400),
        ({"fieldSelector": "spec.project=p"}, 400),
        ({"labelSelector": "a=b=c"}, 400),
        ({"sendInitialEvents": "true"}, 422),
        ({"watch": "true", "sendInitialEvents": "true", "allowWatchBookmarks": "true"}, 422),
        ({"continue": "e30", "resourceVersion": "1"}, 400),
        ({"watch": "true", "resourceVersionMatch": "NotOlderThan"}, 422),
        ({"watch": "true", "timeoutSeconds": "x"}, 400),
        ({"watch": "true", "resourceVersion": "x"}, 500),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(server, query, code):
    assert get(server, **query)["code"] == code


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ("team=red", ["a"]),
        ("team!=red", ["b", "c"]),
        ("team in (red, blue)", ["a", "b"]),
        ("team notin (red)", ["b", "c"]),
        ("team", ["a", "b"]),
        ("!team", ["c"]),
        ("team,team==blue", ["b"]),
    ],
)
def test_labels_select(server, chosen, found):
    put(server, "a", team="red")
    put(server, "b", team="blue")
    put(server, "c")
    assert names(get(server, labelSelector=chosen)) == found


def test_fields_and_namespaces_select(server):
    put(server, "a", "b")
    server.store.put(APPLICATIONS, app("a", "elsewhere"))
    assert names(get(server, "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications")) == ["a", "b"]
    assert len(get(server, fieldSelector="metadata.name=a")["items"]) == 2
    assert names(get(server, fieldSelector="metadata.name=a,metadata.namespace!=argocd")) == ["a"]
    pages = get(server, labelSelector="!team", limit=2)
    assert "remainingItemCount" not in pages["metadata"]
    assert (
        len(get(server, labelSelector="!team", **{"continue": pages["metadata"]["continue"]})["items"]) == 1
    )


def test_items_of_built_in_types_do_not_say_what_they_are(server):
    server.store.put("events", {"metadata": {"name": "e", "namespace": "n"}, "reason": "Pulled"})
    assert "kind" not in get(server, "/api/v1/events")["items"][0]
    assert events(server, "/api/v1/events", resourceVersion="0")[0]["object"]["kind"] == "Event"


def test_a_large_page_is_compressed_for_who_takes_that(server):
    fill(server.store, 100)
    _, body, headers = request(server, PATH, headers={"Accept-Encoding": "gzip"})
    assert (headers["Content-Encoding"], len(body) < 100_000) == ("gzip", True)


# Watches.


def test_a_watch_from_the_version_of_a_list_loses_nothing(server):
    put(server, "a", "b")
    listed = get(server)["metadata"]["resourceVersion"]
    put(server, "b", "c")
    server.store.delete(APPLICATIONS, "a", "argocd")
    found = events(server, resourceVersion=listed)
    assert told(found) == [("MODIFIED", "b"), ("ADDED", "c"), ("DELETED", "a")]
    logged = [str(version.resource_version) for version in server.store.log(APPLICATIONS)]
    assert [event["object"]["metadata"]["resourceVersion"] for event in found] == logged[2:]


def test_a_watch_tells_of_what_happens_while_it_lasts(server):
    since = put(server, "a")
    thread = threading.Timer(0.1, lambda: put(server, "b"))
    thread.start()
    assert told(events(server, resourceVersion=since)) == [("ADDED", "b")]
    thread.join()


def test_a_watch_from_nowhere_begins_with_what_is_there(server):
    put(server, "a", "b")
    assert told(events(server)) == [("ADDED", "a"), ("ADDED", "b")]


def test_bookmarks_come_only_to_who_asks(server):
    since = put(server, "a")
    assert events(server, resourceVersion=since) == []
    server.store.put("events", {"metadata": {"name": "e", "namespace": "n"}})
    found = events(server, resourceVersion=since, allowWatchBookmarks="true")
    assert {event["type"] for event in found} == {"BOOKMARK"}
    assert int(found[-1]["object"]["metadata"]["resourceVersion"]) > since
    assert found[-1]["object"]["kind"] == "Application"


def test_initial_events_end_with_a_bookmark_of_their_own(server):
    put(server, "a")
    asked = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    first, end, *_ = events(server, **asked)
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "a")
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_initial_events_end_without_a_word_for_who_takes_no_bookmarks(server):
    put(server, "a")
    asked = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    assert told(events(server, **asked)) == [("ADDED", "a")]


def test_a_watch_from_what_is_yet_to_come_hears_nothing_and_is_not_told_so(server):
    ahead = put(server, "a") + 2
    put(server, "b")
    assert events(server, resourceVersion=ahead) == []
    put(server, "c")
    thread = threading.Timer(0.1, lambda: put(server, "d"))
    thread.start()
    assert told(events(server, resourceVersion=ahead)) == [("ADDED", "d")]
    thread.join()


def test_initial_events_of_what_is_yet_to_come_are_an_error_within_the_watch(server):
    asked = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "resourceVersion": "99999"}
    [event] = events(server, **asked)
    assert (event["type"], event["object"]["code"]) == ("ERROR", 504)


def test_a_watch_from_before_the_server_knew_anything_has_expired(server):
    [event] = events(server, resourceVersion="1")
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


def test_an_older_server_knows_no_initial_events():
    asked = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    with ApiServer(Store(), behaviour=Behaviour(has_watch_list=False)) as server:
        assert get(server, watch="true", **asked)["code"] == 422


def test_what_was_compacted_cannot_be_watched(server):
    since = put(server, "a")
    put(server, "b")
    server.store.compact()
    found = events(server, resourceVersion=since)
    assert [(event["type"], event["object"]["code"]) for event in found] == [("ERROR", 410)]


def test_an_object_that_leaves_a_selector_is_deleted_from_it(server):
    since = put(server, "a", team="red")
    put(server, "a", team="blue")
    put(server, "a", team="red")
    put(server, "a", "b", team="red")
    found = events(server, resourceVersion=since, labelSelector="team=red")
    assert told(found) == [("DELETED", "a"), ("ADDED", "a"), ("MODIFIED", "a"), ("ADDED", "b")]
    left = found[0]["object"]["metadata"]
    assert (left["labels"], left["resourceVersion"]) == ({"team": "red"}, str(since + 1))


def test_an_object_made_again_is_another_one(server):
    put(server, "a")
    server.store.delete(APPLICATIONS, "a", "argocd")
    put(server, "a")
    first, deleted, second = server.store.log(APPLICATIONS)
    assert first.uid == deleted.uid != second.uid
    assert first.resource_version < deleted.resource_version < second.resource_version


# What goes wrong.


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (Trouble.UNAUTHORIZED, 401),
        (Trouble.FORBIDDEN, 403),
        (Trouble.NOT_SERVED, 404),
        (Trouble.EXPIRED, 410),
        (Trouble.THROTTLED, 429),
        (Trouble.SERVER_ERROR, 500),
        (Trouble.UNAVAILABLE, 503),
        (Trouble.HTML, 200),
    ],
)
def test_a_fault_strikes_as_often_as_the_script_says(server, trouble, code):
    server.faults.add(Fault(trouble, verb="list", resource=APPLICATIONS, seconds=7))
    status, body, headers = request(server, PATH)
    assert (status, headers["Retry-After"]) == (code, "7" if code == 429 else None)
    assert b"kind" not in body or json.loads(body)["kind"] == "Status"
    assert get(server)["kind"] == "ApplicationList"


def test_a_refusal_names_verb_and_resource(server):
    server.faults.add(Fault(Trouble.FORBIDDEN, verb="watch"))
    refusal = get(server, watch="true")
    assert 'cannot watch resource "applications" in API group "argoproj.io"' in refusal["message"]
    assert refusal["details"] == {"group": "argoproj.io", "kind": "applications"}


@pytest.mark.parametrize("trouble", [Trouble.CUT, Trouble.CUT_CHUNK])
@pytest.mark.parametrize("chunk_bytes", [100, 1 << 20])
def test_a_page_is_cut_so_that_the_client_knows(trouble, chunk_bytes):
    faults = Faults([Fault(trouble, verb="list"), Fault(Trouble.HANG_UP, verb="list")])
    with ApiServer(Store(), faults, Behaviour(chunk_bytes=chunk_bytes)) as server:
        put(server, *"abcdefgh")
        with pytest.raises(http.client.IncompleteRead):
            get(server)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            get(server)
        assert len(get(server)["items"]) == 8


@pytest.mark.parametrize("trouble", [Trouble.CUT, Trouble.CUT_CHUNK])
def test_a_watch_is_cut_within_a_line(server, trouble):
    put(server, "a", "b", "c")
    server.faults.add(Fault(trouble, after=1))
    with pytest.raises(http.client.IncompleteRead) as cut:
        events(server)
    whole, half = cut.value.partial.split(b"\n")
    assert json.loads(whole)["object"]["metadata"]["name"] == "a"
    # A client of http.client never sees the beginning of a chunk that does not come to its end.
    assert bool(half) == (trouble is Trouble.CUT)


@pytest.mark.parametrize(
    ("trouble", "found"),
    [
        (Trouble.TWICE, [("ADDED", "a"), ("ADDED", "a"), ("ADDED", "b")]),
        (Trouble.END, []),
        (Trouble.EXPIRED_EVENT, [("ERROR", "")]),
        (Trouble.ERROR_EVENT, [("ERROR", "")]),
    ],
)
def test_a_watch_goes_wrong_in_order(server, trouble, found):
    put(server, "a", "b")
    server.faults.add(Fault(trouble))
    assert told(events(server)) == found


def test_a_watch_may_hold_a_line_that_is_no_json(server):
    put(server, "a")
    server.faults.add(Fault(Trouble.GARBAGE))
    garbage, good = request(server, PATH, watch="true")[1].splitlines()
    with pytest.raises(json.JSONDecodeError):
        json.loads(garbage)
    assert json.loads(good)["type"] == "ADDED"


def test_chance_is_decided_by_its_seed(server):
    def struck(seed: int) -> list[Trouble]:
        server.faults = Faults(seed=seed, rate=0.5, most_seconds=0)
        for _ in range(20):
            try:
                request(server, PATH)
            except (http.client.HTTPException, ConnectionResetError):
                continue
        return [trouble for trouble, _ in server.faults.struck]

    assert struck(1) == struck(1) != struck(2)


def test_only_get_is_answered_and_the_rest_is_remembered(server):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert request(server, PATH, method)[0] == 405
    assert [asked.method for asked in server.asked] == ["POST", "PUT", "PATCH", "DELETE"]


def test_who_has_no_token_is_not_known():
    with ApiServer(Store(), token="t0ken") as server:  # noqa: S106 - of a server of this test
        assert request(server, PATH)[0] == 401
        assert request(server, PATH, headers={"Authorization": "Bearer t0ken"})[0] == 200


def test_a_server_comes_back_on_its_port_with_what_it_had(server):
    put(server, "a")
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        get(server)
    server.start()
    assert names(get(server)) == ["a"]


def test_a_watch_ends_at_once_when_its_connection_is_cut(server):
    began = time.monotonic()
    threading.Timer(0.2, server.cut_all).start()
    with pytest.raises(http.client.IncompleteRead):
        events(server, timeoutSeconds=30)
    assert time.monotonic() - began < 10


# The kubernetes client, and TLS.


def test_the_kubernetes_client_reads_it_over_tls(tmp_path):
    with ApiServer(Store(), token="t0ken", tls_folder=tmp_path) as server:  # noqa: S106 - as above
        put(server, "a", "b", "c")
        file = kubeconfig.write(tmp_path / "kubeconfig", hub=server)
        with config.new_client_from_config(config_file=str(file), context="hub") as api:
            custom = client.CustomObjectsApi(api)
            where = ("argoproj.io", "v1alpha1", "applications")
            first = custom.list_cluster_custom_object(*where, limit=2)
            rest = custom.list_cluster_custom_object(*where, _continue=first["metadata"]["continue"])
            assert names(first) + names(rest) == ["a", "b", "c"]
            assert client.CoreV1Api(api).list_event_for_all_namespaces().items == []
            put(server, "d")
            stream = watch.Watch().stream(
                custom.list_cluster_custom_object,
                *where,
                resource_version=first["metadata"]["resourceVersion"],
                timeout_seconds=1,
            )
            assert told(list(stream)) == [("ADDED", "d")]
    assert {asked.method for asked in server.asked} == {"GET"}


# Replay.


def line(event_type: str, seen: str, resource_version: int, kind: str = "Application") -> bytes:
    metadata = {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": str(resource_version)}
    item = {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": metadata}
    return json.dumps({"type": event_type, "observedAt": seen, "object": item}).encode() + b"\n"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    file = tmp_path / "hub.ndjson.zst"
    with zstandard.open(file, "wb") as stream, io.BufferedWriter(stream) as lines:
        lines.write(line("ADDED", "2026-03-02T06:00:00Z", 2000))
        lines.write(line("ADDED", "2026-03-02T06:00:00Z", 2000))
        lines.write(line("ADDED", "2026-03-02T06:30:00Z", 2001, "Rollout"))
        lines.write(line("MODIFIED", "2026-03-02T07:00:00Z", 2005))
        lines.write(line("DELETED", "2026-03-02T07:00:01Z", 2007))
    return file


def test_a_replay_keeps_resource_versions_and_counts_what_it_skips(history):
    store = Store()
    assert replay(store, writes(history)) == Replayed(committed_count=3, skipped_count=2)
    log = [(version.event_type, version.resource_version, version.uid) for version in store.log(APPLICATIONS)]
    assert log == [("ADDED", 2000, "u"), ("MODIFIED", 2005, "u"), ("DELETED", 2007, "u")]


def test_a_replay_keeps_its_pace(history):
    began = time.monotonic()
    replay(Store(), writes(history), Pace(time_factor=36_010))
    assert time.monotonic() - began >= 0.1
    since = datetime.fromisoformat("2026-03-02T07:00:00Z")
    assert Pace(time_factor=10).due_after(0, 20) == 2
    assert Pace(events_per_second=4).due_after(2, 20) == 0.5
    began = time.monotonic()
    replay(Store(), writes(history), Pace(time_factor=10, since=since))
    assert 0.1 <= time.monotonic() - began < 5


def test_people_start_it_from_the_command_line(tmp_path, history):
    (tmp_path / "objects").mkdir()
    history.rename(tmp_path / "objects" / "hub.ndjson.zst")
    command = [
        sys.executable,
        "-m",
        "tests.apiserver",
        "--port",
        "0",
        "--world",
        str(tmp_path),
        "--objects",
        "3",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        printed = "".join(iter(process.stdout.readline, "}\n")) + "}"
        process.stdout.readline()
        found = json.loads(printed)
        with urllib.request.urlopen(found["clusters"][0]["cluster"]["server"] + PATH) as answer:  # noqa: S310 - made here
            assert {"app-000000", "app-000001", "app-000002"} <= set(names(json.load(answer)))
        process.terminate()
        assert process.wait(20) == 0
    assert found["contexts"][0]["name"] == "hub"
