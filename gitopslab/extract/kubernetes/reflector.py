"""The reflector: one resource of one cluster, kept as it is there by a list and a watch from the list on.

A watch that was cut goes on from the last version it told. Where the API server does not know that
version any more (410), or not yet, since etcd was restored from a backup, the resource is listed anew: what
is gone is noted as an inferred deletion, and the time nobody saw as a gap.
"""

import logging
from datetime import datetime
from http import HTTPStatus

from gitopslab.clusters import WatchStream, path_of
from gitopslab.errors import (
    AccessDeniedError,
    BadRequestError,
    ExpiredError,
    NotServedError,
    SourceError,
    UnreachableError,
)
from gitopslab.extract.envelopes import EVENT_TYPES, is_utf8
from gitopslab.extract.kubernetes import answers
from gitopslab.extract.kubernetes.backoff import Backoff
from gitopslab.extract.kubernetes.feed import FeedClosedError
from gitopslab.extract.kubernetes.intake import Intake
from gitopslab.extract.kubernetes.listing import Listing, list_all
from gitopslab.extract.kubernetes.memory import Checkpoint, Memory
from gitopslab.extract.kubernetes.surroundings import Surroundings
from gitopslab.extract.kubernetes.timeline import Timeline
from gitopslab.extract.pages import EXCERPT_BYTES, Reject
from gitopslab.resources import Resource

_log = logging.getLogger("gitopslab.watch")

_WATCH_SECONDS = (240, 300)
# Where nothing happens a watch is silent: only its end, in good order, shows that all was told.
_FIRST_WATCH_SECONDS = 5
# A kind that is not served now may be tomorrow; nobody is in a hurry for it.
_NOT_SERVED_SECONDS = 300.0
# A watch that ends sooner, and told nothing, counts as a failure.
_SHORT_SECONDS = 1.0


class Reflector:
    """Keeps what `resource` is and was, until it is stopped.

    Args:
        resource: The resource; its kind is discovered.
        memory: What the lake holds of it.
        around: The cluster, and where everything goes.

    Attributes:
        state: `starting`, `listing`, `watching`, `unreachable`, `refused` or `not_served`.
        is_synced: Whether everything that was there at the start is landed, or about to be.
        relist_count: How often it was listed.
        failure_count: How often an attempt came to nothing.
    """

    def __init__(self, resource: Resource, memory: Memory, around: Surroundings) -> None:
        self.resource, self._around, self._memory = resource, around, memory
        self.state = "starting"
        self.is_synced = False
        self.relist_count = self.failure_count = 0
        source = path_of(resource, "*")
        self.intake = Intake(resource, source, memory, around.feed)
        self.timeline = Timeline(resource, source, around.feed.cover, memory.checkpoint)
        self._position = memory.checkpoint
        self._streams_lists = True
        self._backoff = Backoff(around.random)
        self._stream: WatchStream | None = None
        self._stumbled_at = ""
        self._kind = ("", resource.kind)

    @property
    def key(self) -> tuple[str, str]:
        """API group and plural name."""
        return self.resource.api_group, self.resource.resource

    def run(self) -> None:
        """List and watch until the stop; failures are noted, and tried again after a while."""
        try:
            while not self._around.stop.is_set():
                self._attempt()
        except FeedClosedError:
            # Whoever closed it knows why, and begins anew from what is durable.
            return
        self.timeline.note_watch()
        if self._position:
            # The stretch is noted: who goes on from here begins another.
            self._reach()

    def close(self) -> None:
        """End the watch that is open; to be called after the stop was set."""
        if self._stream:
            self._stream.close()

    def _attempt(self) -> None:
        started_at = self._around.clock()
        try:
            self._step()
        except ExpiredError as error:
            self._expire(str(error))
            self._around.rest(self._backoff, error)
        except SourceError as error:
            if self._around.stop.is_set():
                return
            self._fail(error, started_at)

    def _step(self) -> None:
        version = self._locate()
        if self._position:
            if self.state not in {"listing", "watching"}:
                self._check_position(version, self._position.resource_version)
            self._watch(version, self._position.resource_version)
        elif self._streams_lists:
            self._stream_list(version)
        else:
            self._list(version)

    def _locate(self) -> str:
        self.resource, version = self._around.catalogue.locate(self.resource)
        self.intake.resource, self.intake.source = self.resource, path_of(self.resource, version)
        self._kind = (f"{self.resource.api_group}/{version}".removeprefix("/"), self.resource.kind)
        return version

    # --- lists

    def _list(self, version: str) -> None:
        self.state = "listing"
        listing = list_all(self.resource, version, self.intake, self._around, lambda _: None)
        self._synced(listing)

    def _stream_list(self, version: str) -> None:
        """List by a watch that begins with what is there, where the API server has that."""
        self.state = "listing"
        try:
            self._watch(version, "")
        except BadRequestError:
            self._streams_lists = False
        except UnreachableError:
            # A stream that is cut begins from the start; a list goes on at the page it had come to.
            self._streams_lists = self._position is not None
            raise
        else:
            self._streams_lists = self._position is not None

    def _synced(self, listing: Listing) -> None:
        """Note what a list showed: what is gone, the gap before it, and where the watch begins."""
        now = self._around.clock()
        gone_count = self.intake.take_gone(listing.uids, now, listing.resource_version)
        self.timeline.missed(listing.shown_at, "the watch was away for longer than the API server remembers")
        self.timeline.listed(listing.shown_at, now, len(listing.uids))
        self.timeline.watches_from(listing.asked_at, listing.shown_at)
        self.is_synced = True
        self.relist_count += 1
        self._reach(listing.resource_version)
        self._say(logging.INFO, "listed", object_count=len(listing.uids), gone_count=gone_count)

    # --- watches

    def _check_position(self, version: str, resource_version: str) -> None:
        """Ask how far the API server is: it leaves a watch that begins in its future untold, and alone.

        Raises:
            ExpiredError: It is not as far as it was.
        """
        path = path_of(self.resource, version, limit=1)
        text = self._around.cluster.page(path, what=f"`list` on {self.resource}")
        reached = answers.read_page(text, self.intake.source, self.resource.kind).resource_version
        if reached.isdecimal() and resource_version.isdecimal() and int(reached) < int(resource_version):
            self._memory.expect_none_again()
            went_back = f"from version {resource_version} to {reached}"
            raise ExpiredError(f"{self.intake.source}: the API server went back {went_back}")

    def _watch(self, version: str, resource_version: str) -> None:
        is_first = bool(resource_version) and self.state != "watching"
        seconds = _FIRST_WATCH_SECONDS if is_first else self._around.random.randint(*_WATCH_SECONDS)
        query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        if resource_version:
            query["resourceVersion"] = resource_version
            initial = None
        else:
            query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
            initial = Listing(self._around.clock(), self._around.clock())
        path = path_of(self.resource, version, **query)
        started_at, told = self._around.clock(), False
        with self._around.cluster.watch(path, what=f"`watch` on {self.resource}") as stream:
            self._stream = stream
            try:
                for lines in stream:
                    initial = self._read(lines, initial)
                    told = True
                    if initial is None:
                        self._hear(stream.caught_up_at)
                    if self._around.stop.is_set():
                        return
            finally:
                self._stream = None
        if initial is None and not self._around.stop.is_set():
            self._end(started_at, stream, told=told)

    def _end(self, started_at: datetime, stream: WatchStream, *, told: bool) -> None:
        """Take note that a watch ended, as it does every few minutes or after a silence."""
        if told or (self._around.clock() - started_at).total_seconds() >= _SHORT_SECONDS:
            self._hear(stream.caught_up_at)
        else:
            self._around.rest(self._backoff)

    def _read(self, lines: list[bytes], initial: Listing | None) -> Listing | None:
        """Take lines of a watch; return `initial` until all is told that was there at the beginning."""
        now = self._around.clock()
        for line in filter(None, lines):
            event = answers.read_event(line)
            if event is None:
                self._stumble(line, now)
            elif event.type == "BOOKMARK":
                initial = self._read_bookmark(event.text, now, initial)
            elif event.type == "ERROR":
                self._read_error(event.text)
            elif event.type in EVENT_TYPES:
                self._read_object(event, now, initial)
            else:
                self._reject("watch_error", "an event of an unknown type", line)
        return initial

    def _hear(self, at: datetime | None) -> None:
        """Take note that the watch is alive, and has told everything up to `at` if that is known."""
        self.state, self.is_synced = "watching", True
        self._backoff.reset()
        self.timeline.heard(at)
        self._reach()

    def _read_object(self, event: answers.Event, now: datetime, initial: Listing | None) -> None:
        objects = answers.read_objects(
            [event.text], self.intake.source, self._kind, are_utf8=is_utf8(event.text)
        )
        if initial is not None:
            initial.uids.update(header.metadata.uid for header in objects.headers)
            self.intake.take(objects, now, how="list")
            return
        self.intake.take(objects, now, how="watch", event_types=[event.type] * len(objects.headers))
        for header in objects.headers:
            self._reach(header.metadata.resource_version, event_at=now)

    def _read_bookmark(self, text: bytes, now: datetime, initial: Listing | None) -> Listing | None:
        bookmark = answers.read_bookmark(text)
        if bookmark is None:
            self._reject("watch_error", "a bookmark without a version", text)
        elif initial is None:
            # The API server sends one to whom it has told everything.
            self.timeline.heard(now)
            self._reach(bookmark.resource_version)
        elif bookmark.ends_initial_events:
            initial.resource_version, initial.shown_at = bookmark.resource_version, now
            self._synced(initial)
            return None
        return initial

    def _read_error(self, text: bytes) -> None:
        code = answers.read_status_code(text)
        if code == HTTPStatus.GONE:
            raise ExpiredError(f"{self.intake.source}: the watch expired")
        raise UnreachableError(f"{self.intake.source}: the watch ended with error {code}")

    def _stumble(self, line: bytes, now: datetime) -> None:
        """Keep a line that is no event, and ask anew for what is behind the last version; but only once."""
        self._reject("invalid_json", "a line of a watch is no event", line)
        reached = self._position.resource_version if self._position else ""
        if self._stumbled_at != reached or not reached:
            self._stumbled_at = reached
            raise UnreachableError(f"{self.intake.source}: a line of the watch is no event")
        self.timeline.missed(now, "an event of the watch could not be read")
        self.timeline.watches_from(now, now)

    def _reach(self, resource_version: str = "", *, event_at: datetime | None = None) -> None:
        """Take note that everything up to `resource_version`, or to where it came before, was handed over."""
        before, timeline = self._position, self.timeline
        heard_at = timeline.heard_at or self._around.clock()
        self._position = Checkpoint(
            resource_version or (before.resource_version if before else ""),
            heard_at,
            event_at or (before.last_event_at if before else None),
            timeline.watched_since or heard_at,
        )
        self._around.feed.reached(self.key, self._position)

    # --- failures

    def _expire(self, message: str) -> None:
        self._position = None
        self._around.feed.lost(self.key)
        self._say(logging.WARNING, "expired", message=message)

    def _fail(self, error: SourceError, started_at: datetime) -> None:
        self.failure_count += 1
        self.state = state_of(error)
        # One broken connection is no news; that the next try failed too is.
        if self._backoff.failure_count or self.state != "unreachable":
            self.timeline.failed(self.state, started_at, self._around.clock(), str(error))
            self._say(logging.WARNING, self.state, message=str(error))
        if isinstance(error, NotServedError):
            self._around.catalogue.forget()
            self._around.stop.wait(_NOT_SERVED_SECONDS)
        else:
            self._around.rest(self._backoff, error)

    def _reject(self, reason: str, message: str, text: bytes) -> None:
        excerpt = text[:EXCERPT_BYTES].decode("utf-8", "backslashreplace")
        self.intake.reject([Reject(self.intake.source, 0, reason, message, excerpt)])

    def _say(self, level: int, event: str, **fields: object) -> None:
        where = {"cluster": self._around.cluster.name, "resource": str(self.resource)}
        _log.log(level, event, extra={"fields": where | fields})


def state_of(error: SourceError) -> str:
    """Return what coverage calls it when a source raises `error`."""
    if isinstance(error, AccessDeniedError):
        return "refused"
    return "not_served" if isinstance(error, NotServedError) else "unreachable"
