"""Which incidents a world has, and when: one after another on each track, among innocent roll-outs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.capacity.plane import CapacityPlane
from gitopslab.world.clock import HOUR, WEEK, Clock, moment
from gitopslab.world.delivery.argocd import Application
from gitopslab.world.delivery.commits import Release
from gitopslab.world.delivery.plane import DeliveryPlane
from gitopslab.world.incidents import benign, build, capacity, delivery, promotion, rollout
from gitopslab.world.incidents.story import Blast, Kind, Stage, Story, Track
from gitopslab.world.random import stream
from gitopslab.world.truth import INCIDENT, INCIDENT_EFFECT, Truth, Value

KINDS: tuple[Kind, ...] = (
    *delivery.KINDS,
    *rollout.KINDS,
    *promotion.KINDS,
    *build.KINDS,
    *benign.KINDS,
    *capacity.KINDS,
)
"""Every kind that is on the script."""

_ROUND_SECONDS = 4 * WEEK
"""In so long a time each kind comes once."""

_SHORTEST_SLOT_SECONDS = 14 * HOUR
"""No kind lasts longer; where incidents came more often, no roll-out would be innocent."""

_SETTLING_SECONDS = HOUR
"""Between two incidents of a track, so that one is over before another begins."""

_LOOK_SECONDS = 2.0
"""So often a story that could not begin looks whether it can; the truth of its start is as exact."""

TRACKS: tuple[Track, ...] = ("delivery", "benign", "capacity")


@dataclass(frozen=True)
class Incident:
    """One incident, as it is planned.

    Attributes:
        incident_id: Its number in this world, with its key: `A1-004`.
        kind: What happens.
        starts_at: When it begins, at the earliest; seconds since the epoch.
    """

    incident_id: str
    kind: Kind
    starts_at: float


def schedule(seed: int, starts_at: float, ends_at: float, tracks: Sequence[Track] = TRACKS) -> list[Incident]:
    """Return the incidents of a world, the first one first.

    Each track has one slot an incident; a world that is too short for all kinds has as many as fit.

    Args:
        seed: The same seed plans the same.
        starts_at: The beginning of the world, seconds since the epoch.
        ends_at: Its end.
        tracks: What incidents may disturb.
    """
    planned = sorted(
        (time, kind.key, kind.name, kind)
        for track in tracks
        for time, kind in _track(seed, track, starts_at, ends_at)
    )
    numbers = count(1)
    return [Incident(f"{key}-{next(numbers):03d}", kind, time) for time, key, _, kind in planned]


def _track(seed: int, track: Track, starts_at: float, ends_at: float) -> list[tuple[float, Kind]]:
    """Give each kind a slot of its own in every round, by chance; a short round has fewer kinds."""
    kinds = [kind for kind in KINDS if kind.track == track]
    random = stream(seed, "incidents", track)
    round_seconds = min(_ROUND_SECONDS, ends_at - starts_at)
    count_of_round = min(len(kinds), int(round_seconds / _SHORTEST_SLOT_SECONDS))
    planned: list[tuple[float, Kind]] = []
    for round_number in range(int((ends_at - starts_at) / round_seconds)):
        round_at = starts_at + round_number * round_seconds
        for slot, kind in enumerate(random.sample(kinds, count_of_round)):
            slot_seconds = round_seconds / count_of_round
            spare_seconds = slot_seconds - kind.seconds - _SETTLING_SECONDS
            planned.append((round_at + slot * slot_seconds + spare_seconds * random.random(), kind))
    return planned


class Incidents:
    """Lets incidents happen, and writes the truth about them.

    Args:
        planned: What is to happen.
        seed: Seed of the world.
        clock: The clock.
        clusters: Their API servers, by name.
        delivery_plane: Where incidents of the track `delivery` happen.
        capacity_plane: Where those of `capacity` do.
        truth: Where they are written.
    """

    def __init__(  # noqa: PLR0913 - what incidents can happen to
        self,
        planned: Sequence[Incident],
        seed: int,
        clock: Clock,
        clusters: Mapping[str, ApiServer],
        *,
        delivery_plane: DeliveryPlane,
        capacity_plane: CapacityPlane,
        truth: Truth,
    ) -> None:
        self._planned, self._seed, self._clock, self._clusters = planned, seed, clock, clusters
        self._delivery, self._capacity, self._truth = delivery_plane, capacity_plane, truth
        self._going_on: dict[str, tuple[Incident, Blast, float]] = {}
        self._crashes: dict[tuple[str, str], str] = {}
        self._crash_numbers = count(1)
        truth.open(INCIDENT)
        truth.open(INCIDENT_EFFECT)

    def start(self) -> None:
        """Let them begin; where delivery has a script, note what bad releases do without one, too."""
        if any(incident.kind.track == "delivery" for incident in self._planned):
            self._delivery.on_degraded, self._delivery.on_recovered = self._note_crash, self._note_recovery
        for incident in self._planned:
            self._clock.at(incident.starts_at, partial(self._prepare, incident))

    def close(self) -> None:
        """Write those that are not over."""
        for incident, blast, started_at in self._going_on.values():
            self._write(incident, blast, started_at, None)

    def _prepare(self, incident: Incident) -> None:
        stage = Stage(
            self._clock,
            self._clusters,
            self._delivery,
            self._capacity,
            stream(self._seed, "incident", incident.incident_id),
            f"{self._seed}-{incident.incident_id}",
        )
        self._begin(incident, incident.kind.tell(stage))

    def _begin(self, incident: Incident, story: Story) -> None:
        blast = next(story)
        if blast is None:
            self._clock.after(_LOOK_SECONDS, lambda: self._begin(incident, story))
            return
        self._going_on[incident.incident_id] = incident, blast, self._clock.now
        self._clock.after(incident.kind.seconds, lambda: self._end(incident, story))

    def _end(self, incident: Incident, story: Story) -> None:
        next(story, None)
        self._close(incident.incident_id)

    def _note_crash(self, environment: str, application: Application, release: Release) -> None:
        """Take note of a release that the change it was built from makes crash."""
        place = environment, application.name
        if place in self._crashes:
            return
        kind = rollout.CRASH_LOOP
        incident = Incident(f"{kind.key}-{next(self._crash_numbers):03d}", kind, self._clock.now)
        blast = rollout.blast(environment, application, release.source_sha)
        self._crashes[place] = incident.incident_id
        self._going_on[incident.incident_id] = incident, blast, self._clock.now

    def _note_recovery(self, environment: str, application: Application) -> None:
        if incident_id := self._crashes.pop((environment, application.name), ""):
            self._close(incident_id)

    def _close(self, incident_id: str) -> None:
        incident, blast, started_at = self._going_on.pop(incident_id)
        self._write(incident, blast, started_at, self._clock.now)

    def _write(self, incident: Incident, blast: Blast, started_at: float, ended_at: float | None) -> None:
        kind = incident.kind
        row: dict[str, Value] = {
            "incident_id": incident.incident_id,
            "kind": kind.key,
            "class": kind.incident_class,
            "is_benign": kind.incident_class == "benign",
            "cluster": blast.cluster,
            "environment": blast.environment or None,
            "service": blast.service or None,
            "object": _named(blast.objects[0]),
            "cause": kind.cause,
            "cause_kind": "change" if blast.cause_change_id else kind.cause_kind,
            "cause_change_id": blast.cause_change_id,
            "started_at": moment(started_at),
            "ended_at": None if ended_at is None else moment(ended_at),
        }
        self._truth.add(INCIDENT, row)
        for item in blast.objects:
            metadata = item["metadata"]
            effect = {
                "incident_id": incident.incident_id,
                "cluster": blast.cluster,
                "kind": item["kind"],
                "namespace": metadata.get("namespace"),
                "name": metadata["name"],
                "uid": metadata.get("uid"),
            }
            self._truth.add(INCIDENT_EFFECT, effect)


def _named(item: Object) -> str:
    metadata = item["metadata"]
    return f"{item['kind']}/{metadata.get('namespace', '')}/{metadata['name']}"
