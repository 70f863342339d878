"""Argo CD's application controller: what it compares, when it syncs, and how healthy that is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.clock import MINUTE, Action, stamp_micro
from gitopslab.world.delivery import applications
from gitopslab.world.delivery.changes import Journal
from gitopslab.world.delivery.commits import Release
from gitopslab.world.delivery.sync_operation import Bench, SyncOperation
from gitopslab.world.events import Recorder
from gitopslab.world.random import lognormal, stream
from gitopslab.world.scale import Environment

CONTROLLER = "argocd-application-controller"
PRINCIPAL = "argocd-agent-principal"

_POLL_SECONDS = (180.0, 240.0)
"""timeout.reconciliation, which this platform sets to three minutes, and its jitter."""

_UNMOVED_SHARE = 0.5
"""Of changes that leave the image as it is, so many never leave Healthy."""


@dataclass(slots=True)
class Target:
    """What an environment asks its Applications to be."""

    revision: str
    releases: Mapping[str, Release]


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with the manifests of an Application, from one config commit on until it is mended.

    Attributes:
        dry_index: The config commit.
        message: What the API server answers, or what the pods wait for.
        is_refused: Whether the API server refuses the manifests; else their pods do not become ready.
    """

    dry_index: int
    message: str
    is_refused: bool = False


@dataclass(frozen=True)
class Plane:
    """What the controller of one environment works with.

    Attributes:
        api: The cluster it runs in.
        hub: Where argocd-agent mirrors its Applications; None where it runs on the hub.
        seed: Seed of the world.
        environment: Which environment it is.
        journal: Told of syncs and health.
        refresh_seconds: How often it writes that nothing changed.
        changed: Told when an Application's sync or health changed.
        degraded: Told when a release does not become healthy.
        recovered: Told when an Application is healthy that was degraded by a release.
    """

    api: ApiServer
    hub: ApiServer | None
    seed: int
    environment: Environment
    journal: Journal
    refresh_seconds: float
    changed: Callable[[Environment], None]
    degraded: Callable[[Environment, str, Release], None]
    recovered: Callable[[Environment, str], None]


class Application:
    """One Application and what its controller does with it.

    Args:
        plane: What the controller works with.
        name: Its name.
        target: What it runs from the beginning.
        wave_count: Sync waves of its manifests.
        has_hook: Whether a PreSync hook migrates a database.

    Attributes:
        item: The object.
        target: What it is asked to be.
        good: The last release that became healthy.
    """

    def __init__(
        self, plane: Plane, name: str, target: Target, *, wave_count: int = 1, has_hook: bool = False
    ) -> None:
        self.name, self.target = name, target
        self._plane, self._api, self._clock = plane, plane.api, plane.api.clock
        self._random = stream(plane.seed, "argocd", plane.environment.name, name)
        self._recorder = Recorder(plane.api, CONTROLLER)
        self._live = self.good = target.releases[name]
        self._failed_revision = ""
        self._syncing: Target | None = None
        self._flaw: Flaw | None = None
        self._is_refreshing = self._is_mirroring = self._is_stopped = self._is_seized = False
        self._is_deaf = self._is_failing = False
        self.item = applications.application(name, plane.environment)
        self.item["status"] = applications.first_status(
            self.item, revision=target.revision, image=self._live.image, now=self._clock.now
        )
        self._bench = Bench(
            item=self.item,
            image=lambda: (self._syncing or self.target).releases[name].image,
            clock=self._clock,
            random=self._random,
            recorder=self._recorder,
            after=self._after,
            write=self.write,
            refusal=self._refusal,
            wave_count=wave_count,
            has_hook=has_hook,
        )
        self._api.create(self.item, manager=CONTROLLER)
        self._mirror = self._create_mirror()
        self._after(self._random.uniform(0, plane.refresh_seconds), self._reconcile)

    @property
    def is_healthy(self) -> bool:
        """Whether it is Synced at its target's revision, and Healthy."""
        status = self.item["status"]
        states = (status["sync"]["status"], status["sync"]["revision"], status["health"]["status"])
        return states == ("Synced", self.target.revision, "Healthy")

    @property
    def is_degraded(self) -> bool:
        """Whether its health is Degraded."""
        return bool(self.item["status"]["health"]["status"] == "Degraded")

    @property
    def is_idle(self) -> bool:
        """Whether it runs what it is asked to, and nothing is under way."""
        status = self.item["status"]
        is_quiet = (status["sync"]["status"], status["health"]["status"]) == ("Synced", "Healthy")
        is_done = self._live == self.good == self.target.releases[self.name] and self._syncing is None
        is_free = not self._is_seized and not self._is_stopped and not self._is_deaf and self._flaw is None
        return is_quiet and is_done and is_free

    @property
    def is_struck(self) -> bool:
        """Whether its flaw shows: its sync failed for good, or its pods do not become ready."""
        flaw, status = self._flaw, self.item["status"]
        if flaw is None:
            return False
        if flaw.is_refused:
            phase = status.get("operationState", {}).get("phase")
            return phase == "Failed" and self._failed_revision == self.target.revision
        return self._live.dry_index >= flaw.dry_index and status["health"]["status"] != "Healthy"

    def has_seen(self, dry_index: int) -> bool:
        """Return whether it compared itself with what config commit `dry_index` asks of it."""
        release, revision = self.target.releases[self.name], self.item["status"]["sync"]["revision"]
        return release.dry_index >= dry_index and revision == self.target.revision

    def suffer(self, flaw: Flaw) -> None:
        """Let `flaw` be in what it is asked to be."""
        self._flaw = flaw

    def mend(self) -> None:
        """Take its flaw away, and sync by hand what failed."""
        flaw, self._flaw, self._failed_revision = self._flaw, None, ""
        if self._is_stopped or flaw is None:
            return
        live = self._live
        if live.dry_index < flaw.dry_index:
            self._refresh()
        elif not live.is_bad:
            self._after(self._random.uniform(10, 40), lambda: self._become_healthy(live))

    def deafen(self) -> None:
        """Notice no new target until `hear` is called."""
        self._is_deaf = True

    def hear(self) -> None:
        """Compare with what was asked for meanwhile, at once."""
        self._is_deaf = False
        if not self._is_stopped:
            self._refresh()

    def seize(self) -> None:
        """Start no operation until `free` is called: whoever calls this writes the status."""
        self._is_seized = True

    def show(self, *, sync: str = "", health: str = "", message: str = "") -> None:
        """Write the status with another sync status, or another health and why."""
        if sync:
            self._set_sync(sync)
        if health:
            self._set_health(health, message)
        self.write()

    def free(self) -> None:
        """Be healthy again, and see what was asked for meanwhile."""
        self._is_seized = False
        self.item["status"].pop("conditions", None)
        if self._is_stopped:
            return
        is_wanted = self.target.releases[self.name] == self._live
        self.show(sync="Synced" if is_wanted else "OutOfSync", health="Healthy")
        self._end_operation()

    def move(self, target: Target) -> None:
        """Learn at the next poll that the environment asks for `target`."""
        self.target = target
        if not self._is_refreshing and not self._is_stopped and not self._is_deaf:
            self._is_refreshing = True
            self._after(self._random.uniform(2, self._random.uniform(*_POLL_SECONDS)), self._refresh)

    def stop(self) -> None:
        """Do nothing any more."""
        self._is_stopped = True

    def write(self) -> None:
        """Write the status, and let the mirror follow."""
        self._api.patch_status(self.item, manager=CONTROLLER)
        if self._mirror is not None and not self._is_mirroring:
            self._is_mirroring = True
            self._after(self._random.uniform(0.2, 1.5), self._write_mirror)

    def _after(self, seconds: float, action: Action) -> None:
        self._clock.after(seconds, lambda: None if self._is_stopped else action())

    def _refresh(self) -> None:
        self._is_refreshing = False
        if self._is_deaf:
            return
        status, target = self.item["status"], self.target
        status["reconciledAt"] = self._clock.stamp()
        status["sync"]["revision"] = target.revision
        if target.releases[self.name] == self._live:
            if not self._is_seized:
                self._set_sync("Synced")
        elif self._is_seized:
            self._set_sync("OutOfSync")
        else:
            self._set_sync("OutOfSync")
            if self._syncing is None and target.revision != self._failed_revision:
                self._after(self._random.uniform(0.3, 1.2), self._request)
                self._syncing = target
        self.write()

    def _request(self) -> None:
        self._syncing = self.target
        SyncOperation(self._bench, self.target.revision, self._operated)

    def _refusal(self) -> str:
        """Return why the API server refuses what is being applied; empty if it takes it."""
        flaw, target = self._flaw, self._syncing
        if flaw is None or target is None or not flaw.is_refused:
            return ""
        return flaw.message if target.releases[self.name].dry_index >= flaw.dry_index else ""

    def _operated(self, operation: SyncOperation) -> None:
        """Take over what an operation applied; do not try again what failed."""
        target = self._syncing
        if target is None:
            return
        if not operation.has_succeeded:
            self._failed_revision = target.revision
            self._end_operation()
            return
        before, self._live = self._live, target.releases[self.name]
        self._plane.journal.synced(
            self._plane.environment.name,
            self.name,
            self._live,
            started_at=operation.started_at,
            time=self._clock.now,
            revision=target.revision,
        )
        self.write()
        self._after(self._random.uniform(0.3, 1.5), lambda: self._roll_out(before, self._live))

    def _roll_out(self, before: Release, release: Release) -> None:
        """Compare again after the sync, and let the new pods come."""
        status, ailment = self.item["status"], self._ailment(release)
        status["reconciledAt"] = self._clock.stamp()
        status["sync"]["revision"] = self.target.revision
        self._set_sync("Synced" if self.target.releases[self.name] == release else "OutOfSync")
        may_rest = before.image == release.image and not self.is_degraded and not ailment
        if may_rest and self._random.random() < _UNMOVED_SHARE:
            self.write()
            self._become_healthy(release)
        else:
            status["summary"] = {"images": sorted({before.image, release.image})}
            message = "Waiting for rollout to finish: 0 of 2 updated replicas are available..."
            self._set_health("Progressing", ailment or message)
            self.write()
            if release.is_bad or ailment:
                self._after(lognormal(self._random, 4 * MINUTE, 0.4), lambda: self._degrade(release))
            else:
                self._after(lognormal(self._random, 32, 0.5), lambda: self._become_healthy(release))
        self._end_operation()

    def _ailment(self, release: Release) -> str:
        """Return what the pods of `release` wait for in vain; empty if they become ready."""
        flaw = self._flaw
        is_of_it = flaw is not None and not flaw.is_refused and release.dry_index >= flaw.dry_index
        return flaw.message if flaw is not None and is_of_it else ""

    def _become_healthy(self, release: Release) -> None:
        if self._live != release:
            return
        self.good = release
        self.item["status"]["summary"] = {"images": [release.image]}
        if self.item["status"]["health"]["status"] != "Healthy":
            self._set_health("Healthy")
            self.write()
        if self._is_failing:
            self._is_failing = False
            self._plane.recovered(self._plane.environment, self.name)
        self._plane.journal.healthy(self._plane.environment.name, self.name, release, self._clock.now)
        self._plane.changed(self._plane.environment)

    def _degrade(self, release: Release) -> None:
        ailment = self._ailment(release)
        if self._live != release or not (release.is_bad or ailment):
            return
        self._set_health("Degraded", ailment or f'Deployment "{self.name}" exceeded its progress deadline')
        self.write()
        self._plane.changed(self._plane.environment)
        if release.is_bad:
            self._is_failing = True
            self._plane.degraded(self._plane.environment, self.name, release)

    def _end_operation(self) -> None:
        """See what was asked for meanwhile."""
        self._syncing = None
        self._plane.changed(self._plane.environment)
        if self.target.releases[self.name] != self._live and self.target.revision != self._failed_revision:
            self.move(self.target)

    def _set_sync(self, sync_status: str) -> None:
        status = self.item["status"]
        before, status["sync"]["status"] = status["sync"]["status"], sync_status
        if before != sync_status:
            status["resources"] = applications.resources(self.name, sync_status)
            self._recorder.emit(
                self.item, "ResourceUpdated", f"Updated sync status: {before} -> {sync_status}"
            )
        self._plane.changed(self._plane.environment)

    def _set_health(self, health: str, message: str = "") -> None:
        status = self.item["status"]
        before = status["health"]["status"]
        if before == health:
            return
        status["health"] = {"lastTransitionTime": self._clock.stamp(), "status": health}
        if message:
            status["health"]["message"] = message
        self._recorder.emit(self.item, "ResourceUpdated", f"Updated health status: {before} -> {health}")

    def _reconcile(self) -> None:
        if self._is_stopped:
            return
        self.item["status"]["reconciledAt"] = self._clock.stamp()
        self.write()
        jitter_seconds = self._random.uniform(0.95, 1.05) * self._plane.refresh_seconds
        self._after(jitter_seconds, self._reconcile)

    def _create_mirror(self) -> Object | None:
        hub, environment = self._plane.hub, self._plane.environment
        if hub is None:
            return None
        copy = applications.mirror(self.item, environment.cluster, is_autonomous=environment.lane == "direct")
        return hub.create(copy, manager=PRINCIPAL)

    def _write_mirror(self) -> None:
        self._is_mirroring = False
        if self._mirror is None or self._plane.hub is None:
            return
        updated_at = stamp_micro(self._clock.now)
        self._mirror["metadata"]["annotations"]["argocd-agent.argoproj.io/last-updated"] = updated_at
        self._mirror["status"] = self.item["status"]
        self._plane.hub.patch_status(self._mirror, manager=PRINCIPAL)
