"""The feed of one cluster: many reflectors in, one landing out, each checkpoint behind what it speaks of."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from threading import RLock
from types import TracebackType
from typing import Any, Self

from gitopslab.errors import GitOpsLabError
from gitopslab.extract.kubernetes.memory import Checkpoint, ResourceKey, last_bodies
from gitopslab.extract.landing import Batch, Landing
from gitopslab.extract.run import Origin, Refusal, Tally
from gitopslab.lake import Lake
from gitopslab.settings import ENVIRONMENT_NAMES

# Where nothing happens, the time when the API server was last heard is noted this often.
_NOTED_EVERY = timedelta(minutes=1)


class FeedClosedError(Exception):
    """The feed takes nothing any more: it was closed, or what it took before could not be written."""


class Feed:
    """Takes what reflectors read, from any thread, and lands it; use it as a context manager.

    A run of the feed lasts for one UTC day at most, so that its books say what came on which day.

    Args:
        lake: Where it goes.
        origin: Where it comes from.
        email_salt: Mixed into the hashes that stand for e-mail addresses.
        environment_names: Globs of the environment variables of Deployments that keep their values.
        clock: Says what time it is, UTC.
    """

    def __init__(
        self,
        lake: Lake,
        origin: Origin,
        *,
        email_salt: str = "",
        environment_names: Sequence[str] = ENVIRONMENT_NAMES,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.lake, self.origin = lake, origin
        self._email_salt, self._environment_names, self._clock = email_salt, environment_names, clock
        self._alone = RLock()
        self._positions: dict[ResourceKey, Checkpoint] = {}
        self._noted: dict[ResourceKey, Checkpoint] = {}
        self._runs = ExitStack()
        self._failure: BaseException | None = None
        self._is_closed = False
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._alone:
            self._is_closed = True
            if error is None and self._failure is None:
                self._note_checkpoints()
                self._runs.close()
                return
            failure = self._failure or error
            self._runs.__exit__(type(failure) if failure else None, failure, trace)
            if self._failure:
                raise self._failure

    @property
    def tally(self) -> Tally:
        """What the run of today did so far."""
        return self._landing.tally

    def add(
        self,
        batch: Batch,
        source: str,
        *,
        how: str,
        is_inferred: bool = False,
        known_count: int = 0,
    ) -> None:
        """Take `batch`, of which nothing has landed; `known_count` more were left out that have."""
        with self._alone:
            self._check()
            self._landing.tally.object_count += known_count
            self._landing.tally.known_count += known_count
            if not batch.bodies:
                return
            try:
                self._landing.add(batch, source, how=how, is_inferred=is_inferred)
            except (GitOpsLabError, OSError) as error:
                self._failure = error
                raise FeedClosedError from error

    def reached(self, key: ResourceKey, position: Checkpoint) -> None:
        """Take note that everything of the resource up to `position` was added."""
        with self._alone:
            self._positions[key] = position

    def lost(self, key: ResourceKey) -> None:
        """Take note that the resource's position means nothing any more."""
        with self._alone:
            self._positions.pop(key, None)

    def reject(self, refusals: Sequence[Refusal]) -> None:
        """Keep what could not be read."""
        with self._alone:
            self._check()
            self._landing.reject(refusals)

    def refuse_secrets(self, count: int) -> None:
        """Count Secret objects that were met."""
        with self._alone:
            self._landing.refuse_secrets(count)

    def cover(self, rows: Sequence[dict[str, Any]]) -> None:
        """Note what was looked at."""
        with self._alone:
            self._landing.cover(rows)

    def flush(self) -> None:
        """Return when all that was added is durable, and then where each watch has come to.

        Raises:
            LakeError: It could not be written.
            OSError: It could not be written.
        """
        with self._alone:
            if self._failure:
                raise self._failure
            self._note_checkpoints()
            try:
                self._landing.flush()
            except (GitOpsLabError, OSError) as error:
                self._failure = error
                raise
            if self._clock().date() != self._day:
                self._runs.close()
                self._open()

    def last_bodies(self, versions: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Return the JSON of those of `versions` (uid, resource version) that have landed, by uid.

        Raises:
            FeedClosedError: What was added could not be written, or what landed not be read.
        """
        try:
            self.flush()
            return last_bodies(self.lake, self.origin.cluster, versions)
        except (GitOpsLabError, OSError) as error:
            with self._alone:
                self._failure = error
            raise FeedClosedError from error

    def _check(self) -> None:
        if self._is_closed or self._failure:
            raise FeedClosedError

    def _open(self) -> None:
        self._day: date = self._clock().date()
        self._landing = self._runs.enter_context(
            Landing(
                self.lake,
                self.origin,
                email_salt=self._email_salt,
                environment_names=self._environment_names,
                has_all_new=True,
            )
        )

    def _note_checkpoints(self) -> None:
        rows = []
        for key, position in self._positions.items():
            if _is_news(position, self._noted.get(key)):
                rows.append(_row(key, position))
                self._noted[key] = position
        self._landing.note_checkpoints(rows)


def _is_news(position: Checkpoint, noted: Checkpoint | None) -> bool:
    if noted is None or noted.resource_version != position.resource_version:
        return True
    is_noted_further = position.watched_since != noted.watched_since
    return is_noted_further or position.heard_at - noted.heard_at >= _NOTED_EVERY


def _row(key: ResourceKey, position: Checkpoint) -> dict[str, Any]:
    return {
        "api_group": key[0],
        "resource": key[1],
        "resource_version": position.resource_version,
        "noted_at": position.heard_at,
        "last_event_at": position.last_event_at,
        "watched_since": position.watched_since,
    }
