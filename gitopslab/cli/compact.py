"""`gitopslab compact`."""

from typing import TYPE_CHECKING, Annotated

import typer

from gitopslab.cli import output

if TYPE_CHECKING:
    from gitopslab.compaction import Plan


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Examples: `gitopslab compact`, once a night beside `gitopslab extract` every few minutes;"
        " `gitopslab compact --dry-run`. `gitopslab watch` does it for the clusters that it watches."
    )(compact)


def compact(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be merged and removed, and change nothing.")
    ] = False,
) -> None:
    """Merge the many small files of the lake, and remove those that were merged an hour ago or longer.

    Every row stays, and whoever is reading is not disturbed. Small files go with the second run after them.
    """
    from datetime import UTC, datetime

    from gitopslab import compaction, settings
    from gitopslab.lake import Lake

    lake, now = Lake(settings.load().lake.path), datetime.now(UTC)
    if dry_run:
        _say(list(compaction.plans(lake, None, now)))
        return
    done = compaction.compact(lake, None, now)
    typer.echo(
        f"{done.merged_count:,} files merged into {done.written_count:,},"
        f" {done.removed_count:,} removed that were merged before"
    )


def _say(plans: "list[Plan]") -> None:
    if not plans:
        typer.echo("would merge and remove nothing")
        return
    columns = ("folder", "files to merge", "into", "bytes", "files to remove")
    rows = [
        (
            plan.folder,
            plan.counts.merged_count,
            plan.counts.written_count,
            sum(file.size_bytes for group in plan.groups for file in group),
            plan.counts.removed_count,
        )
        for plan in plans
    ]
    output.table(columns, rows)
