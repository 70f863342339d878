"""What a watch says of itself over HTTP: `/healthz` and, for Prometheus, `/metrics`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from gitopslab.errors import UsageError
from gitopslab.extract.kubernetes.reflector import Reflector
from gitopslab.extract.kubernetes.watcher import Watcher

_OF_A_RESOURCE = ("cluster", "resource")
_COUNTERS: dict[str, tuple[str, Callable[[Reflector], int]]] = {
    "gitopslab_objects_read": ("Objects and events read.", lambda each: each.intake.object_count),
    "gitopslab_object_versions_landed": ("Versions that were new.", lambda each: each.intake.landed_count),
    "gitopslab_rejects": ("Pieces that could not be read.", lambda each: each.intake.reject_count),
    "gitopslab_lists": ("How often it was listed.", lambda each: each.relist_count),
    "gitopslab_gaps": ("Watches that could not be continued.", lambda each: each.timeline.gap_count),
    "gitopslab_watch_failures": ("Attempts that came to nothing.", lambda each: each.failure_count),
}


class _Collector(Collector):
    """Looks at the watch when it is asked."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def collect(self) -> Iterator[Metric]:
        now = datetime.now(UTC)
        lag = GaugeMetricFamily(
            "gitopslab_watch_lag_seconds",
            "Time since all that happened is known to be read; minutes where nothing happens.",
            labels=_OF_A_RESOURCE,
        )
        state = GaugeMetricFamily(
            "gitopslab_watch_state", "1 for the state it is in.", labels=(*_OF_A_RESOURCE, "state")
        )
        for cluster, each in self._reflectors():
            state.add_metric((cluster, str(each.resource), each.state), 1)
            if heard_at := each.timeline.heard_at:
                lag.add_metric((cluster, str(each.resource)), (now - heard_at).total_seconds())
        yield lag
        yield state
        for name, (documentation, count) in _COUNTERS.items():
            counter = CounterMetricFamily(name, documentation, labels=_OF_A_RESOURCE)
            for cluster, each in self._reflectors():
                counter.add_metric((cluster, str(each.resource)), count(each))
            yield counter
        yield from self._clusters(now)

    def _clusters(self, now: datetime) -> Iterator[Metric]:
        unflushed = GaugeMetricFamily(
            "gitopslab_unflushed_seconds", "Time since everything was durable.", labels=("cluster",)
        )
        restarts = CounterMetricFamily(
            "gitopslab_restarts", "How often a cluster was begun anew.", labels=("cluster",)
        )
        for watch in self._watcher.watches:
            unflushed.add_metric((watch.cluster.name,), (now - watch.flushed_at).total_seconds())
            restarts.add_metric((watch.cluster.name,), watch.restart_count)
        yield unflushed
        yield restarts
        yield CounterMetricFamily(
            "gitopslab_compacted_files",
            "Small files of the lake that gave way to merged ones.",
            value=self._watcher.removed_file_count,
        )

    def _reflectors(self) -> Iterator[tuple[str, Reflector]]:
        for watch in self._watcher.watches:
            for each in watch.reflectors:
                yield watch.cluster.name, each


@contextmanager
def serving(watcher: Watcher, port: int) -> Iterator[int]:
    """Serve `/healthz` and `/metrics` of `watcher` on `port` (0: any that is free) while the block runs.

    `/healthz` is 200 as long as the watch does its work, also where a cluster cannot be reached, since
    a new start would not help it; else 503.

    Raises:
        UsageError: The port is taken.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(watcher))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/healthz":
                hung = watcher.hung()
                status = HTTPStatus.SERVICE_UNAVAILABLE if hung else HTTPStatus.OK
                self._answer(status, "text/plain", f"hung: {', '.join(hung)}\n" if hung else "ok\n")
            elif self.path == "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry).decode())
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", "there are /healthz and /metrics\n")

        def _answer(self, status: HTTPStatus, content_type: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: probes come every few seconds."""

    try:
        server = ThreadingHTTPServer(("", port), Handler)
    except OSError as error:
        raise UsageError(f"port {port}: cannot be listened on: {error.strerror}") from error
    with server:
        Thread(target=server.serve_forever, args=(0.1,), name="telemetry", daemon=True).start()
        yield server.server_port
        server.shutdown()
