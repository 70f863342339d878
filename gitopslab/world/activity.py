"""The application's own record of GitOps: events of the hub's objects, and inventories."""

from collections.abc import Mapping

from gitopslab.resources import resource_of_kind
from gitopslab.world.apiserver import Object
from gitopslab.world.clock import Clock
from gitopslab.world.delivery.argocd import Application
from gitopslab.world.delivery.changes import Change
from gitopslab.world.delivery.commits import Release
from gitopslab.world.delivery.plane import DeliveryPlane
from gitopslab.world.emit.activity import activity_event
from gitopslab.world.emit.inventory import (
    Build,
    Desired,
    InventoryApplication,
    InventoryEnvironment,
    InventoryLog,
    InventorySnapshot,
    Live,
    Promotion,
)
from gitopslab.world.emit.postgres import PostgresDump

_EVENT_TYPES = {"ADDED": "ADD", "MODIFIED": "UPDATE", "DELETED": "DELETE"}
_KINDS = frozenset(
    {
        "Application",
        "ArgoCDCommitStatus",
        "ChangeTransferPolicy",
        "CommitStatus",
        "PipelineRun",
        "PromotionStrategy",
        "PullRequest",
        "TaskRun",
        "TimedCommitStatus",
    }
)
_ORDER = ("dev", "staging", "ryzen", "hub")
_STATUSES = {"succeeded": "True", "failed": "False"}
_GENERATION_SECONDS = 7.0


class ActivityStream:
    """Writes `gitops_activity_events`: a row for each change of a hub object that Argo Events reports.

    Args:
        dump: Where rows go.
        clock: When a change is seen.
        since: Rows of before have been deleted; seconds since the epoch.
    """

    def __init__(self, dump: PostgresDump, clock: Clock, since: float) -> None:
        self._dump, self._clock, self._since = dump, clock, since
        self._sequence = 0

    def note(self, event_type: str, item: Object) -> None:
        """Take note of a write of `item`."""
        if item["kind"] not in _KINDS:
            return
        self._sequence += 1
        if self._clock.now >= self._since:
            self._dump.add(
                activity_event(
                    item,
                    _EVENT_TYPES[event_type],
                    sequence=self._sequence,
                    observed_at=self._clock.now,
                    resource=resource_of_kind(item["kind"]),
                )
            )


class InventoryKeeper:
    """Fetches the hub's inventory again and again.

    Args:
        log: Where it is kept.
        clock: When it is fetched.
        delivery: What it is about.
        every_seconds: How often.
    """

    def __init__(
        self, log: InventoryLog, clock: Clock, delivery: DeliveryPlane, every_seconds: float
    ) -> None:
        self._log, self._clock, self._delivery = log, clock, delivery
        self._every_seconds = every_seconds

    def fetch(self) -> None:
        """Fetch it now, and again later."""
        now, delivery = self._clock.now, self._delivery
        strategies = {id(each): each.item for each in delivery.strategies.values()}
        pins = {name: _tag(release) for name, release in delivery.config.releases["dev"].items()}
        snapshot = InventorySnapshot(
            fetched_at=now,
            generated_at=now - _GENERATION_SECONDS,
            release_pins=pins,
            environments=tuple(self._environment(name) for name in _ORDER),
            promotion_strategies=tuple(strategies.values()),
        )
        self._log.add(snapshot)
        self._clock.after(self._every_seconds, self.fetch)

    def _environment(self, name: str) -> InventoryEnvironment:
        delivery = self._delivery
        strategy = delivery.strategies.get(name)
        promotion = strategy.promotion(name) if strategy else None
        applications = (
            _application(application, delivery.config.releases[name], delivery.builds.latest, promotion)
            for application in delivery.applications[name].values()
        )
        return InventoryEnvironment(name, tuple(applications))


def _application(
    application: Application,
    releases: Mapping[str, Release],
    builds: Mapping[str, Change],
    promotion: Promotion | None,
) -> InventoryApplication:
    name, status = application.name, application.item["status"]
    release, images = releases[name], tuple(status["summary"]["images"])
    is_live = release.image in images and status["sync"]["status"] == "Synced"
    change = builds.get(name)
    return InventoryApplication(
        name=name,
        component=name,
        desired=Desired(release.image, _tag(release), release.digest, release.source_sha),
        live=Live(images, status["sync"]["status"], status["health"]["status"]),
        drift="in_sync" if is_live else "pending_rollout",
        promotion=promotion,
        build=_build(change) if change else None,
    )


def _build(change: Change) -> Build:
    status = _STATUSES.get(change.build_state, "Unknown")
    reason = {"True": "Succeeded", "False": "Failed"}.get(status, "Running")
    return Build(change.pipeline_run or "", status, reason, change.build_started_at, change.build_finished_at)


def _tag(release: Release) -> str:
    return release.image.rpartition(":")[2]
