"""`gitopslab watch`."""

import json
import logging
import signal
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from gitopslab.cli.extract_kubernetes import Clusters, Resources, live, resources_of
from gitopslab.errors import SourceError

if TYPE_CHECKING:
    from gitopslab.extract.kubernetes.watcher import Watcher

_LOOK_SECONDS = 0.2


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Examples: `gitopslab watch --metrics-port 8080`; `gitopslab watch -c dev --once-synced`."
        " SIGTERM ends it with 0, and everything that was read is in the lake."
    )(watch)


def watch(
    cluster: Clusters = None,
    resource: Resources = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve /healthz and /metrics there.", min=0, max=65535)
    ] = None,
    flush_seconds: Annotated[
        float, typer.Option(help="How long what was read may wait to be written.", min=0.1)
    ] = 10.0,
    once_synced: Annotated[
        bool, typer.Option("--once-synced", help="End when everything that is there has landed.")
    ] = False,
    duration: Annotated[
        float | None, typer.Option(help="End after so many seconds; with --once-synced that is too late.")
    ] = None,
) -> None:
    """Land every change of every object, as it happens, until it is told to end.

    Goes on where it stopped. What clusters forgot meanwhile is noted as a gap. Logs are JSON lines on stderr.
    """
    from gitopslab import settings
    from gitopslab.extract.kubernetes import telemetry
    from gitopslab.extract.kubernetes.session import ClusterWatch, Destination
    from gitopslab.extract.kubernetes.watcher import Watcher
    from gitopslab.lake import Lake

    configured = settings.load()
    clusters, resources = live(configured, cluster), resources_of(configured, resource)
    privacy = configured.privacy
    destination = Destination(Lake(configured.lake.path), privacy.email_salt, privacy.environment_names)
    watches = [
        ClusterWatch(
            each, configured.cluster(each.name).uid, resources, destination, flush_seconds=flush_seconds
        )
        for each in clusters
    ]
    watcher = Watcher(watches, destination.lake)
    log, told = _log(), _told_to_end()
    with nullcontext(0) if metrics_port is None else telemetry.serving(watcher, metrics_port) as port:
        names = [each.name for each in clusters]
        log.info("started", extra={"fields": {"clusters": names, "kinds": len(resources), "port": port}})
        watcher.start()
        is_in_time = _wait(watcher, told, once_synced, duration)
        watcher.stop()
        log.info("ended", extra={"fields": {"clusters": names}})
    if not is_in_time:
        raise SourceError(f"not everything could be listed within {duration:g} seconds")


def _wait(watcher: "Watcher", told: Event, once_synced: bool, duration: float | None) -> bool:
    """Wait until it is time to end; return whether everything asked for was there by then."""
    until = None if duration is None else monotonic() + duration
    while not told.wait(_LOOK_SECONDS):
        if once_synced and watcher.is_synced:
            return True
        if until is not None and monotonic() >= until:
            return not once_synced
    return True


def _told_to_end() -> Event:
    told = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    return told


class _JsonLines(logging.Formatter):
    """A record as one line: when, how grave, what, and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        return json.dumps(line, ensure_ascii=True)


def _log() -> logging.Logger:
    log = logging.getLogger("gitopslab.watch")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    return log
