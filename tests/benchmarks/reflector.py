"""Reading an API server, measured: objects listed, landed raw and typed, beside the server's own speed.

Run as `python -m tests.benchmarks.reflector`. The server is the one of the tests, in a process of its own,
with objects that are encoded already; how fast a bare client reads it is the most that anybody could do.
There are so many objects that the half second in which imports and the server get going is little of it.
The bar is 30,000 objects a second, or the server's own speed where that is lower.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from gitopslab import settings, warehouse
from gitopslab.clusters import connect
from gitopslab.extract.kubernetes.catalogue import chosen
from gitopslab.extract.kubernetes.session import Destination
from gitopslab.extract.kubernetes.sweep import sweep
from gitopslab.lake import Lake
from tests.benchmarks.landing import Took, alone, peak_bytes

BAR = 30_000
LIST = "/apis/argoproj.io/v1alpha1/applications"
RESOURCE = "applications.argoproj.io"
PAGE_OBJECTS = 500
_WIDTHS = (10, 10, 12, 9, 13, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("data/benchmark/reflector"))
    parser.add_argument("--objects", type=int, default=200_000)
    parser.add_argument("--object-bytes", type=int, default=8_000)
    parser.add_argument("--repeat", type=int, default=3, help="the best of so many runs counts")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.folder, ignore_errors=True)
    arguments.folder.mkdir(parents=True)
    kubeconfig = arguments.folder / "kubeconfig"
    steps: dict[str, Callable[[Path, Path, int], Took]] = {
        "the server, a bare client": read,
        "gitopslab, landed raw": landed,
        "gitopslab, landed and typed": typed,
    }
    print(f"{arguments.objects:,} Applications of {arguments.object_bytes:,} bytes", flush=True)
    with serving(arguments.objects, arguments.object_bytes, kubeconfig):
        measured: dict[str, list[Took]] = {who: [] for who in steps}
        for _ in range(arguments.repeat):
            for who, step in steps.items():
                measured[who].append(alone(step, arguments.folder, kubeconfig, arguments.objects))
    report(measured, arguments.objects)


def report(measured: dict[str, list[Took]], count: int) -> None:
    titles = ("objects", "seconds", "objects/s", "of bar", "of server's", "peak MB")
    print("\n" + " " * 30 + "".join(map(str.rjust, titles, _WIDTHS)))
    best = {who: min(tooks) for who, tooks in measured.items()}
    of_server = count / next(iter(best.values())).typed
    for who, took in best.items():
        rate = count / took.typed
        cells = (
            f"{count:,}",
            f"{took.typed:.2f}",
            f"{rate:,.0f}",
            f"{rate / min(BAR, of_server):.2f}x",
            f"{rate / of_server:.2f}x",
            f"{took.peak_bytes / 1e6:,.0f}",
        )
        print(f"{who:<30}" + "".join(map(str.rjust, cells, _WIDTHS)), flush=True)


@contextmanager
def serving(objects: int, object_bytes: int, kubeconfig: Path) -> Iterator[None]:
    """Serve so many objects from another process, as `bench` in `kubeconfig`, while the block lasts."""
    command = [sys.executable, "-m", "tests.apiserver", "--port", "0", "--kubeconfig", str(kubeconfig)]
    command += ["--objects", str(objects), "--object-bytes", str(object_bytes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()


def read(folder: Path, kubeconfig: Path, objects: int) -> Took:
    """Read all pages and look at nothing but where the next one is."""
    server = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    connection = http.client.HTTPConnection(server.partition("//")[2])
    started = time.perf_counter()
    query, found = {"limit": PAGE_OBJECTS}, 0
    while True:
        connection.request("GET", f"{LIST}?{urlencode(query)}")
        page = connection.getresponse().read()
        found += page.count(b'"resourceVersion":') - 1
        token = re.search(rb'"continue":"([^"]+)"', page[-500:])
        if token is None:
            break
        query["continue"] = token[1].decode()
    took = time.perf_counter() - started
    connection.close()
    assert found == objects, found
    return Took(took, 0, peak_bytes())


def landed(folder: Path, kubeconfig: Path, objects: int) -> Took:
    return _extracted(folder, kubeconfig, objects, is_typed=False)


def typed(folder: Path, kubeconfig: Path, objects: int) -> Took:
    return _extracted(folder, kubeconfig, objects, is_typed=True)


def _extracted(folder: Path, kubeconfig: Path, objects: int, *, is_typed: bool) -> Took:
    """List them into a new lake, as `gitopslab extract kubernetes` does, and build if that is asked for."""
    os.environ["KUBECONFIG"] = str(kubeconfig)
    place = folder / "project"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / "gitopslab.toml").write_text("")
    configured = settings.load(place / "gitopslab.toml")
    destination = Destination(Lake(configured.lake.path))
    started = time.perf_counter()
    swept = sweep(connect("bench", "bench"), "", chosen((RESOURCE,)), destination)
    if is_typed:
        warehouse.build(configured)
    took = time.perf_counter() - started
    (outcome,) = swept.outcomes
    assert (outcome.state, outcome.landed_count) == ("list", objects), outcome
    return Took(took, 0, peak_bytes())


if __name__ == "__main__":
    main()
