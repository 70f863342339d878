"""The simulated platform through its live sources, which tell of it what its files do."""

import base64
import json
import re
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zstandard

from gitopslab import settings
from gitopslab.checks.scores import Score, score
from gitopslab.datasets import OBJECT_VERSIONS
from gitopslab.lake import Lake
from gitopslab.resources import EXTRACTED
from gitopslab.warehouse import Warehouse
from gitopslab.world.platform import generate
from tests import postgres_server
from tests.apiserver import kubeconfig
from tests.apiserver.replay import replay, writes
from tests.apiserver.server import ApiServer
from tests.apiserver.store import Store
from tests.httpserver import Answer, Asked, as_json, serve
from tests.simulated import CLUSTERS, World
from tests.test_watch import run, start

pytestmark = pytest.mark.slow

SAMPLE = re.compile(r"(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+) (?P<at>\d+)")


def lines(file: Path) -> list[str]:
    with zstandard.open(file, "rt") as stream:
        return stream.read().splitlines()


def series(folder: Path) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """Return the samples of a cluster, by name and labels."""
    found = defaultdict(list)
    for file in sorted(folder.iterdir()):
        for sample in filter(None, map(SAMPLE.fullmatch, lines(file))):
            found[sample["name"], sample["labels"]].append((int(sample["at"]), sample["value"]))
    return found


class Served:
    """What is in a world that is no cluster, repository or database, as HTTP servers tell it."""

    def __init__(self, world: World) -> None:
        self.series = series(world.folder / "metrics" / "dev")
        self.document = json.loads(lines(world.folder / "inventory" / "fetched.ndjson.zst")[-1])["body"]
        runs = {}
        for kind in ("PipelineRun", "TaskRun"):
            runs |= {event.object["metadata"]["uid"]: event for event in world.events("hub", kind=kind)}
        self.records = [
            {
                "name": f"ci/results/r/records/{uid}",
                "data": {
                    "type": f"tekton.dev/v1.{event.kind}",
                    "value": base64.b64encode(bytes(event.body)).decode(),
                },
                "update_time": event.observed_at,
            }
            for uid, event in sorted(runs.items(), key=lambda item: item[1].observed_at, reverse=True)
        ]

    def __call__(self, asked: Asked) -> Answer:
        if asked.path.endswith("/records"):
            return as_json({"records": self.records})
        return as_json(self.document) if asked.path == "/inventory" else self._query_range(asked)

    def _query_range(self, asked: Asked) -> Answer:
        first, last = int(asked.query["start"]), int(asked.query["end"])
        result = [
            {
                "metric": {"__name__": name, **dict(re.findall(r'(\w+)="([^"]*)"', labels))},
                "values": [sample for sample in samples if first <= sample[0] <= last],
            }
            for (name, labels), samples in self.series.items()
            if name.startswith("kueue_")
        ]
        return as_json({"status": "success", "data": {"resultType": "matrix", "result": result}})


def live_settings(world: World, servers: dict[str, ApiServer], url: str) -> str:
    """Return the settings of a world whose clusters have contexts, and whose other sources are at `url`."""
    text = (world.folder / settings.FILE).read_text().replace('path = "git/', f'path = "{world.folder}/git/')
    for name, server in servers.items():
        own = f'[[clusters]]\nname = "{name}"\n'
        text = text.replace(own, f'{own}context = "{name}"\nuid = "{server.store.cluster_uid}"\n')
    kept = [table for table in text.split("\n[[") if not table.startswith(("inventories", "prometheus"))]
    others = f"""
[[inventories]]
name = "hub"
url = "{url}/inventory"

[[prometheus]]
name = "dev"
cluster = "dev"
url = "{url}"
step_seconds = 3600
selectors = ['{{__name__=~"kueue_.+"}}']

[[tekton_results]]
cluster = "hub"
url = "{url}"
"""
    return "\n[[".join(kept) + others


class Platform(NamedTuple):
    """A world, the project that watched and extracted it, and what its commands said."""

    world: World
    project: Path
    served: Served
    said: dict[str, str]

    def count(self, table: str) -> int:
        with Warehouse(self.project / "data" / "gitopslab.duckdb") as warehouse:
            return warehouse.sql(f"SELECT count(*) AS n FROM {table}").one()["n"]


def watch(project: Path, servers: dict[str, ApiServer], histories: dict[str, Any]) -> None:
    """Watch the clusters from before their first object until their last one has landed."""
    process = start(project, "watch", "--flush-seconds", "0.5")
    listed = 0
    while listed < len(servers) * len(EXTRACTED):
        listed += '"event": "listed"' in process.stderr.readline()
    for name, server in servers.items():
        replay(server.store, histories[name])
    committed = {
        version.uid + str(version.resource_version)
        for server in servers.values()
        for group, resource, _ in EXTRACTED
        for version in server.store.log(f"{resource}.{group}".rstrip("."))
    }
    lake = Lake(str(project / "data" / "lake"))
    ends_at = time.monotonic() + 60
    while committed - landed(lake):
        assert time.monotonic() < ends_at, "not everything landed in time"
        time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0


def landed(lake: Lake) -> set[str]:
    tables = lake.read(OBJECT_VERSIONS, ["uid", "resource_version"])
    return {row["uid"] + row["resource_version"] for table in tables for row in table.to_pylist()}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: Any) -> Iterator[Platform]:
    project = tmp_path_factory.mktemp("live")
    generate(7, 1, "small", project / "world")
    world = World(project / "world")
    served = Served(world)
    histories = {name: writes(world.folder / "objects" / f"{name}.ndjson.zst") for name in CLUSTERS}
    with ExitStack() as stack:
        servers = {name: ApiServer(Store(name=name)) for name in CLUSTERS}
        for name, server in servers.items():
            # A cluster's first write is its kube-system namespace, by whose uid it is known from the start.
            replay(server.store, islice(histories[name], 1))
            stack.enter_context(server)
        http = stack.enter_context(serve(served))
        postgres = stack.enter_context(postgres_server.running())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("KUBECONFIG", str(kubeconfig.write(project / "kubeconfig", **servers)))
        patch.setenv("BENCHMARK_DATABASE_URL", postgres.dsn("world"))
        postgres.run("-c", "CREATE DATABASE world", database="postgres")
        postgres.run("-f", str(world.folder / "postgres.sql"), database="world")
        postgres.run("-c", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database="world")
        (project / settings.FILE).write_text(live_settings(world, servers, http.url))
        watch(project, servers, histories)
        said = {}
        for command in (
            "extract kubernetes",
            "extract git",
            "extract postgres",
            "extract inventory",
            "extract prometheus --since 2026-03-01",
            "extract tekton-results",
            "build",
        ):
            code, said[command], err = run(project, *command.split())
            assert code == 0, err
        yield Platform(world, project, served, said)


@pytest.fixture(scope="module")
def from_files(platform: Platform) -> dict[tuple[str, str], Score]:
    """Return the scores of the same world, landed from its files."""
    folder = platform.world.folder
    for name in CLUSTERS:
        code, _, err = run(folder, "land", "files", f"objects/{name}.ndjson.zst", "--cluster", name)
        assert code == 0, err
    assert run(folder, "extract", "git")[0] == run(folder, "build")[0] == 0
    return scores(folder, platform.world)


def scores(project: Path, world: World) -> dict[tuple[str, str], Score]:
    found = score(settings.load(project / settings.FILE), world.folder / "truth")
    return {(each.subject, each.part): each for each in found}


def test_changes_builds_syncs_and_workloads_are_found_as_from_files(platform, from_files):
    live = scores(platform.project, platform.world)

    for subject in ("changes", "change_classes", "builds", "promotions", "syncs", "workloads", "attempts"):
        parts = [key for key in from_files if key[0] == subject]
        assert parts
        assert {key: live[key] for key in parts} == {key: from_files[key] for key in parts}
    assert live["changes", "healthy"].recall == live["workloads", "admitted"].recall == 1


def test_a_list_after_a_watch_and_what_results_keep_hold_nothing_new(platform):
    count = len(platform.served.records)

    assert platform.said["extract kubernetes"].count("read, 0 object versions landed") == len(CLUSTERS)
    assert figures(platform.said["extract tekton-results"]) == [count, 0, count, 0]


def test_what_the_other_sources_serve_is_in_the_warehouse(platform):
    samples = [len(found) for (name, _), found in platform.served.series.items() if name.startswith("kueue_")]

    assert platform.count("metric_sample") == sum(samples) > 0
    assert platform.count("benchmark_runs") == len(platform.world.rows("benchmark_runs")) > 0
    assert platform.count("inventory_snapshot") == 1
    assert platform.count("source_commits") > 0


def figures(table: str) -> list[int]:
    """Return the figures of the only row of a table that a command printed."""
    *_, row = (line for line in table.splitlines() if line.strip())
    return [int(word.replace(",", "")) for word in row.split()[1:]]
