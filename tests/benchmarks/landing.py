"""Landing, measured: this package, DuckDB by itself and dlt on the same bytes, in one run.

Run by `make bench`. The numbers depend on the machine, so read the ratios. dlt needs an older DuckDB,
so it gets a virtual environment of its own beside the data (`--no-dlt` leaves it out).
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb

from gitopslab import settings, warehouse
from gitopslab.extract import files
from gitopslab.extract.landing import Landing, Origin
from gitopslab.lake import Lake

HERE = Path(__file__).parent
DLT = ("dlt[duckdb,parquet]>=1.20", "duckdb<2", "pyarrow")
BARS = {"history rows": 300_000, "PipelineRuns": 20_000, "history rows again": 1_000_000}


class Measured(NamedTuple):
    what: str
    count: int
    seconds: dict[str, float | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("data/benchmark"))
    parser.add_argument("--applications", type=int, default=100_000, help="each with 10 history rows")
    parser.add_argument("--pipeline-runs", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3, help="the best of so many runs counts")
    parser.add_argument("--no-dlt", action="store_true")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.folder / "lakes", ignore_errors=True)
    arguments.folder.mkdir(parents=True, exist_ok=True)

    applications = written(arguments.folder / "applications.ndjson", arguments.applications, application)
    runs = written(arguments.folder / "pipelineruns.ndjson", arguments.pipeline_runs, pipeline_run)
    other = arguments.folder / "applications-again.ndjson"
    other.write_bytes(applications.read_bytes() + b"\n")
    python = None if arguments.no_dlt else dlt_environment(arguments.folder / "dlt")

    rows = arguments.applications * 10
    best = lambda measure: min(measure() for _ in range(arguments.repeat))  # noqa: E731 - used three times below
    results = [
        Measured(
            "history rows",
            rows,
            {
                "gitopslab": best(lambda: landed(arguments.folder, applications)),
                "DuckDB alone": best(lambda: by_duckdb(arguments.folder, applications, HISTORY)),
                "dlt": by_dlt(python, applications, "history", 2_000, arguments.applications),
            },
        ),
        Measured(
            "PipelineRuns",
            arguments.pipeline_runs,
            {
                "gitopslab": best(lambda: landed(arguments.folder, runs)),
                "DuckDB alone": best(lambda: by_duckdb(arguments.folder, runs, RUNS)),
                "dlt": by_dlt(python, runs, "runs", 2_000, arguments.pipeline_runs),
            },
        ),
        Measured(
            "history rows again",
            rows,
            {
                "gitopslab": best(lambda: landed(arguments.folder, applications, before=applications)),
                "gitopslab, other file": best(lambda: landed(arguments.folder, other, before=applications)),
            },
        ),
    ]
    report(results)


def report(results: list[Measured]) -> None:
    print(f"\n{'':39}{'rows':>12}{'seconds':>10}{'rows/s':>14}{'bar':>14}{'of bar':>9}")
    for measured in results:
        for who, seconds in measured.seconds.items():
            if seconds is None:
                print(f"{measured.what}, {who}: not measured")
                continue
            rate = measured.count / seconds
            bar = BARS[measured.what] if who == "gitopslab" else None
            against = f"{bar:>14,}{rate / bar:>8.2f}x" if bar else ""
            name = f"{measured.what}, {who}"
            print(f"{name:<40}{measured.count:>11,}{seconds:>10.2f}{rate:>14,.0f}{against}")


def landed(folder: Path, file: Path, *, before: Path | None = None) -> float:
    """Return the seconds that landing and building took, raw kept, typed and published."""
    place = folder / "lakes"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    (place / "gitopslab.toml").write_text("")
    configured = settings.load(place / "gitopslab.toml")
    if before is not None:
        land(configured, before)
    with seconds() as took:
        land(configured, file)
    return took()


def land(configured: settings.Settings, file: Path) -> None:
    with Landing(Lake(configured.lake.path), Origin("files", "dev", "file")) as landing:
        files.land([file], landing)
    warehouse.build(configured)


HISTORY = """
    SELECT uid, entry.id::BIGINT AS sync_id, entry.revision,
        entry.deployStartedAt::TIMESTAMPTZ AS started_at, entry.deployedAt::TIMESTAMPTZ AS deployed_at
    FROM (
        SELECT body ->> '$.metadata.uid' AS uid, unnest(from_json(body -> '$.status.history',
            '[{"id": "VARCHAR", "revision": "VARCHAR", "deployStartedAt": "VARCHAR", "deployedAt": "VARCHAR"}]'
        )) AS entry FROM raw
    )
"""
RUNS = """
    SELECT part[1] AS uid, part[2] AS name, part[3] AS pipeline, part[4]::TIMESTAMPTZ AS started_at,
        part[5]::TIMESTAMPTZ AS completed_at, part[6] AS status, part[7] AS reason
    FROM (SELECT json_extract_string(body, ['$.metadata.uid', '$.metadata.name',
        '$.metadata.labels."tekton.dev/pipeline"', '$.status.startTime', '$.status.completionTime', '$.status.conditions[0].status',
        '$.status.conditions[0].reason']) AS part FROM raw)
"""


def by_duckdb(folder: Path, file: Path, typed: str) -> float:
    """Return the seconds DuckDB takes by hand: text to zstd Parquet, a few typed columns, a checkpoint."""
    place = folder / "duckdb"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    connection = duckdb.connect(str(place / "by_hand.duckdb"))
    with seconds() as took:
        connection.execute(
            f"COPY (SELECT json AS body FROM read_ndjson_objects('{file}'))"
            f" TO '{place}/raw.parquet' (COMPRESSION zstd, ROW_GROUP_SIZE 16384)"
        )
        connection.execute(f"CREATE VIEW raw AS FROM '{place}/raw.parquet'")
        connection.execute(f"CREATE TABLE typed AS {typed}")
        connection.execute("CHECKPOINT")
        connection.close()
    return took()


def dlt_environment(folder: Path) -> Path | None:
    python = folder / "bin" / "python"
    if not python.exists():
        print("making a virtual environment for dlt …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", *DLT], check=False)
        if done.returncode:
            print("dlt could not be installed, and is left out", flush=True)
            shutil.rmtree(folder)
            return None
    return python


def by_dlt(python: Path | None, file: Path, shape: str, objects: int, of: int) -> float | None:
    """Return the seconds dlt would take for all, from a run over the first `objects` of them."""
    if python is None:
        return None
    done = subprocess.run(
        [str(python), str(HERE / "dlt_landing.py"), str(file), shape, str(min(objects, of))],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split()[-1]) * of / min(objects, of)


def written(file: Path, count: int, make: Callable[[int], object]) -> Path:
    if not file.exists():
        with file.open("w") as stream:
            for number in range(count):
                stream.write(json.dumps(make(number), separators=(",", ":")) + "\n")
    return file


def application(number: int) -> object:
    source = {
        "repoURL": "https://github.com/acme/config.git",
        "path": f"apps/{number % 500}",
        "targetRevision": "main",
    }
    history = [
        {
            "id": number * 10 + k,
            "revision": sha(number * 10 + k),
            "deployStartedAt": stamp(number, k),
            "deployedAt": stamp(number, k + 1),
            "initiatedBy": {"automated": True},
            "source": source,
        }
        for k in range(10)
    ]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": metadata("argocd", f"app-{number % 500}", f"u-{number % 500}", number),
        "spec": {"project": "default", "source": source},
        "status": {
            "sync": {"status": "Synced", "revision": sha(number)},
            "health": {"status": "Healthy"},
            "history": history,
        },
    }


def pipeline_run(number: int) -> object:
    """Return a PipelineRun of 6.6 kB, most of which is the pipeline it ran, as Tekton writes it."""
    steps = [
        {"name": f"step-{k}", "image": f"ghcr.io/acme/tool-{k}", "script": f"run {k} " + sha(k) * 12}
        for k in range(10)
    ]
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {
            **metadata("ci", f"outer-loop-{number}", f"r-{number}", number),
            "labels": {
                "tekton.dev/pipeline": f"outer-loop-{number % 30}",
                "triggers.tekton.dev/triggers-eventid": sha(number),
            },
        },
        "spec": {
            "pipelineRef": {"name": f"outer-loop-{number % 30}"},
            "params": [{"name": "revision", "value": sha(number)}],
        },
        "status": {
            "startTime": stamp(number, 0),
            "completionTime": stamp(number, 5),
            "conditions": [
                {
                    "type": "Succeeded",
                    "status": "True",
                    "reason": "Succeeded",
                    "lastTransitionTime": stamp(number, 5),
                }
            ],
            "results": [
                {
                    "name": "IMAGE_DIGEST",
                    "value": "sha256:" + hashlib.sha256(str(number).encode()).hexdigest(),
                }
            ],
            "childReferences": [
                {"name": f"outer-loop-{number}-{k}", "pipelineTaskName": f"task-{k}"} for k in range(6)
            ],
            "pipelineSpec": {
                "tasks": [{"name": f"task-{k}", "taskSpec": {"steps": [steps[k]]}} for k in range(9)]
            },
        },
    }


def metadata(namespace: str, name: str, uid: str, number: int) -> dict[str, str]:
    created = "2026-01-01T00:00:00Z"
    return {
        "name": name,
        "namespace": namespace,
        "uid": uid,
        "resourceVersion": str(1_000 + number),
        "creationTimestamp": created,
    }


def stamp(number: int, minute: int) -> str:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number, minutes=minute)
    return at.isoformat().replace("+00:00", "Z")


def sha(number: int) -> str:
    return hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()


@contextmanager
def seconds() -> Iterator[Callable[[], float]]:
    started = time.perf_counter()
    ended: list[float] = []
    yield lambda: ended[0] - started
    ended.append(time.perf_counter())


if __name__ == "__main__":
    main()
