"""The API server of a simulated cluster: what it adds to an object at each write, and whom it tells.

A caller keeps the dict that it created, changes it in place and says which kind of write that was.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from gitopslab.world.clock import Clock
from gitopslab.world.random import stream, uid
from gitopslab.world.watching import Watcher

Object = dict[str, Any]

_ENCODER = msgspec.json.Encoder()

_WITHOUT_STATUS_SUBRESOURCE = frozenset({"Application", "AppProject", "Event", "Namespace"})
"""Kinds whose status is written through the object itself: such a write moves the generation."""

_WITHOUT_GENERATION = frozenset({"Event", "Namespace"})

_MOST_WRITES_BETWEEN = 40
"""Other kinds are written too, so versions that a watcher sees are some numbers apart."""


class ApiServer:
    """One cluster's API server, which keeps the objects that are there and forgets the others.

    Args:
        name: Name of the cluster.
        clock: Says when a write happens.
        watcher: Told of every write.
        seed: Seed of the world.

    Attributes:
        listeners: Told of every write as well: its type, and the object as it is then.
    """

    def __init__(self, name: str, clock: Clock, watcher: Watcher, seed: int) -> None:
        self.name = name
        self.clock = clock
        self.listeners: list[Callable[[str, Object], None]] = []
        self._watcher = watcher
        self._seed = str(seed)
        self._random = stream(seed, "apiserver", name)
        self._resource_version = 1_000_000 + self._random.randrange(9_000_000)
        self._objects: dict[str, Object] = {}
        self._dependents: dict[str, list[str]] = defaultdict(list)

    def create(self, item: Object, *, manager: str) -> Object:
        """Create `item`, which has apiVersion, kind, a name and all but what the server adds; return it."""
        metadata = item["metadata"]
        now = self.clock.stamp()
        metadata["uid"] = uid(self._seed, self.name, *_key(item), repr(self.clock.now))
        metadata["creationTimestamp"] = now
        if item["kind"] not in _WITHOUT_GENERATION:
            metadata["generation"] = 1
        metadata["managedFields"] = []
        self._objects[metadata["uid"]] = item
        for owner in metadata.get("ownerReferences", ()):
            self._dependents[owner["uid"]].append(metadata["uid"])
        self._write("ADDED", item, manager, "")
        return item

    def update(self, item: Object, *, manager: str, subresource: str = "") -> None:
        """Take note that `manager` changed the spec of `item`, and with it perhaps its metadata."""
        item["metadata"]["generation"] = item["metadata"].get("generation", 0) + 1
        self._write("MODIFIED", item, manager, subresource)

    def patch_metadata(self, item: Object, *, manager: str) -> None:
        """Take note that `manager` changed labels or annotations only: the generation stays."""
        self._write("MODIFIED", item, manager, "")

    def patch_status(self, item: Object, *, manager: str) -> None:
        """Take note that `manager` changed the status of `item`."""
        if item["kind"] in _WITHOUT_STATUS_SUBRESOURCE:
            self.update(item, manager=manager)
        else:
            self._write("MODIFIED", item, manager, "status")

    def delete(self, item: Object) -> None:
        """Delete `item`, or mark it for deletion while a finalizer holds it; again changes nothing."""
        metadata = item["metadata"]
        if metadata["uid"] not in self._objects or "deletionTimestamp" in metadata:
            return
        if not metadata.get("finalizers"):
            self._remove(item)
            return
        metadata["deletionTimestamp"] = self.clock.stamp()
        metadata["deletionGracePeriodSeconds"] = 0
        metadata["generation"] = metadata.get("generation", 0) + 1
        self._write("MODIFIED", item, "", "")

    def remove_finalizer(self, item: Object, finalizer: str, *, manager: str) -> None:
        """Take `finalizer` from `item`; with the last one goes an object that is marked for deletion."""
        metadata = item["metadata"]
        metadata["finalizers"] = [name for name in metadata.get("finalizers", ()) if name != finalizer]
        if not metadata["finalizers"]:
            del metadata["finalizers"]
        if "deletionTimestamp" in metadata and "finalizers" not in metadata:
            self._remove(item)
        else:
            self._write("MODIFIED", item, manager, "")

    def is_there(self, item: Object) -> bool:
        """Return whether `item` has not been deleted."""
        return item["metadata"]["uid"] in self._objects

    def _remove(self, item: Object) -> None:
        removed = item["metadata"]["uid"]
        del self._objects[removed]
        for owner in item["metadata"].get("ownerReferences", ()):
            self._disown(owner["uid"], removed)
        self._write("DELETED", item, "", "")
        if removed in self._dependents:
            self.clock.after(_GARBAGE_COLLECTION_SECONDS, lambda: self._collect(removed))

    def _disown(self, owner: str, dependent: str) -> None:
        dependents = self._dependents.get(owner, [])
        if dependent in dependents:
            dependents.remove(dependent)
        if not dependents:
            self._dependents.pop(owner, None)

    def _collect(self, owner: str) -> None:
        for dependent in self._dependents.pop(owner, ()):
            self.delete(self._objects[dependent])

    def _write(self, event_type: str, item: Object, manager: str, subresource: str) -> None:
        metadata = item["metadata"]
        self._resource_version += 1 + int(self._random.random() * _MOST_WRITES_BETWEEN)
        metadata["resourceVersion"] = str(self._resource_version)
        if manager:
            _note_manager(item, manager, subresource, self.clock.stamp())
        self._watcher.see(self.clock.now, event_type, metadata["uid"], _ENCODER.encode(item))
        for listener in self.listeners:
            listener(event_type, item)


_GARBAGE_COLLECTION_SECONDS = 0.4


def owner_reference(owner: Object) -> Object:
    """Return the reference by which an object that `owner` controls names it."""
    return {
        "apiVersion": owner["apiVersion"],
        "blockOwnerDeletion": True,
        "controller": True,
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }


def _key(item: Object) -> tuple[str, str, str]:
    metadata = item["metadata"]
    return item["kind"], metadata.get("namespace", ""), metadata["name"]


def _note_manager(item: Object, manager: str, subresource: str, time: str) -> None:
    entries = item["metadata"]["managedFields"]
    for entry in entries:
        if entry["manager"] == manager and entry.get("subresource", "") == subresource:
            entry["time"] = time
            return
    operation = "Apply" if manager.startswith(_APPLIERS) else "Update"
    entry = {"apiVersion": item["apiVersion"], "manager": manager, "operation": operation, "time": time}
    if subresource:
        entry["subresource"] = subresource
    entries.append(entry)


_APPLIERS = ("promoter.argoproj.io/", "kueue-admission", "kueue-job-controller", "argocd-controller")
"""How names of field managers begin that write by server-side apply."""
