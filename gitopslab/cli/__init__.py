"""The `gitopslab` command: a file a subcommand, each of which parses, calls one function and prints."""

import sys
from typing import Annotated

import typer

from gitopslab.cli import (
    build,
    check,
    compact,
    coverage,
    doctor,
    explain,
    extract,
    init,
    land,
    plan,
    report,
    result,
    sql,
    tables,
    watch,
    whatif,
    world,
)
from gitopslab.errors import GitOpsLabError
from gitopslab.version import __version__

app = typer.Typer(
    name="gitopslab",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",
    help="Land what GitOps controllers forget, and report lead times, capacity and incidents from it.",
    epilog="Exit codes: 0 done, 1 done with findings or rejects above the limit, 2 wrong usage or input,"
    " 3 a source is unreachable.",
)

init.register(app)
doctor.register(app)
land.register(app)
extract.register(app)
watch.register(app)
build.register(app)
compact.register(app)
tables.register(app)
sql.register(app)
report.register(app)
explain.register(app)
plan.register(app)
result.register(app)
coverage.register(app)
check.register(app)
whatif.register(app)
world.register(app)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"gitopslab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a subcommand."""


def main() -> None:
    """Run the command, with gitopslab's own errors as one line on stderr."""
    try:
        app()
    except GitOpsLabError as error:
        typer.echo(f"gitopslab: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read the output has enough of it, as `head` does.
        sys.stderr.close()
        sys.exit(0)
    except KeyboardInterrupt:
        typer.echo("gitopslab: interrupted; what was finished is kept", err=True)
        sys.exit(130)
