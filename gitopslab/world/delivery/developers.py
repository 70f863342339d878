"""Developers, and the robots among them: what they push to the source repository, and when."""

from collections.abc import Callable, Sequence
from random import Random

from gitopslab.world.clock import DAY, HOUR, Clock, moment
from gitopslab.world.delivery.changes import Change, Journal
from gitopslab.world.emit.fast_import import Identity
from gitopslab.world.emit.gitrepos import SourceCommit, SourceRepository
from gitopslab.world.random import lognormal, stream
from gitopslab.world.scale import Environment, Scale, Service

PEOPLE = (
    Identity("Ada Byron", "ada@example.com"),
    Identity("Grace Murray", "grace@example.com"),
    Identity("Edsger Wybe", "edsger@example.com"),
    Identity("Barbara Huberman", "barbara@example.com"),
    Identity("Ken Lane", "ken@example.com"),
)
ROBOT = Identity("renovate[bot]", "renovate[bot]@users.noreply.example.com")

_SUBJECTS = (
    "fix: retry on a closed stream",
    "feat: show runs page by page",
    "fix: <b>escape</b> names in the list",
    "refactor: split the scheduler",
    "perf: cache the session lookup",
    "feat: größere Anhänge zulassen",
    "fix: do not lose the last event",
)
_SHARES = {"documentation": 0.08, "dependency": 0.14, "revert": 0.04}
_REBASE_SHARE = 0.25
_BAD_SHARE = 0.03

_WORK_BEGINS, _WORK_ENDS, _WEEKEND = 7, 18, 5
_EVENING_WEIGHT, _WEEKEND_WEIGHT = 0.1, 0.04

Trigger = Callable[[Service, Change], None]
"""Told of the head of a push that touches a service."""


class Developers:
    """Push to main: squashed or rebased, one service at a time, mostly in working hours.

    Args:
        clock: When they do it.
        seed: Seed of the world.
        scale: How many there are of everything.
        repository: What they push to.
        journal: Follows what they changed.
        environments: By name.
        trigger: Starts a build.
        ends_at: The end of the world.
    """

    def __init__(  # noqa: PLR0913 - what they work with
        self,
        clock: Clock,
        seed: int,
        scale: Scale,
        *,
        repository: SourceRepository,
        journal: Journal,
        environments: dict[str, Environment],
        trigger: Trigger,
        ends_at: float,
    ) -> None:
        self._clock, self._scale, self._repository, self._journal = clock, scale, repository, journal
        self._environments, self._trigger = environments, trigger
        self._random = stream(seed, "developers")
        self._starts_at, self._lasts = clock.now, ends_at - clock.now
        self._pull_requests = 400
        self._latest: dict[str, Change] = {}

    def start(self) -> None:
        """Begin to work."""
        wait_seconds = seconds_to_next(self._random, self._scale.commits_per_day, self._clock.now)
        self._clock.after(wait_seconds, self._work)

    def fix(self, service: Service) -> None:
        """Push a fix for what `service` does wrong in an environment."""
        self._push(service, "code", ["fix: do not crash on start"], waited_seconds=0.2 * HOUR)

    def push(self, service: Service) -> Change:
        """Push a change of `service` now, and return it."""
        return self._push(service, "code", [self._random.choice(_SUBJECTS)])[-1]

    def _work(self) -> None:
        kind = self._kind()
        weights = [service.share for service in self._scale.services]
        service = self._random.choices(self._scale.services, weights)[0]
        if kind == "documentation":
            self._push(None, kind, ["docs: explain the lanes"])
        elif kind == "dependency":
            self._push(service, kind, [f"chore(deps): update {service.name} dependencies"])
        elif kind == "revert" and service.name in self._latest:
            reverted = self._latest[service.name]
            subject = f'Revert "{reverted.commit.subject}"'
            self._push(service, kind, [subject], waited_seconds=0.1 * HOUR, reverts=reverted.sha)
        else:
            count = self._random.choice((2, 3)) if self._random.random() < _REBASE_SHARE else 1
            self._push(service, "code", [self._random.choice(_SUBJECTS) for _ in range(count)])
        self.start()

    def _kind(self) -> str:
        point = self._random.random()
        for kind, share in _SHARES.items():
            if point < share:
                return kind
            point -= share
        return "code"

    def _push(
        self,
        service: Service | None,
        kind: str,
        subjects: Sequence[str],
        *,
        waited_seconds: float = 5 * HOUR,
        reverts: str = "",
    ) -> list[Change]:
        """Merge a pull request with a commit for each of `subjects`; the build is that of the last one."""
        self._pull_requests += 1
        author = ROBOT if kind == "dependency" else self._random.choice(PEOPLE)
        now = self._clock.now
        authored = sorted(now - lognormal(self._random, waited_seconds, 1) for _ in subjects)
        changes = [
            self._commit(
                service,
                kind,
                SourceCommit(
                    author=author,
                    authored_at=authored_at,
                    committed_at=now,
                    subject=subject,
                    files=self._files(service, subject),
                    arrival="rebase" if len(subjects) > 1 else "squash",
                    pull_request=self._pull_requests,
                    reverts=reverts,
                ),
            )
            for authored_at, subject in zip(authored, subjects, strict=True)
        ]
        if service is None:
            return changes
        head = self._latest[service.name] = changes[-1]
        head.is_bad = self._random.random() < _BAD_SHARE and kind != "revert"
        if now < self._starts_at + service.frozen_from * self._lasts:
            for change in changes[:-1]:
                change.build_state = "covered"
            self._trigger(service, head)
        return changes

    def _commit(self, service: Service | None, kind: str, commit: SourceCommit) -> Change:
        change = Change(
            sha=self._repository.commit(commit),
            commit=commit,
            repository="source",
            service=service.name if service else None,
            kind=kind,
            number=self._journal.next_number(service.name) if service else 0,
        )
        environments = service.environments if service else ()
        self._journal.add(change, [self._environments[name] for name in environments])
        return change

    def _files(self, service: Service | None, subject: str) -> dict[str, bytes | None]:
        path = f"services/{service.name}/src/main.py" if service else "docs/lanes.md"
        return {path: f"# {subject}\nSERIAL = {self._random.getrandbits(32)}\n".encode()}


def seconds_to_next(random: Random, per_day: float, now: float) -> float:
    """Return how long it takes until people do something that they do `per_day` times on a working day."""
    time = now
    while True:
        time += random.expovariate(per_day / (_WORK_ENDS - _WORK_BEGINS) / HOUR)
        if random.random() < _weight(time):
            return time - now


def _weight(time: float) -> float:
    if moment(time).weekday() >= _WEEKEND:
        return _WEEKEND_WEIGHT
    is_working = _WORK_BEGINS <= time % DAY / HOUR < _WORK_ENDS
    return 1 if is_working else _EVENING_WEIGHT
