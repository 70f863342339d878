"""The intake of one resource: what was read goes to the feed, without what has landed already."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from gitopslab.extract.kubernetes.answers import Objects
from gitopslab.extract.kubernetes.feed import Feed
from gitopslab.extract.kubernetes.memory import Memory, Present
from gitopslab.extract.landing import Batch, Body
from gitopslab.extract.pages import Header, ObjectMeta, Reject
from gitopslab.extract.run import Refusal
from gitopslab.resources import Resource, split_api_version

_DELETIONS_AT_ONCE = 500


class Intake:
    """Lands what is read of one resource.

    Args:
        resource: The resource, with its kind.
        source: Path it is asked for by.
        memory: What the lake holds of it.
        feed: Where the rest goes.

    Attributes:
        object_count: Objects and events read.
        landed_count: Object versions handed to the feed.
        reject_count: Pieces that could not be read.
    """

    def __init__(self, resource: Resource, source: str, memory: Memory, feed: Feed) -> None:
        self.resource, self.source, self.memory, self.feed = resource, source, memory, feed
        self.object_count = self.landed_count = self.reject_count = 0

    def take(
        self, objects: Objects, at: datetime, *, how: str, event_types: Sequence[str | None] | None = None
    ) -> None:
        """Land those of `objects` that are new.

        Args:
            objects: What was read.
            at: When.
            how: `list` or `watch`.
            event_types: What each object's event was, for a watch.
        """
        self.object_count += len(objects.bodies)
        self.reject(objects.rejects)
        if objects.secret_count:
            self.feed.refuse_secrets(objects.secret_count)
        types = event_types or [None] * len(objects.bodies)
        new = [
            each for each in zip(objects.headers, types, objects.bodies, strict=True) if self._is_new(*each)
        ]
        self._land(new, at, how=how, known_count=len(objects.bodies) - len(new))

    def reject(self, rejects: Iterable[Reject]) -> None:
        """Keep what could not be read."""
        refusals = [Refusal(each.source, None, each.reason, each.message, each.excerpt) for each in rejects]
        self.reject_count += len(refusals)
        if refusals:
            self.feed.reject(refusals)

    def take_gone(self, listed: set[str], at: datetime, resource_version: str) -> int:
        """Land an inferred deletion of every object that is not among `listed`; return how many there are.

        Args:
            listed: uids of the objects that are there.
            at: When they were listed.
            resource_version: The list's version: by then the others were gone.
        """
        gone = [(uid, there) for uid, there in self.memory.present.items() if uid not in listed]
        for start in range(0, len(gone), _DELETIONS_AT_ONCE):
            self._take_gone(gone[start : start + _DELETIONS_AT_ONCE], at, resource_version)
        return len(gone)

    def _take_gone(self, gone: list[tuple[str, Present]], at: datetime, resource_version: str) -> None:
        # The lake has the last state of each, which is what a DELETED event carries too.
        bodies = self.feed.last_bodies([(uid, there.resource_version) for uid, there in gone])
        deletions = []
        for uid, there in gone:
            identity = ObjectMeta(there.name, there.namespace, uid, resource_version)
            body = bodies[uid].encode() if uid in bodies else self._stub(uid, there)
            header = msgspec.structs.replace(msgspec.json.decode(body, type=Header), metadata=identity)
            gone_now = msgspec.structs.replace(there, resource_version=resource_version)
            self.memory.heard(uid, gone_now, is_deleted=True)
            deletions.append((header, "DELETED", body))
        self._land(deletions, at, how="list", is_inferred=True)

    def _stub(self, uid: str, there: Present) -> bytes:
        """Return what is known of an object whose last state somebody took out of the lake."""
        _, _, *group_version, _ = self.source.split("/")
        metadata = {
            "namespace": there.namespace,
            "name": there.name,
            "uid": uid,
            "resourceVersion": there.resource_version,
        }
        known = {"apiVersion": "/".join(group_version), "kind": self.resource.kind, "metadata": metadata}
        return msgspec.json.encode(known)

    def _is_new(self, header: Header, event_type: str | None, _: Body) -> bool:
        metadata = header.metadata
        if self.memory.knows(metadata.uid, metadata.resource_version):
            return False
        present = Present(metadata.resource_version, metadata.namespace, metadata.name)
        if event_type is None:
            self.memory.saw(metadata.uid, present)
        else:
            self.memory.heard(metadata.uid, present, is_deleted=event_type == "DELETED")
        return True

    def _land(
        self,
        new: Sequence[tuple[Header, str | None, Body]],
        at: datetime,
        *,
        how: str,
        is_inferred: bool = False,
        known_count: int = 0,
    ) -> None:
        count = len(new)
        self.landed_count += count
        self.feed.add(
            Batch(
                api_groups=[self.resource.api_group] * count,
                api_versions=[split_api_version(header.api_version)[1] for header, _, _ in new],
                resources=[self.resource.resource] * count,
                kinds=[header.kind for header, _, _ in new],
                namespaces=[header.metadata.namespace for header, _, _ in new],
                names=[header.metadata.name for header, _, _ in new],
                uids=[header.metadata.uid for header, _, _ in new],
                resource_versions=[header.metadata.resource_version for header, _, _ in new],
                event_types=[event_type for _, event_type, _ in new],
                observed_at=[at] * count,
                source_lines=[None] * count,
                bodies=[body for _, _, body in new],
            ),
            self.source,
            how=how,
            is_inferred=is_inferred,
            known_count=known_count,
        )
