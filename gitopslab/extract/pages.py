"""What reading files yields: pages of Kubernetes objects, and rejects for what could not be read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec

EXCERPT_BYTES = 64 << 10

KindName = tuple[str, str]
"""apiVersion and kind, such as ("tekton.dev/v1", "TaskRun"); empty where unknown."""


class ObjectMeta(msgspec.Struct, gc=False, rename="camel"):
    """What identifies an object version, of its metadata."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class Header(msgspec.Struct, gc=False, rename="camel"):
    """What is decoded of every object; the rest of it stays text."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)

    @property
    def is_complete(self) -> bool:
        """Whether the object says by itself what it is and how it is called."""
        return bool(self.kind and self.api_version and self.metadata.name)


class Page(msgspec.Struct, gc=False):
    """Objects read together from one file, in its order; the lists are of equal length.

    Attributes:
        source: The file's path as given or found, POSIX.
        bodies: One object's JSON each, UTF-8; apiVersion and kind stand in it even where they were inferred.
        headers: apiVersion, kind and name are never empty.
        lines: The line where each object begins, from 1, in the decompressed file.
        event_types: ADDED, MODIFIED or DELETED where the object came in a watch event.
        observed_at: When a watch event was seen, UTC, where it says so.
    """

    source: str
    bodies: list[bytes]
    headers: list[Header]
    lines: list[int]
    event_types: list[str | None]
    observed_at: list[datetime | None]


class Reject(msgspec.Struct):
    r"""A piece of a file that could not be read.

    Attributes:
        source: The file's path as given or found, POSIX.
        line: Where the piece begins, from 1; 0 where it is the file as a whole.
        reason: One of invalid_json, invalid_yaml, hostile_yaml, too_large, too_deep, not_an_object, no_kind,
            no_name, no_identity, watch_error, invalid_encoding, broken_archive, undecodable_record.
        message: One line, without any of the text.
        excerpt: The text as read, cut to 64 KiB; bytes that are not UTF-8 stand as `\xff`. Not redacted.
    """

    source: str
    line: int
    reason: str
    message: str
    excerpt: str


class Item(NamedTuple):
    """One object on its way into a page."""

    body: bytes
    header: Header
    line: int
    event_type: str | None = None
    observed_at: datetime | None = None


@dataclass(frozen=True)
class Limits:
    """How large and how deep input may be before it is rejected rather than read.

    Attributes:
        max_document_bytes: Of one JSON object or YAML document; a List may be larger, its items may not.
        max_file_bytes: Of a file, decompressed.
        max_depth: Of nesting in YAML, and in JSON that is salvaged; other JSON ends where the decoder does.
        max_alias_nodes: YAML nodes that aliases may add to a document; long text counts as several.
        max_expansion_ratio: Bytes that one compressed byte may become, after the first 64 MiB.
        page_rows: Objects in one page at most.
        page_bytes: Bytes read at once, so of one page too unless a single object is larger. More is slower.
    """

    max_document_bytes: int = 256 << 20
    max_file_bytes: int = 64 << 30
    max_depth: int = 200
    max_alias_nodes: int = 10_000
    max_expansion_ratio: int = 2_000
    page_rows: int = 4096
    page_bytes: int = 2 << 20


@dataclass(frozen=True)
class Reading:
    """What holds for everything in one file.

    Attributes:
        source: The file's path as given or found, POSIX.
        limits: How large and how deep it may be.
        assume: apiVersion and kind of objects that name none, if the caller knows them.
    """

    source: str
    limits: Limits
    assume: KindName | None = None

    def reject(self, line: int, reason: str, message: str, text: bytes) -> Reject:
        """Return the reject of `text`, which begins at `line`."""
        return Reject(
            self.source, line, reason, message, text[:EXCERPT_BYTES].decode("utf-8", "backslashreplace")
        )

    def pages(self, bodies: list[bytes], headers: list[Header], lines: list[int]) -> Iterator[Page]:
        """Yield plain objects that were read together, as pages of at most `page_rows`."""
        rows = self.limits.page_rows
        for at in range(0, len(bodies), rows):
            some = bodies[at : at + rows]
            nothing = [None] * len(some)
            yield Page(
                self.source, some, headers[at : at + rows], lines[at : at + rows], [*nothing], [*nothing]
            )

    def paged(self, parts: Iterable[Page | Item | Reject]) -> Iterator[Page | Reject]:
        """Yield `parts` with single items gathered into pages."""
        items: list[Item] = []
        byte_count = 0
        for part in parts:
            if isinstance(part, Item):
                items.append(part)
                byte_count += len(part.body)
                if len(items) < self.limits.page_rows and byte_count < self.limits.page_bytes:
                    continue
            if items and not isinstance(part, Reject):
                yield self._page(items)
                items, byte_count = [], 0
            if not isinstance(part, Item):
                yield part
        if items:
            yield self._page(items)

    def _page(self, items: list[Item]) -> Page:
        bodies, headers, lines, event_types, observed_at = map(list, zip(*items, strict=True))
        return Page(self.source, bodies, headers, lines, event_types, observed_at)
