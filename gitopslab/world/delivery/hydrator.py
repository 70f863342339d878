"""Argo CD's source hydrator: what is on main becomes manifests on the proposed branch of an environment."""

from collections.abc import Callable, Mapping
from functools import partial

from gitopslab.world.apiserver import Object
from gitopslab.world.clock import Action, Clock, stamp
from gitopslab.world.delivery.argocd import Application
from gitopslab.world.delivery.changes import Journal
from gitopslab.world.delivery.commits import DryCommit, Hydrated, Release
from gitopslab.world.delivery.pins import ConfigBranch
from gitopslab.world.emit.gitrepos import ConfigRepository, paragraphs
from gitopslab.world.emit.hydration import HydratedCommit
from gitopslab.world.random import lognormal, stream
from gitopslab.world.scale import Environment

_POLL_SECONDS = 180.0

Proposed = Callable[[Hydrated, DryCommit], None]
"""Told of what the proposed branch holds, and of the newest config commit that gives the same."""


class Hydrator:
    """Hydrates one environment: all its Applications in one commit.

    Args:
        clock: When it does.
        seed: Seed of the world.
        environment: Which one.
        config: What it reads.
        repository: Where it commits.
        journal: Told of every commit.
        applications: Those of the environment; none yet when the first commit is made.
        proposed: Told after every hydration.
        tells_compared: Whether it says which config commit it compared last, as from Argo CD 3.5 on.
    """

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        clock: Clock,
        seed: int,
        environment: Environment,
        *,
        config: ConfigBranch,
        repository: ConfigRepository,
        journal: Journal,
        applications: Mapping[str, Application],
        proposed: Proposed,
        tells_compared: bool,
    ) -> None:
        self._clock, self._environment = clock, environment
        self._config, self._repository, self._journal = config, repository, journal
        self._applications, self._proposed = applications, proposed
        self._tells_compared = tells_compared
        self._random = stream(seed, "hydrator", environment.name)
        self._phase = self._random.uniform(0, _POLL_SECONDS)
        self._is_waiting = self._is_stopped = self._is_held = self._is_hydrating = False
        self._held: Action | None = None
        base = self._repository.begin(environment.branch, clock.now)
        journal.moved(environment.name, base, clock.now)
        self._tip = self._commit(config.head, self._wanted(), {}, base)

    @property
    def tip(self) -> Hydrated:
        """The newest commit of the proposed branch."""
        return self._tip

    @property
    def is_hanging(self) -> bool:
        """Whether a hydration is under way that does not end before `release` is called."""
        return self._is_held and self._is_hydrating

    def notice(self, _dry: DryCommit) -> None:
        """See at the next poll that main has moved."""
        if self._is_waiting or self._is_stopped:
            return
        self._is_waiting = True
        polls = (self._clock.now - self._phase) // _POLL_SECONDS + 1
        self._clock.at(self._phase + polls * _POLL_SECONDS, self._begin)

    def stop(self) -> None:
        """Do nothing any more."""
        self._is_stopped = True

    def hold(self) -> None:
        """Hang in the next hydration until `release` is called."""
        self._is_held = True

    def release(self) -> None:
        """Finish the hydration that hangs, if any."""
        self._is_held = False
        held, self._held = self._held, None
        if held is not None:
            held()

    def _begin(self) -> None:
        if self._is_stopped:
            return
        self._is_hydrating, started_at = True, self._clock.stamp()
        for application in self._applications.values():
            status = self._status(application)
            status["currentOperation"] = {
                "message": "",
                "phase": "Hydrating",
                "sourceHydrator": application.item["spec"]["sourceHydrator"],
                "startedAt": started_at,
            }
            application.write()
        dry, wanted = self._config.head, self._wanted()
        seconds = lognormal(self._random, 38, 0.4)
        self._clock.after(seconds, lambda: self._finish(dry, wanted, started_at))

    def _finish(self, dry: DryCommit, wanted: Mapping[str, Release], started_at: str) -> None:
        if self._is_stopped:
            return
        if self._is_held:
            self._held = partial(self._finish, dry, wanted, started_at)
            return
        self._is_waiting = self._is_hydrating = False
        before = self._tip
        if wanted != before.releases:
            self._tip = self._commit(dry, wanted, before.releases)
            self._journal.hydrated(self._environment.name, self._tip)
        else:
            self._repository.note_hydrated(before.sha, dry.sha, self._clock.now)
        for application in self._applications.values():
            self._note(application, dry, started_at)
        self._proposed(self._tip, dry)
        if self._config.head.index > dry.index:
            self.notice(self._config.head)

    def _wanted(self) -> dict[str, Release]:
        return dict(self._config.releases[self._environment.name])

    def _commit(
        self, dry: DryCommit, releases: Mapping[str, Release], before: Mapping[str, Release], base: str = ""
    ) -> Hydrated:
        changed = {name: release for name, release in releases.items() if before.get(name) != release}
        now = self._clock.now
        commit = HydratedCommit(
            branch=f"{self._environment.branch}-next",
            at=now,
            dry=dry.content,
            manifests={
                f"packages/{self._environment.name}/{name}": manifest(name, release)
                for name, release in changed.items()
            },
            base=base,
        )
        body = paragraphs(dry.content.body, commit.co_authors).strip()
        return Hydrated(self._repository.hydrate(commit), dry, releases, now, body)

    def _note(self, application: Application, dry: DryCommit, started_at: str) -> None:
        status = self._status(application)
        hydrator = application.item["spec"]["sourceHydrator"]
        done = {"drySHA": dry.sha, "hydratedSHA": self._tip.sha, "sourceHydrator": hydrator}
        finished_at = stamp(self._clock.now)
        status["currentOperation"] = done | {
            "finishedAt": finished_at,
            "message": "",
            "phase": "Hydrated",
            "startedAt": started_at,
        }
        status["lastSuccessfulOperation"] = done
        if self._tells_compared:
            status["lastComparedDryRevision"] = dry.sha
        application.write()

    @staticmethod
    def _status(application: Application) -> Object:
        status: Object = application.item["status"].setdefault("sourceHydrator", {})
        return status


def manifest(name: str, release: Release) -> bytes:
    """Return the manifests of an Application, as far as they can differ."""
    digest = f"@{release.digest}" if release.digest else ""
    lines = (
        "apiVersion: apps/v1",
        "kind: Deployment",
        "metadata:",
        "  annotations:",
        f'    stacks.io/revision: "{release.dry_index}"',
        f"  name: {name}",
        "spec:",
        "  template:",
        "    spec:",
        "      containers:",
        f"        - image: {release.image}{digest}",
        f"          name: {name}",
    )
    return ("\n".join(lines) + "\n").encode()
