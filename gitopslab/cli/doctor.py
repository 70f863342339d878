"""`gitopslab doctor`: what is configured, what can be reached, and what is missing."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import typer

from gitopslab.cli import output
from gitopslab.errors import GitOpsLabError, LakeError, NotServedError, SourceError

if TYPE_CHECKING:
    from gitopslab.settings import Cluster, Settings


class Finding(NamedTuple):
    """One thing that was looked at: `ok`, `missing` (something to do) or `unreachable`."""

    state: str
    what: str
    detail: str


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Example: `gitopslab doctor`. It only reads, and ends with 3 if a cluster cannot be reached."
    )(doctor)


def doctor() -> None:
    """Say what is configured, what can be reached, and what is missing."""
    from gitopslab import settings

    file = settings.find()
    configured = settings.load()
    findings = [_settings(file is not None, str(file))]
    findings += [*_lake(configured), _warehouse(configured), *_lanes(configured)]
    for cluster in configured.clusters:
        findings += _cluster(cluster)
    if not configured.clusters:
        findings.append(
            Finding(
                "missing", "clusters", "none is configured; objects can be landed from files all the same"
            )
        )
    output.table(("", "what", "found"), findings)
    if any(finding.state == "unreachable" for finding in findings):
        sys.exit(SourceError.exit_code)


def _settings(is_there: bool, file: str) -> Finding:
    return (
        Finding("ok", "settings", file)
        if is_there
        else Finding("missing", "settings", "defaults; `gitopslab init` writes a file")
    )


def _lake(configured: "Settings") -> Iterator[Finding]:
    from gitopslab.datasets import OBJECT_VERSIONS
    from gitopslab.lake import Lake

    lake = Lake(configured.lake.path)
    files = lake.files(OBJECT_VERSIONS)
    if files:
        size = sum(file.size_bytes for file in files)
        yield Finding("ok", "lake", f"{configured.lake.path}: {len(files):,} files, {size / 1e6:,.1f} MB")
    else:
        yield Finding(
            "missing",
            "lake",
            f"{configured.lake.path}: empty; `gitopslab land files PATH` puts objects into it",
        )


def _warehouse(configured: "Settings") -> Finding:
    from gitopslab.warehouse import Warehouse

    try:
        with Warehouse(configured.warehouse.path) as opened:
            build = opened.build
    except LakeError as error:
        return Finding("missing", "warehouse", str(error))
    detail = (
        f"{configured.warehouse.path}: build {build['build_id']} of {output.plain(build['built_at'])} UTC"
    )
    return Finding("ok", "warehouse", f"{detail}, {build['object_version_count']:,} object versions")


def _lanes(configured: "Settings") -> Iterator[Finding]:
    for environment in configured.environments:
        where = environment.cluster or "no cluster"
        yield Finding(
            "ok",
            f"environment {environment.name}",
            f"lane {environment.lane}, {where}, branch {environment.branch or '-'}",
        )
    if not configured.environments:
        yield Finding("missing", "environments", "none is configured; clusters and branches stand for them")
    if not configured.services:
        yield Finding("missing", "services", "none is configured; Applications and Pipelines stand for them")


def _cluster(cluster: "Cluster") -> Iterator[Finding]:
    from gitopslab import clusters
    from gitopslab.extract.kubernetes.catalogue import Catalogue
    from gitopslab.resources import EXTRACTED

    what = f"cluster {cluster.name}"
    if not cluster.context:
        yield Finding("ok", what, "no context: its objects come from files")
        return
    try:
        live = clusters.connect(cluster.name, cluster.context)
        uid = live.uid()
    except GitOpsLabError as error:
        yield Finding("unreachable", what, str(error))
        return
    if cluster.uid and cluster.uid != uid:
        yield Finding(
            "missing",
            what,
            f"its uid is {uid}, and gitopslab.toml says {cluster.uid}: is it another cluster?",
        )
    served: list[str] = []
    catalogue = Catalogue(live)
    for resource in EXTRACTED:
        try:
            live.may_list(*catalogue.locate(resource))
        except NotServedError:
            continue
        except SourceError as error:
            yield Finding("missing", what, str(error))
        else:
            served.append(resource.resource)
    yield Finding("ok", what, f"uid {uid}; can list {', '.join(served) or 'nothing that gitopslab knows'}")
