"""`gitopslab extract`: read a source that is there now; a module a source."""

import typer

from gitopslab.cli import (
    extract_git,
    extract_inventory,
    extract_kubernetes,
    extract_postgres,
    extract_prometheus,
    extract_tekton_results,
)

extract_app = typer.Typer(no_args_is_help=True, help="Read sources that are there now into the lake.")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`, one a source."""
    extract_tekton_results.register(extract_app)
    extract_kubernetes.register(extract_app)
    extract_postgres.register(extract_app)
    extract_git.register(extract_app)
    extract_prometheus.register(extract_app)
    extract_inventory.register(extract_app)
    app.add_typer(extract_app, name="extract")
