"""`gitopslab coverage`."""

from typing import TYPE_CHECKING, Annotated

import typer

from gitopslab.cli import output

if TYPE_CHECKING:
    from gitopslab.metrics.observed_platform import Platform

_MOST = 20
"""Rows that a table shows."""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Examples: `gitopslab coverage`, `gitopslab coverage --since 2026-05-01 --until 2026-06-01`,"
        " `gitopslab coverage --json | jq '.kinds[] | select(.state != \"watched\")'`."
    )(coverage)


def coverage(
    since: Annotated[
        str, typer.Option(help="First instant, UTC: 2026-05-01, or a length before --until such as 14d.")
    ] = "28d",
    until: Annotated[
        str,
        typer.Option(help="The instant after the last, UTC; empty: when the warehouse last saw anything."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print everything, for a program.")] = False,
) -> None:
    """Say what was watched, what was only looked at, and what was missed, lost or refused."""
    from gitopslab import settings, warehouse
    from gitopslab.metrics import observed_platform
    from gitopslab.reports.result import plain
    from gitopslab.resources import EXTRACTED

    with warehouse.Warehouse(settings.load().warehouse.path) as opened:
        window = opened.window(since, until)
        kinds = [(each.api_group, each.resource) for each in EXTRACTED]
        seen = observed_platform.observe(opened, window, kinds)
    if as_json:
        typer.echo(output.as_json(plain({"headline": str(seen), "window": window, **seen.findings()})))
        return
    typer.echo(output.plain(str(seen)))
    output.table(("kind", *seen.clusters()), seen.matrix())
    if unserved := seen.unserved():
        typer.echo(output.plain(unserved))
    _tables(seen)
    for sentence in seen.histories:
        typer.echo(output.plain(sentence))


def _tables(seen: "Platform") -> None:
    """Print what there is of breaks, failures, other systems and losses."""
    from gitopslab.metrics.durations import human

    breaks = [
        (each.cluster, each.since, each.until, human(each.seconds), each.kind_count, each.message)
        for each in seen.breaks
    ]
    systems = [
        (each.kind.api_group, each.kind.cluster, each.kind.resource, str(each), each.message)
        for each in seen.systems
    ]
    losses = [tuple(row.values()) for row in seen.losses if row["loss_count"]]
    for headings, rows in (
        (("cluster", "nobody watched since", "until", "lasted", "kinds", "why"), breaks[:_MOST]),
        (("cluster or source", "state", "kinds", "message"), seen.failures()[:_MOST]),
        (("system", "source", "what", "how", "message"), systems[:_MOST]),
        (("how landed data is not whole", "times"), losses),
    ):
        if rows:
            output.table(headings, rows)
