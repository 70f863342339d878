"""`gitopslab world`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gitopslab.cli import output
from gitopslab.errors import UsageError
from gitopslab.window import parse_time
from gitopslab.world.scale import ScenarioName

if TYPE_CHECKING:
    from gitopslab.world.watching import Gap

world_app = typer.Typer(no_args_is_help=True, help="A simulated platform whose truth is known.")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(world_app, name="world")


@world_app.command(
    epilog="Examples: `gitopslab world generate --out world`; `gitopslab world generate --seed 11 --weeks 2"
    " --scale medium --poll-seconds 300 --gap dev:3d:6h --out polled`; then, in that folder,"
    " `gitopslab land files objects/hub.ndjson.zst --cluster hub` for each cluster, and `gitopslab build`."
)
def generate(
    out: Annotated[Path, typer.Option(help="A folder that is not there yet, or empty.")],
    seed: Annotated[int, typer.Option(help="The same seed makes the same world, to the byte.")] = 7,
    weeks: Annotated[float, typer.Option(help="How long it lasts.")] = 8,
    scale: Annotated[
        Literal["small", "medium", "large"],
        typer.Option(help="Some 100 thousand, 180 thousand, 2.7 million versions."),
    ] = "small",
    api_release: Annotated[
        Literal["current", "older"], typer.Option(help="Which releases its controllers are of.")
    ] = "current",
    poll_seconds: Annotated[
        float, typer.Option(min=0, help="Look only every so often, rather than watch; 0 watches.")
    ] = 0,
    gap: Annotated[
        list[str] | None,
        typer.Option(metavar="CLUSTER:AFTER:LENGTH", help="See nothing of a cluster for a while: dev:3d:6h."),
    ] = None,
    unreachable: Annotated[list[str] | None, typer.Option(help="A cluster that is never seen.")] = None,
    clock_skew_seconds: Annotated[float, typer.Option(help="How far the watcher's clock is ahead.")] = 0,
    duplicate_ratio: Annotated[
        float, typer.Option(min=0, max=1, help="Share of events that come twice.")
    ] = 0,
    reorder_seconds: Annotated[float, typer.Option(min=0, help="How late an event may be written.")] = 0,
    incidents: Annotated[
        bool, typer.Option("--incidents/--no-incidents", help="Whether anything goes wrong on purpose.")
    ] = True,
    scenario: Annotated[
        ScenarioName | None,
        typer.Option(help="A piece of history for the capacity to play, instead of work of its own."),
    ] = None,
) -> None:
    """Write a simulated platform: what was seen of it, its repositories, its database, and the truth."""
    from gitopslab.world import platform
    from gitopslab.world.watching import Watching

    watching = Watching(
        poll_seconds=poll_seconds,
        gaps=tuple(_gap(text) for text in gap or ()),
        unreachable=tuple(unreachable or ()),
        clock_skew_seconds=clock_skew_seconds,
        duplicate_ratio=duplicate_ratio,
        reorder_seconds=reorder_seconds,
    )
    with output.progress() as shown:
        bar = shown.add_task(f"{weeks:g} weeks", total=1)
        count = platform.generate(
            seed,
            weeks,
            scale,
            out,
            api_release=api_release,
            watching=watching,
            incidents=incidents,
            scenario=scenario,
            progress=lambda share: shown.update(bar, completed=share),
        )
    typer.echo(
        f"{out}: {count:,} object versions of a world of {weeks:g} weeks, and its truth in {out / 'truth'}"
    )


@world_app.command(
    epilog="Examples: `gitopslab world score world/truth`; `gitopslab world score world/truth --form json`."
)
def score(
    truth: Annotated[Path, typer.Argument(help="The folder `truth` of a world.")],
    form: Annotated[Literal["table", "json"], typer.Option("--form", "-f", help="How to print.")] = "table",
) -> None:
    """Compare what the warehouse says with what was true, and print recall, precision and errors."""
    from dataclasses import asdict

    from gitopslab import settings
    from gitopslab.checks import scores

    found = scores.score(settings.load(), truth)
    if form == "json":
        typer.echo(
            output.as_json(
                [
                    asdict(each)
                    | {
                        "wrong_count": each.wrong_count,
                        "recall": each.recall,
                        "precision": each.precision,
                    }
                    for each in found
                ]
            )
        )
        return
    headings = (
        "subject",
        "part",
        "true",
        "found",
        "wrong",
        "recall",
        "precision",
        "median error",
        "worst error",
    )
    rows = [
        (
            each.subject,
            each.part,
            each.true_count,
            each.found_count,
            each.wrong_count,
            _percent(each.recall),
            _percent(each.precision),
            _seconds(each.median_error_seconds),
            _seconds(each.worst_error_seconds),
        )
        for each in found
    ]
    output.table(headings, rows)


def _gap(text: str) -> "Gap":
    """Return the gap that `CLUSTER:AFTER:LENGTH` says."""
    from gitopslab.world.watching import Gap

    cluster, _, times = text.partition(":")
    after, _, length = times.partition(":")
    origin = datetime.fromtimestamp(0, UTC)
    if not cluster or not after or not length:
        raise UsageError(f"--gap {text!r}: write CLUSTER:AFTER:LENGTH, such as dev:3d:6h")
    since, lasts = (-(parse_time(part, as_of=origin) - origin).total_seconds() for part in (after, length))
    return Gap(cluster, since, since + lasts)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _seconds(error: float | None) -> str:
    return "" if error is None else f"{error:+.1f} s"
