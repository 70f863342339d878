"""The reflector against an API server that forgets and fails as real ones do."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopslab.clusters import connect
from gitopslab.datasets import CHECKPOINTS, COVERAGE, EXTRACT_RUNS, OBJECT_VERSIONS, REJECTS
from gitopslab.errors import BusyError, NotServedError, SettingsError
from gitopslab.extract.kubernetes.backoff import Backoff
from gitopslab.extract.kubernetes.catalogue import Catalogue, chosen
from gitopslab.extract.kubernetes.feed import Feed
from gitopslab.extract.kubernetes.memory import Checkpoint
from gitopslab.extract.kubernetes.session import ClusterWatch, Destination
from gitopslab.extract.kubernetes.sweep import Sweep, sweep
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake
from gitopslab.resources import Resource

from .apiserver import kubeconfig
from .apiserver.faults import Fault, Trouble
from .apiserver.server import ApiServer
from .apiserver.store import Store
from .apiserver.watches import Behaviour

APPLICATIONS = "applications.argoproj.io"
ONLY = chosen((APPLICATIONS,))
TOKEN = "t0ken-that-nobody-may-see"  # noqa: S105 - of a server that is gone after the test


def application(name: str, **status: object) -> dict:
    return {"metadata": {"name": name, "namespace": "argocd"}, "status": status}


@pytest.fixture
def server() -> Iterator[ApiServer]:
    behaviour = Behaviour(bookmark_seconds=0.1)
    with ApiServer(Store(), behaviour=behaviour, token=TOKEN) as running:
        yield running
        assert {asked.method for asked in running.asked} <= {"GET"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def cluster(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig.write(tmp_path / "kubeconfig", dev=server)))
    return connect("dev", "dev")


def rows(lake: Lake, dataset, *columns: str) -> list:
    found = [row for table in lake.read(dataset, list(columns)) for row in table.to_pylist()]
    return [tuple(row.values()) if len(columns) > 1 else row[columns[0]] for row in found]


def landed(lake: Lake) -> list[tuple[str, str]]:
    """Versions in the lake that somebody saw, by name and resource version."""
    found = rows(lake, OBJECT_VERSIONS, "name", "resource_version", "is_inferred")
    return sorted((name, version) for name, version, is_inferred in found if not is_inferred)


def served(server: ApiServer, resource: str = APPLICATIONS) -> list[tuple[str, str]]:
    return sorted((version.name, str(version.resource_version)) for version in server.store.log(resource))


def coverage(lake: Lake) -> Counter[str]:
    return Counter(rows(lake, COVERAGE, "state"))


def until(is_so: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.02)


def lands(lake: Lake, server: ApiServer) -> Callable[[], bool]:
    return lambda: landed(lake) == served(server)


@contextmanager
def watching(cluster, lake: Lake, resources=ONLY) -> Iterator[ClusterWatch]:
    watch = ClusterWatch(cluster, "", resources, Destination(lake), flush_seconds=0.05)
    thread = Thread(target=watch.run)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join(15)
        assert not thread.is_alive()


def list_once(cluster, lake: Lake, resources=ONLY) -> Sweep:
    return sweep(cluster, "", resources, Destination(lake))


# --- one list


def test_everything_that_is_there_lands_with_its_identity(server, cluster, lake):
    for n in range(1203):
        server.store.put(APPLICATIONS, application(f"app-{n}"))

    [outcome] = list_once(cluster, lake).outcomes

    assert (outcome.state, outcome.object_count, outcome.landed_count) == ("list", 1203, 1203)
    assert landed(lake) == served(server)
    identity = ("cluster_uid", "api_group", "api_version", "resource", "kind", "namespace", "how", "source")
    assert set(rows(lake, OBJECT_VERSIONS, *identity)) == {
        (
            server.store.cluster_uid,
            "argoproj.io",
            "v1alpha1",
            "applications",
            "Application",
            "argocd",
            "list",
            "/apis/argoproj.io/v1alpha1/applications",
        )
    }
    assert coverage(lake) == {"list": 1}


def test_a_second_list_lands_what_changed_and_infers_what_is_gone(server, cluster, lake):
    for name in ("stays", "changes", "goes"):
        server.store.put(APPLICATIONS, application(name))
    list_once(cluster, lake)
    server.store.put(APPLICATIONS, application("changes", health="Degraded"))
    deleted = server.store.delete(APPLICATIONS, "goes", "argocd")

    [outcome] = list_once(cluster, lake).outcomes

    assert (outcome.object_count, outcome.landed_count, outcome.gone_count) == (2, 2, 1)
    inferred = rows(lake, OBJECT_VERSIONS, "name", "event_type", "is_inferred", "resource_version", "body")
    [(name, event_type, _, version, body)] = [row for row in inferred if row[2]]
    assert (name, event_type, version) == ("goes", "DELETED", str(deleted.resource_version))
    assert json.loads(body)["metadata"]["name"] == "goes"
    assert list_once(cluster, lake).outcomes[0].gone_count == 0


def test_items_take_kind_and_api_version_from_their_list(server, cluster, lake):
    server.store.put("events", {"metadata": {"name": "e", "namespace": "n"}, "reason": "Started"})

    list_once(cluster, lake, chosen(("events",)))

    [(kind, body)] = rows(lake, OBJECT_VERSIONS, "kind", "body")
    assert (kind, json.loads(body)["kind"], json.loads(body)["apiVersion"]) == ("Event", "Event", "v1")


def test_a_list_that_expires_half_way_is_begun_again(server, cluster, lake):
    for n in range(1203):
        server.store.put(APPLICATIONS, application(f"app-{n}"))
    server.faults.add(Fault(Trouble.SLOW, "list"), Fault(Trouble.EXPIRED, "list"))

    assert list_once(cluster, lake).outcomes[0].object_count == 1203
    assert landed(lake) == served(server)


@pytest.mark.parametrize(
    "trouble", [Trouble.CUT, Trouble.CUT_CHUNK, Trouble.THROTTLED, Trouble.SERVER_ERROR, Trouble.HTML]
)
def test_a_page_that_cannot_be_had_is_asked_for_again(server, cluster, lake, trouble):
    for n in range(1203):
        server.store.put(APPLICATIONS, application(f"app-{n}"))
    server.faults.add(Fault(trouble, "list"))

    assert list_once(cluster, lake).outcomes[0].state == "list"
    assert landed(lake) == served(server)
    assert rows(lake, REJECTS, "reason") == []


def test_a_refusal_is_said_with_the_rule_to_add_and_infers_nothing(server, cluster, lake):
    server.store.put(APPLICATIONS, application("app"))
    list_once(cluster, lake)
    server.faults.add(Fault(Trouble.FORBIDDEN, "list"))

    [outcome] = list_once(cluster, lake).outcomes

    assert outcome.state == "refused"
    assert outcome.message == "dev: grant `list` on applications.argoproj.io to this identity"
    assert len(rows(lake, OBJECT_VERSIONS, "name")) == 1
    assert coverage(lake) == {"list": 1, "refused": 1}


def test_a_kind_that_is_not_served_is_said_to_be_so(cluster, lake):
    [outcome] = list_once(cluster, lake, (Resource("example.com", "things", "Thing"),)).outcomes

    assert (outcome.state, coverage(lake)) == ("not_served", {"not_served": 1})


def test_kueue_is_asked_for_the_newer_version_whichever_is_preferred(server, cluster):
    server.documents["/apis/kueue.x-k8s.io"]["preferredVersion"] = {"version": "v1beta1"}

    located, version = Catalogue(cluster).locate(Resource("kueue.x-k8s.io", "workloads", ""))

    assert (located.kind, version) == ("Workload", "v1beta2")
    with pytest.raises(NotServedError):
        Catalogue(cluster).locate(Resource("kueue.x-k8s.io", "nothings", ""))


def test_secrets_cannot_be_asked_for():
    with pytest.raises(SettingsError, match="Secrets are never read"):
        chosen(("secrets",))


# --- watches


@pytest.mark.parametrize("has_watch_list", [True, False])
def test_every_version_lands_once_and_says_how_it_was_seen(server, cluster, lake, has_watch_list):
    server.behaviour = Behaviour(has_watch_list=has_watch_list, bookmark_seconds=0.1)
    server.store.put(APPLICATIONS, application("old"))

    with watching(cluster, lake) as watch:
        until(lambda: watch.is_synced)
        for n in range(5):
            server.store.put(APPLICATIONS, application("old", n=n))
        server.store.put(APPLICATIONS, application("new"))
        server.store.delete(APPLICATIONS, "new", "argocd")
        until(lands(lake, server))
        timeline = watch.reflectors[0].timeline
        until(lambda: timeline.heard_at > timeline.watched_since)

    seen = Counter(rows(lake, OBJECT_VERSIONS, "how", "event_type"))
    assert seen == {
        ("list", None): 1,
        ("watch", "MODIFIED"): 5,
        ("watch", "ADDED"): 1,
        ("watch", "DELETED"): 1,
    }
    assert coverage(lake) == {"list": 1, "watch": 1}


def test_a_watch_goes_on_where_it_was_stopped_without_a_gap(server, cluster, lake):
    server.store.put(APPLICATIONS, application("app"))
    with watching(cluster, lake):
        until(lands(lake, server))
    server.store.put(APPLICATIONS, application("app", missed="while it was away"))
    server.store.delete(APPLICATIONS, "app", "argocd")

    with watching(cluster, lake):
        until(lands(lake, server))

    assert coverage(lake)["gap"] == 0
    assert coverage(lake)["list"] == 1
    stretches = sorted(rows(lake, COVERAGE, "since", "until", "state"))
    watched = [row for row in stretches if row[2] == "watch"]
    assert all(later[0] <= earlier[1] for earlier, later in pairwise(watched))


def test_what_was_forgotten_while_nobody_watched_is_a_gap_with_inferred_deletions(server, cluster, lake):
    for name in ("stays", "goes"):
        server.store.put(APPLICATIONS, application(name))
    with watching(cluster, lake):
        until(lands(lake, server))
    server.store.put(APPLICATIONS, application("came and went"))
    server.store.delete(APPLICATIONS, "came and went", "argocd")
    server.store.delete(APPLICATIONS, "goes", "argocd")
    server.store.put(APPLICATIONS, application("stays", last=True))
    server.store.compact()

    with watching(cluster, lake) as watch:
        until(lambda: watch.is_synced)

    deleted = rows(lake, OBJECT_VERSIONS, "name", "event_type", "is_inferred")
    assert [row for row in deleted if row[1]] == [("goes", "DELETED", True)]
    stretches = rows(lake, COVERAGE, "since", "until", "state")
    [(since, end)] = [row[:2] for row in stretches if row[2] == "gap"]
    there = set(landed(lake))
    missing = [
        each
        for each in server.store.log(APPLICATIONS)
        if (each.name, str(each.resource_version)) not in there
    ]
    assert {each.name for each in missing} == {"came and went", "goes"}
    assert all(since <= each.committed_at <= end for each in missing)
    assert end == max(row[0] for row in stretches if row[2] == "list")


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble.CUT,
        Trouble.CUT_CHUNK,
        Trouble.END,
        Trouble.TWICE,
        Trouble.ERROR_EVENT,
        Trouble.GARBAGE,
        Trouble.HANG_UP,
        Trouble.THROTTLED,
        Trouble.UNAVAILABLE,
        Trouble.HTML,
    ],
)
def test_trouble_on_the_wire_loses_nothing_and_is_no_gap(server, cluster, lake, trouble):
    server.store.put(APPLICATIONS, application("app"))
    with watching(cluster, lake) as watch:
        until(lambda: watch.is_synced)
        server.faults.add(Fault(trouble, "watch", after=2, times=2))
        server.cut_all()
        for n in range(40):
            server.store.put(APPLICATIONS, application("app", n=n))
            time.sleep(0.01)
        until(lands(lake, server))

    assert coverage(lake)["gap"] == 0


@pytest.mark.parametrize("trouble", [Trouble.EXPIRED, Trouble.EXPIRED_EVENT])
def test_an_expired_watch_is_listed_anew(server, cluster, lake, trouble):
    server.store.put(APPLICATIONS, application("app"))
    with watching(cluster, lake) as watch:
        until(lambda: watch.is_synced)
        server.faults.add(Fault(trouble, "watch"))
        server.cut_all()
        until(lambda: watch.reflectors[0].timeline.gap_count == 1 and watch.is_synced)
        server.store.put(APPLICATIONS, application("app", after=True))
        until(lands(lake, server))

    assert coverage(lake)["gap"] == 1


def test_where_a_watch_cannot_begin_with_what_is_there_pages_are_listed(server, cluster, lake):
    server.store.put(APPLICATIONS, application("app"))
    # So an API server answers whose etcd is older than 3.4.25, and cannot be asked how far it is.
    server.faults.add(Fault(Trouble.ERROR_EVENT, "watch"))
    with watching(cluster, lake):
        until(lands(lake, server))

    assert [asked.query["limit"] for asked in server.asked if asked.verb == "list"] == ["500"]


def test_a_refused_kind_stops_no_other(server, cluster, lake):
    server.faults.add(Fault(Trouble.FORBIDDEN, resource="workloads.kueue.x-k8s.io", times=1000))
    server.store.put(APPLICATIONS, application("app"))

    with watching(cluster, lake, chosen((APPLICATIONS, "workloads.kueue.x-k8s.io"))) as watch:
        until(lambda: watch.is_synced)
        until(lands(lake, server))

    states = set(rows(lake, COVERAGE, "resource", "state", "message"))
    assert (
        "workloads",
        "refused",
        "dev: grant `watch` on workloads.kueue.x-k8s.io to this identity",
    ) in states


def test_a_cluster_that_is_away_at_the_start_is_waited_for(server, cluster, lake):
    server.store.put(APPLICATIONS, application("app"))
    server.stop()
    with watching(cluster, lake) as watch:
        until(lambda: coverage(lake)["unreachable"] == 1)
        assert not watch.is_synced
        server.start()
        until(lands(lake, server))


def test_what_cannot_be_written_is_read_again(server, cluster, lake, tmp_path):
    server.store.put(APPLICATIONS, application("app"))
    with watching(cluster, lake) as watch:
        until(lands(lake, server))
        folder = tmp_path / "lake" / "raw" / "object_versions"
        aside = folder.with_name("aside")
        folder.rename(aside)
        folder.write_text("a file where a folder belongs")
        server.store.put(APPLICATIONS, application("app", n=1))
        until(lambda: watch.restart_count > 0)
        folder.unlink()
        aside.rename(folder)
        until(lands(lake, server))

    assert coverage(lake)["gap"] == 0


def test_checkpoints_are_never_ahead_of_what_landed(server, cluster, lake):
    server.store.put(APPLICATIONS, application("app"))
    with watching(cluster, lake) as watch:
        until(lambda: watch.is_synced)
        for n in range(30):
            server.store.put(APPLICATIONS, application("app", n=n))
            time.sleep(0.02)
            at = max(map(int, rows(lake, CHECKPOINTS, "resource_version")), default=0)
            there = landed(lake)
            assert [each for each in served(server) if int(each[1]) <= at and each not in there] == []
        until(lands(lake, server))


def test_no_credential_is_in_the_lake(server, cluster, lake, tmp_path):
    hidden = "ghp_" + "a1B2" * 9
    server.store.put(APPLICATIONS, application("app", note=f"Bearer {hidden}"))
    with watching(cluster, lake) as watch:
        until(lambda: watch.is_synced)
        server.faults.add(Fault(Trouble.GARBAGE, "watch"), Fault(Trouble.UNAUTHORIZED, "watch"))
        server.cut_all()
        server.store.put(APPLICATIONS, application("app", note=hidden))
        until(lambda: coverage(lake)["refused"] > 0)

    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*.parquet"))
    texts = " ".join(rows(lake, OBJECT_VERSIONS, "body") + rows(lake, COVERAGE, "message"))
    assert TOKEN.encode() not in written
    assert TOKEN not in texts
    assert hidden not in texts


def test_a_run_says_when_it_ended(server, cluster, lake):
    server.store.put(APPLICATIONS, application("app"))
    with watching(cluster, lake) as watch:
        until(lambda: watch.is_synced)

    noted = rows(lake, EXTRACT_RUNS, "extractor", "state", "landed_count")
    assert sorted(noted) == [("kubernetes", "finished", 1), ("kubernetes", "started", 0)]


def test_a_day_is_a_run_of_its_own(lake):
    now = [datetime(2026, 5, 1, 23, 59, tzinfo=UTC)]
    with Feed(lake, Origin("kubernetes", "dev", "watch", "uid"), clock=lambda: now[0]) as feed:
        feed.flush()
        now[0] += timedelta(minutes=2)
        feed.flush()
        feed.flush()

    noted = Counter(rows(lake, EXTRACT_RUNS, "run_id", "state"))
    assert Counter(state for _, state in noted) == {"started": 2, "finished": 2}


def test_a_feed_that_failed_notes_no_checkpoint(lake, tmp_path):
    at = datetime(2026, 5, 1, tzinfo=UTC)
    feed = Feed(lake, Origin("kubernetes", "dev", "watch", "uid"))
    (tmp_path / "lake" / "raw" / "coverage").write_text("a file where a folder belongs")
    feed.cover(
        [
            dict.fromkeys(("api_group", "resource", "state", "source", "message"), "x")
            | {
                "since": at,
                "until": at,
                "object_count": 0,
            }
        ]
    )
    feed.reached(("g", "r"), Checkpoint("1", at, None, at))

    with pytest.raises(OSError), feed:  # noqa: PT011 - which one is up to the system
        feed.flush()

    assert rows(lake, CHECKPOINTS, "resource_version") == []


@given(st.lists(st.floats(0, 100) | st.none(), max_size=20), st.integers())
def test_waits_grow_to_a_minute_and_are_never_shorter_than_was_asked_for(asked, seed):
    backoff = Backoff(Random(seed))  # noqa: S311 - chance that comes again
    for number, seconds in enumerate(asked):
        wait = backoff.next_seconds(BusyError("busy", seconds))
        assert wait >= (seconds or 0)
        assert min(0.5 * 2**number, 60) / 2 <= wait <= max(60, seconds or 0)
