"""A whole simulated fleet in a folder: what was seen of its clusters, its repositories, and the truth."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Literal

from gitopslab.errors import UsageError
from gitopslab.world.activity import ActivityStream, InventoryKeeper
from gitopslab.world.apiserver import ApiServer
from gitopslab.world.capacity.artefacts import Artefacts
from gitopslab.world.capacity.layout import ryzen
from gitopslab.world.capacity.objects import CURRENT, OLDER
from gitopslab.world.capacity.plane import CapacityOptions, CapacityPlane
from gitopslab.world.capacity.scenarios import SCENARIOS, Scenario
from gitopslab.world.clock import DAY, MINUTE, WEEK, Clock, moment
from gitopslab.world.control_plane import GATE, ControlPlane
from gitopslab.world.delivery.commits import CONFIG_URL
from gitopslab.world.delivery.plane import DeliveryPlane
from gitopslab.world.delivery.standing import create_system_namespace
from gitopslab.world.emit.gitrepos import ConfigRepository, SourceRepository
from gitopslab.world.emit.inventory import InventoryLog
from gitopslab.world.emit.postgres import PostgresDump
from gitopslab.world.emit.prometheus import MetricsLog
from gitopslab.world.incidents.script import TRACKS, Incidents, schedule
from gitopslab.world.metering import ControllerMetrics
from gitopslab.world.random import stream
from gitopslab.world.scale import CLUSTERS, SCALES, Scale, ScaleName, ScenarioName
from gitopslab.world.settings_file import settings_toml
from gitopslab.world.truth import WATCH_GAP, Truth
from gitopslab.world.watching import Watcher, Watching

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
"""The first moment of every world, a Monday morning."""

ApiRelease = Literal["current", "older"]
Progress = Callable[[float], None]
"""Told which share of the world's time has passed."""


class Platform:
    """A fleet, from its first moment on.

    Args:
        seed: The same seed makes the same world.
        weeks: How long it lasts.
        scale: How much there is of everything.
        out: An existing folder that everything is written to.
        api_release: Which releases its controllers are of.
        watching: How well its clusters are watched.
        incidents: Whether anything goes wrong on purpose.
        scenario: A piece of history that its capacity plays instead of its own work; None for none.
        files: Closes what is open at the end of the world, or when something goes wrong.
    """

    def __init__(  # noqa: PLR0913 - what makes one world differ from another
        self,
        seed: int,
        weeks: float,
        scale: Scale,
        *,
        out: Path,
        api_release: ApiRelease,
        watching: Watching,
        incidents: bool = True,
        scenario: ScenarioName | None = None,
        files: ExitStack,
    ) -> None:
        self.clock = Clock(START.timestamp())
        self._ends_at = self.clock.now + weeks * WEEK
        self._truth = files.enter_context(Truth(out / "truth"))
        self._truth.open(WATCH_GAP)
        for folder in ("git", "inventory", "objects"):
            (out / folder).mkdir()
        source = files.enter_context(SourceRepository(out / "git" / "workflow-builder.git"))
        config = files.enter_context(ConfigRepository(out / "git" / "stacks.git", CONFIG_URL))
        self._watchers = {
            name: files.enter_context(
                Watcher(
                    name,
                    out / "objects" / f"{name}.ndjson.zst",
                    start=self.clock.now,
                    watching=watching,
                    random=stream(seed, "watcher", name),
                    on_gap=self._note_gap,
                )
            )
            for name in CLUSTERS
        }
        self.clusters = {
            name: ApiServer(name, self.clock, watcher, seed) for name, watcher in self._watchers.items()
        }
        self._dump = files.enter_context(PostgresDump(out / "postgres.sql"))
        inventory = files.enter_context(InventoryLog(out / "inventory" / "fetched.ndjson.zst"))
        events_since = self._ends_at - scale.activity_days * DAY
        events = ActivityStream(self._dump, self.clock, events_since)
        self.clusters["hub"].listeners.append(events.note)
        for api in self.clusters.values():
            create_system_namespace(api)
        self.delivery = DeliveryPlane(
            self.clock,
            self.clusters,
            seed,
            scale,
            source=source,
            config=config,
            truth=self._truth,
            ends_at=self._ends_at,
            is_current=api_release == "current",
        )
        self._scenario = SCENARIOS[scenario] if scenario else None
        options = CapacityOptions(
            api_version=CURRENT if api_release == "current" else OLDER, ready_count=_READY_COUNT
        )
        artefacts = Artefacts(out / "swebench")
        self._capacities = {
            cluster: CapacityPlane(
                self.clusters[cluster],
                seed=seed,
                truth=self._truth,
                sink=self._dump,
                scale=cluster_scale,
                options=cluster_options,
                artefacts=artefacts,
            )
            for cluster, cluster_scale, cluster_options in _capacities(options, scale, self._scenario)
        }
        self.capacity = next(iter(self._capacities.values()))
        self._truth.open(GATE)
        self._control_planes = [ControlPlane(self.clusters[cluster]) for cluster in self._capacities]
        tracks = [track for track in TRACKS if track != "capacity" or not self._scenario]
        self._incidents = Incidents(
            schedule(seed, self.clock.now, self._ends_at, tracks) if incidents else (),
            seed,
            self.clock,
            self.clusters,
            delivery_plane=self.delivery,
            capacity_plane=self.capacity,
            truth=self._truth,
        )
        self._scrapes = {name: self._scraped(name, files, out) for name in CLUSTERS}
        self._scrape_seconds = scale.scrape_seconds
        self._inventory = InventoryKeeper(inventory, self.clock, self.delivery, scale.inventory_seconds)

    def run(self, progress: Progress | None = None) -> None:
        """Let the world pass from its beginning to its end."""
        started_at = self.clock.now
        self.delivery.start()
        for control_plane in self._control_planes:
            control_plane.start()
        for capacity in self._capacities.values():
            capacity.start()
        if self._scenario:
            self._scenario.start(self.capacity)
        self._incidents.start()
        self._scrape()
        self.clock.after(MINUTE, self._inventory.fetch)
        while self.clock.now < self._ends_at:
            self.clock.run(min(self.clock.now + DAY, self._ends_at))
            if progress:
                progress((self.clock.now - started_at) / (self._ends_at - started_at))
        self.delivery.close()
        for capacity in self._capacities.values():
            capacity.close()
        for control_plane in self._control_planes:
            control_plane.close(self._truth, self.capacity.exact_image_count)
        self._incidents.close()
        for watcher in self._watchers.values():
            watcher.close(self.clock.now)

    @property
    def written_count(self) -> int:
        """Object versions that were seen."""
        return sum(watcher.written_count for watcher in self._watchers.values())

    def _scraped(self, cluster: str, files: ExitStack, out: Path) -> tuple[ControllerMetrics, MetricsLog]:
        metrics = ControllerMetrics(self.clock)
        self.clusters[cluster].listeners.append(metrics.note)
        return metrics, files.enter_context(MetricsLog(out / "metrics" / cluster))

    def _scrape(self) -> None:
        """Scrape every cluster now, and again later."""
        for cluster, (metrics, log) in self._scrapes.items():
            capacity = self._capacities.get(cluster)
            for sample in chain(metrics.scrape(), capacity.scrape() if capacity else ()):
                log.add(sample)
        self.clock.after(self._scrape_seconds, self._scrape)

    def _note_gap(self, cluster: str, since: float, until: float, reason: str) -> None:
        times = {"since": moment(since), "until": moment(until)}
        self._truth.add(WATCH_GAP, {"cluster": cluster, "reason": reason, **times})


def _capacities(
    options: CapacityOptions, scale: Scale, scenario: Scenario | None
) -> Iterator[tuple[str, Scale, CapacityOptions]]:
    """Yield every cluster that has capacity, the one of incidents first; a scenario plays in one alone."""
    if scenario:
        yield scenario.cluster, scale, scenario.options(options)
        return
    yield "dev", scale, options
    few = replace(
        scale,
        benchmark_runs_per_day=scale.benchmark_runs_per_day * _RYZEN_RUNS_RATIO,
        instances_per_run=_RYZEN_INSTANCES,
    )
    yield (
        "ryzen",
        few,
        replace(options, layout=ryzen(), writes_suite=False, requested=_RYZEN_REQUESTED, large_share=0),
    )


_READY_COUNT = 500
"""All instances have their exact image, unless a scenario says fewer."""

_RYZEN_RUNS_RATIO, _RYZEN_INSTANCES, _RYZEN_REQUESTED = 0.3, 4, (1, 2, 2, 3)
"""One node carries few runs, of few instances; some ask for more at once than it has memory for."""


def generate(  # noqa: PLR0913 - what makes one world differ from another
    seed: int,
    weeks: float,
    scale: ScaleName,
    out: Path,
    *,
    api_release: ApiRelease = "current",
    watching: Watching | None = None,
    incidents: bool = True,
    scenario: ScenarioName | None = None,
    progress: Progress | None = None,
) -> int:
    """Write a world into `out`, and return how many object versions were seen of it.

    The same arguments write the same bytes.

    Args:
        seed: Another seed is another world.
        weeks: How long it lasts.
        scale: How much there is of everything.
        out: A folder that does not exist yet, or is empty.
        api_release: Which releases its controllers are of.
        watching: How well its clusters are watched; perfectly, if nothing is said.
        incidents: Whether anything goes wrong on purpose.
        scenario: A piece of history, of `scenarios.SCENARIOS`, that its capacity plays; None for none.
        progress: Told which share of the world's time has passed.

    Raises:
        UsageError: `out` holds something, `weeks` is not positive, or git is not there.
    """
    if weeks <= 0:
        raise UsageError(f"weeks: {weeks:g} is no length of time; more than 0 would be")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: holds something; name a new or an empty folder")
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        platform = Platform(
            seed,
            weeks,
            SCALES[scale],
            out=out,
            api_release=api_release,
            watching=watching or Watching(),
            incidents=incidents,
            scenario=scenario,
            files=files,
        )
        platform.run(progress)
    (out / "gitopslab.toml").write_text(settings_toml(SCALES[scale]), encoding="utf-8")
    return platform.written_count
