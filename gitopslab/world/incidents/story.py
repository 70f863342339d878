"""What a kind of incident is, and what the story of one may touch."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.capacity.plane import CapacityPlane
from gitopslab.world.clock import Clock
from gitopslab.world.delivery.argocd import Application
from gitopslab.world.delivery.plane import DeliveryPlane

IncidentClass = Literal["fault", "benign", "latency"]
Track = Literal["delivery", "benign", "capacity"]


@dataclass
class Blast:
    """What an incident affects; a story may add to it until it is over.

    Attributes:
        cluster: Where.
        objects: What it shows on, the first of all first.
        environment: The environment that is affected; empty if none is.
        service: The service that is affected; empty if none is.
    """

    cluster: str
    objects: list[Object]
    environment: str = ""
    service: str = ""


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

    def idle_application(self, environment: str) -> Generator[None, None, Application]:
        """Wait until an Application of `environment` has nothing to do, and return it."""
        while True:
            idle = [each for each in self.delivery.applications[environment].values() if each.is_idle]
            if idle:
                return self.random.choice(idle)
            yield None


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
    """

    key: str
    name: str
    incident_class: IncidentClass
    track: Track
    seconds: float
    cause: str
    tell: Callable[[Stage], Story] = field(compare=False)
