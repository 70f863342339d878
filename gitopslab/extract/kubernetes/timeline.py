"""The timeline of one resource: when it was listed, watched, missed and refused, as rows of coverage."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from gitopslab.extract.kubernetes.memory import Checkpoint
from gitopslab.resources import Resource

# A stretch is noted this often while it lasts; what a crash leaves unnoted, the checkpoint knows.
_NOTED_EVERY = timedelta(minutes=15)
# So long may a change be on its way to somebody who has read all that arrived.
_UNDER_WAY = timedelta(seconds=2)

Cover = Callable[[list[dict[str, Any]]], None]
"""Takes rows of coverage, without the columns that are the run's own."""


class Timeline:
    """What is noted of one resource. A watch is noted as stretches that follow each other without a hole.

    Args:
        resource: The resource.
        source: Path it is asked for by.
        cover: Where rows go.
        checkpoint: Where an earlier watch stopped, if there was one.

    Attributes:
        heard_at: Up to when everything that happened was read, in a watch that can still be continued.
        watched_since: When the stretch of that watch began that is not noted yet; None without one.
        gap_count: How many gaps were noted.
    """

    def __init__(
        self, resource: Resource, source: str, cover: Cover, checkpoint: Checkpoint | None = None
    ) -> None:
        self._resource, self._source, self._cover = resource, source, cover
        self.heard_at = checkpoint.heard_at if checkpoint else None
        self.watched_since = checkpoint.watched_since if checkpoint else None
        self._begun_at: datetime | None = None
        self.gap_count = 0
        self._state = ""
        self._state_since: datetime | None = None

    def listed(self, since: datetime, until: datetime, object_count: int) -> None:
        """Note a list of what was there at `since`, read to its end by `until`."""
        self._note("list", since, until, object_count=object_count)
        self._state = ""

    def watches_from(self, asked_at: datetime, shown_at: datetime) -> None:
        """Take note that a watch begins with what was there at some time between the two."""
        self.heard_at = self._begun_at = asked_at
        self.watched_since = shown_at

    def heard(self, at: datetime | None) -> None:
        """Take note that the watch is alive, and has told everything up to `at` if that is known."""
        self._state = ""
        if at is None or self.watched_since is None:
            return
        self.heard_at = max(at, self.heard_at or at)
        if self.heard_at - self.watched_since >= _NOTED_EVERY:
            self.note_watch()

    def note_watch(self, until: datetime | None = None) -> None:
        """Note the stretch that was watched up to `until`, by default as far as is known."""
        until = until or self.heard_at
        if self.watched_since and until and self.watched_since < until:
            self._note("watch", self.watched_since, until)
            self.watched_since = until

    def missed(self, until: datetime, why: str) -> None:
        """Note that the watch could not be continued: what came and went up to `until` is not known."""
        if self.heard_at is None:
            return
        since = self.heard_at - _UNDER_WAY
        if self._begun_at:
            since = max(since, self._begun_at)
        self.note_watch(since)
        self._note("gap", since, until, message=why)
        self.gap_count += 1
        self.watched_since = self.heard_at = None

    def failed(self, state: str, since: datetime, until: datetime, message: str) -> None:
        """Note an attempt that came to nothing; while one after another does, now and then.

        Args:
            state: `unreachable`, `refused` or `not_served`.
            since: When the attempt began.
            until: When it failed.
            message: Why.
        """
        if state == self._state and self._state_since and until - self._state_since < _NOTED_EVERY:
            return
        is_same = state == self._state and self._state_since
        self._note(state, self._state_since if is_same else since, until, message=message)
        self._state, self._state_since = state, until

    def _note(
        self,
        state: str,
        since: datetime | None,
        until: datetime,
        *,
        object_count: int | None = None,
        message: str = "",
    ) -> None:
        row = {
            "api_group": self._resource.api_group,
            "resource": self._resource.resource,
            "state": state,
            "since": since,
            "until": until,
            "object_count": object_count,
            "source": self._source,
            "message": message,
        }
        self._cover([row])
