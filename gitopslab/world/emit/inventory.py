"""The hub's `/inventory.json`, fetched again and again: what is wanted, and what runs, in each environment.

One fetch is one line of NDJSON in zstd, `{"fetchedAt":…,"body":{…}}` with the document as the hub served
it, or `{"fetchedAt":…,"error":"…"}` where it did not. There is no deploy time in an inventory: the first
`generatedAt` with a tag is all that it says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import zstandard

from gitopslab.world.clock import stamp


@dataclass(frozen=True)
class Desired:
    """What the configuration asks for.

    Attributes:
        image: Image, with or without its tag.
        tag: Such as git-<sha>.
        digest: `sha256:…`; empty: unknown.
        commit_sha: Source commit of the tag.
    """

    image: str
    tag: str
    digest: str = ""
    commit_sha: str = ""


@dataclass(frozen=True)
class Live:
    """What Argo CD says of the application; during a roll-out `images` holds the old and the new ones."""

    images: tuple[str, ...]
    sync_status: str
    health_status: str


@dataclass(frozen=True)
class Promotion:
    """Where the promotion stands."""

    dry_sha: str
    hydrated_sha: str
    health_phase: str


@dataclass(frozen=True)
class Build:
    """The build of the desired image. `status` is that of the condition Succeeded: True, False, Unknown."""

    pipeline_run: str
    status: str
    reason: str
    started_at: float | None
    finished_at: float | None


@dataclass(frozen=True)
class InventoryApplication:
    """One application in one environment.

    Attributes:
        provenance: Labels of the image, by name.
        drift: in_sync, pending_rollout or unknown.
    """

    name: str
    component: str
    desired: Desired
    live: Live
    drift: str
    promotion: Promotion | None = None
    build: Build | None = None
    provenance: Mapping[str, str] | None = None


@dataclass(frozen=True)
class InventoryEnvironment:
    """One environment: dev, staging, ryzen or hub, in that order."""

    name: str
    applications: tuple[InventoryApplication, ...]


@dataclass(frozen=True)
class InventorySnapshot:
    """The inventory as it was fetched once.

    Attributes:
        fetched_at: When it was asked for, seconds since the epoch.
        generated_at: When the hub's CronJob had made it.
        release_pins: Service to its tag in the pin file.
        pins_error: Why the pin file could not be read; empty: it could.
        promotion_strategies: PromotionStrategies, whole.
        source: hub-inventory; `fixture` is what an unconfigured hub serves, and to be refused.
    """

    fetched_at: float
    generated_at: float
    release_pins: Mapping[str, str]
    environments: tuple[InventoryEnvironment, ...]
    pins_error: str = ""
    promotion_strategies: tuple[Mapping[str, Any], ...] = ()
    change_transfer_policies: tuple[Mapping[str, Any], ...] = ()
    pull_requests: tuple[Mapping[str, Any], ...] = ()
    commit_statuses: tuple[Mapping[str, Any], ...] = ()
    source: str = field(default="hub-inventory")


class InventoryLog:
    """Writes what was fetched, a line each; use it as a context manager, or call `close`."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("wb")
        self._stream = zstandard.ZstdCompressor(level=3).stream_writer(self._file)

    def add(self, snapshot: InventorySnapshot) -> None:
        """Write an inventory that was served."""
        self._write({"fetchedAt": _milliseconds(snapshot.fetched_at), "body": document(snapshot)})

    def fail(self, at: float, error: str) -> None:
        """Write that no inventory was served, and why."""
        self._write({"fetchedAt": _milliseconds(at), "error": error})

    def close(self) -> None:
        """End the file."""
        self._stream.close()  # type: ignore[no-untyped-call]  # zstandard does not say what it returns
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, line: Mapping[str, Any]) -> None:
        self._stream.write(msgspec.json.encode(line) + b"\n")


def document(snapshot: InventorySnapshot) -> dict[str, Any]:
    """Return the inventory as the hub serves it."""
    return {
        "schemaVersion": 2,
        "generatedAt": _milliseconds(snapshot.generated_at),
        "source": snapshot.source,
        "releasePins": {"images": snapshot.release_pins, "error": snapshot.pins_error or None},
        "environments": [
            {"name": each.name, "applications": [_application(item) for item in each.applications]}
            for each in snapshot.environments
        ],
        "promotionStrategies": snapshot.promotion_strategies,
        "changeTransferPolicies": snapshot.change_transfer_policies,
        "pullRequests": snapshot.pull_requests,
        "commitStatuses": snapshot.commit_statuses,
    }


def _application(item: InventoryApplication) -> dict[str, Any]:
    desired, live = item.desired, item.live
    return {
        "name": item.name,
        "component": item.component,
        "desired": {
            "image": desired.image,
            "tag": desired.tag,
            "digest": desired.digest or None,
            "commitSha": desired.commit_sha or None,
        },
        "live": {
            "images": live.images,
            "syncStatus": live.sync_status,
            "healthStatus": live.health_status,
        },
        "promotion": _promotion(item.promotion) if item.promotion else None,
        "build": _build(item.build) if item.build else None,
        "provenance": item.provenance,
        "drift": {"status": item.drift},
    }


def _promotion(promotion: Promotion) -> dict[str, Any]:
    return {
        "drySha": promotion.dry_sha,
        "hydratedSha": promotion.hydrated_sha,
        "healthPhase": promotion.health_phase,
    }


def _build(build: Build) -> dict[str, Any]:
    return {
        "pipelineRun": build.pipeline_run,
        "status": build.status,
        "reason": build.reason,
        "startedAt": None if build.started_at is None else stamp(build.started_at),
        "finishedAt": None if build.finished_at is None else stamp(build.finished_at),
    }


def _milliseconds(at: float) -> str:
    """Return a time as JavaScript writes it."""
    time = datetime.fromtimestamp(at, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
