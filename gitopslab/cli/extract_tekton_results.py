"""`gitopslab extract tekton-results`."""

from typing import TYPE_CHECKING, Annotated

import typer

from gitopslab.cli import output, sources

if TYPE_CHECKING:
    from gitopslab.extract.run import Tally
    from gitopslab.settings import TektonResults


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "tekton-results",
        epilog="Examples: `gitopslab extract tekton-results`;"
        " `gitopslab extract tekton-results hub --since 30d`.",
    )(tekton_results)


def tekton_results(
    clusters: Annotated[
        list[str] | None, typer.Argument(help="Clusters under [[tekton_results]]; by default all.")
    ] = None,
    since: sources.Since = "",
    dry_run: sources.DryRun = False,
) -> None:
    """Land PipelineRuns, TaskRuns and their events from Tekton Results, which keeps what a cluster prunes.

    Goes on where the run before had begun. Logs are not landed.
    """
    from datetime import UTC, datetime

    from gitopslab import http, settings
    from gitopslab.extract import tekton_results as extractor
    from gitopslab.extract.landing import Landing
    from gitopslab.extract.run import Origin
    from gitopslab.lake import Lake
    from gitopslab.window import parse_time

    configured = settings.load()
    back_to = parse_time(since, as_of=datetime.now(UTC)) if since else None
    apis = sources.chosen(configured.tekton_results, clusters, "tekton_results", _cluster)
    if dry_run:
        for api in apis:
            typer.echo(f"would read {output.plain(api.url)}, parent {api.parent}, as cluster {api.cluster}")
        return

    def extract(api: "TektonResults") -> "Tally":
        source = http.connect(f"tekton-results {api.cluster}", api.url, api.token_variable)
        uid = configured.cluster(api.cluster).uid
        origin = Origin("tekton-results", api.cluster, extractor.SYSTEM, uid)
        privacy = configured.privacy
        landing = Landing(
            Lake(configured.lake.path),
            origin,
            email_salt=privacy.email_salt,
            environment_names=privacy.environment_names,
        )
        with output.progress() as shown, landing:
            bar = shown.add_task(f"reading {api.cluster}", total=None)
            extractor.land(
                source, landing, api.parent, since=back_to, progress=lambda count: shown.advance(bar, count)
            )
        return landing.tally

    sources.each(apis, _cluster, extract)


def _cluster(api: "TektonResults") -> str:
    return api.cluster
