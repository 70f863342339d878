"""Argo CD's application controller: refresh, compare, sync with retries, and health."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.clock import MINUTE, Action, moment, stamp, stamp_micro
from gitopslab.world.delivery import applications
from gitopslab.world.delivery.applications import HISTORY_LIMIT, RETRY, RETRY_LIMIT
from gitopslab.world.delivery.changes import Journal
from gitopslab.world.delivery.commits import Release
from gitopslab.world.events import Recorder
from gitopslab.world.random import lognormal, stream
from gitopslab.world.scale import Environment

CONTROLLER = "argocd-application-controller"
PRINCIPAL = "argocd-agent-principal"

_POLL_SECONDS = (120.0, 180.0)
"""timeout.reconciliation and its jitter."""

_FAILED_SHARE, _DOOMED_SHARE, _FAILED_AGAIN_SHARE = 0.08, 0.015, 0.35
_UNMOVED_SHARE = 0.5
"""Of changes that leave the image as it is, so many never leave Healthy."""


@dataclass(slots=True)
class Target:
    """What an environment asks its Applications to be."""

    revision: str
    releases: Mapping[str, Release]


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
    """

    api: ApiServer
    hub: ApiServer | None
    seed: int
    environment: Environment
    journal: Journal
    refresh_seconds: float
    changed: Callable[[Environment], None]
    degraded: Callable[[Environment, str, Release], None]


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
        self._wave_count, self._has_hook = wave_count, has_hook
        self._random = stream(plane.seed, "argocd", plane.environment.name, name)
        self._recorder = Recorder(plane.api, CONTROLLER)
        self._live = self.good = target.releases[name]
        self._failed_revision = ""
        self._operation_started_at = 0.0
        self._syncing: Target | None = None
        self._is_refreshing = self._is_mirroring = self._is_stopped = self._is_seized = False
        self.item = applications.application(name, plane.environment)
        self.item["status"] = applications.first_status(
            self.item, revision=target.revision, image=self._live.image, now=self._clock.now
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
        return is_quiet and is_done and not self._is_seized and not self._is_stopped

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
        if not self._is_refreshing and not self._is_stopped:
            self._is_refreshing = True
            self._after(self._random.uniform(2, self._random.uniform(*_POLL_SECONDS)), self._refresh)

    def stop(self) -> None:
        """Do nothing any more."""
        self._is_stopped = True

    def _after(self, seconds: float, action: Action) -> None:
        self._clock.after(seconds, lambda: None if self._is_stopped else action())

    def write(self) -> None:
        """Write the status, and let the mirror follow."""
        self._api.patch_status(self.item, manager=CONTROLLER)
        if self._mirror is not None and not self._is_mirroring:
            self._is_mirroring = True
            self._after(self._random.uniform(0.2, 1.5), self._write_mirror)

    def _refresh(self) -> None:
        self._is_refreshing = False
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
        target = self._syncing = self.target
        self.item["operation"] = {
            "initiatedBy": {"automated": True},
            "retry": RETRY,
            "sync": {
                "prune": True,
                "revision": target.revision,
                "syncOptions": ["CreateNamespace=true", "ServerSideApply=true"],
            },
        }
        self.item["status"].pop("operationState", None)
        self.write()
        self._recorder.emit(self.item, "OperationStarted", f"Initiated automated sync to '{target.revision}'")
        self._after(self._random.uniform(0.1, 0.8), lambda: self._begin(target))

    def _begin(self, target: Target) -> None:
        self._operation_started_at = self._clock.now
        self.item["status"]["operationState"] = {
            "message": "waiting to start",
            "operation": self.item["operation"],
            "phase": "Running",
            "retryCount": 0,
            "startedAt": self._clock.stamp(),
        }
        self.write()
        is_doomed = self._random.random() < _DOOMED_SHARE
        self._after(lognormal(self._random, 1.5, 0.5), lambda: self._attempt(target, is_doomed=is_doomed))

    def _attempt(self, target: Target, *, is_doomed: bool) -> None:
        """Apply, wave by wave."""
        state = self.item["status"]["operationState"]
        state.pop("finishedAt", None)
        hook = f"waiting for completion of hook batch/Job/{self.name}-db-migrate"
        wave = f"waiting for healthy state of apps/Deployment/{self.name}"
        waits = ([(hook, 12.0)] if self._has_hook else []) + [(wave, 15.0)] * (self._wave_count - 1)
        seconds = lognormal(self._random, 2, 0.4)
        for message, median_seconds in waits:
            self._after(seconds, partial(self._wait_for, message, target))
            seconds += lognormal(self._random, median_seconds, 0.5)
        share = _FAILED_SHARE if not state["retryCount"] else _FAILED_AGAIN_SHARE
        if is_doomed or self._random.random() < share:
            self._after(seconds, lambda: self._fail(target, is_doomed=is_doomed))
        else:
            self._after(seconds, lambda: self._succeed(target))

    def _wait_for(self, message: str, target: Target) -> None:
        state = self.item["status"]["operationState"]
        state["message"] = message
        state["syncResult"] = self._result(target, kinds=("Service",))
        self.write()

    def _fail(self, target: Target, *, is_doomed: bool) -> None:
        state, now = self.item["status"]["operationState"], self._clock.now
        state["syncResult"] = self._result(target, is_failed=True)
        state["finishedAt"] = stamp(now)
        count = state["retryCount"]
        failure = (
            "one or more objects failed to apply, reason: Internal error occurred: failed calling webhook"
        )
        if count < RETRY_LIMIT:
            wait_seconds = min(5 * 2.0**count, 180)
            state["message"] = (
                f"{failure}. Retrying attempt #{count + 1} at {kitchen_time(now + wait_seconds)}."
            )
            state["retryCount"] = count + 1
            self.write()
            self._after(wait_seconds, lambda: self._retry(target, is_doomed=is_doomed))
            return
        state["phase"], state["message"] = "Failed", f"{failure} (retried {count} times)."
        self.item.pop("operation", None)
        self._failed_revision = target.revision
        message = f"Failed last sync attempt to [{target.revision}]: {state['message']}"
        self.item["status"]["conditions"] = [applications.condition("SyncError", message, now)]
        self.write()
        message = f"Sync operation to {target.revision} failed: {state['message']}"
        self._recorder.emit(self.item, "OperationCompleted", message, "Warning")
        self._end_operation()

    def _retry(self, target: Target, *, is_doomed: bool) -> None:
        state = self.item["status"]["operationState"]
        state.pop("finishedAt", None)
        state.pop("syncResult", None)
        self.write()
        self._attempt(target, is_doomed=is_doomed)

    def _succeed(self, target: Target) -> None:
        status, now = self.item["status"], self._clock.now
        state = status["operationState"]
        state |= {
            "finishedAt": stamp(now),
            "message": "successfully synced (all tasks run)",
            "phase": "Succeeded",
            "syncResult": self._result(target),
        }
        history = status["history"]
        entry = applications.history_entry(
            history[-1]["id"] + 1,
            target.revision,
            applications.source(self.item),
            started_at=state["startedAt"],
            ended_at=stamp(now),
        )
        status["history"] = [*history, entry][-HISTORY_LIMIT:]
        status.pop("conditions", None)
        self.item.pop("operation", None)
        before, self._live = self._live, target.releases[self.name]
        environment = self._plane.environment.name
        self._plane.journal.synced(
            environment,
            self.name,
            self._live,
            started_at=self._operation_started_at,
            time=now,
            revision=target.revision,
        )
        self.write()
        self._recorder.emit(self.item, "OperationCompleted", f"Sync operation to {target.revision} succeeded")
        self._after(self._random.uniform(0.3, 1.5), lambda: self._roll_out(before, self._live))

    def _roll_out(self, before: Release, release: Release) -> None:
        """Compare again after the sync, and let the new pods come."""
        status = self.item["status"]
        status["sync"]["revision"] = self.target.revision
        self._set_sync("Synced" if self.target.releases[self.name] == release else "OutOfSync")
        is_same_image = before.image == release.image
        if is_same_image and not self.is_degraded and self._random.random() < _UNMOVED_SHARE:
            self.write()
            self._become_healthy(release)
        else:
            status["summary"] = {"images": sorted({before.image, release.image})}
            message = "Waiting for rollout to finish: 0 of 2 updated replicas are available..."
            self._set_health("Progressing", message)
            self.write()
            if release.is_bad:
                self._after(lognormal(self._random, 4 * MINUTE, 0.4), lambda: self._degrade(release))
            else:
                self._after(lognormal(self._random, 32, 0.5), lambda: self._become_healthy(release))
        self._end_operation()

    def _become_healthy(self, release: Release) -> None:
        if self._live != release:
            return
        self.good = release
        self.item["status"]["summary"] = {"images": [release.image]}
        if self.item["status"]["health"]["status"] != "Healthy":
            self._set_health("Healthy")
            self.write()
        self._plane.journal.healthy(self._plane.environment.name, self.name, release, self._clock.now)
        self._plane.changed(self._plane.environment)

    def _degrade(self, release: Release) -> None:
        if self._live != release:
            return
        self._set_health("Degraded", f'Deployment "{self.name}" exceeded its progress deadline')
        self.write()
        self._plane.changed(self._plane.environment)
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
            self._note_resources()
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
        self._note_resources()
        self._recorder.emit(self.item, "ResourceUpdated", f"Updated health status: {before} -> {health}")

    def _note_resources(self) -> None:
        status = self.item["status"]
        status["resources"] = applications.resources(
            self.name, status["sync"]["status"], status["health"]["status"]
        )

    def _reconcile(self) -> None:
        if self._is_stopped:
            return
        self.item["status"]["reconciledAt"] = self._clock.stamp()
        self.write()
        jitter_seconds = self._random.uniform(0.95, 1.05) * self._plane.refresh_seconds
        self._after(jitter_seconds, self._reconcile)

    def _result(
        self, target: Target, *, is_failed: bool = False, kinds: tuple[str, ...] = ("Service", "Deployment")
    ) -> Object:
        return {
            "resources": applications.sync_resources(
                self.name, is_failed=is_failed, has_hook=self._has_hook, kinds=kinds
            ),
            "revision": target.revision,
            "source": applications.source(self.item),
        }

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
        self._mirror["metadata"]["annotations"]["argocd-agent.argoproj-labs.io/last-updated"] = updated_at
        self._mirror["status"] = self.item["status"]
        self._plane.hub.patch_status(self._mirror, manager=PRINCIPAL)


def kitchen_time(time: float) -> str:
    """Return a time as Go prints it with time.Kitchen, which is what the retry message has: `3:04PM`."""
    at = moment(time)
    return f"{at.hour % 12 or 12}:{at.minute:02d}{'AM' if at.hour < _NOON else 'PM'}"


_NOON = 12
