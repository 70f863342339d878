"""`gitopslab extract`: read a source that is there now; a module a source."""

import typer

extract_app = typer.Typer(no_args_is_help=True, help="Read sources that are there now into the lake.")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`, one a source."""
    app.add_typer(extract_app, name="extract")
