"""`gitopslab extract prometheus`."""

from typing import TYPE_CHECKING, Annotated

import typer

from gitopslab.cli import output, sources

if TYPE_CHECKING:
    from gitopslab.extract.run import Tally
    from gitopslab.settings import Prometheus


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Examples: `gitopslab extract prometheus`; `gitopslab extract prometheus dev --since 30d`."
    )(prometheus)


def prometheus(
    names: Annotated[
        list[str] | None, typer.Argument(help="Servers under [[prometheus]]; by default all.")
    ] = None,
    since: sources.Since = "",
    dry_run: sources.DryRun = False,
) -> None:
    """Land what controllers and nodes measured of themselves, every step since the run before.

    Which series is the key `selectors`; by default those of Kueue, Argo CD, Tekton, Promoter and nodes.
    """
    from datetime import UTC, datetime

    from gitopslab import http, settings
    from gitopslab.extract import prometheus as extractor
    from gitopslab.extract.rows import RowLanding
    from gitopslab.extract.run import Origin
    from gitopslab.extract.samples import Target
    from gitopslab.lake import Lake
    from gitopslab.window import parse_time

    configured = settings.load()
    now = datetime.now(UTC)
    back_to = parse_time(since, as_of=now) if since else None
    servers = sources.chosen(configured.prometheus, names, "prometheus", _name)
    if dry_run:
        for server in servers:
            for selector in server.selectors or extractor.SELECTORS:
                typer.echo(f"would read {output.plain(server.url)} {output.plain(selector)}")
        return

    def extract(server: "Prometheus") -> "Tally":
        source = http.connect(f"prometheus {server.name}", server.url, server.token_variable)
        origin = Origin("prometheus", server.name, extractor.SYSTEM)
        landing = RowLanding(Lake(configured.lake.path), origin, email_salt=configured.privacy.email_salt)
        target = Target(server.name, server.cluster, server.step_seconds)
        selectors = server.selectors or extractor.SELECTORS
        with output.progress() as shown, landing:
            bar = shown.add_task(f"reading {server.name}", total=len(selectors))
            extractor.Extraction(source, landing, target).land(
                selectors, since=back_to, until=now, progress=lambda share: shown.advance(bar, share)
            )
        return landing.tally

    sources.each(servers, _name, extract)


def _name(server: "Prometheus") -> str:
    return server.name
