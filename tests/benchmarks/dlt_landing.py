"""What dlt takes for the first so many objects of a file; run by landing.py, in dlt's own environment.

`history` lands a row a history entry, `runs` a row a PipelineRun with what is nested kept as JSON, both
with dlt's fastest way there: appending, without a merge by key, by Parquet files.
"""

import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt


def history(file: Path, objects: int) -> Iterator[list[dict[str, Any]]]:
    with file.open() as stream:
        for batch in batches(stream, objects):
            decoded = [json.loads(line) for line in batch]
            yield [
                {"uid": item["metadata"]["uid"], **entry}
                for item in decoded
                for entry in item["status"]["history"]
            ]


def runs(file: Path, objects: int) -> Iterator[list[dict[str, Any]]]:
    with file.open() as stream:
        for batch in batches(stream, objects):
            yield [{"uid": item["metadata"]["uid"], **item} for item in map(json.loads, batch)]


def batches(stream: Iterator[str], objects: int) -> Iterator[list[str]]:
    while objects > 0 and (batch := list(itertools.islice(stream, min(500, objects)))):
        objects -= len(batch)
        yield batch


def main() -> None:
    file, shape, objects = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    rows = {"history": history, "runs": runs}[shape](file, objects)
    key = ["uid", "id"] if shape == "history" else ["uid"]
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "bench",
            destination=dlt.destinations.duckdb(f"{folder}/dlt.duckdb"),
            dataset_name="d",
            pipelines_dir=folder,
        )
        started = time.perf_counter()
        resource = dlt.resource(
            rows, name=shape, primary_key=key, write_disposition="append", max_table_nesting=0
        )
        pipeline.run(resource, loader_file_format="parquet")
        print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
