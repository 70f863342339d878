"""Landing, measured: this package, DuckDB by itself and dlt on the same bytes, in one run.

Run by `make bench`. The numbers depend on the machine, so read the ratios to DuckDB alone. Each step runs in
a process of its own, whose peak memory is shown; imports are not measured. dlt needs an older DuckDB, so it
gets a virtual environment of its own beside the data (`--no-dlt` leaves it out).
"""

import argparse
import hashlib
import json
import multiprocessing
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb

from gitopslab import settings, warehouse
from gitopslab.extract import files
from gitopslab.extract.landing import Landing
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake

HERE = Path(__file__).parent
DLT = ("dlt[duckdb,parquet]>=1.20", "duckdb<2", "pyarrow")
DLT_OBJECTS = 2_000
_WIDTHS = (11, 9, 12, 8, 11, 8, 9)


class Took(NamedTuple):
    """What one step took.

    Attributes:
        typed: Seconds until everything was landed, raw kept and typed, durable and published.
        facts: Seconds that deciding facts took besides.
        peak_bytes: The most memory that its process had.
    """

    typed: float
    facts: float
    peak_bytes: int


class Job(NamedTuple):
    """What is measured: so many rows, the bar in rows a second, and who does it."""

    what: str
    row_count: int
    bar: int
    steps: dict[str, Callable[[], Took | None]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("data/benchmark"))
    parser.add_argument("--applications", type=int, default=100_000, help="each with 10 history rows")
    parser.add_argument("--pipeline-runs", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3, help="the best of so many runs counts")
    parser.add_argument("--no-dlt", action="store_true")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)

    applications = written(folder, "applications", arguments.applications, application)
    runs = written(folder, "pipeline-runs", arguments.pipeline_runs, pipeline_run)
    again = shutil.copyfile(applications, folder / "applications-again.ndjson")
    with again.open("a") as stream:
        stream.write("\n")
    python = None if arguments.no_dlt else dlt_environment(folder / "dlt")

    titles = ("rows", "seconds", "rows/s", "of bar", "of DuckDB", "facts", "peak MB")
    print("\n" + " " * 39 + "".join(map(str.rjust, titles, _WIDTHS)))
    jobs = (
        Job(
            "history rows",
            arguments.applications * 10,
            300_000,
            {
                "DuckDB alone": lambda: alone(by_duckdb, folder, applications, HISTORY),
                "gitopslab": lambda: alone(landed, folder, applications),
                "dlt": lambda: by_dlt(python, applications, "history", arguments.applications),
            },
        ),
        Job(
            "PipelineRuns",
            arguments.pipeline_runs,
            20_000,
            {
                "DuckDB alone": lambda: alone(by_duckdb, folder, runs, RUNS),
                "gitopslab": lambda: alone(landed, folder, runs),
                "dlt": lambda: by_dlt(python, runs, "runs", arguments.pipeline_runs),
            },
        ),
        Job(
            "history rows again",
            arguments.applications * 10,
            1_000_000,
            {
                "gitopslab": lambda: alone(landed, folder, applications, applications),
                "gitopslab, other bytes": lambda: alone(landed, folder, again, applications),
            },
        ),
    )
    for job in jobs:
        report(job, arguments.repeat)


def report(job: Job, repeat: int) -> None:
    """Measure by turns, so that what else the machine does falls on all alike; print the best."""
    measured: dict[str, list[Took]] = {who: [] for who in job.steps}
    for turn in range(repeat):
        for who, step in job.steps.items():
            if (turn == 0 or who != "dlt") and (took := step()):
                measured[who].append(took)
    by_hand = min(measured["DuckDB alone"]).typed if measured.get("DuckDB alone") else None
    for who, tooks in measured.items():
        name = f"{job.what}, {who}"
        if not tooks:
            print(f"{name:<39} not measured")
            continue
        took = min(tooks)
        rate = job.row_count / took.typed
        cells = (
            f"{job.row_count:,}",
            f"{took.typed:.2f}",
            f"{rate:,.0f}",
            f"{rate / job.bar:.2f}x",
            f"{by_hand / took.typed:.2f}x" if by_hand else "",
            f"{took.facts:.2f}",
            f"{took.peak_bytes / 1e6:,.0f}",
        )
        print(f"{name:<39}" + "".join(map(str.rjust, cells, _WIDTHS)), flush=True)


def alone(step: Callable[..., Took], *arguments: object) -> Took:
    """Return what `step` returns, from a process that does nothing else."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        return processes.submit(step, *arguments).result()


def peak_bytes(who: int = resource.RUSAGE_SELF) -> int:
    return resource.getrusage(who).ru_maxrss * 1024


def landed(folder: Path, file: Path, before: Path | None = None) -> Took:
    """Land `file` and build, in a new lake, or one that holds `before`."""
    place = folder / "lakes"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    (place / "gitopslab.toml").write_text("")
    configured = settings.load(place / "gitopslab.toml")
    if before is not None:
        land(configured, before)
    started = time.perf_counter()
    facts = land(configured, file)
    return Took(time.perf_counter() - started - facts, facts, peak_bytes())


def land(configured: settings.Settings, file: Path) -> float:
    """Land and build; return the seconds in which facts were decided."""
    with Landing(Lake(configured.lake.path), Origin("files", "dev", "file")) as landing:
        files.land([file], landing)
    ends: dict[str, float] = {}
    warehouse.build(configured, progress=lambda step, *_: ends.update({step: time.perf_counter()}))
    return ends["deciding facts"] - ends["typing objects"] if "typing objects" in ends else 0


HISTORY = """
    SELECT uid, entry.id::BIGINT AS sync_id, entry.revision,
        entry.deployStartedAt::TIMESTAMPTZ AS started_at, entry.deployedAt::TIMESTAMPTZ AS deployed_at
    FROM (
        SELECT body ->> '$.metadata.uid' AS uid, unnest(from_json(body -> '$.status.history',
            '[{"id": "VARCHAR", "revision": "VARCHAR",
               "deployStartedAt": "VARCHAR", "deployedAt": "VARCHAR"}]'
        )) AS entry FROM raw
    )
"""
RUNS = """
    SELECT part[1] AS uid, part[2] AS name, part[3] AS pipeline, part[4]::TIMESTAMPTZ AS started_at,
        part[5]::TIMESTAMPTZ AS completed_at, part[6] AS status, part[7] AS reason
    FROM (SELECT json_extract_string(body, ['$.metadata.uid', '$.metadata.name',
        '$.metadata.labels."tekton.dev/pipeline"', '$.status.startTime', '$.status.completionTime',
        '$.status.conditions[0].status', '$.status.conditions[0].reason']) AS part FROM raw)
"""


def by_duckdb(folder: Path, file: Path, typed: str) -> Took:
    """Do it with DuckDB by hand: text to zstd Parquet, a few typed columns, a checkpoint."""
    place = folder / "duckdb"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    started = time.perf_counter()
    with duckdb.connect(str(place / "by_hand.duckdb")) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(
            f"COPY (SELECT json AS body FROM read_ndjson_objects('{file}'))"
            f" TO '{place}/raw.parquet' (COMPRESSION zstd, ROW_GROUP_SIZE 16384)"
        )
        connection.execute(f"CREATE VIEW raw AS FROM '{place}/raw.parquet'")
        connection.execute(f"CREATE TABLE typed AS {typed}")
        connection.execute("CHECKPOINT")
    return Took(time.perf_counter() - started, 0, peak_bytes())


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


def by_dlt(python: Path | None, file: Path, shape: str, of: int) -> Took | None:
    """Return what dlt would take for all, from a run over the first of them."""
    if python is None:
        return None
    objects = min(DLT_OBJECTS, of)
    done = subprocess.run(
        [str(python), str(HERE / "dlt_landing.py"), str(file), shape, str(objects)],
        check=True,
        capture_output=True,
        text=True,
    )
    return Took(float(done.stdout.split()[-1]) * of / objects, 0, peak_bytes(resource.RUSAGE_CHILDREN))


def written(folder: Path, name: str, count: int, make: Callable[[int], object]) -> Path:
    """Return a file of so many objects, one a line, made unless it is there."""
    file = folder / f"{name}-{count}.ndjson"
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
            "workspaces": [
                {"name": "source", "persistentVolumeClaim": {"claimName": "source"}},
                {"name": "registry", "secret": {"secretName": "registry-push"}},
            ],
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


if __name__ == "__main__":
    main()
