"""Memory, measured: a million object versions landed, built and asked for reports, each step by itself.

Run as `python -m tests.benchmarks.memory`. The bar is 4 GB of peak memory in any step.
"""

import argparse
import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitopslab import queries, settings
from gitopslab.extract import files
from gitopslab.extract.landing import Landing
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake
from gitopslab.warehouse import Warehouse, build
from tests.benchmarks.landing import Took, alone, application, metadata, peak_bytes, pipeline_run, stamp

BAR_BYTES = 4e9
ASKED_FOR = {
    "environment": "",
    "since": datetime(2026, 1, 1, tzinfo=UTC),
    "until": datetime(2026, 2, 1, tzinfo=UTC),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("data/benchmark"))
    parser.add_argument("--versions", type=int, default=1_000_000)
    arguments = parser.parse_args()
    place = arguments.folder / "memory"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    (place / "gitopslab.toml").write_text("")
    with (place / "objects.ndjson").open("w") as stream:
        for number in range(arguments.versions):
            stream.write(json.dumps(version(number), separators=(",", ":")) + "\n")
    for name, step in (("land", land), ("build", build_anew), ("ask", ask)):
        took = alone(step, place)
        peak = f"{took.peak_bytes / 1e6:,.0f} MB, {took.peak_bytes / BAR_BYTES:.2f} of the bar"
        print(f"{name:<6}{took.typed:>7.1f} s  {peak}", flush=True)
    shutil.rmtree(place)


def land(place: Path) -> Took:
    configured = settings.load(place / "gitopslab.toml")
    started = time.perf_counter()
    with Landing(Lake(configured.lake.path), Origin("files", "dev", "file")) as landing:
        files.land([place / "objects.ndjson"], landing)
    return Took(time.perf_counter() - started, 0, peak_bytes())


def build_anew(place: Path) -> Took:
    configured = settings.load(place / "gitopslab.toml")
    started = time.perf_counter()
    build(configured)
    return Took(time.perf_counter() - started, 0, peak_bytes())


def ask(place: Path) -> Took:
    """Run every mart, as a report does, with its rows in memory."""
    configured = settings.load(place / "gitopslab.toml")
    started = time.perf_counter()
    with Warehouse(configured.warehouse.path) as warehouse:
        for query in queries.room("marts"):
            if set(query.params) <= ASKED_FOR.keys():
                warehouse.run(query.name, **{name: ASKED_FOR[name] for name in query.params})
    return Took(time.perf_counter() - started, 0, peak_bytes())


def version(number: int) -> Any:
    """Return a small object: an Application with two history entries, a PipelineRun or a Workload."""
    if number % 3 == 0:
        found: Any = application(number)
        del found["status"]["history"][2:]
    elif number % 3 == 1:
        found = pipeline_run(number)
        del found["status"]["pipelineSpec"]
    else:
        found = workload(number)
    return found


def workload(number: int) -> Any:
    container = {"name": "main", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta1",
        "kind": "Workload",
        "metadata": metadata("bench", f"job-{number}", f"w-{number}", number),
        "spec": {
            "queueName": f"queue-{number % 30}",
            "podSets": [{"name": "main", "count": 4, "template": {"spec": {"containers": [container]}}}],
        },
        "status": {
            "conditions": [
                {
                    "type": condition,
                    "status": "True",
                    "reason": condition,
                    "message": "",
                    "lastTransitionTime": stamp(number, minute),
                }
                for minute, condition in enumerate(("QuotaReserved", "Admitted", "Finished"))
            ],
        },
    }


if __name__ == "__main__":
    main()
