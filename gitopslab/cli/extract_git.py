"""`gitopslab extract git`."""

from typing import TYPE_CHECKING, Annotated

import typer

from gitopslab.cli import output, sources

if TYPE_CHECKING:
    from gitopslab.extract.run import Tally
    from gitopslab.settings import Repository


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Examples: `gitopslab extract git`; `gitopslab extract git stacks --since 2026-01-01`;"
        " `gitopslab extract git --dry-run`."
    )(git)


def git(
    repositories: Annotated[
        list[str] | None, typer.Argument(help="Repositories under [[repositories]]; by default all.")
    ] = None,
    since: sources.Since = "",
    dry_run: sources.DryRun = False,
) -> None:
    """Land commits, branches, changed files, pins, hydrations and promotions of git repositories.

    A repository with a path is read in place and never changed; of a URL, a bare mirror is kept and brought
    up to date. Reading again lands what is new, and what was force-pushed away stays.
    """
    from datetime import UTC, datetime

    from gitopslab import settings
    from gitopslab.extract import git as extractor
    from gitopslab.extract.rows import RowLanding
    from gitopslab.extract.run import Origin
    from gitopslab.lake import Lake
    from gitopslab.window import parse_time

    configured = settings.load()
    now = datetime.now(UTC)
    chosen = sources.chosen(configured.repositories, repositories, "repositories", _name)
    if since:
        day = parse_time(since, as_of=now).date()
        chosen = [repository.model_copy(update={"since": day}) for repository in chosen]
    if dry_run:
        for repository in chosen:
            typer.echo(f"would read {output.plain(repository.path or repository.url)} as {repository.name}")
        return
    branches = tuple(environment.branch for environment in configured.environments if environment.branch)
    salt = configured.privacy.email_salt

    def extract(repository: "Repository") -> "Tally":
        origin = Origin("git", repository.name, extractor.SYSTEM)
        landing = RowLanding(Lake(configured.lake.path), origin, email_salt=salt)
        with output.progress() as shown, landing:
            bar = shown.add_task(f"reading {repository.name}", total=None)
            opened = extractor.opened(repository, configured.git.path)
            extractor.land(
                opened,
                landing,
                extractor.Asked(repository, branches, now, salt),
                progress=lambda count, total: shown.update(bar, advance=count, total=total),
            )
        return landing.tally

    sources.each(chosen, _name, extract)


def _name(repository: "Repository") -> str:
    return repository.name
