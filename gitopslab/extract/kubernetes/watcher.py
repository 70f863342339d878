"""The watcher: many clusters at once, none of which stops another, and a lake that stays quick to read."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Event, Thread

from gitopslab import redaction
from gitopslab.compaction import compact
from gitopslab.errors import GitOpsLabError
from gitopslab.extract.kubernetes.session import ClusterWatch
from gitopslab.lake import Lake

_log = logging.getLogger("gitopslab.watch")

_COMPACT_SECONDS = 600.0
_END_SECONDS = 30.0
# So long may a cluster not have written, or found that there is nothing to write.
_HUNG_SECONDS = 300.0


class Watcher:
    """Watches clusters until it is stopped.

    Args:
        watches: One a cluster.
        lake: Where they write; it is compacted while they do.
        compact_seconds: Time between two compactions.

    Attributes:
        removed_file_count: Small files of the lake that gave way to merged ones.
    """

    def __init__(
        self, watches: Sequence[ClusterWatch], lake: Lake, *, compact_seconds: float = _COMPACT_SECONDS
    ) -> None:
        self.watches = tuple(watches)
        self.removed_file_count = 0
        self._lake, self._compact_seconds = lake, compact_seconds
        self._stop = Event()
        self._threads = {
            watch.cluster.name: Thread(target=watch.run, name=watch.cluster.name, daemon=True)
            for watch in self.watches
        }
        self._compactor = Thread(target=self._compact, name="compaction", daemon=True)

    @property
    def is_synced(self) -> bool:
        """Whether every cluster has shown all that it serves."""
        return all(watch.is_synced for watch in self.watches)

    def start(self) -> None:
        """Begin."""
        for thread in (*self._threads.values(), self._compactor):
            thread.start()

    def stop(self) -> None:
        """Return when everything that was read is durable, and where each watch has come to."""
        self._stop.set()
        for watch in self.watches:
            watch.stop()
        for thread in self._threads.values():
            thread.join(_END_SECONDS)

    def hung(self) -> list[str]:
        """Return the clusters that nothing is done for any more, though something should be."""
        now = datetime.now(UTC)
        return [
            watch.cluster.name
            for watch in self.watches
            if not self._threads[watch.cluster.name].is_alive()
            or (now - watch.flushed_at).total_seconds() > _HUNG_SECONDS
        ]

    def _compact(self) -> None:
        clusters = [watch.cluster.name for watch in self.watches]
        while not self._stop.wait(self._compact_seconds):
            try:
                done = compact(self._lake, clusters, datetime.now(UTC))
            except (GitOpsLabError, OSError) as error:
                message = redaction.redact_text(str(error))
                _log.warning("not_compacted", extra={"fields": {"message": message}})
                continue
            self.removed_file_count += done.removed_count
            if any(done):
                _log.info("compacted", extra={"fields": done._asdict()})
