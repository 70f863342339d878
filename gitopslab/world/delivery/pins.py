"""The main branch of the config repository: which release each Application is asked to run."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from gitopslab.world.clock import HOUR, Clock
from gitopslab.world.delivery.changes import Change, Journal
from gitopslab.world.delivery.commits import IMAGE_PREFIX, SOURCE_URL, DryCommit, Release, image
from gitopslab.world.delivery.developers import PEOPLE, seconds_to_next
from gitopslab.world.emit import hydration
from gitopslab.world.emit.fast_import import Identity
from gitopslab.world.emit.gitrepos import ConfigRepository, SourceCommit
from gitopslab.world.emit.hydration import Reference
from gitopslab.world.emit.pins import DIRECT, Pin, PinCommit
from gitopslab.world.random import hexadecimal, lognormal, stream
from gitopslab.world.scale import COMPONENTS, Environment, Scale, Service

ROBOT = Identity("tekton-outer-loop", "tekton@example.com")

_PINS_OF_RYZEN_PER_DAY = 0.6
_SHARE_WITHOUT_EFFECT, _SHARE_OF_COMPONENTS = 0.3, 0.35

Changed = Mapping[tuple[str, str], Release]
"""Releases by environment and Application."""


class ConfigBranch:
    """What is on main of the config repository, and who is told when that changes.

    Args:
        clock: When it changes.
        seed: Seed of the world.
        scale: Which services there are.
        environments: By name.
        repository: Where it is.
        journal: Follows what is pinned.

    Attributes:
        head: The newest commit.
        releases: What is asked for, by environment and Application.
        listeners: Called with every new commit.
    """

    def __init__(  # noqa: PLR0913 - what it needs to know of the world
        self,
        clock: Clock,
        seed: int,
        scale: Scale,
        *,
        environments: Mapping[str, Environment],
        repository: ConfigRepository,
        journal: Journal,
    ) -> None:
        self._clock, self._scale, self._repository, self._journal = clock, scale, repository, journal
        self._environments = environments
        self._random = stream(seed, "config-repository")
        self._pull_requests = 1200
        self.listeners: list[Callable[[DryCommit], None]] = []
        self.releases: dict[str, dict[str, Release]] = {name: {} for name in environments}
        self.head = self._first_commit(seed)

    def start(self) -> None:
        """Begin to change what is not pinned by builds."""
        self._clock.after(self._wait_seconds(self._scale.config_changes_per_day), self._configure)
        self._clock.after(self._wait_seconds(_PINS_OF_RYZEN_PER_DAY), self._pin_ryzen)

    def next_pull_request(self) -> int:
        """Return the number of the next pull request of the repository."""
        self._pull_requests += 1
        return self._pull_requests

    def pin(self, service: Service, change: Change, *, digest: str, pipeline_run: str) -> DryCommit | None:
        """Pin what was built from `change`, for the promoted environments, unless a newer one is pinned."""
        names = self._promoted(service)
        if any(self.releases[name][service.name].number >= change.number for name in names):
            return None
        commit = change.commit
        subject = commit.message.partition("\n")[0]
        reference = Reference(change.sha, commit.author, commit.authored_at, subject, commit.body, SOURCE_URL)
        release = Release(
            0, change.number, change.sha, image(service.name, change.sha), digest, is_bad=change.is_bad
        )
        pin = _pin(service.name, release, pipeline_run)
        pin_commit = PinCommit(self._clock.now, ROBOT, (pin,), reference=reference)
        return self._pin(pin_commit, {(name, service.name): release for name in names})

    def roll_back(self, service: Service, good: Release) -> None:
        """Pin an older release again, for the promoted environments."""
        title = f"revert({service.name}): roll back to git-{good.source_sha[:12]}"
        person = self._random.choice(PEOPLE)
        pin_commit = PinCommit(self._clock.now, person, (_pin(service.name, good),), title=title)
        self._pin(pin_commit, {(name, service.name): good for name in self._promoted(service)})

    def change(self, subject: str, environment: str, application: str) -> Change:
        """Merge a pull request of the config repository; it may concern no environment at all."""
        now = self._clock.now
        path = f"packages/{environment}/{application}/values.yaml" if environment else "docs/runbook.md"
        commit = SourceCommit(
            author=self._random.choice(PEOPLE),
            authored_at=now - lognormal(self._random, HOUR, 1),
            committed_at=now,
            subject=subject,
            files={path: f"# {subject}\nserial: {self._random.getrandbits(32)}\n".encode()},
            arrival="squash",
            pull_request=self.next_pull_request(),
        )
        sha = self._repository.commit(commit)
        service = application or None
        change = Change(sha, commit, repository="config", service=service, kind="config", number=0)
        self._journal.add(change, [self._environments[environment]] if environment else [])
        content = hydration.DryCommit(
            sha, commit.author, commit.authored_at, commit.message.partition("\n")[0]
        )
        changed = {(environment, application): self.releases[environment][application]} if environment else {}
        dry = self._advance(content, changed)
        if environment:
            self._journal.configured(environment, change, dry)
        self._tell(dry)
        return change

    def _pin_ryzen(self) -> None:
        for service in self._scale.services:
            if "ryzen" not in service.environments:
                continue
            wanted, has = self.releases["dev"][service.name], self.releases["ryzen"][service.name]
            if wanted.number > has.number and not wanted.is_bad:
                person = self._random.choice(PEOPLE)
                pin_commit = PinCommit(self._clock.now, person, (_pin(service.name, wanted),), file=DIRECT)
                self._pin(pin_commit, {("ryzen", service.name): wanted})
        self._clock.after(self._wait_seconds(_PINS_OF_RYZEN_PER_DAY), self._pin_ryzen)

    def _configure(self) -> None:
        point = self._random.random()
        if point < _SHARE_WITHOUT_EFFECT:
            self.change("docs: runbook of the hub", "", "")
        elif point < _SHARE_WITHOUT_EFFECT + _SHARE_OF_COMPONENTS:
            component = self._random.choice(COMPONENTS)
            self.change(f"feat({component}): tune", "hub", component)
        else:
            service = self._random.choice(self._scale.services).name
            self.change(f"feat({service}): more replicas", "dev", service)
        self._clock.after(self._wait_seconds(self._scale.config_changes_per_day), self._configure)

    def _first_commit(self, seed: int) -> DryCommit:
        now = self._clock.now
        pins = []
        for service in self._scale.services:
            sha = hexadecimal(40, str(seed), "first", service.name)
            release = Release(0, 0, sha, image(service.name, sha), f"sha256:{hexadecimal(64, sha)}")
            pins.append(_pin(service.name, release))
            for name in service.environments:
                self.releases[name][service.name] = release
        for component in COMPONENTS:
            self.releases["hub"][component] = Release(0, 0, "", f"{IMAGE_PREFIX}/{component}:v1", "")
        self._repository.pin(PinCommit(now, PEOPLE[0], tuple(pins), file=DIRECT, title="feat: ryzen"))
        first = PinCommit(now, PEOPLE[0], tuple(pins), title="feat: all environments")
        content = hydration.DryCommit(self._repository.pin(first), PEOPLE[0], now, first.title)
        return DryCommit(0, now, content)

    def _pin(self, commit: PinCommit, changed: Changed) -> DryCommit:
        references = (commit.reference,) if commit.reference else ()
        sha = self._repository.pin(commit)
        content = hydration.DryCommit(sha, commit.author, commit.at, commit.subject, references=references)
        dry = self._advance(content, changed)
        for environment, application in changed:
            self._journal.pinned(environment, application, self.releases[environment][application], dry)
        self._tell(dry)
        return dry

    def _advance(self, content: hydration.DryCommit, changed: Changed) -> DryCommit:
        self.head = DryCommit(self.head.index + 1, self._clock.now, content)
        for (environment, application), release in changed.items():
            self.releases[environment][application] = replace(release, dry_index=self.head.index)
        return self.head

    def _tell(self, dry: DryCommit) -> None:
        for listener in self.listeners:
            listener(dry)

    def _promoted(self, service: Service) -> list[str]:
        return [name for name in service.environments if self._environments[name].lane == "promoted"]

    def _wait_seconds(self, per_day: float) -> float:
        return seconds_to_next(self._random, per_day, self._clock.now)


def _pin(service: str, release: Release, pipeline_run: str = "") -> Pin:
    return Pin(service, f"{IMAGE_PREFIX}/{service}", release.source_sha, release.digest, pipeline_run)
