"""Capacity beside the truth: the layers that bound each benchmark run, and what its instances asked for."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gitopslab.capacity import bundle, inputs
from gitopslab.capacity.concurrency import evaluate
from gitopslab.capacity.layers import platform_layers, real_layers
from gitopslab.warehouse import Warehouse

Row = dict[str, Any]

_REAL = ("requested", "selected", "kueue_available", "kueue_nominal", "kueue_potential", "node_fit")
_RESOURCES = {"cpu": "cpu_cores", "memory": "memory_bytes"}
_TOLERANCE = 0.01
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def layers(warehouse: Warehouse) -> list[Row]:
    """Return a row for each layer of each run that is true: found is the same number of instances.

    Part `binding` is the layer that really bound the run, `effective` what the application gave it.
    """
    true: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in warehouse.sql("SELECT * FROM truth_capacity_layer").dicts():
        true[row["cluster"], row["benchmark_run_id"]].append(row)
    launched_at = {
        row["benchmark_run_id"]: row["created_at"]
        for row in warehouse.sql("SELECT benchmark_run_id, created_at FROM run_capacities").dicts()
    }
    return [
        row
        for (cluster, run), rows in true.items()
        for row in _layer_rows(run, rows, _found(warehouse, cluster, run, launched_at.get(run)))
    ]


def bundles(warehouse: Warehouse) -> list[Row]:
    """Return a row for each cluster and resource: found is what instances asked for, within 1 %."""
    true = warehouse.sql(
        "SELECT cluster, median(cpu_cores) AS cpu_cores, median(memory_bytes) AS memory_bytes"
        " FROM truth_workload WHERE benchmark_instance_id IS NOT NULL GROUP BY cluster ORDER BY cluster"
    )
    rows = []
    for truth in true.dicts():
        fitted = bundle.fit(
            row
            for row in warehouse.sql("SELECT * FROM benchmark_instance_requests").dicts()
            if row["cluster"] == truth["cluster"]
        )
        for resource, column in _RESOURCES.items():
            amount = fitted.request.get(resource, Decimal(0)) if fitted else Decimal(0)
            is_found = abs(float(amount) - truth[column]) <= _TOLERANCE * truth[column]
            rows.append(_row(resource, truth["cluster"], is_found=is_found))
    return rows


SCORES: Mapping[str, tuple[frozenset[str], Callable[[Warehouse], list[Row]]]] = {
    "bundles": (frozenset({"truth_workload"}), bundles),
    "capacity_layers": (frozenset({"truth_capacity_layer"}), layers),
}
"""Each score: the tables of the truth that it needs, and what makes its rows."""


def _found(warehouse: Warehouse, cluster: str, run: str, at: datetime | None) -> dict[str, Any] | None:
    """Return what is known of a run as of its launch, by layer; None where nobody saw it."""
    if at is None:
        return None
    # one database of a world tells of several clusters, so the run's own cluster is not looked for
    launches = warehouse.run("launch_capacity_as_of", as_of=at, cluster="", cluster_queue="").dicts()
    launch = next((row for row in launches if row["benchmark_run_id"] == run), None)
    if launch is None:
        return None
    there = {"as_of": at, "cluster": cluster}
    rows = warehouse.run(
        "benchmark_instance_requests_in_window",
        since=_BEGINNING,
        until=at,
        cluster=cluster,
        cluster_queue=launch["cluster_queue"] or "",
    ).dicts()
    cohorts = inputs.cohorts_of(
        warehouse.run("queue_quotas_as_of", **there).dicts(),
        warehouse.run("cohort_quotas_as_of", **there).dicts(),
    )
    mode = inputs.mode(launch)
    rooms = inputs.rooms_of(
        warehouse.run("node_rooms_as_of", **there).dicts(),
        warehouse.run("resource_flavors_as_of", **there).dicts(),
        cohorts,
        launch["cluster_queue"],
    )
    real = evaluate(real_layers(inputs.real_readings(launch, cohorts, bundle.fit(rows), rooms), mode))
    platform = evaluate(platform_layers(inputs.platform_readings(launch), mode), inputs.pressure(launch))
    values = {layer.name: layer.value for layer in real.layers}
    return values | {"effective": platform.effective, "binding": real.binding[0].name}


def _layer_rows(run: str, true: list[Row], found: dict[str, Any] | None) -> Iterator[Row]:
    known = found or {}
    for row in true:
        if row["layer"] in {*_REAL, "effective"}:
            yield _row(row["layer"], run, is_found=known.get(row["layer"]) == row["value"])
        if row["is_binding"]:
            yield _row("binding", run, is_found=known.get("binding") == row["layer"])


def _row(part: str, subject: str, *, is_found: bool) -> Row:
    return {
        "part": part,
        "subject_key": subject,
        "is_true": True,
        "is_found": is_found,
        "error_seconds": None,
    }
