"""`gitopslab land`."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gitopslab.cli import extract_inventory, land_dump, land_metrics, output
from gitopslab.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from gitopslab.extract.files import FileOutcome
    from gitopslab.extract.run import Tally
    from gitopslab.settings import Settings

land_app = typer.Typer(no_args_is_help=True, help="Put objects into the lake.")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    land_metrics.register(land_app)
    land_dump.register(land_app)
    extract_inventory.register_files(land_app)
    app.add_typer(land_app, name="land")


@land_app.command(
    epilog="Examples: `kubectl get applications -A -o json | gzip > dev.json.gz;"
    " gitopslab land files dev.json.gz --cluster dev`;"
    " `gitopslab land files must-gather/ --cluster hub --observed-at 2026-05-01T12:00:00Z`."
)
def files(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Files, folders (searched for JSON and YAML), or `-` for standard input."),
    ],
    cluster: Annotated[
        str,
        typer.Option("--cluster", "-c", help="Which cluster they are of; not needed if one is configured."),
    ] = "",
    observed_at: Annotated[
        str, typer.Option(help="When they were seen, UTC; by default when each file was last changed.")
    ] = "",
    kind: Annotated[
        str,
        typer.Option(
            help="apiVersion/kind of objects and excerpts that name none, as tekton.dev/v1/TaskRun."
        ),
    ] = "",
    max_rejects: Annotated[
        int | None,
        typer.Option(min=0, help="End with exit code 1 if more pieces than this could not be read."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which files would be read, and read none.")
    ] = False,
) -> None:
    """Land what `kubectl get -o json|yaml` printed, must-gather trees, and watch events.

    Objects, Lists, NDJSON and multi-document YAML are read, plain, gzip or zstd. What cannot be
    read is kept as a reject and counted; the rest lands. Secrets are refused, credentials redacted.
    """
    from gitopslab import settings
    from gitopslab.extract import documents
    from gitopslab.window import parse_time

    configured = settings.load()
    name = cluster or _only(configured)
    seen_at = parse_time(observed_at) if observed_at else None
    assume = _assumed(kind) if kind else None
    paths = [Path("/dev/stdin") if path == Path("-") else path for path in paths]
    items = list(documents.find(paths))
    found = [item for item in items if isinstance(item, Path)]
    for reason, count in sorted(Counter(item.reason for item in items if not isinstance(item, Path)).items()):
        typer.echo(f"passed over: {count:,} {reason}", err=True)
    if not found:
        raise UsageError(f"no JSON or YAML file in {', '.join(path.as_posix() for path in paths)}")
    if dry_run:
        for path in found:
            size = f"{path.stat().st_size:,} bytes"
            typer.echo(f"would read {output.plain(path.as_posix())} ({size}) as cluster {name}")
        return
    tally = _land(found, configured, name, seen_at, assume)
    rejects = tally.reject_count
    if max_rejects is not None and rejects > max_rejects:
        raise FindingsError(f"{rejects:,} pieces could not be read, and the limit is {max_rejects:,}")
    if rejects and not tally.object_count:
        raise FindingsError(f"nothing could be read; the table `reject` holds {rejects:,} pieces and why")


def _land(
    found: list[Path],
    configured: "Settings",
    name: str,
    seen_at: datetime | None,
    assume: tuple[str, str] | None,
) -> "Tally":
    """Land `found` with a progress bar, print what came of it, and return it."""
    from gitopslab.extract import files as extractor
    from gitopslab.extract.landing import Landing
    from gitopslab.extract.run import Origin
    from gitopslab.lake import Lake

    known = configured.cluster(name)
    origin = Origin("files", name, how="file", cluster_uid=known.uid)
    privacy = configured.privacy
    landing = Landing(
        Lake(configured.lake.path),
        origin,
        email_salt=privacy.email_salt,
        environment_names=privacy.environment_names,
    )
    with output.progress() as shown, landing:
        bar = shown.add_task("reading", total=sum(path.stat().st_size for path in found))
        how = extractor.Reading(observed_at=seen_at, assume=assume)
        outcomes = extractor.land(found, landing, how, progress=lambda count: shown.advance(bar, count))
    _report(landing.tally, outcomes, name)
    return landing.tally


def _report(tally: "Tally", outcomes: "list[FileOutcome]", name: str) -> None:
    if tally.kinds:
        rows = [
            (f"{resource}.{group}".rstrip("."), count)
            for (group, resource), count in sorted(tally.kinds.items())
        ]
        output.table(("resource", "versions landed"), rows)
    if tally.rejects:
        output.table(("could not be read", "pieces"), sorted(tally.rejects.items()))
    read_before = sum(outcome.is_known for outcome in outcomes)
    parts = [
        f"cluster {name}: {len(outcomes):,} files",
        f"{tally.landed_count:,} object versions landed",
        f"{tally.known_count:,} known already" if tally.known_count else "",
        f"{read_before:,} files read before" if read_before else "",
        f"{tally.reject_count:,} pieces rejected (see the table `reject`)" if tally.reject_count else "",
        f"{tally.refused_secret_count:,} Secrets refused" if tally.refused_secret_count else "",
        f"{tally.redaction_count:,} values redacted" if tally.redaction_count else "",
    ]
    typer.echo(", ".join(part for part in parts if part))


def _only(configured: "Settings") -> str:
    """Return the cluster that is configured, if it is the only one."""
    names = [cluster.name for cluster in configured.clusters]
    if len(names) == 1:
        return names[0]
    known = f"; configured are: {', '.join(names)}" if names else ""
    raise UsageError(f"say which cluster the objects are of: --cluster NAME{known}")


def _assumed(kind: str) -> tuple[str, str]:
    api_version, _, name = kind.rpartition("/")
    if not api_version or not name:
        raise UsageError(f"--kind {kind!r}: write apiVersion/kind, such as tekton.dev/v1/TaskRun or v1/Event")
    return api_version, name
