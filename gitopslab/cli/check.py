"""`gitopslab check`."""

from pathlib import Path
from typing import Annotated

import typer

from gitopslab.cli import output
from gitopslab.errors import FindingsError

check_app = typer.Typer(no_args_is_help=True, help="Look for what is wrong with what was landed.")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(check_app, name="check")


@check_app.command(
    epilog="Examples: `kubectl get crd -o yaml > crds.yaml; gitopslab check schema --crds crds.yaml`;"
    " `gitopslab check schema` when the CustomResourceDefinitions were landed too."
)
def schema(
    crds: Annotated[
        Path | None, typer.Option(help="File or folder of CRDs; by default those that were landed.")
    ] = None,
    max_findings: Annotated[
        int | None, typer.Option(min=0, help="End with exit code 1 if there are more findings than this.")
    ] = None,
    form: Annotated[str, typer.Option("--form", "-f", help="table, csv or json.")] = "table",
) -> None:
    """Compare landed objects with the schemas of their CRDs, and report where they drifted apart.

    This is a report and not a gate: nothing is rejected for it, and the exit code is 0 unless
    --max-findings says otherwise.
    """
    from gitopslab import settings
    from gitopslab.checks import landed

    report = landed.drift(settings.load(), crds)
    rows = report.rows()
    columns = list(rows[0]) if rows else []
    if form == "json":
        typer.echo(output.as_json(rows))
    elif form == "csv":
        typer.echo(output.as_csv(columns, rows), nl=False)
    elif rows:
        output.table(columns, [list(row.values()) for row in rows])
    typer.echo(str(report), err=form != "table")
    if max_findings is not None and len(report.findings) > max_findings:
        raise FindingsError(f"{len(report.findings):,} findings, and the limit is {max_findings:,}")


@check_app.command(
    epilog="Examples: `gitopslab check integrity`, `gitopslab check integrity --max-findings 0 --form json`,"
    " `gitopslab check integrity stages_out_of_order --since 14d`."
)
def integrity(
    names: Annotated[list[str] | None, typer.Argument(help="Checks to run; all by default.")] = None,
    since: Annotated[
        str, typer.Option(help="First instant, UTC, or a length before --until; empty: everything.")
    ] = "",
    until: Annotated[
        str,
        typer.Option(help="The instant after the last, UTC; empty: when the warehouse last saw anything."),
    ] = "",
    max_findings: Annotated[
        int | None, typer.Option(min=0, help="End with exit code 1 if there are more findings than this.")
    ] = None,
    form: Annotated[str, typer.Option("--form", "-f", help="table, csv or json.")] = "table",
) -> None:
    """Look for rows that cannot be right: negative durations, stages out of order, pins nobody can follow.

    This is a report and not a gate: the exit code is 0 unless --max-findings says otherwise.
    """
    from gitopslab import settings, warehouse
    from gitopslab.checks import integrity as checks

    with warehouse.Warehouse(settings.load().warehouse.path) as opened:
        window = opened.window(since or "1970-01-01", until) if since or until else checks.ALWAYS
        found = checks.examine(opened, window, names or ())
    rows = found.rows()
    columns = ["check", "environment", "service", "subject", "found_at", "message"]
    if form == "json":
        typer.echo(output.as_json(rows))
    elif form == "csv":
        typer.echo(output.as_csv(columns, rows), nl=False)
    elif rows:
        output.table(columns, [list(row.values()) for row in rows])
    typer.echo(output.plain(str(found)), err=form != "table")
    if max_findings is not None and len(rows) > max_findings:
        raise FindingsError(f"{len(rows):,} findings, and the limit is {max_findings:,}")
