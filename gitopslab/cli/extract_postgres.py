"""`gitopslab extract postgres`."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from gitopslab.cli import output, sources

if TYPE_CHECKING:
    from gitopslab.extract.postgres import Outcome
    from gitopslab.extract.run import Tally
    from gitopslab.settings import Database


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "postgres",
        epilog="Examples: `gitopslab extract postgres`;"
        " `gitopslab extract postgres benchmark --since 30d`;"
        " `gitopslab extract postgres --dry-run`.",
    )(postgres)


def postgres(
    names: Annotated[
        list[str] | None, typer.Argument(help="Databases under [[databases]]; by default all.")
    ] = None,
    since: sources.Since = "",
    dry_run: sources.DryRun = False,
) -> None:
    """Land the benchmark plane, agent sessions and GitOps activity events of a Postgres database.

    Tables whose rows are overwritten are compared whole at each run, and what differs lands as a new version.
    Logs are read on from where the last run ended, or back to --since. Only SELECT is sent, in a read-only
    transaction. The connection string comes from the environment variable that gitopslab.toml names.
    """
    from datetime import UTC, datetime

    from gitopslab import settings
    from gitopslab.extract import postgres as extractor
    from gitopslab.extract.rows import RowLanding
    from gitopslab.extract.run import Origin
    from gitopslab.lake import Lake
    from gitopslab.window import parse_time

    configured = settings.load()
    read_since = parse_time(since, as_of=datetime.now(UTC)) if since else None
    chosen = sources.chosen(configured.databases, names, "databases", _name)
    lake = Lake(configured.lake.path)
    if dry_run:
        for source in chosen:
            with extractor.connect(source.name, source.dsn_variable) as snapshot:
                found, refused = extractor.find(snapshot, lake, with_session_events=source.session_events)
            output.table(
                ("would read", "columns"), [(f.table.name, str(f)) for f in found], title=source.name
            )
            for error in refused:
                typer.echo(f"gitopslab: {output.plain(error)}", err=True)
        return

    def extract(source: "Database") -> "Tally":
        origin = Origin("postgres", source.name, how=extractor.SYSTEM)
        with (
            output.progress() as shown,
            RowLanding(lake, origin, email_salt=configured.privacy.email_salt) as landing,
            extractor.connect(source.name, source.dsn_variable) as snapshot,
        ):
            bar = shown.add_task(f"reading {source.name}", total=None)
            outcomes = extractor.land(
                snapshot,
                landing,
                extractor.Reading(timedelta(seconds=source.overlap_seconds), read_since),
                with_session_events=source.session_events,
                progress=lambda table, count: shown.update(bar, description=table, advance=count),
            )
        _report(source.name, outcomes)
        return landing.tally

    sources.each(chosen, _name, extract)


def _report(name: str, outcomes: "list[Outcome]") -> None:
    output.table(
        ("table", "rows", "versions landed", "of them deletions", "columns"),
        [tuple(each) for each in outcomes],
        title=name,
    )


def _name(source: "Database") -> str:
    return source.name
