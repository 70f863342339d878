"""`gitopslab sql`."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from gitopslab.cli import output


class Form(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog='Examples: `gitopslab sql "FROM syncs ORDER BY deployed_at DESC LIMIT 5"`,'
        " `gitopslab sql --form csv - < question.sql > answer.csv`."
    )(sql)


def sql(
    text: Annotated[str, typer.Argument(help="A SELECT in DuckDB's SQL; `-` reads it from standard input.")],
    form: Annotated[Form, typer.Option("--form", "-f", help="How to print the rows.")] = Form.table,
    limit: Annotated[int, typer.Option(min=0, help="Rows that a table shows; 0 shows all.")] = 100,
) -> None:
    """Ask the warehouse a question in SQL; nothing can be changed."""
    from gitopslab import settings, warehouse

    with warehouse.Warehouse(settings.load().warehouse.path) as opened:
        rows = opened.sql(sys.stdin.read() if text == "-" else text)
    if form is Form.json:
        typer.echo(output.as_json(rows.dicts()))
    elif form is Form.csv:
        typer.echo(output.as_csv(rows.columns, rows.dicts()), nl=False)
    else:
        shown = rows.table.slice(0, limit) if limit else rows.table
        output.table(rows.columns, [list(row.values()) for row in shown.to_pylist()])
        if len(shown) < len(rows):
            typer.echo(f"{len(rows) - len(shown):,} more rows; --limit 0 shows all", err=True)
