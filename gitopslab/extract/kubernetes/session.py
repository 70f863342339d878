"""Sessions: all reflectors of one cluster at work, for as long as what they read can be written."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Event, Thread
from typing import NamedTuple

from gitopslab import database, redaction
from gitopslab.clusters import Cluster
from gitopslab.errors import AccessDeniedError, GitOpsLabError, SourceError
from gitopslab.extract.kubernetes.backoff import Backoff
from gitopslab.extract.kubernetes.catalogue import Catalogue
from gitopslab.extract.kubernetes.feed import Feed
from gitopslab.extract.kubernetes.memory import Memory, recall
from gitopslab.extract.kubernetes.reflector import Reflector, state_of
from gitopslab.extract.kubernetes.surroundings import Surroundings
from gitopslab.extract.run import ExtractRun, Origin
from gitopslab.lake import Lake
from gitopslab.resources import Resource
from gitopslab.settings import ENVIRONMENT_NAMES

_log = logging.getLogger("gitopslab.watch")

EXTRACTOR = "kubernetes"
_END_SECONDS = 10.0
_NOTED_EVERY = timedelta(minutes=15)


class Destination(NamedTuple):
    """Where everything goes.

    Attributes:
        lake: The lake.
        email_salt: Mixed into the hashes that stand for e-mail addresses.
        environment_names: Globs of the environment variables of Deployments that keep their values.
    """

    lake: Lake
    email_salt: str = ""
    environment_names: Sequence[str] = ENVIRONMENT_NAMES

    def feed(self, origin: Origin) -> Feed:
        """Return a feed into it of what comes from `origin`."""
        return Feed(self.lake, origin, email_salt=self.email_salt, environment_names=self.environment_names)


def identify(cluster: Cluster, configured_uid: str) -> str:
    """Return the uid of `cluster`: its own, or the configured one where it may not be asked.

    Raises:
        SourceError: It cannot be asked, and none is configured.
    """
    try:
        return cluster.uid()
    except AccessDeniedError:
        if configured_uid:
            return configured_uid
        raise


def note_unread(
    destination: Destination,
    cluster: str,
    resources: Iterable[Resource],
    error: SourceError,
    since: datetime,
) -> None:
    """Keep in the lake that nothing of `cluster` could be read, and why."""
    origin = Origin(EXTRACTOR, cluster, "list")
    with ExtractRun(destination.lake, origin, email_salt=destination.email_salt) as run:
        run.cover(
            [
                {
                    "api_group": resource.api_group,
                    "resource": resource.resource,
                    "state": state_of(error),
                    "since": since,
                    "until": datetime.now(UTC),
                    "object_count": None,
                    "source": "",
                    "message": str(error),
                }
                for resource in resources
            ]
        )


class ClusterWatch:
    """Watches the resources of one cluster until it is stopped, whatever happens to cluster and lake.

    Args:
        cluster: The cluster.
        configured_uid: Its uid as far as settings say.
        resources: What to watch.
        destination: Where it goes.
        flush_seconds: How long what was read may wait to be written.

    Attributes:
        reflectors: One a resource; none while the cluster is not known.
        flushed_at: When everything read by then was durable.
        restart_count: How often reading began anew from what is durable.
    """

    def __init__(
        self,
        cluster: Cluster,
        configured_uid: str,
        resources: tuple[Resource, ...],
        destination: Destination,
        *,
        flush_seconds: float = 10.0,
    ) -> None:
        self.cluster, self.resources = cluster, resources
        self._configured_uid, self._destination = configured_uid, destination
        self._flush_seconds = flush_seconds
        self._stop = Event()
        self._random = Random()  # noqa: S311 - only spreads waits
        self.reflectors: tuple[Reflector, ...] = ()
        self.flushed_at = datetime.now(UTC)
        self.restart_count = 0
        self._unread_at: datetime | None = None

    @property
    def is_synced(self) -> bool:
        """Whether everything that is served was listed once."""
        settled = [each.is_synced or each.state in {"refused", "not_served"} for each in self.reflectors]
        return bool(settled) and all(settled)

    def stop(self) -> None:
        """Let `run()` end: soon, with everything durable that was read."""
        self._stop.set()

    def run(self) -> None:
        """Watch until the stop."""
        backoff = Backoff(self._random)
        while not self._stop.is_set():
            try:
                self._attempt(backoff)
            except (GitOpsLabError, OSError, database.DatabaseError) as error:
                # What was read and not written is read again, from the last checkpoint that is durable.
                _say(self.cluster.name, "not_written", error)
            if not self._stop.is_set():
                self.restart_count += 1
                self._stop.wait(backoff.next_seconds())

    def _attempt(self, backoff: Backoff) -> None:
        started_at = datetime.now(UTC)
        try:
            uid = identify(self.cluster, self._configured_uid)
        except SourceError as error:
            _say(self.cluster.name, state_of(error), error)
            since = self._unread_at or started_at
            if self._unread_at is None or started_at - since >= _NOTED_EVERY:
                note_unread(self._destination, self.cluster.name, self.resources, error, since)
                self._unread_at = datetime.now(UTC)
            self.flushed_at = datetime.now(UTC)
        else:
            self._unread_at = None
            self._watch(uid, backoff)

    def _watch(self, uid: str, backoff: Backoff) -> None:
        destination = self._destination
        origin = Origin(EXTRACTOR, self.cluster.name, "watch", uid)
        memories = recall(destination.lake, self.cluster.name, uid)
        stop = Event()
        with destination.feed(origin) as feed:
            around = Surroundings(self.cluster, Catalogue(self.cluster), feed, stop, self._random)
            self.reflectors = tuple(
                Reflector(each, memories.get((each.api_group, each.resource)) or Memory(), around)
                for each in self.resources
            )
            with _at_work(self.reflectors, stop) as threads:
                while all(thread.is_alive() for thread in threads):
                    is_over = self._stop.wait(self._flush_seconds)
                    feed.flush()
                    self.flushed_at = datetime.now(UTC)
                    backoff.reset()
                    if is_over:
                        break


@contextmanager
def _at_work(reflectors: tuple[Reflector, ...], stop: Event) -> Iterator[list[Thread]]:
    threads = [Thread(target=each.run, name=str(each.resource), daemon=True) for each in reflectors]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        stop.set()
        for reflector in reflectors:
            reflector.close()
        until = datetime.now(UTC) + timedelta(seconds=_END_SECONDS)
        for thread in threads:
            thread.join(max(0.0, (until - datetime.now(UTC)).total_seconds()))


def _say(cluster: str, event: str, error: Exception) -> None:
    _log.warning(event, extra={"fields": {"cluster": cluster, "message": redaction.redact_text(str(error))}})
