"""The core of the simulated fleet: time, chance, API servers, and those who watch them."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import zstandard

from gitopslab.world.apiserver import ApiServer, owner_reference
from gitopslab.world.clock import HOUR, Clock, stamp, stamp_micro
from gitopslab.world.events import Recorder
from gitopslab.world.random import stream, suffix, uid
from gitopslab.world.watching import Gap, Watcher, Watching

START = 1_772_431_200.0  # 2026-03-02T06:00:00Z


class Cluster:
    """An API server whose writes are watched, and what was seen of them."""

    def __init__(self, folder: Path, watching: Watching) -> None:
        self.gaps: list[tuple] = []
        self.file = folder / "dev.ndjson.zst"
        self.clock = Clock(START)
        self.watcher = Watcher(
            "dev",
            self.file,
            start=START,
            watching=watching,
            random=stream(1, "watcher"),
            on_gap=lambda *gap: self.gaps.append(gap),
        )
        self.api = ApiServer("dev", self.clock, self.watcher, seed=1)

    def create(self, kind: str = "PipelineRun", name: str = "run", **metadata: object) -> dict:
        item = {"apiVersion": "tekton.dev/v1", "kind": kind, "metadata": {"name": name, "namespace": "ci"}}
        item["metadata"] |= metadata
        return self.api.create(item, manager="tester")

    def write_every_minute(self, item: dict, times: int) -> None:
        for number in range(1, times + 1):
            self.clock.at(START + 60 * number, lambda number=number: self.count(item, number))

    def count(self, item: dict, number: int) -> None:
        item["status"] = {"number": number}
        self.api.patch_status(item, manager="tester")

    def events(self) -> list[dict]:
        self.watcher.close(self.clock.now)
        with zstandard.open(self.file, "rb") as lines:
            return [json.loads(line) for line in io.BufferedReader(lines)]

    def numbers(self) -> list[int]:
        return [event["object"].get("status", {}).get("number", 0) for event in self.events()]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    with ExitStack() as watchers:

        def watch(**watching: object) -> Cluster:
            cluster = Cluster(tmp_path, Watching(**watching))
            watchers.enter_context(cluster.watcher)
            return cluster

        yield watch


@pytest.fixture
def cluster(watched: Callable[..., Cluster]) -> Cluster:
    return watched()


def test_actions_of_one_moment_run_in_the_order_they_were_asked_for():
    clock, done = Clock(START), []
    for name in "abc":
        clock.after(5, lambda name=name: done.append(name))
    clock.after(1, lambda: done.append("first"))
    clock.run(START + 10)
    assert done == ["first", "a", "b", "c"]
    assert clock.now == START + 10


def test_what_is_due_at_the_end_is_left_for_later():
    clock, done = Clock(START), []
    clock.after(10, lambda: done.append("later"))
    clock.run(START + 10)
    assert done == []


def test_times_are_cut_off_and_not_rounded():
    assert stamp(START + 0.999) == "2026-03-02T06:00:00Z"
    assert stamp_micro(START + 0.25) == "2026-03-02T06:00:00.250000Z"


def test_a_stream_belongs_to_its_names():
    assert stream(1, "dev", "a").random() == stream(1, "dev", "a").random()
    assert stream(1, "dev", "a").random() != stream(1, "dev", "b").random()
    assert stream(1, "dev", "a").random() != stream(2, "dev", "a").random()
    assert uid("a", "bc") != uid("ab", "c")
    assert len(suffix(5, "a")) == 5


def test_the_generation_counts_specs_and_not_statuses(cluster):
    item = cluster.create()
    cluster.count(item, 1)
    assert item["metadata"]["generation"] == 1
    cluster.api.update(item, manager="tester")
    cluster.api.patch_metadata(item, manager="tester")
    assert item["metadata"]["generation"] == 2


def test_the_generation_of_an_application_moves_with_its_status(cluster):
    item = cluster.create(kind="Application")
    cluster.count(item, 1)
    assert item["metadata"]["generation"] == 2


def test_a_manager_has_one_entry_a_subresource_with_the_time_of_its_last_write(cluster):
    item = cluster.create()
    cluster.write_every_minute(item, 2)
    cluster.clock.run(START + HOUR)
    entries = [(entry.get("subresource", ""), entry["time"]) for entry in item["metadata"]["managedFields"]]
    assert entries == [("", "2026-03-02T06:00:00Z"), ("status", "2026-03-02T06:02:00Z")]


def test_resource_versions_grow_across_kinds(cluster):
    for name in "abc":
        cluster.create(name=name)
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in cluster.events()]
    assert versions == sorted(set(versions))


def test_a_finalizer_holds_an_object_until_it_is_taken_away(cluster):
    item = cluster.create(finalizers=["one", "two"])
    cluster.api.delete(item)
    cluster.api.delete(item)
    cluster.api.remove_finalizer(item, "one", manager="tester")
    assert cluster.api.is_there(item)
    cluster.api.remove_finalizer(item, "two", manager="tester")
    assert not cluster.api.is_there(item)
    assert [event["type"] for event in cluster.events()] == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]


def test_what_an_object_owns_goes_after_it(cluster):
    owner = cluster.create()
    owned = cluster.create(kind="TaskRun", name="task", ownerReferences=[owner_reference(owner)])
    cluster.api.delete(owner)
    assert cluster.api.is_there(owned)
    cluster.clock.run(START + 1)
    assert not cluster.api.is_there(owned)


def test_an_object_of_the_same_name_is_another_one(cluster):
    first = cluster.create()
    cluster.api.delete(first)
    cluster.clock.run(START + 1)
    second = cluster.create()
    assert first["metadata"]["uid"] != second["metadata"]["uid"]


def test_an_event_is_gone_after_an_hour(cluster):
    Recorder(cluster.api, "tester").emit(cluster.create(), "Started", "it has begun")
    cluster.clock.run(START + 2 * HOUR)
    seen = [(event["type"], event["observedAt"][:16]) for event in cluster.events()[1:]]
    assert seen == [("ADDED", "2026-03-02T06:00"), ("DELETED", "2026-03-02T07:00")]


def test_a_watch_sees_every_write(cluster):
    cluster.write_every_minute(cluster.create(), 4)
    cluster.clock.run(START + HOUR)
    assert cluster.numbers() == [0, 1, 2, 3, 4]


def test_polling_sees_the_last_state_of_each_interval_and_no_deletion(watched):
    cluster = watched(poll_seconds=150)
    item = cluster.create()
    cluster.write_every_minute(item, 4)
    cluster.clock.at(START + 400, lambda: cluster.api.delete(item))
    cluster.clock.run(START + HOUR)
    events = cluster.events()
    assert [event["object"]["status"]["number"] for event in events] == [2, 4]
    assert [event["observedAt"][14:19] for event in events] == ["02:30", "05:00"]


def test_a_gap_hides_what_was_overwritten_in_it_and_is_told(watched):
    cluster = watched(gaps=(Gap("dev", since=90, until=200),))
    cluster.write_every_minute(cluster.create(), 4)
    cluster.clock.run(START + HOUR)
    assert cluster.numbers() == [0, 1, 3, 4]
    assert cluster.gaps == [("dev", START + 90, START + 200, "watch_interrupted")]


def test_an_unreachable_cluster_is_one_gap_to_the_end(watched):
    cluster = watched(unreachable=("dev",))
    cluster.create()
    cluster.clock.run(START + HOUR)
    assert cluster.events() == []
    assert cluster.gaps == [("dev", START, START + HOUR, "unreachable")]


def test_duplicates_and_late_events_lose_nothing(watched):
    cluster = watched(duplicate_ratio=0.5, reorder_seconds=300)
    cluster.write_every_minute(cluster.create(), 50)
    cluster.clock.run(START + HOUR)
    numbers = cluster.numbers()
    assert set(numbers) == set(range(51))
    assert len(numbers) > 60
    assert numbers != sorted(numbers)


def test_a_skewed_clock_moves_only_what_the_watcher_writes(watched):
    cluster = watched(clock_skew_seconds=-90)
    cluster.create()
    (event,) = cluster.events()
    assert event["observedAt"] == "2026-03-02T05:58:30.020000Z"
    assert event["object"]["metadata"]["creationTimestamp"] == "2026-03-02T06:00:00Z"
