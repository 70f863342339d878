"""`gitopslab extract kubernetes`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gitopslab.cli import output
from gitopslab.errors import SourceError, UsageError

if TYPE_CHECKING:
    from gitopslab.clusters import Cluster
    from gitopslab.extract.kubernetes.sweep import Sweep
    from gitopslab.resources import Resource
    from gitopslab.settings import Settings

Clusters = Annotated[
    list[str] | None,
    typer.Option("--cluster", "-c", help="Cluster of gitopslab.toml, more than once; by default all live."),
]
Resources = Annotated[
    list[str] | None,
    typer.Option(
        "--resource", "-r", help="Kind as plural.group, more than once; by default all with tables."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Examples: `gitopslab extract kubernetes`;"
        " `gitopslab extract kubernetes --cluster dev --resource workloads.kueue.x-k8s.io`."
        " It ends with 3 if a cluster is unreachable or refuses, after the others have landed."
    )(kubernetes)


def kubernetes(
    cluster: Clusters = None,
    resource: Resources = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be listed, and list nothing.")
    ] = False,
) -> None:
    """Land every object that clusters have now.

    What came and went since the last time is lost: `gitopslab watch` loses nothing. Only GET is sent.
    """
    from concurrent.futures import ThreadPoolExecutor

    from gitopslab import settings
    from gitopslab.extract.kubernetes.session import Destination
    from gitopslab.extract.kubernetes.sweep import sweep
    from gitopslab.lake import Lake

    configured = settings.load()
    chosen = live(configured, cluster)
    resources = resources_of(configured, resource)
    if dry_run:
        _say_what_would_be_read(configured, chosen, resources)
        return
    privacy = configured.privacy
    destination = Destination(Lake(configured.lake.path), privacy.email_salt, privacy.environment_names)
    with output.progress() as shown, ThreadPoolExecutor(len(chosen)) as threads:
        bar = shown.add_task("listing", total=None)
        sweeps = list(
            threads.map(
                lambda each: sweep(
                    each,
                    configured.cluster(each.name).uid,
                    resources,
                    destination,
                    lambda count: shown.advance(bar, count),
                ),
                chosen,
            )
        )
    _report(sweeps)
    _raise_for_unread(sweeps, is_asked=bool(resource))


def live(configured: "Settings", names: Sequence[str] | None) -> "list[Cluster]":
    """Return the clusters called `names`, or all that have a context.

    Raises:
        UsageError: None has, or one is not configured.
        SettingsError: There is no such context.
    """
    from gitopslab import clusters

    known = {each.name: each.context for each in configured.clusters if each.context}
    if unknown := sorted(set(names or ()) - known.keys()):
        there = ", ".join(known) or "none"
        raise UsageError(f"--cluster {unknown[0]}: no such cluster with a context; there are: {there}")
    if not known:
        raise UsageError("no cluster has a context; set `context` under [[clusters]] in gitopslab.toml")
    return [clusters.connect(name, context) for name, context in known.items() if not names or name in names]


def resources_of(configured: "Settings", names: Sequence[str] | None) -> "tuple[Resource, ...]":
    """Return the kinds called `names`, or those that have tables and those that settings add."""
    from gitopslab.extract.kubernetes.catalogue import chosen

    return chosen(tuple(names or ()), besides=configured.watch.resources)


def _say_what_would_be_read(
    configured: "Settings", clusters: "list[Cluster]", resources: "tuple[Resource, ...]"
) -> None:
    for each in clusters:
        typer.echo(f"would list of cluster {each.name} (context {configured.cluster(each.name).context}):")
        for resource in resources:
            typer.echo(f"  {resource}")


def _report(sweeps: "list[Sweep]") -> None:
    columns = ("cluster", "resource", "found", "objects", "versions landed", "gone")
    rows = [
        (
            swept.cluster,
            str(outcome.resource),
            outcome.state.replace("_", " "),
            outcome.object_count,
            outcome.landed_count,
            outcome.gone_count,
        )
        for swept in sweeps
        for outcome in swept.outcomes
    ]
    output.table(columns, rows)
    for swept in sweeps:
        tally = swept.tally
        parts = [
            f"cluster {swept.cluster}: {tally.object_count:,} objects read",
            f"{tally.landed_count:,} object versions landed",
            f"{tally.known_count:,} known already" if tally.known_count else "",
            f"{tally.reject_count:,} pieces rejected (see the table `reject`)" if tally.reject_count else "",
            f"{tally.refused_secret_count:,} Secrets refused" if tally.refused_secret_count else "",
            f"{tally.redaction_count:,} values redacted" if tally.redaction_count else "",
        ]
        typer.echo(", ".join(part for part in parts if part))


def _raise_for_unread(sweeps: "list[Sweep]", *, is_asked: bool) -> None:
    """End with an error where something could not be read; that a cluster lacks a kind is none by itself.

    Raises:
        SourceError: A cluster was unreachable or refused, or does not serve what was asked for.
    """
    messages: dict[str, None] = {}
    for swept in sweeps:
        unread = [outcome for outcome in swept.outcomes if outcome.state in {"refused", "unreachable"}]
        missing = [outcome for outcome in swept.outcomes if outcome.state == "not_served"]
        is_bare = len(missing) == len(swept.outcomes)
        for outcome in [*unread, *(missing if is_asked or is_bare else ())]:
            messages[outcome.message] = None
    for message in messages:
        typer.echo(f"gitopslab: {output.plain(message)}", err=True)
    if messages:
        raise SourceError(f"{len(messages):,} things could not be read; what could be has landed")
