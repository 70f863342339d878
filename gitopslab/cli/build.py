"""`gitopslab build`."""

from typing import Annotated

import typer

from gitopslab.cli import output


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog="Examples: `gitopslab build`; `gitopslab build --full` after the lake was restored.")(
        build
    )


def build(
    full: Annotated[
        bool, typer.Option("--full", help="Type everything anew, not only what the lake gained.")
    ] = False,
) -> None:
    """Bring the warehouse up to date with the lake; readers are not disturbed."""
    from gitopslab import settings, warehouse

    with output.progress() as shown:
        bars: dict[str, int] = {}

        def advance(step: str, done: int, of: int) -> None:
            if step not in bars:
                bars[step] = shown.add_task(step, total=of)
            shown.update(bars[step], completed=done)  # type: ignore[arg-type] # rich's TaskID is an int

        result = warehouse.build(settings.load(), full=full, progress=advance)
    typer.echo(str(result))
