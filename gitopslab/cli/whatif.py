"""`gitopslab whatif`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitopslab.cli import output
from gitopslab.errors import UsageError

if TYPE_CHECKING:
    from gitopslab.capacity.replay.comparison import Comparison, Mean
    from gitopslab.warehouse import Warehouse
    from gitopslab.window import Window

_SIMULATED = {
    "borrow_within_cohort": ("Never", "preemption while borrowing (borrowWithinCohort)"),
    "when_can_borrow": ("MayStopSearch", "trying the next flavor before borrowing (whenCanBorrow)"),
    "when_can_preempt": ("TryNextFlavor", "preempting before the next flavor is tried (whenCanPreempt)"),
}
"""Policies of queues by their column: the one that is simulated, and what another is called."""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Examples: `gitopslab whatif --example > change.yaml`,"
        " `gitopslab whatif change.yaml --cluster dev`,"
        " `gitopslab whatif change.yaml --cluster dev --since 7d --replications 50 --json | jq .headline`."
    )(whatif)


def whatif(
    change: Annotated[
        Path | None,
        typer.Argument(help="What to change, as YAML; `--example` prints one.", show_default=False),
    ] = None,
    cluster: Annotated[str, typer.Option(help="Whose queues; empty: the only cluster that has any.")] = "",
    since: Annotated[
        str, typer.Option(help="First instant, UTC: 2026-05-01, or a length before --until such as 14d.")
    ] = "14d",
    until: Annotated[str, typer.Option(help="The instant after the last, UTC; empty: --as-of.")] = "",
    as_of: Annotated[
        str, typer.Option(help="What was known then, UTC; empty: when the warehouse last saw anything.")
    ] = "",
    replications: Annotated[int, typer.Option(min=1, max=10_000, help="Pairs of replays.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed makes the same figures.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything, for a program.")] = False,
    example: Annotated[
        bool, typer.Option("--example", help="Print an example of CHANGE.yaml and leave.")
    ] = False,
) -> None:
    """Replay what was recorded of Kueue with and without a change of quota, cohorts, priorities or load.

    Queues are as they were at --as-of for the whole window: an earlier stop or quota is not replayed. Nodes
    are not simulated: what is admitted starts as quickly as it did. Work that is preempted begins anew.
    """
    from gitopslab.capacity.replay import change as changes

    if example:
        typer.echo(changes.EXAMPLE, nl=False)
        return
    if change is None:
        raise UsageError("whatif: which change? Name a file; `gitopslab whatif --example` prints one")
    from gitopslab import settings, warehouse
    from gitopslab.capacity.replay import Pace, comparison
    from gitopslab.capacity.replay.recording import recording

    wanted = changes.parse(_document(change), str(change))
    with warehouse.Warehouse(settings.load().warehouse.path) as opened:
        known = opened.window("1s", as_of).until
        window = opened.window(since, until or known.isoformat())
        cluster = cluster or _only_cluster(opened)
        there = {"as_of": known, "cluster": cluster}
        recorded = recording(opened, window, cluster, known)
        if recorded is None:
            raise UsageError(
                f"cluster {cluster!r}: no ClusterQueue was seen of it; name another with --cluster"
            )
        notes = _notes(opened, there)
    found = comparison.compare(
        recorded.plane,
        recorded.history,
        wanted,
        pace=Pace(),
        replications=replications,
        seed=seed,
        where=str(change),
    )
    if as_json:
        typer.echo(output.as_json(_findings(found, window, cluster, notes)))
        return
    _print(found, notes)


def _document(path: Path) -> Any:
    """Return the one document of a YAML file.

    Raises:
        UsageError: It cannot be read, or holds none or several.
    """
    import msgspec

    from gitopslab.extract import yaml_stream
    from gitopslab.extract.pages import Limits

    try:
        with path.open("rb") as stream:
            found = list(yaml_stream.documents(stream, Limits()))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    for each in found:
        if isinstance(each, yaml_stream.Problem):
            raise UsageError(f"{path}: {each.message}")
    if len(found) != 1:
        raise UsageError(f"{path}: {len(found)} documents; a change is one")
    return msgspec.json.decode(found[0].text)


def _only_cluster(warehouse: "Warehouse") -> str:
    found = warehouse.sql("SELECT DISTINCT cluster FROM kueue_cluster_queue ORDER BY cluster").dicts()
    names = [row["cluster"] for row in found]
    if len(names) != 1:
        there = ", ".join(names) or "none"
        raise UsageError(f"whatif: say whose queues, with --cluster; clusters with ClusterQueues: {there}")
    return str(names[0])


def _notes(warehouse: "Warehouse", there: dict[str, Any]) -> list[str]:
    """Return what queues do that the replay does not."""
    rows = warehouse.run("queue_policies_as_of", **there).dicts()
    notes = []
    for column, (simulated, what) in _SIMULATED.items():
        if queues := [row["cluster_queue"] for row in rows if row[column] != simulated]:
            notes.append(f"Not simulated: {what}, of {', '.join(queues)}.")
    return notes


def _findings(found: "Comparison", window: "Window", cluster: str, notes: list[str]) -> Any:
    from gitopslab.reports.result import plain

    return plain(
        {"headline": str(found), "window": window, "cluster": cluster, "comparison": found, "notes": notes}
    )


def _print(found: "Comparison", notes: list[str]) -> None:
    from gitopslab.capacity.replay.outcome import ALL

    rows = [
        (
            row.queue,
            row.measure.name,
            _shown(row.before, row.measure.unit),
            _shown(row.after, row.measure.unit),
            _shown(row.difference, row.measure.unit),
            "yes" if row.is_clear else "",
        )
        for row in found.rows
        if row.queue == ALL or abs(row.difference.mean) >= row.measure.least
    ]
    output.table(("queue", "measure", "before", "after", "difference", "clear"), rows)
    if same := found.unchanged_queues:
        typer.echo(output.plain(f"Nothing changes for {', '.join(same)}."))
    typer.echo(output.plain(str(found)))
    typer.echo(output.plain(str(found.check)))
    if found.left_out_count:
        typer.echo(f"{found.left_out_count:,} Workloads are left out: their request or queue is not known.")
    for note in notes:
        typer.echo(output.plain(note))


def _shown(mean: "Mean", unit: str) -> str:
    text = _value(mean.mean, unit)
    if mean.low is None or mean.high is None or mean.low == mean.high:
        return text
    return f"{text} ({_value(mean.low, unit)} to {_value(mean.high, unit)})"


def _value(value: float, unit: str) -> str:
    from gitopslab.metrics.durations import human

    if unit == "s":
        return human(round(value, 1) + 0.0)  # no -0.0
    if unit == "ratio":
        return f"{value:.1%}"
    return f"{value:,.1f}"
