"""What a kind of incident is, and what the story of one may touch."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.capacity.plane import CapacityPlane
from gitopslab.world.clock import Clock
from gitopslab.world.delivery.argocd import Application, Flaw
from gitopslab.world.delivery.change_transfer_policy import Policy
from gitopslab.world.delivery.plane import DeliveryPlane
from gitopslab.world.scale import Service

IncidentClass = Literal["fault", "benign", "latency"]
Track = Literal["delivery", "benign", "capacity"]
CauseKind = Literal["change", "platform", "person", "design"]
"""A commit; a controller, a limit, a network; somebody's hand; or nothing, since it is meant to be so."""


@dataclass
class Blast:
    """What an incident affects; a story may add to it until it is over.

    Attributes:
        cluster: Where.
        objects: What it shows on, the first of all first.
        environment: The environment that is affected; empty if none is.
        service: The service that is affected; empty if none is.
        cause_change_id: The commit that caused it; None if none did.
    """

    cluster: str
    objects: list[Object]
    environment: str = ""
    service: str = ""
    cause_change_id: str | None = None


@dataclass(frozen=True)
class Stage:
    """The part of a world that incidents play in.

    Attributes:
        clock: The clock.
        clusters: Their API servers, by name.
        delivery: Developers, builds, promotion and Argo CD.
        capacity: Kueue and benchmark runs of dev.
        random: Chance of this one incident.
        name: What tells this incident from all others.
    """

    clock: Clock
    clusters: Mapping[str, ApiServer]
    delivery: DeliveryPlane
    capacity: CapacityPlane
    random: Random
    name: str

    def idle_application(self, environment: str, name: str = "") -> Generator[None, None, Application]:
        """Wait until an Application of `environment`, that of `name` or any, has nothing to do; return it."""
        while True:
            known = self.delivery.applications[environment].values()
            idle = [each for each in known if each.is_idle and name in {"", each.name}]
            if idle:
                return self.random.choice(idle)
            yield None

    def change(self, environment: str, application: Application, subject: str) -> str:
        """Change what `environment` asks of `application`, and return the commit."""
        kind, _, what = subject.partition(": ")
        title = f"{kind}({application.name}): {what}"
        return self.delivery.config.change(title, environment, application.name).sha

    def seen(self, environment: str, application: Application) -> Generator[None, None, None]:
        """Wait until `application` has compared itself with what is on main now."""
        wanted = self.delivery.config.releases[environment][application.name].dry_index
        while not application.has_seen(wanted):
            self._hurry(environment)
            yield None

    def struck(self, environment: str, application: Application, flaw: Flaw) -> Generator[None, None, None]:
        """Wait until `application` shows `flaw`."""
        application.suffer(flaw)
        while not application.is_struck:
            self._hurry(environment)
            yield None

    def policy(self, environment: str) -> Policy:
        """Return the ChangeTransferPolicy of `environment`."""
        return self.delivery.strategies[environment].policies[environment]

    def service(self) -> Service:
        """Return a service that is built for as long as the world lasts."""
        services = self.delivery.services.values()
        return self.random.choice([each for each in services if each.frozen_from == 1])

    def _hurry(self, environment: str) -> None:
        """Where people merge, let them merge what is open."""
        strategy = self.delivery.strategies.get(environment)
        policy = strategy.policies[environment] if strategy else None
        if policy and policy.environment.lane == "manual" and policy.pull_request and not policy.trouble:
            policy.merge_by_hand()


Story = Generator[Blast | None, None, None]
"""Begins and yields what is affected, then ends; None says that it could not begin yet."""


@dataclass(frozen=True)
class Kind:
    """A kind of incident.

    Attributes:
        key: Its row in the catalogue of signatures.
        name: What it is called.
        incident_class: Whether something is wrong, or looks so and is not, or is only slow.
        track: What it disturbs; incidents of a track never overlap.
        seconds: How long one lasts.
        cause: What is behind it.
        tell: Plays one.
        cause_kind: What is behind it where its story names no change.
    """

    key: str
    name: str
    incident_class: IncidentClass
    track: Track
    seconds: float
    cause: str
    tell: Callable[[Stage], Story] = field(compare=False)
    cause_kind: CauseKind = "platform"
