"""What the commands of `gitopslab extract` share: which sources are meant, and what is said of each."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from gitopslab.cli import output
from gitopslab.errors import SourceError, UsageError

if TYPE_CHECKING:
    from gitopslab.extract.run import Tally

Since = Annotated[
    str,
    typer.Option(help="Read back to then (2026-05-01, or 14d before now), whatever was read before; UTC."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be read, and read nothing.")]

Source = TypeVar("Source")


def chosen(
    configured: Sequence[Source], names: Sequence[str] | None, table: str, name_of: Callable[[Source], str]
) -> list[Source]:
    """Return the sources called `names`, or all that are configured under `[[table]]`.

    Raises:
        UsageError: None is configured, or one is not.
    """
    known = [name_of(source) for source in configured]
    if not known:
        raise UsageError(
            f"no source is configured; add [[{table}]] to gitopslab.toml (see `gitopslab init --print`)"
        )
    if unknown := sorted(set(names or ()) - set(known)):
        raise UsageError(f"{table}: no {', '.join(unknown)}; there are: {', '.join(known)}")
    return [source for source in configured if not names or name_of(source) in names]


def each(
    sources: Iterable[Source], name_of: Callable[[Source], str], extract: Callable[[Source], "Tally"]
) -> None:
    """Extract one source after another, print what came of each, and go on where one cannot be read.

    Raises:
        SourceError: The first that came up; the others were read all the same.
    """
    failed: list[SourceError] = []
    rows = []
    for source in sources:
        try:
            tally = extract(source)
        except SourceError as error:
            failed.append(error)
            typer.echo(f"gitopslab: {output.plain(error)}", err=True)
            continue
        rows.append(
            (name_of(source), tally.object_count, tally.landed_count, tally.known_count, tally.reject_count)
        )
    if rows:
        output.table(("source", "read", "landed", "known already", "rejected"), rows)
    if failed:
        raise SourceError(f"{len(failed)} of {len(failed) + len(rows)} sources could not be read")
