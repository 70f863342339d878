"""What the reflectors of one cluster share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from threading import Event

from gitopslab.clusters import Cluster
from gitopslab.errors import SourceError
from gitopslab.extract.kubernetes.backoff import Backoff
from gitopslab.extract.kubernetes.catalogue import Catalogue
from gitopslab.extract.kubernetes.feed import Feed


@dataclass(frozen=True)
class Surroundings:
    """One cluster, what it serves, and where what it shows goes.

    Attributes:
        cluster: The cluster.
        catalogue: What it serves.
        feed: Where everything goes.
        stop: Set when all reflectors are to end.
        random: Shortens waits and spreads the ends of watches.
        clock: Says what time it is, UTC.
    """

    cluster: Cluster
    catalogue: Catalogue
    feed: Feed
    stop: Event = field(default_factory=Event)
    random: Random = field(default_factory=Random)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def rest(self, backoff: Backoff, error: SourceError | None = None) -> None:
        """Leave the API server alone for a while, as long as it asked for at least, or until the stop."""
        self.stop.wait(backoff.next_seconds(error))
