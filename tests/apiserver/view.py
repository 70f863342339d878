"""How a request sees a collection: in one version of the API, through a selector, as JSON text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.apiserver.selectors import Selector
from tests.apiserver.statuses import Answer
from tests.apiserver.store import Collection, Version


@dataclass(frozen=True)
class View:
    """A collection, seen by one request.

    Attributes:
        collection: What is seen.
        version: The version of the API asked for; objects differ in their apiVersion only.
        selector: What of it.
    """

    collection: Collection
    version: str
    selector: Selector

    @property
    def api_version(self) -> str:
        group = self.collection.served.group
        return f"{group}/{self.version}" if group else self.version

    @property
    def _head(self) -> bytes:
        return f'{{"apiVersion":"{self.api_version}","kind":"{self.collection.served.kind}",'.encode()

    def object(self, version: Version) -> bytes:
        """Return an object as it stands by itself."""
        return self._head + version.tail

    def event(self, version: Version) -> bytes | None:
        """Return the line of a watch that tells of `version`; None where the selector hides it."""
        was, is_now = self.selector.takes(version.before), self.selector.takes(version)
        if version.event_type == "DELETED" or self.selector.is_everything:
            return _line(version.event_type, self.object(version)) if is_now else None
        if is_now:
            return _line("MODIFIED" if was else "ADDED", self.object(version))
        if was and version.before:
            # As the watch cache does: the state that matched, under the version that no longer does.
            left = version.before.object
            left["metadata"]["resourceVersion"] = str(version.resource_version)
            return _line("DELETED", self._head + msgspec.json.encode(left)[1:])
        return None

    def added(self, version: Version) -> bytes:
        """Return the line that tells a watch of what was there before it."""
        return _line("ADDED", self.object(version))

    def bookmark(self, resource_version: int, *, ends_initial_events: bool = False) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(resource_version)}
        if ends_initial_events:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        return _line("BOOKMARK", self._head + msgspec.json.encode({"metadata": metadata})[1:])

    def page(self, versions: list[Version], metadata: Mapping[str, Any]) -> bytes:
        """Return a list, its fields in the order that an API server writes them."""
        kind = f"{self.collection.served.kind}List"
        about = msgspec.json.encode(metadata)
        tails = [version.tail for version in versions]
        if not self.collection.served.group:
            # Items of built-in types do not say what they are.
            items = b"{" + b",{".join(tails) if tails else b""
            head = f'{{"kind":"{kind}","apiVersion":"{self.api_version}","metadata":'.encode()
            return b"".join((head, about, b',"items":[', items, b"]}\n"))
        items = self._head + (b"," + self._head).join(tails) if tails else b""
        head = f'{{"apiVersion":"{self.api_version}","items":['.encode()
        return b"".join((head, items, b'],"kind":"', kind.encode(), b'","metadata":', about, b"}\n"))


def error_of(answer: Answer) -> bytes:
    """Return the line of a watch that ends it with what would be an answer elsewhere."""
    return _line("ERROR", answer.body)


def _line(event_type: str, item: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (event_type.encode(), item)
