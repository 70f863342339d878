"""The reflector, while objects change and everything goes wrong: what landed is what was served."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from gitopslab.clusters import connect
from gitopslab.datasets import OBJECT_VERSIONS
from gitopslab.extract.kubernetes.catalogue import chosen
from gitopslab.extract.kubernetes.session import ClusterWatch, Destination
from gitopslab.lake import Lake
from gitopslab.world.platform import generate
from tests.apiserver import kubeconfig, truth
from tests.apiserver.faults import PASSING, Fault, Faults, Trouble
from tests.apiserver.replay import Pace, replay, writes
from tests.apiserver.server import ApiServer
from tests.apiserver.store import Store, Version
from tests.apiserver.watches import Behaviour

COLUMNS = ["event_type", "is_inferred"]
RESOURCES = ("applications.argoproj.io", "workloads.kueue.x-k8s.io")
SETTLED_SECONDS = 120
# Two examples of each machine are quick; `SOAK_EXAMPLES=50` is for a night.
EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "2"))
LIVELY = Behaviour(bookmark_seconds=0.05, watch_seconds=3, chunk_bytes=2_000)

resources = st.sampled_from(RESOURCES)
names = st.sampled_from("abcd")
TROUBLES = (*PASSING, Trouble.FORBIDDEN, Trouble.UNAUTHORIZED, Trouble.HTML)


def item(name: str, number: int) -> dict[str, Any]:
    return {"metadata": {"namespace": "n", "name": name}, "spec": {"number": number, "text": "x" * 300}}


class Served(Protocol):
    """What keeps objects, the store of the tests or a real API server."""

    def put(self, resource: str, item: dict[str, Any]) -> object: ...
    def delete(self, resource: str, name: str, namespace: str) -> object: ...
    def compact(self) -> object: ...
    def log(self, resource: str) -> list[Version]: ...


class Reader:
    """What `gitopslab watch` runs for one cluster, started and stopped again and again."""

    def __init__(self, folder: Path, server: kubeconfig.Server, resources: tuple[str, ...]) -> None:
        file = kubeconfig.write(folder / "kubeconfig", hub=server)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KUBECONFIG", str(file))
            self.cluster = connect("hub", "hub")
        self.lake = Lake(str(folder / "lake"))
        self.resources = resources
        self.start()

    def start(self) -> None:
        self._watch = ClusterWatch(
            self.cluster,
            "",
            chosen(self.resources),
            # What landed is held to what was served, with every value of the environment.
            Destination(self.lake, environment_names=("*",)),
            flush_seconds=0.1,
        )
        self._thread = Thread(target=self._watch.run)
        self._thread.start()

    def stop(self) -> None:
        self._watch.stop()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def settle(self, served: Served) -> None:
        """Return when the last of all that was committed has landed."""
        last = {log[-1] for resource in self.resources if (log := served.log(resource))}
        wanted = {(version.uid, str(version.resource_version)) for version in last}
        ends_at = time.monotonic() + SETTLED_SECONDS
        while not wanted <= {key[1:] for key in truth.keys(self.lake, "hub")}:
            assert time.monotonic() < ends_at, "what was committed last never landed"
            time.sleep(0.1)


class Changes(RuleBasedStateMachine):
    """Two resources of one cluster, what happens to their objects, and a reader that comes and goes."""

    served: Served
    reader: Reader

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count()

    @rule(resource=resources, name=names)
    def put(self, resource: str, name: str) -> None:
        self.served.put(resource, item(name, next(self._numbers)))

    @rule(resource=resources, times=st.integers(2, 20))
    def put_many(self, resource: str, times: int) -> None:
        for _ in range(times):
            self.put(resource, "busy")

    @rule(resource=resources, name=names)
    def delete(self, resource: str, name: str) -> None:
        self.put(resource, name)
        self.served.delete(resource, name, "n")

    @rule()
    def compact(self) -> None:
        self.served.compact()

    @rule(resource=resources)
    def lose_while_away(self, resource: str) -> None:
        self.put(resource, "a")
        self.settle()
        self.reader.stop()
        self.served.delete(resource, "a", "n")
        self.put_many(resource, 3)
        self.served.compact()
        self.reader.start()

    @rule()
    def restart_reader(self) -> None:
        self.reader.stop()
        self.reader.start()

    @rule()
    def settle(self) -> None:
        for resource in RESOURCES:
            self.put(resource, "last")
        self.reader.settle(self.served)

    def compare(self) -> None:
        self.settle()
        self.reader.stop()
        for resource in RESOURCES:
            assert truth.differences(self.served, self.reader.lake, "hub", resource) == []


class Soak(Changes):
    """The same on the server of the tests, with everything that can go wrong between it and the reader."""

    behaviour = LIVELY

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self.served = self.store = Store()
        self.server = ApiServer(self.store, behaviour=self.behaviour, token="t0ken").start()  # noqa: S106 - made up
        self.reader = Reader(Path(self._folder.name), self.server, RESOURCES)
        self.settle()

    @rule(trouble=st.sampled_from(TROUBLES), resource=resources, after=st.integers(0, 3))
    def go_wrong(self, trouble: Trouble, resource: str, after: int) -> None:
        self.server.faults.add(Fault(trouble, "watch", resource, after=after, seconds=1))
        self.server.cut_all()
        self.put_many(resource, 3)

    @rule(trouble=st.sampled_from(TROUBLES), resource=resources)
    def go_wrong_while_it_lists(self, trouble: Trouble, resource: str) -> None:
        self.delete(resource, "b")
        self.server.faults.add(Fault(Trouble.EXPIRED_EVENT, "watch", resource))
        # Before it goes on after a cut, the reader asks for one object: that is not the list that is meant.
        verb, limit = ("watch", 0) if self.behaviour.has_watch_list else ("list", 500)
        self.server.faults.add(Fault(trouble, verb, resource, limit, seconds=1))
        self.server.cut_all()
        self.put_many(resource, 3)

    @rule(resource=resources)
    def change_while_it_lists(self, resource: str) -> None:
        self.go_wrong_while_it_lists(Trouble.SLOW, resource)
        for _ in range(6):
            time.sleep(0.3)
            self.put_many(resource, 3)

    @rule()
    def cut(self) -> None:
        self.server.cut_all()

    @rule()
    def come_back_later(self) -> None:
        self.server.stop()
        time.sleep(0.05)
        self.server.start()

    def faults_struck(self) -> list[Trouble]:
        return [trouble for trouble, _ in self.server.faults.struck]

    def teardown(self) -> None:
        try:
            self.server.faults.clear()
            self.compare()
            assert {asked.method for asked in self.server.asked} == {"GET"}
        finally:
            self.reader.stop()
            self.server.stop()
            self._folder.cleanup()


class SoakOfOlder(Soak):
    """On a server that knows no initial events, so that there are lists."""

    behaviour = replace(LIVELY, has_watch_list=False)


def run(machine: type[RuleBasedStateMachine], example_count: int, step_count: int) -> None:
    """Run examples that are the same at each run; none is made smaller, since threads decide with them."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=example_count,
            stateful_step_count=step_count,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
@pytest.mark.parametrize("machine", [Soak, SoakOfOlder])
def test_what_landed_is_what_was_served_whatever_goes_wrong(machine):
    run(machine, example_count=EXAMPLES, step_count=12)


@pytest.fixture(params=[True, False], ids=["watch list", "pages"])
def soak(request) -> Iterator[Soak]:
    machine = Soak() if request.param else SoakOfOlder()
    yield machine
    machine.teardown()


def test_what_is_replaced_while_a_list_is_awaited_lies_in_a_gap(soak):
    soak.change_while_it_lists(RESOURCES[0])
    soak.settle()
    assert soak.faults_struck() == [Trouble.EXPIRED_EVENT, Trouble.SLOW]


def test_a_backlog_that_is_told_in_part_leaves_a_gap_of_the_rest(soak):
    soak.server.stop()
    soak.put_many(RESOURCES[0], 6)
    time.sleep(1.5)
    soak.server.faults.add(Fault(Trouble.EXPIRED_EVENT, "watch", RESOURCES[0], after=1))
    soak.server.start()
    soak.settle()
    assert soak.faults_struck() == [Trouble.EXPIRED_EVENT]


def test_what_is_deleted_while_nobody_looks_is_known_to_be_gone(soak):
    soak.lose_while_away(RESOURCES[0])
    lake = soak.reader.lake
    wait_until(lambda: deletions(lake) == [True])


def deletions(lake: Lake) -> list[bool]:
    """Return whether each deletion in the lake was inferred."""
    rows = [row for table in lake.read(OBJECT_VERSIONS, COLUMNS, "hub") for row in table.to_pylist()]
    return [row["is_inferred"] for row in rows if row["event_type"] == "DELETED"]


@pytest.mark.slow
def test_a_simulated_cluster_lands_whole_from_a_server_that_often_fails(tmp_path):
    generate(7, 0.5, "small", tmp_path / "world")
    store = Store(name="dev")
    history = list(writes(tmp_path / "world" / "objects" / "dev.ndjson.zst"))
    # The kube-system namespace is the first, and says which cluster it is.
    replay(store, history[:1])
    faults = Faults(seed=7, rate=0.7, most_events=40, most_seconds=0.3)
    with ApiServer(store, faults, LIVELY) as server:
        kinds = tuple(sorted({write.resource for write in history[1:] if store.serves(write.resource)}))
        reader = Reader(tmp_path, server, kinds)
        replay(store, history[1:], Pace(events_per_second=len(history) / 10))
        faults.clear()
        reader.settle(store)
        reader.stop()
        assert [wrong for kind in kinds for wrong in truth.differences(store, reader.lake, "hub", kind)] == []
    assert len(faults.struck) > 20


@pytest.mark.slow
def test_a_watch_that_is_killed_again_and_again_loses_and_repeats_nothing(tmp_path):
    store = Store()
    chance = Random(7)  # noqa: S311 - when to kill
    (tmp_path / "gitopslab.toml").write_text('[[clusters]]\nname = "hub"\ncontext = "hub"\n')
    lake = Lake(str(tmp_path / "data" / "lake"))
    with ApiServer(store, behaviour=LIVELY) as server, changing(store):
        kubeconfig.write(tmp_path / "kubeconfig", hub=server)
        for _ in range(4):
            with watching(tmp_path) as process:
                landed_count = truth.keys(lake, "hub").total()
                wait_until(lambda before=landed_count: truth.keys(lake, "hub").total() > before)
                time.sleep(chance.uniform(0, 0.5))
                process.kill()
        store.compact()
        with watching(tmp_path) as process:
            wait_until(lambda: gap_count(lake) == len(RESOURCES))
            process.terminate()
            assert process.wait(30) == 0
    with ApiServer(store, behaviour=LIVELY) as server:
        kubeconfig.write(tmp_path / "kubeconfig", hub=server)
        with watching(tmp_path, "--once-synced") as process:
            assert process.wait(60) == 0
    assert [wrong for kind in RESOURCES for wrong in truth.differences(store, lake, "hub", kind)] == []
    assert gap_count(lake) == len(RESOURCES)


@contextmanager
def changing(store: Store) -> Iterator[None]:
    """Change objects all the time, in the same way at each run, while the block lasts."""
    chance = Random(7)  # noqa: S311 - which object
    over = Event()

    def change() -> None:
        for number in count():
            if over.wait(0.005):
                return
            resource, name = chance.choice(RESOURCES), chance.choice("abcd")
            if chance.random() < 0.2 and ("n", name) in store.collection(resource).live:
                store.delete(resource, name, "n")
            else:
                store.put(resource, item(name, number))

    thread = Thread(target=change)
    thread.start()
    yield
    over.set()
    thread.join()


@contextmanager
def watching(project: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `gitopslab watch` in a folder that has a gitopslab.toml and a kubeconfig."""
    command = [sys.executable, "-m", "gitopslab", "watch", "--flush-seconds", "0.1", *options]
    for resource in RESOURCES:
        command += ["--resource", resource]
    environment = os.environ | {"KUBECONFIG": str(project / "kubeconfig")}
    with (
        (project / "watch.log").open("ab") as log,
        subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def gap_count(lake: Lake) -> int:
    stretches = [stretch for kind in RESOURCES for stretch in truth.stretches(lake, "hub", kind)]
    return sum(stretch.state == "gap" for stretch in stretches)


def wait_until(is_so: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + SETTLED_SECONDS
    while not is_so():
        assert time.monotonic() < ends_at
        time.sleep(0.05)
