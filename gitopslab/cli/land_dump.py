"""`gitopslab land dump`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gitopslab.cli import output
from gitopslab.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from gitopslab.extract.postgres.dump import DumpOutcome
    from gitopslab.extract.run import Tally


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Examples: `gitopslab land dump postgres.sql --database benchmark`;"
        " `pg_dump --encoding=UTF8 | zstd > dump.sql.zst; gitopslab land dump dump.sql.zst"
        " --database benchmark --observed-at 2026-05-01T12:00:00Z`.",
    )(dump)


def dump(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Dumps in order of time: text of pg_dump, plain, gzip or zstd."),
    ],
    database: Annotated[str, typer.Option(help="Name of the database, as under [[databases]].")],
    observed_at: Annotated[
        str, typer.Option(help="When it was dumped, UTC; by default when each file was last changed.")
    ] = "",
    max_rejects: Annotated[
        int | None,
        typer.Option(min=0, help="End with exit code 1 if more rows than this could not be read."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which files would be read, and read none.")
    ] = False,
) -> None:
    """Land what `gitopslab extract postgres` would, out of what pg_dump wrote.

    What differs from what landed before lands as a new version. Rows that cannot be read are kept as
    rejects and counted; the rest lands.
    """
    from gitopslab import settings
    from gitopslab.extract import postgres
    from gitopslab.extract.postgres import dump as extractor
    from gitopslab.extract.rows import RowLanding
    from gitopslab.extract.run import Origin
    from gitopslab.lake import Lake
    from gitopslab.window import parse_time

    seen_at = parse_time(observed_at) if observed_at else None
    for path in paths:
        if not path.is_file():
            raise UsageError(f"{path}: no such file")
    if dry_run:
        for path in paths:
            typer.echo(f"would read {output.plain(path.as_posix())} as database {database}")
        return
    configured = settings.load()
    known = {each.name: each for each in configured.databases}
    reading = extractor.Reading(seen_at, database in known and known[database].session_events)
    landing = RowLanding(
        Lake(configured.lake.path),
        Origin("dump", database, how=postgres.SYSTEM),
        email_salt=configured.privacy.email_salt,
    )
    with output.progress() as shown, landing:
        bar = shown.add_task("reading", total=sum(path.stat().st_size for path in paths))
        outcomes = [
            extractor.land(path, landing, reading, progress=lambda count: shown.advance(bar, count))
            for path in paths
        ]
    _report(database, outcomes, landing.tally)
    rejects = landing.tally.reject_count
    if max_rejects is not None and rejects > max_rejects:
        raise FindingsError(f"{rejects:,} pieces could not be read, and the limit is {max_rejects:,}")


def _report(database: str, outcomes: "list[DumpOutcome]", tally: "Tally") -> None:
    for outcome in outcomes:
        output.table(
            ("table", "rows", "versions landed", "of them deletions", "columns"),
            [tuple(each) for each in outcome.tables],
            title=output.plain(outcome.path.as_posix()),
        )
    if tally.rejects:
        output.table(("could not be read", "pieces"), sorted(tally.rejects.items()))
    passed_over_count = sum(outcome.passed_over_count for outcome in outcomes)
    parts = [
        f"database {database}: {tally.landed_count:,} row versions landed",
        f"{tally.known_count:,} known already" if tally.known_count else "",
        f"{passed_over_count:,} statements passed over",
        f"{tally.reject_count:,} pieces rejected (see the table `reject`)" if tally.reject_count else "",
        f"{tally.redaction_count:,} values redacted" if tally.redaction_count else "",
    ]
    typer.echo(", ".join(part for part in parts if part))
