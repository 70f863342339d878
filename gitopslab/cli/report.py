"""`gitopslab report`."""

from typing import Annotated

import typer

from gitopslab.cli import output
from gitopslab.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Examples: `gitopslab report`, `gitopslab report lead_time --help-parameters`,"
        " `gitopslab report lead_time -p environment=dev -p since=28d -p as_of=2026-06-01`."
    )(report)


def report(
    name: Annotated[str, typer.Argument(help="A report; without one, the reports there are.")] = "",
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="May be given many times."),
    ] = None,
    help_parameters: Annotated[
        bool, typer.Option("--help-parameters", help="Show what the report takes.")
    ] = False,
    timeout_seconds: Annotated[int, typer.Option(min=1, help="Give up on a cell that takes longer.")] = 600,
) -> None:
    """Run a report and say where its page is."""
    from gitopslab import reports, settings

    if not name:
        output.table(
            ("report", "what it answers"),
            [(known, reports.describe(known).title) for known in reports.names()],
        )
        return
    if help_parameters:
        rows = [(p.name, p.kind, p.default, p.help) for p in reports.describe(name).parameters]
        output.table(("parameter", "type", "default", "meaning"), rows)
        return
    given = _pairs(parameter or [])
    configured = settings.load()
    with output.progress() as shown:
        bar = shown.add_task(name, total=None)
        run = reports.render(
            name,
            given,
            configured,
            timeout_seconds=timeout_seconds,
            progress=lambda done, of: shown.update(bar, completed=done, total=of),
        )
    reports.write_index(configured.reports.path)
    if headline := run.result.get("headline"):
        typer.echo(output.plain(headline))
    typer.echo(run.page)


def _pairs(given: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in given:
        key, sign, value = pair.partition("=")
        if not sign:
            raise UsageError(f"-p {pair!r}: write NAME=VALUE")
        if key in pairs:
            raise UsageError(f"-p {key} is given twice")
        pairs[key] = value
    return pairs
