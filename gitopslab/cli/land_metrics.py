"""`gitopslab land metrics`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gitopslab.cli import output
from gitopslab.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Examples: `gitopslab land metrics metrics/dev --cluster dev`;"
        " `promtool tsdb dump-openmetrics data | gzip > dump.openmetrics.gz;"
        " gitopslab land metrics dump.openmetrics.gz --cluster dev --prometheus monitoring`.",
    )(metrics)


def metrics(
    paths: Annotated[
        list[Path], typer.Argument(help="Files, or folders (searched for *.openmetrics, compressed or not).")
    ],
    cluster: Annotated[str, typer.Option("--cluster", "-c", help="Which cluster the metrics tell of.")],
    prometheus: Annotated[
        str, typer.Option(help="Name of the Prometheus they are from; by default that of the cluster.")
    ] = "",
    max_rejects: Annotated[
        int | None,
        typer.Option(min=0, help="End with exit code 1 if more lines than this could not be read."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which files would be read, and read none.")
    ] = False,
) -> None:
    """Land samples of metrics from OpenMetrics text, each of which has a timestamp.

    What cannot be read is kept as a reject and counted; the rest lands.
    """
    from gitopslab import settings
    from gitopslab.extract import openmetrics
    from gitopslab.extract.rows import RowLanding
    from gitopslab.extract.run import Origin
    from gitopslab.extract.samples import Target
    from gitopslab.lake import Lake

    found = list(_files(paths))
    name = prometheus or cluster
    if dry_run:
        for path in found:
            typer.echo(
                f"would read {output.plain(path.as_posix())} as Prometheus {name} of cluster {cluster}"
            )
        return
    configured = settings.load()
    lake = Lake(configured.lake.path)
    landing = RowLanding(
        lake, Origin("metrics", name, "openmetrics"), email_salt=configured.privacy.email_salt
    )
    with output.progress() as shown, landing:
        bar = shown.add_task("reading", total=sum(path.stat().st_size for path in found))
        outcomes = openmetrics.land(
            found, landing, Target(name, cluster), progress=lambda count: shown.advance(bar, count)
        )
    tally = landing.tally
    if tally.rejects:
        output.table(("could not be read", "pieces"), sorted(tally.rejects.items()))
    read_before = sum(outcome.is_known for outcome in outcomes)
    parts = [
        f"Prometheus {name}: {len(outcomes):,} files",
        f"{tally.landed_count:,} samples landed",
        f"{tally.known_count:,} known already" if tally.known_count else "",
        f"{read_before:,} files read before" if read_before else "",
        f"{tally.reject_count:,} pieces rejected (see the table `reject`)" if tally.reject_count else "",
    ]
    typer.echo(", ".join(part for part in parts if part))
    if max_rejects is not None and tally.reject_count > max_rejects:
        raise FindingsError(
            f"{tally.reject_count:,} pieces could not be read, and the limit is {max_rejects:,}"
        )


def _files(paths: list[Path]) -> "Iterator[Path]":
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
        within = sorted(path.rglob("*.openmetrics*")) if path.is_dir() else [path]
        if not within:
            raise UsageError(f"{path}: no *.openmetrics file in it")
        yield from within
