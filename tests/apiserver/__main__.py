"""Serve simulated clusters, or objects by the number, until interrupted.

    python -m tests.apiserver --world world --time-factor 3600 --kubeconfig kubeconfig
    python -m tests.apiserver --objects 50000

With --world each `objects/<cluster>.ndjson.zst` in the folder gets a server, on the given port and up, and a
context of the cluster's name. The kubeconfig is printed, or written to the file that --kubeconfig names.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from itertools import islice
from pathlib import Path
from threading import Event, Thread

from tests.apiserver import kubeconfig
from tests.apiserver.faults import Faults
from tests.apiserver.replay import Pace, Write, fill, replay, writes
from tests.apiserver.server import ApiServer
from tests.apiserver.store import Store
from tests.apiserver.watches import Behaviour


def main() -> None:
    arguments = parser().parse_args()
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    files = sorted((arguments.world / "objects").glob("*.ndjson.zst")) if arguments.world else []
    histories = {file.name.partition(".")[0]: writes(file) for file in files}
    names = [*histories] or ["bench"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) if arguments.tls else None
        servers = {name: server(arguments, name, place, folder) for place, name in enumerate(names)}
        fill(next(iter(servers.values())).store, arguments.objects, arguments.object_bytes)
        for name, one in servers.items():
            # A cluster's first write is its kube-system namespace, by whose uid it is known from the start.
            replay(one.store, islice(histories.get(name, ()), 1))
            stack.enter_context(one)
        if arguments.kubeconfig:
            kubeconfig.write(arguments.kubeconfig, **servers)
        else:
            sys.stdout.write(f"{kubeconfig.text(**servers)}\n")
        sys.stdout.write(f"serving {', '.join(f'{name} at {one.url}' for name, one in servers.items())}\n")
        sys.stdout.flush()
        for name, history in histories.items():
            told = (name, servers[name].store, history, arguments, stopped)
            Thread(target=replayed, args=told, daemon=True).start()
        stopped.wait()


def replayed(
    name: str, store: Store, history: Iterator[Write], arguments: argparse.Namespace, stopped: Event
) -> None:
    pace = Pace(arguments.events_per_second, arguments.time_factor, arguments.since)
    counts = replay(store, history, pace, stopped)
    sys.stderr.write(f"{name}: {counts.committed_count} committed, {counts.skipped_count} skipped\n")


def server(arguments: argparse.Namespace, name: str, place: int, folder: Path | None) -> ApiServer:
    """Return the server of one cluster, not started yet."""
    faults = Faults(seed=arguments.seed + place, rate=arguments.fault_rate)
    behaviour = Behaviour(
        has_watch_list=not arguments.no_watch_list, bookmark_seconds=arguments.bookmark_seconds
    )
    port = arguments.port + place if arguments.port else 0
    store = Store(window=arguments.window, name=name)
    return ApiServer(store, faults, behaviour, token=arguments.token, port=port, tls_folder=folder)


def parser() -> argparse.ArgumentParser:
    assert __doc__
    found = argparse.ArgumentParser(
        prog="python -m tests.apiserver", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = found.add_argument
    add("--world", type=Path, help="a folder that `gitopslab world generate` wrote")
    add("--events-per-second", type=float, default=0, help="how fast it is replayed; 0: at once")
    add("--time-factor", type=float, default=0, help="how many times as fast as simulated time; 0: at once")
    add(
        "--since",
        type=datetime.fromisoformat,
        default=Pace.since,
        help="what was before comes at once; 2026-03-02T08:00Z",
    )
    add("--objects", type=int, default=0, help="so many Applications besides, on the first server")
    add("--object-bytes", type=int, default=8_000)
    add("--port", type=int, default=8001, help="of the first server; 0: any that is free")
    add("--token", default="", help="the bearer token to ask for")
    add("--tls", action="store_true", help="speak TLS, with a certificate made by openssl")
    add("--kubeconfig", type=Path, help="write it there instead of printing it")
    add("--window", type=int, default=100_000, help="versions of a resource that can still be watched")
    add("--bookmark-seconds", type=float, default=60)
    add("--no-watch-list", action="store_true", help="know no sendInitialEvents, as older servers")
    add("--fault-rate", type=float, default=0, help="share of lists and watches that something happens to")
    add("--seed", type=int, default=0, help="decides what happens to which")
    return found


if __name__ == "__main__":
    main()
