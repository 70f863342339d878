"""`gitopslab plan`."""

from typing import TYPE_CHECKING, Annotated

import typer

from gitopslab.cli import output

if TYPE_CHECKING:
    from gitopslab.capacity.plan import Plan

_MOST = 12


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Examples: `gitopslab plan --concurrency 50`,"
        " `gitopslab plan --concurrency 50 --cluster dev --model kimi-k2.6 --since 56d`,"
        " `gitopslab plan --concurrency 50 --json | jq .decision`,"
        " `gitopslab plan --concurrency 50 --log`."
    )(plan)


def plan(
    concurrency: Annotated[
        int, typer.Option(min=1, help="Sessions at once, of all runs of the model together.")
    ],
    cluster: Annotated[str, typer.Option(help="Where; empty: where most sessions were.")] = "",
    model: Annotated[str, typer.Option(help="The model; empty: the one with most sessions then.")] = "",
    current: Annotated[
        int, typer.Option(min=0, help="What runs at once today; 0: what is known to have been carried.")
    ] = 0,
    instances: Annotated[
        int, typer.Option(min=0, help="Instances of the run that is planned; 0: as the last launch.")
    ] = 0,
    since: Annotated[
        str, typer.Option(help="First instant, UTC: 2026-05-01, or a length before --as-of such as 28d.")
    ] = "28d",
    as_of: Annotated[
        str, typer.Option(help="What was known then, UTC; empty: when the warehouse last saw anything.")
    ] = "",
    seed: Annotated[int, typer.Option(help="The same seed makes the same figures.")] = 7,
    log: Annotated[
        bool, typer.Option("--log", help="Keep what is predicted in the lake, to be held to it later.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything, for a program.")] = False,
) -> None:
    """Say whether so many benchmark sessions may run at once, what binds, and what to do.

    Exit code 0: it is supported; 1: it is not, or nothing can be recommended.
    """
    from gitopslab import settings, warehouse
    from gitopslab.capacity import evidence
    from gitopslab.capacity import plan as plans
    from gitopslab.capacity.points import findings_of
    from gitopslab.reports.result import plain

    configured = settings.load()
    with warehouse.Warehouse(configured.warehouse.path) as opened:
        question = evidence.Question(
            concurrency,
            opened.window(since, as_of),
            cluster=cluster,
            model=model,
            current=current or None,
            instance_count=instances or None,
            seed=seed,
        )
        found = plans.plan(evidence.gather(opened, question))
    if log:
        _log(found, configured.lake.path)
    if as_json:
        typer.echo(output.as_json(plain({"headline": str(found), **findings_of(found)})))
    else:
        _print(found)
    if not found.decision.is_supported:
        raise typer.Exit(1)


def _log(found: "Plan", lake: str) -> None:
    from datetime import UTC, datetime

    from gitopslab.capacity import predictions
    from gitopslab.datasets import PREDICTIONS
    from gitopslab.lake import Lake, new_run_id

    now = datetime.now(UTC)
    Lake(lake).append(PREDICTIONS, predictions.rows(found, now), new_run_id(now))


def _print(found: "Plan") -> None:
    from gitopslab.capacity.gates import summary
    from gitopslab.capacity.points import points

    typer.echo(output.plain(str(found)))
    for reason in found.decision.reasons[:_MOST]:
        typer.echo(output.plain(f"- {reason}"))
    typer.echo(output.plain(f"- {summary(found.gates)}"))
    rows = [(each.gate, each.status, each.limit, each.told) for each in found.gates]
    output.table(("gate", "says", "at most", "evidence"), rows)
    if found.evidence.real:
        layers = [
            (layer.name, layer.value, layer.tag, layer.is_applied, layer.source)
            for layer in found.evidence.real.layers
        ]
        output.table(("layer", "at once", "how", "binds", "source"), layers)
    known = [(each.name, each.is_known, each.says) for each in points(found)]
    output.table(("to know before a raise", "known", "finding"), known)
