"""What the server holds: objects, every version they went through, and how far back it still remembers."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from threading import Condition
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import msgspec

from tests.apiserver.served import NAMESPACES, SERVED, Served

Object = dict[str, Any]

_SEED = UUID("6f2d6c1e-0000-4000-8000-000000000000")
_FIRST_RESOURCE_VERSION = 1000
_SNAPSHOTS = 16
_of_version = attrgetter("resource_version")
_of_key = attrgetter("key")


class ExpiredError(Exception):
    """What was asked for is older than what the server remembers."""


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One committed write.

    Attributes:
        resource_version: The store's counter after it.
        event_type: ADDED, MODIFIED or DELETED.
        namespace: Empty where the resource has none.
        name: The object's name.
        uid: The object's uid.
        labels: Its labels, for selectors.
        tail: Its JSON after `{"apiVersion":"…","kind":"…",`.
        committed_at: When, by this machine's clock.
        before: The version that it replaced, if there was one.
    """

    resource_version: int
    event_type: str
    namespace: str
    name: str
    uid: str
    labels: dict[str, str]
    tail: bytes
    committed_at: datetime
    before: "Version | None" = field(default=None, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    @property
    def object(self) -> Object:
        """The object, without apiVersion and kind."""
        return dict(msgspec.json.decode(b"{" + self.tail))


class Snapshot(NamedTuple):
    """All objects of a resource at one resource version, in the order of lists."""

    resource_version: int
    versions: list[Version]


@dataclass
class Collection:
    """All objects of one resource.

    Attributes:
        served: The resource.
        live: The objects that are there.
        log: Every version ever committed, in order: the truth that a reader is held to.
        forgotten: The resource version up to which nobody can watch from any more.
        snapshots: Lists that somebody may still be paging through.
    """

    served: Served
    live: dict[tuple[str, str], Version] = field(default_factory=dict)
    log: list[Version] = field(default_factory=list)
    forgotten: int = _FIRST_RESOURCE_VERSION
    snapshots: dict[int, Snapshot] = field(default_factory=dict)


class Store:
    """Objects by resource, and one counter of versions for them all.

    Args:
        served: The resources.
        window: Versions of one resource that can still be watched; older ones are forgotten.
        name: Of the cluster; its uids follow from it.
    """

    def __init__(
        self, served: Iterable[Served] = SERVED, *, window: int = 100_000, name: str = "cluster"
    ) -> None:
        self.collections = {(one.group, one.resource): Collection(one) for one in served}
        self.resource_version = _FIRST_RESOURCE_VERSION
        self.compacted = 0
        self.changed = Condition()
        self._window = window
        self._name = name
        if (NAMESPACES.group, NAMESPACES.resource) in self.collections:
            for namespace in ("default", "kube-system"):
                self.put(NAMESPACES.resource, {"metadata": {"name": namespace}})

    def serves(self, resource: str) -> bool:
        """Return whether there is such a resource, named as `applications.argoproj.io`."""
        plural, _, group = resource.partition(".")
        return (group, plural) in self.collections

    def collection(self, resource: str) -> Collection:
        """Return the collection named as `applications.argoproj.io`, or as `events` in the core group."""
        plural, _, group = resource.partition(".")
        return self.collections[group, plural]

    @property
    def cluster_uid(self) -> str:
        return self.collection("namespaces").live["", "kube-system"].uid

    def log(self, resource: str) -> list[Version]:
        """Return every version of `resource` ever committed, in order."""
        with self.changed:
            return list(self.collection(resource).log)

    def put(self, resource: str, item: Object) -> Version:
        """Create or replace an object; the server's own metadata is filled in."""
        collection = self.collection(resource)
        metadata = item["metadata"]
        with self.changed:
            before = collection.live.get((metadata.get("namespace", ""), metadata["name"]))
            if before:
                created = before.object["metadata"]["creationTimestamp"]
                own = {"uid": before.uid, "creationTimestamp": created}
            else:
                own = {"uid": self._new_uid(metadata)}
            return self._commit(
                collection, "MODIFIED" if before else "ADDED", item, own, self.resource_version + 1
            )

    def delete(self, resource: str, name: str, namespace: str = "") -> Version:
        """Delete an object: its last state stays, under a resource version of its own.

        Raises:
            KeyError: There is none.
        """
        collection = self.collection(resource)
        with self.changed:
            last = collection.live[namespace, name]
            return self._commit(collection, "DELETED", last.object, {}, self.resource_version + 1)

    def replay(self, resource: str, event_type: str, item: Object) -> bool:
        """Commit a write that another server made, as it was; return False where it is an old one."""
        collection = self.collection(resource)
        metadata = item["metadata"]
        resource_version = int(metadata["resourceVersion"])
        with self.changed:
            if resource_version <= self.resource_version:
                return False
            key = metadata.get("namespace", ""), metadata["name"]
            if event_type != "DELETED":
                event_type = "MODIFIED" if key in collection.live else "ADDED"
            self._commit(collection, event_type, item, {}, resource_version)
            return True

    def compact(self) -> int:
        """Forget all that is past: watches and pages from before now have expired. Return the version."""
        with self.changed:
            self.compacted = self.resource_version
            for collection in self.collections.values():
                collection.forgotten = self.compacted
                collection.snapshots.clear()
            return self.compacted

    def write_elsewhere(self) -> int:
        """Commit what nobody asks for, as leases are renewed all the time. Return the version."""
        with self.changed:
            self.resource_version += 1
            return self.resource_version

    def rewind(self, resource_version: int) -> None:
        """Go back to what was at `resource_version`, as after etcd was restored from a backup."""
        with self.changed:
            for collection in self.collections.values():
                collection.live = _folded(collection.log, resource_version)
                collection.log = collection.log[
                    : bisect_right(collection.log, resource_version, key=_of_version)
                ]
                collection.snapshots.clear()
            self.resource_version = resource_version

    def snapshot(self, collection: Collection, resource_version: int | None = None) -> Snapshot:
        """Return the objects as they are, or were at `resource_version`.

        Raises:
            ExpiredError: That is no longer known.
        """
        with self.changed:
            at = self.resource_version if resource_version is None else resource_version
            if at < self.compacted:
                raise ExpiredError
            if at in collection.snapshots:
                return collection.snapshots[at]
            live = collection.live if at == self.resource_version else _folded(collection.log, at)
            snapshot = Snapshot(at, sorted(live.values(), key=_of_key))
            collection.snapshots[at] = snapshot
            while len(collection.snapshots) > _SNAPSHOTS:
                del collection.snapshots[next(iter(collection.snapshots))]
            return snapshot

    def since(
        self, collection: Collection, resource_version: int, seconds: float
    ) -> tuple[list[Version], int]:
        """Return what was committed after `resource_version`, and how far that reaches.

        Waits up to `seconds` for a commit if there is none, and then returns nothing.

        Raises:
            ExpiredError: Some of it is forgotten.
        """
        with self.changed:
            if not self._later(collection, resource_version):
                self.changed.wait(seconds)
            return self._later(collection, resource_version), self.resource_version

    def _later(self, collection: Collection, resource_version: int) -> list[Version]:
        if resource_version < collection.forgotten:
            raise ExpiredError
        return collection.log[bisect_right(collection.log, resource_version, key=_of_version) :]

    def _commit(
        self, collection: Collection, event_type: str, item: Object, own: Object, resource_version: int
    ) -> Version:
        # Called with the lock held.
        now = datetime.now(UTC)
        metadata = (
            {"creationTimestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
            | item["metadata"]
            | own
            | {"resourceVersion": str(resource_version)}
        )
        rest = {name: value for name, value in item.items() if name not in {"apiVersion", "kind", "metadata"}}
        version = Version(
            resource_version,
            event_type,
            metadata.get("namespace", ""),
            metadata["name"],
            metadata["uid"],
            metadata.get("labels") or {},
            msgspec.json.encode({"metadata": metadata} | rest)[1:],
            now,
            collection.live.get((metadata.get("namespace", ""), metadata["name"])),
        )
        collection.log.append(version)
        if event_type == "DELETED":
            collection.live.pop(version.key, None)
        else:
            collection.live[version.key] = version
        if len(collection.log) > self._window:
            collection.forgotten = max(
                collection.forgotten, collection.log[-self._window - 1].resource_version
            )
        self.resource_version = resource_version
        self.changed.notify_all()
        return version

    def _new_uid(self, metadata: Object) -> str:
        # An object that is made again after it was deleted is another one, and so has another uid.
        words = (self._name, metadata.get("namespace", ""), metadata["name"], str(self.resource_version))
        return metadata.get("uid") or str(uuid5(_SEED, "/".join(words)))


def _folded(log: list[Version], resource_version: int) -> dict[tuple[str, str], Version]:
    live: dict[tuple[str, str], Version] = {}
    for version in log[: bisect_right(log, resource_version, key=_of_version)]:
        live[version.key] = version
        if version.event_type == "DELETED":
            del live[version.key]
    return live
