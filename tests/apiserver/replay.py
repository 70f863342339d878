"""What a server is filled with: a simulated cluster's writes at a pace, or objects by the number."""

import io
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import NamedTuple

import msgspec
import zstandard

from gitopslab import resources
from tests.apiserver.store import Object, Store


class Write(NamedTuple):
    """One write of a simulated cluster, as its watcher saw it."""

    observed_at: datetime
    event_type: str
    item: Object

    @property
    def resource(self) -> str:
        group, _ = resources.split_api_version(self.item["apiVersion"])
        return f"{resources.resource_of_kind(self.item['kind'])}.{group}".rstrip(".")


class Replayed(NamedTuple):
    """How many writes were committed, and how many not: they were old, or of what is not served."""

    committed_count: int
    skipped_count: int


@dataclass(frozen=True)
class Pace:
    """How fast writes come; as it stands, at once.

    Attributes:
        events_per_second: So many; 0: no limit.
        time_factor: Simulated time runs so many times as fast; 0: no limit.
        since: What was written before comes at once.
    """

    events_per_second: float = 0
    time_factor: float = 0
    since: datetime = datetime(1, 1, 1, tzinfo=UTC)

    def due_after(self, count: int, simulated_seconds: float) -> float:
        """Return how many seconds after its beginning a replay comes to write number `count`."""
        by_count = count / self.events_per_second if self.events_per_second else 0
        return by_count + (simulated_seconds / self.time_factor if self.time_factor else 0)


AT_ONCE = Pace()


def writes(file: Path) -> Iterator[Write]:
    """Yield what `gitopslab world generate` wrote about a cluster, `<cluster>.ndjson.zst`."""
    with zstandard.open(file, "rb") as stream:
        for line in io.BufferedReader(stream):
            event = msgspec.json.decode(line)
            yield Write(datetime.fromisoformat(event["observedAt"]), event["type"], event["object"])


def replay(
    store: Store, some: Iterable[Write], pace: Pace = AT_ONCE, stopped: Event | None = None
) -> Replayed:
    """Commit writes with the resource versions they have, until there are no more or it is stopped."""
    counts = Counter[bool]()
    for write in _paced(some, pace, stopped or Event()):
        counts[
            store.serves(write.resource) and store.replay(write.resource, write.event_type, write.item)
        ] += 1
    return Replayed(counts[True], counts[False])


def _paced(some: Iterable[Write], pace: Pace, stopped: Event) -> Iterator[Write]:
    """Yield each write when it is due."""
    began_at = time.monotonic()
    count, first = 0, None
    for write in some:
        if write.observed_at >= pace.since:
            first = first or write.observed_at
            due_at = began_at + pace.due_after(count, (write.observed_at - first).total_seconds())
            count += 1
            if due_at > time.monotonic():
                stopped.wait(due_at - time.monotonic())
        if stopped.is_set():
            return
        yield write


def fill(
    store: Store, count: int, size_bytes: int = 8_000, resource: str = "applications.argoproj.io"
) -> None:
    """Put so many objects of about that size into `store`."""
    for number in range(count):
        store.put(resource, application(number, size_bytes))


def application(number: int, size_bytes: int) -> Object:
    """Return an Application whose size is mostly what most of it is, managed resources and their health."""
    kept = [
        {
            "group": "apps",
            "version": "v1",
            "kind": "Deployment",
            "namespace": f"team-{number % 50}",
            "name": f"service-{number}-{part}",
            "status": "Synced",
            "health": {"status": "Healthy"},
        }
        for part in range(max(0, size_bytes - 600) // 153)
    ]
    source = {
        "repoURL": "https://github.com/acme/config.git",
        "path": f"apps/{number}",
        "targetRevision": "main",
    }
    return {
        "metadata": {
            "namespace": "argocd",
            "name": f"app-{number:06}",
            "labels": {"team": f"team-{number % 50}"},
        },
        "spec": {"project": "default", "source": source},
        "status": {
            "sync": {"status": "Synced", "revision": f"{number:040x}"},
            "health": {"status": "Healthy"},
            "resources": kept,
        },
    }
