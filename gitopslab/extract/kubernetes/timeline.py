"""The timeline of one resource: when it was listed, watched, missed and refused, as rows of coverage."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from gitopslab.extract.kubernetes.memory import Checkpoint
from gitopslab.resources import Resource

# A stretch is noted this often while it lasts; what a crash leaves unnoted, the checkpoint knows.
_NOTED_EVERY = timedelta(minutes=15)

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
        heard_at: When the API server last told something of a watch that can still be continued.
        watched_since: When the stretch of that watch began that is not noted yet; None without one.
        gap_count: How many gaps were noted.
    """

    def __init__(
        self, resource: Resource, source: str, cover: Cover, checkpoint: Checkpoint | None = None
    ) -> None:
        self._resource, self._source, self._cover = resource, source, cover
        self.heard_at = checkpoint.heard_at if checkpoint else None
        self.watched_since = checkpoint.watched_since if checkpoint else None
        self.gap_count = 0
        self._state = ""
        self._state_since: datetime | None = None

    def listed(self, since: datetime, until: datetime, object_count: int) -> None:
        """Note a list, and the gap before it if a watch could not be continued."""
        self._note("list", since, until, object_count=object_count)
        self._state = ""

    def watches_from(self, since: datetime) -> None:
        """Take note that a watch begins with what was there at `since`."""
        self.watched_since = self.heard_at = since

    def heard(self, at: datetime) -> None:
        """Take note that the watch is alive; what was missed while it seemed dead has been told by now."""
        self.heard_at = at
        self._state = ""
        if self.watched_since and at - self.watched_since >= _NOTED_EVERY:
            self.note_watch()

    def note_watch(self) -> None:
        """Note the stretch that was watched up to now."""
        if self.watched_since and self.heard_at and self.watched_since < self.heard_at:
            self._note("watch", self.watched_since, self.heard_at)
            self.watched_since = self.heard_at

    def missed(self, until: datetime, why: str) -> None:
        """Note that the watch could not be continued: what came and went up to `until` is not known."""
        if self.heard_at is None:
            return
        self.note_watch()
        self._note("gap", self.heard_at, until, message=why)
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
