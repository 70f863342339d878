"""`gitopslab result`."""

import json
from typing import Annotated

import typer

from gitopslab.cli import output


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Examples: `gitopslab result lead_time`,"
        " `gitopslab result lead_time --json | jq '.environments.dev.duration.quantiles'`."
    )(result)


def result(
    name: Annotated[str, typer.Argument(help="A report that was run.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print it as JSON, as result.json holds it.")
    ] = False,
) -> None:
    """Print what the last run of a report that came to its end found."""
    from gitopslab import reports, settings

    page = reports.latest(settings.load().reports.path, name)
    text = (page.parent / reports.RESULT_FILE).read_text(encoding="utf-8")
    if as_json:
        typer.echo(text.rstrip())
        return
    found = json.loads(text)
    about = {key: found.pop(key) for key in ("headline", "window", "parameters", "build", "report")}
    typer.echo(output.plain(about["headline"]))
    window = about["window"]
    rows = [
        ("window", f"{window['since']} to {window['until']}" if window else ""),
        (
            "parameters",
            ", ".join(f"{key}={value}" for key, value in about["parameters"].items() if value != ""),
        ),
        ("build", about["build"]),
        ("page", page),
        ("in --json", ", ".join(found)),
    ]
    output.table(("what", ""), rows)
