"""`gitopslab tables`."""

from typing import Annotated

import typer

from gitopslab.cli import output
from gitopslab.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog="Examples: `gitopslab tables`, `gitopslab tables syncs`.")(tables)


def tables(
    name: Annotated[str, typer.Argument(help="A table, to see its columns and what was decided.")] = "",
) -> None:
    """List the warehouse's tables: what a row is, what is unique, how many there are."""
    from gitopslab import queries, settings, warehouse

    with warehouse.Warehouse(settings.load().warehouse.path) as opened:
        found = opened.tables()
    if not name:
        rows = [(t.room, t.name, t.row_count, t.doc.rstrip("."), ", ".join(t.grain)) for t in found]
        output.table(("room", "table", "rows", "what a row is", "unique by"), rows)
        return
    chosen = next((t for t in found if t.name == name), None)
    if chosen is None:
        raise UsageError(f"no table {name!r}; there are: {', '.join(t.name for t in found)}")
    typer.echo(f"{chosen.name}: {chosen.doc}")
    typer.echo(f"{chosen.row_count:,} rows, unique by {', '.join(chosen.grain) or 'nothing'}")
    if chosen.name in queries.catalog():
        typer.echo(f"\n{queries.query(chosen.name).decisions}")
    output.table(("column", "type"), chosen.columns)
