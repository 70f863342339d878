"""The delivery plane: developers, builds, pins, hydrators, promoters and Argo CD, joined."""

from collections.abc import Callable, Mapping
from functools import partial

from gitopslab.world.apiserver import ApiServer
from gitopslab.world.clock import HOUR, Clock
from gitopslab.world.delivery import standing
from gitopslab.world.delivery.argocd import Application, Plane, Target
from gitopslab.world.delivery.builds import Builds
from gitopslab.world.delivery.changes import Journal
from gitopslab.world.delivery.commits import DryCommit, Hydrated, Release
from gitopslab.world.delivery.developers import Developers
from gitopslab.world.delivery.hydrator import Hydrator
from gitopslab.world.delivery.pins import ConfigBranch
from gitopslab.world.delivery.promotion_strategy import Strategy
from gitopslab.world.emit.gitrepos import ConfigRepository, SourceRepository
from gitopslab.world.random import lognormal, stream
from gitopslab.world.scale import COMPONENTS, ENVIRONMENTS, Environment, Scale, Service
from gitopslab.world.truth import Truth

_ROLLED_BACK_SHARE = 0.6

STRATEGIES = {"workflow-builder-release": ("dev", "staging"), "stacks-environments": ("hub",)}
"""PromotionStrategies, and their environments in order."""


class DeliveryPlane:
    """Everything between a commit and a healthy release.

    Args:
        clock: The clock.
        clusters: Their API servers, by name.
        seed: Seed of the world.
        scale: How much there is of everything.
        source: The source repository.
        config: The config repository.
        truth: Where every change is written once it is known.
        ends_at: The end of the world, seconds since the epoch.
        is_current: Whether Argo CD is of the newest release, and not of the one before.

    Attributes:
        applications: By environment and name.
        builds: The outer loop.
        config: The main branch of the config repository.
        hydrators: By environment.
        developers: What they push.
        services: By name.
        strategies: By environment.
        on_degraded: Called with an environment, an Application there and the release that degraded it.
        on_recovered: Called with an environment and such an Application once it is healthy.
    """

    def __init__(  # noqa: PLR0913 - what it is joined to
        self,
        clock: Clock,
        clusters: Mapping[str, ApiServer],
        seed: int,
        scale: Scale,
        *,
        source: SourceRepository,
        config: ConfigRepository,
        truth: Truth,
        ends_at: float,
        is_current: bool = True,
    ) -> None:
        self._clock, self._clusters, self._seed, self._scale = clock, clusters, seed, scale
        self._random = stream(seed, "delivery")
        self._starts_at, self._lasts = clock.now, ends_at - clock.now
        self.services = {service.name: service for service in scale.services}
        self._environments = {environment.name: environment for environment in ENVIRONMENTS}
        self._repaired: dict[str, int] = {}
        self._journal = Journal(truth)
        self.config = ConfigBranch(
            clock,
            seed,
            scale,
            environments=self._environments,
            repository=config,
            journal=self._journal,
        )
        self.builds = Builds(clusters["hub"], seed, self.config)
        self.developers = Developers(
            clock,
            seed,
            scale,
            repository=source,
            journal=self._journal,
            environments=self._environments,
            trigger=self.builds.trigger,
            ends_at=ends_at,
        )
        self.on_degraded: Callable[[str, Application, Release], object] = _ignore
        self.on_recovered: Callable[[str, Application], object] = _ignore
        self.applications: dict[str, dict[str, Application]] = {name: {} for name in self._environments}
        self.hydrators = {
            environment.name: self._hydrator(environment, config, is_current=is_current)
            for environment in ENVIRONMENTS
            if environment.branch
        }
        self.strategies = {
            name: strategy
            for title, names in STRATEGIES.items()
            for strategy in [self._strategy(title, names, config)]
            for name in names
        }
        for environment in ENVIRONMENTS:
            self._deploy(environment)

    def start(self) -> None:
        """Begin to work."""
        standing.create(
            self._clusters, [application.item for application in self.applications["dev"].values()]
        )
        self.config.listeners += [hydrator.notice for hydrator in self.hydrators.values()]
        self.config.listeners.append(self._follow_main)
        for environment in ENVIRONMENTS:
            if environment.stopped_from < 1:
                stops_at = self._starts_at + environment.stopped_from * self._lasts
                self._clock.at(stops_at, partial(self._stop, environment))
        self.builds.start()
        self.developers.start()
        self.config.start()

    def close(self) -> None:
        """Write what is known of the changes that have not arrived."""
        self._journal.close()

    def _deploy(self, environment: Environment) -> None:
        """Create the Applications of an environment, as they run what was there in the beginning."""
        is_hub = environment.cluster == "hub"
        plane = Plane(
            api=self._clusters[environment.cluster],
            hub=None if is_hub else self._clusters["hub"],
            seed=self._seed,
            environment=environment,
            journal=self._journal,
            refresh_seconds=self._scale.refresh_seconds,
            changed=self._changed,
            degraded=self._degraded,
            recovered=self._recovered,
        )
        target = Target(self.config.head.sha, dict(self.config.releases[environment.name]))
        if environment.branch:
            tip = self.hydrators[environment.name].tip
            target = Target(self.strategies[environment.name].active_sha(environment.name), tip.releases)
        names = (
            COMPONENTS
            if is_hub
            else [s.name for s in self._scale.services if environment.name in s.environments]
        )
        for name in names:
            service = self.services.get(name, Service(name))
            self.applications[environment.name][name] = Application(
                plane, name, target, wave_count=service.wave_count, has_hook=service.has_migration
            )

    def _hydrator(self, environment: Environment, config: ConfigRepository, *, is_current: bool) -> Hydrator:
        return Hydrator(
            self._clock,
            self._seed,
            environment,
            config=self.config,
            repository=config,
            journal=self._journal,
            applications=self.applications[environment.name],
            proposed=partial(self._propose, environment.name),
            tells_compared=is_current,
        )

    def _strategy(self, name: str, environments: tuple[str, ...], config: ConfigRepository) -> Strategy:
        return Strategy(
            self._clusters["hub"],
            self._seed,
            name,
            tips={each: (self._environments[each], self.hydrators[each].tip) for each in environments},
            config=self.config,
            repository=config,
            journal=self._journal,
            applications=self.applications,
            moved=self._moved,
        )

    def _propose(self, environment: str, hydrated: Hydrated, note: DryCommit) -> None:
        self.strategies[environment].proposed(environment, hydrated, note)

    def _moved(self, environment: Environment, sha: str, hydrated: Hydrated) -> None:
        target = Target(sha, hydrated.releases)
        for application in self.applications[environment.name].values():
            application.move(target)

    def _follow_main(self, dry: DryCommit) -> None:
        for environment in ENVIRONMENTS:
            if environment.lane == "direct":
                target = Target(dry.sha, dict(self.config.releases[environment.name]))
                for application in self.applications[environment.name].values():
                    application.move(target)

    def _changed(self, environment: Environment) -> None:
        if environment.name in self.strategies:
            self.strategies[environment.name].applications_changed(environment.name)

    def _degraded(self, environment: Environment, name: str, release: Release) -> None:
        """Let somebody see to it, once a release: roll it back, or fix what it is made of."""
        self.on_degraded(environment.name, self.applications[environment.name][name], release)
        if name not in self.services or self._repaired.get(name, -1) >= release.number:
            return
        self._repaired[name] = release.number
        service, good = self.services[name], self.applications[environment.name][name].good
        seconds = lognormal(self._random, 0.25 * HOUR, 0.6)
        if self._random.random() < _ROLLED_BACK_SHARE and environment.lane == "promoted":
            self._clock.after(seconds, lambda: self._roll_back(environment, service, release, good))
        else:
            self._clock.after(seconds, lambda: self.developers.fix(service))

    def _recovered(self, environment: Environment, name: str) -> None:
        self.on_recovered(environment.name, self.applications[environment.name][name])

    def _roll_back(self, environment: Environment, service: Service, bad: Release, good: Release) -> None:
        if self.config.releases[environment.name][service.name].number == bad.number:
            self.config.roll_back(service, good)

    def _stop(self, environment: Environment) -> None:
        for application in self.applications[environment.name].values():
            application.stop()
        self._journal.stop(environment.name)
        if environment.branch:
            self.hydrators[environment.name].stop()
            self.strategies[environment.name].stop(environment.name)


def _ignore(*_: object) -> None:
    """Do nothing: nobody asked."""
