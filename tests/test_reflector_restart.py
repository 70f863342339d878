"""What a watch knows when it begins anew: from the lake, and from an API server that may say nothing."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from gitopslab.clusters import connect
from gitopslab.datasets import CHECKPOINTS, COVERAGE, OBJECT_VERSIONS
from gitopslab.errors import LakeError
from gitopslab.extract.kubernetes.intake import Intake
from gitopslab.extract.kubernetes.memory import recall
from gitopslab.extract.kubernetes.session import Destination
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake

from .apiserver import kubeconfig
from .apiserver.server import ApiServer
from .apiserver.store import Store
from .apiserver.watches import Behaviour
from .test_reflector import APPLICATIONS, ONLY, application, coverage, lands, list_once, rows, until, watching


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer(Store(), behaviour=Behaviour(bookmark_seconds=0.1)) as running:
        yield running


@pytest.fixture
def cluster(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig.write(tmp_path / "kubeconfig", dev=server)))
    return connect("dev", "dev")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def take_gone(lake: Lake, uid: str, happen: Callable[[str], object]) -> int:
    """Find that nothing is there any more, after something happened to the files that say what was."""
    memory = recall(lake, "dev", uid)["argoproj.io", "applications"]
    for file in lake.files(OBJECT_VERSIONS):
        happen(file.path)
    with Destination(lake).feed(Origin("kubernetes", "dev", "list", uid)) as feed:
        intake = Intake(ONLY[0], "/apis/argoproj.io/v1alpha1/applications", memory, feed)
        return intake.take_gone(set(), datetime.now(UTC), "2000")


def test_what_is_gone_is_deleted_though_its_last_state_was_taken_out_of_the_lake(server, cluster, lake):
    server.store.put(APPLICATIONS, application("goes"))
    list_once(cluster, lake)

    assert take_gone(lake, server.store.cluster_uid, lake.remove) == 1
    [(name, event_type, body)] = rows(lake, OBJECT_VERSIONS, "name", "event_type", "body")
    assert (name, event_type) == ("goes", "DELETED")
    assert (json.loads(body)["apiVersion"], json.loads(body)["kind"]) == (
        "argoproj.io/v1alpha1",
        "Application",
    )


def test_a_lake_that_cannot_be_read_ends_a_list_with_an_error_that_says_so(server, cluster, lake):
    server.store.put(APPLICATIONS, application("goes"))
    list_once(cluster, lake)

    with pytest.raises(LakeError, match="the object versions of cluster dev cannot be read"):
        take_gone(
            lake,
            server.store.cluster_uid,
            lambda path: Path(lake.full_path(path)).write_bytes(b"no Parquet"),
        )


def test_stretches_of_a_watch_that_was_restarted_follow_each_other_without_a_hole_or_an_overlap(
    server, cluster, lake
):
    for number in range(3):
        server.store.put(APPLICATIONS, application("app", number=number))
        with watching(cluster, lake) as watch:
            until(lands(lake, server))
            [timeline] = [each.timeline for each in watch.reflectors]
            landed_at = datetime.now(UTC)
            until(lambda timeline=timeline, at=landed_at: timeline.heard_at > at)

    seen = rows(lake, COVERAGE, "state", "since", "until")
    stretches = sorted((since, to) for state, since, to in seen if state == "watch")
    assert len(stretches) > 1
    assert [end for (_, end), (begin, _) in pairwise(stretches) if end != begin] == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_checkpoints_at_the_same_moment_the_one_whose_stretch_is_noted_counts(lake, order):
    heard_at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    noted = {
        "cluster": "dev",
        "cluster_uid": "u",
        "run_id": "run",
        "api_group": "argoproj.io",
        "resource": "applications",
        "resource_version": "7",
        "noted_at": heard_at,
        "last_event_at": None,
    }
    checkpoints = [noted | {"watched_since": at} for at in (heard_at - timedelta(minutes=1), heard_at)]
    lake.append(CHECKPOINTS, [checkpoints[place] for place in order], "run")

    checkpoint = recall(lake, "dev", "u")["argoproj.io", "applications"].checkpoint

    assert checkpoint is not None
    assert checkpoint.watched_since == heard_at


def test_a_cluster_that_was_restored_from_a_backup_is_listed_anew(server, cluster, lake):
    saved = server.store.put(APPLICATIONS, application("app")).resource_version
    with watching(cluster, lake) as watch:
        until(lambda: watch.is_synced)
        first = server.store.put(APPLICATIONS, application("app", will="be undone"))
        for n in range(100):
            server.store.put(APPLICATIONS, application("app", n=n))
        until(lands(lake, server))
        server.stop()
        server.store.rewind(saved)
        server.start()
        again = server.store.put(APPLICATIONS, application("app", was="done instead"))
        until(lambda: "done instead" in "".join(rows(lake, OBJECT_VERSIONS, "body")))

    assert again.resource_version == first.resource_version
    assert coverage(lake)["gap"] == 1


def test_a_watch_that_begins_anew_where_nothing_happens_is_synced_within_seconds(server, cluster, lake):
    server.behaviour = Behaviour(bookmark_seconds=60)
    server.store.put(APPLICATIONS, application("app"))
    with watching(cluster, lake):
        until(lands(lake, server))

    with watching(cluster, lake) as watch:
        until(lambda: watch.is_synced)

    assert coverage(lake)["list"] == 1


def test_a_watch_that_is_told_nothing_is_no_failure_and_known_to_be_alive(server, cluster, lake):
    server.behaviour = Behaviour(bookmark_seconds=60)
    server.store.put(APPLICATIONS, application("app"))
    with watching(replace(cluster, silence_seconds=1.2), lake) as watch:
        until(lambda: watch.is_synced)
        [reflector] = watch.reflectors
        began_at = datetime.now(UTC)
        until(lambda: reflector.timeline.heard_at > began_at)

    assert (reflector.state, reflector.failure_count) == ("watching", 0)
    assert coverage(lake) == {"list": 1, "watch": 1}
