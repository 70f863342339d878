"""Changes of a simulated fleet and how far each has come, for the truth."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from gitopslab.world.clock import moment
from gitopslab.world.delivery.commits import DryCommit, Hydrated, Release
from gitopslab.world.emit.gitrepos import SourceCommit
from gitopslab.world.scale import Environment
from gitopslab.world.truth import CHANGE, CHANGE_ENVIRONMENT, PROMOTION, Truth


@dataclass(slots=True)
class Passage:
    """How far a change has come in one environment; times in seconds since the epoch."""

    environment: Environment
    dry: DryCommit | None = None
    hydrated: Hydrated | None = None
    merged_at: float | None = None
    merge_sha: str | None = None
    sync_started_at: float | None = None
    synced_at: float | None = None
    sync_revision: str | None = None
    healthy_at: float | None = None
    delivered_by_sha: str | None = None
    is_superseded: bool | None = None


@dataclass(slots=True)
class Change:
    """One commit on a main branch.

    Attributes:
        sha: The commit's name.
        commit: What it is.
        repository: source or config.
        service: What it touches, if anything.
        kind: code, revert, dependency, documentation or config.
        number: Its place among the changes of its service, from 1.
        is_bad: Whether its release does not become healthy.
    """

    sha: str
    commit: SourceCommit
    repository: str
    service: str | None
    kind: str
    number: int
    is_bad: bool = False
    build_state: str = "none"
    pipeline_run: str | None = None
    build_started_at: float | None = None
    build_finished_at: float | None = None
    image_digest: str | None = None
    passages: dict[str, Passage] = field(default_factory=dict)


class Journal:
    """Follows every change until it is live wherever it is meant to be, and then writes it to the truth."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        truth.open(CHANGE)
        truth.open(CHANGE_ENVIRONMENT)
        truth.open(PROMOTION)
        self._open: dict[str, list[Change]] = defaultdict(list)
        self._stopped: set[str] = set()
        self._counts: dict[str, int] = defaultdict(int)

    def next_number(self, service: str) -> int:
        """Return the number of the next change of `service`."""
        self._counts[service] += 1
        return self._counts[service]

    def add(self, change: Change, environments: Iterable[Environment]) -> None:
        """Follow `change` into those of `environments` that are not stopped."""
        change.passages = {
            each.name: Passage(each) for each in environments if each.name not in self._stopped
        }
        if change.service is None:
            self._write(change)
        else:
            self._open[change.service].append(change)

    def pinned(self, environment: str, service: str, release: Release, dry: DryCommit) -> None:
        """Take note that config commit `dry` asks for `release`: what it contains is pinned."""
        for change, passage in self._waiting(environment, service):
            if change.repository == "config":
                continue
            if change.number <= release.number:
                passage.dry = passage.dry or dry
            elif passage.merged_at is None and passage.synced_at is None:
                passage.dry = passage.hydrated = None

    def configured(self, environment: str, change: Change, dry: DryCommit) -> None:
        """Take note that a change of manifests is pinned by being committed."""
        if environment in change.passages:
            change.passages[environment].dry = dry

    def hydrated(self, environment: str, hydrated: Hydrated) -> None:
        """Take note that a commit of manifests holds all that was pinned up to its config commit."""
        for service, release in hydrated.releases.items():
            for _, passage in self._contained(environment, service, release):
                passage.hydrated = passage.hydrated or hydrated

    def moved(self, environment: str, sha: str, time: float, hydrated: Hydrated | None = None) -> None:
        """Take note that the active branch is at commit `sha`, with all of `hydrated` or with nothing."""
        self._truth.add(
            PROMOTION,
            {
                "environment": environment,
                "merge_sha": sha,
                "hydrated_sha": hydrated.sha if hydrated else None,
                "dry_sha": hydrated.dry.sha if hydrated else None,
                "merged_at": moment(time),
            },
        )

    def merged(self, environment: str, hydrated: Hydrated, sha: str, time: float) -> None:
        """Take note that `hydrated` came onto the active branch as commit `sha`."""
        self.moved(environment, sha, time, hydrated)
        for service, release in hydrated.releases.items():
            for _, passage in self._contained(environment, service, release):
                if passage.merged_at is None:
                    passage.merged_at, passage.merge_sha = time, sha

    def synced(  # noqa: PLR0913 - what a sync is
        self,
        environment: str,
        service: str,
        release: Release,
        *,
        started_at: float,
        time: float,
        revision: str,
    ) -> None:
        """Take note that `release` was applied."""
        for _, passage in self._contained(environment, service, release):
            if passage.synced_at is None:
                passage.sync_started_at, passage.synced_at = started_at, time
                passage.sync_revision = revision

    def healthy(self, environment: str, service: str, release: Release, time: float) -> None:
        """Take note that `release` became healthy; what it contains is live."""
        for change, passage in self._contained(environment, service, release):
            if passage.synced_at is not None and passage.healthy_at is None:
                passage.healthy_at = time
                is_config = change.repository == "config"
                passage.is_superseded = not is_config and change.number != release.number
                passage.delivered_by_sha = change.sha if is_config else release.source_sha
        still_open = []
        for change in self._open[service]:
            if all(passage.healthy_at for passage in change.passages.values()):
                self._write(change)
            else:
                still_open.append(change)
        self._open[service] = still_open

    def stop(self, environment: str) -> None:
        """Take note that nothing arrives in `environment` any more."""
        self._stopped.add(environment)

    def close(self) -> None:
        """Write the changes that have not arrived."""
        for changes in self._open.values():
            for change in changes:
                self._write(change)
        self._open.clear()

    def _waiting(self, environment: str, service: str) -> Iterator[tuple[Change, Passage]]:
        for change in self._open[service]:
            passage = change.passages.get(environment)
            if passage is not None and passage.healthy_at is None:
                yield change, passage

    def _contained(
        self, environment: str, service: str, release: Release
    ) -> Iterator[tuple[Change, Passage]]:
        for change, passage in self._waiting(environment, service):
            is_in_build = change.repository == "config" or change.number <= release.number
            if is_in_build and passage.dry is not None and passage.dry.index <= release.dry_index:
                yield change, passage

    def _write(self, change: Change) -> None:
        commit = change.commit
        self._truth.add(
            CHANGE,
            {
                "change_id": change.sha,
                "repository": change.repository,
                "service": change.service,
                "kind": change.kind,
                "merge_method": commit.arrival,
                "pull_request": str(commit.pull_request) if commit.pull_request else None,
                "reverts": commit.reverts or None,
                "author": commit.author.name,
                "authored_at": moment(commit.authored_at),
                "committed_at": moment(commit.committed_at),
                "build_state": change.build_state,
                "pipeline_run": change.pipeline_run,
                "build_started_at": _time(change.build_started_at),
                "build_finished_at": _time(change.build_finished_at),
                "image_digest": change.image_digest,
                "is_bad": change.is_bad,
            },
        )
        for passage in change.passages.values():
            self._write_passage(change, passage)

    def _write_passage(self, change: Change, passage: Passage) -> None:
        dry, hydrated = passage.dry, passage.hydrated
        self._truth.add(
            CHANGE_ENVIRONMENT,
            {
                "change_id": change.sha,
                "service": change.service,
                "environment": passage.environment.name,
                "lane": passage.environment.lane,
                "state": "live" if passage.healthy_at else "open",
                "is_superseded": passage.is_superseded,
                "pinned_at": moment(dry.committed_at) if dry else None,
                "dry_sha": dry.sha if dry else None,
                "hydrated_at": moment(hydrated.committed_at) if hydrated else None,
                "hydrated_sha": hydrated.sha if hydrated else None,
                "merged_at": _time(passage.merged_at),
                "merge_sha": passage.merge_sha,
                "sync_started_at": _time(passage.sync_started_at),
                "synced_at": _time(passage.synced_at),
                "healthy_at": _time(passage.healthy_at),
                "sync_revision": passage.sync_revision,
                "delivered_by_sha": passage.delivered_by_sha,
            },
        )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)
