"""`gitopslab explain`."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitopslab.cli import output
from gitopslab.errors import UsageError

if TYPE_CHECKING:
    from gitopslab.metrics.change_story import Story
    from gitopslab.warehouse import Warehouse

_FEWEST_DIGITS = 4
"""What git takes, too, as the beginning of a sha."""
_MOST = 10
"""Commits that a message lists."""

explain_app = typer.Typer(no_args_is_help=True, help="Follow a number to the rows that it rests on.")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(explain_app, name="explain")


@explain_app.callback()
def _commands() -> None:
    """Keep `change` a command of its own while it is the only one."""


@explain_app.command(
    epilog="Examples: `gitopslab explain change 4f2a9c1`,"
    " `gitopslab explain change 4f2a9c1 --environment dev --json | jq '.stories[].steps'`."
)
def change(
    sha: Annotated[str, typer.Argument(help="A commit, or how its sha begins.")],
    environment: Annotated[str, typer.Option(help="Only this environment.")] = "",
    as_of: Annotated[
        str, typer.Option(help="What was known then, UTC; empty: when the warehouse last saw anything.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print everything, for a program.")] = False,
) -> None:
    """Tell what became of one change: each step, when, by which rule, and where that can be looked up."""
    from gitopslab import settings, warehouse
    from gitopslab.reports import stories
    from gitopslab.reports.result import plain

    with warehouse.Warehouse(settings.load().warehouse.path) as opened:
        commit = _commit(opened, sha)
        until = opened.window("1s", as_of).until
        rows = _changes(opened, commit, environment, until)
        told = stories.of_changes(opened, rows, until)
    if as_json:
        typer.echo(output.as_json(plain({"commit": commit, "stories": [story.findings() for story in told]})))
        return
    typer.echo(output.plain(_headline(commit)))
    for story in told:
        _print(story)


def _commit(warehouse: "Warehouse", sha: str) -> dict[str, Any]:
    """Return the one landed commit that `sha` means.

    Raises:
        UsageError: It means none or several, or one that brought no change of a service.
    """
    start = sha.strip().lower()
    if len(start) < _FEWEST_DIGITS or set(start) - set("0123456789abcdef"):
        raise UsageError(f"{sha!r}: not a sha; give at least {_FEWEST_DIGITS} of its hexadecimal digits")
    found = warehouse.run("landed_commits", sha=start).dicts()
    if not found:
        raise UsageError(f"{start}: no landed commit begins so; {_landed(warehouse)}")
    relevant = [commit for commit in found if commit["change_count"]] or found
    if len(relevant) > 1:
        listed = "; ".join(_named(commit) for commit in relevant[:_MOST])
        raise UsageError(f"{start}: {len(relevant)} commits begin so, give more digits: {listed}")
    [commit] = relevant
    if not commit["change_count"]:
        raise UsageError(
            f"{_named(commit)}: it came in with no change of a service, so it has no story;"
            " services and their paths are in gitopslab.toml"
        )
    return commit


def _changes(
    warehouse: "Warehouse", commit: dict[str, Any], environment: str, as_of: datetime
) -> list[dict[str, Any]]:
    """Return the rows of the change that `commit` came in with, one a service and environment.

    Raises:
        UsageError: There is none in that environment, or it came in after `as_of`.
    """
    places = warehouse.sql(
        "SELECT DISTINCT changes.committed_at, passage.environment FROM changes"
        " LEFT JOIN change_environments AS passage USING (repository, sha, service)"
        " WHERE changes.repository = $repository AND changes.sha = $sha",
        {"repository": commit["repository"], "sha": commit["line_sha"]},
    ).dicts()
    since = places[0]["committed_at"]
    rows = warehouse.run(
        "changes_in_window",
        since=since,
        until=since + timedelta(microseconds=1),
        as_of=as_of,
        environment=environment,
    ).dicts()
    own = [
        row for row in rows if (row["repository"], row["sha"]) == (commit["repository"], commit["line_sha"])
    ]
    if not own:
        meant = ", ".join(sorted(place["environment"] for place in places if place["environment"]))
        raise UsageError(
            f"{_named(commit)}: no story in {environment or 'any environment'} as of {output.plain(as_of)};"
            f" it came in at {output.plain(since)} and is meant for {meant or 'no environment that is known'}"
        )
    return own


def _landed(warehouse: "Warehouse") -> str:
    rows = warehouse.sql(
        "SELECT repository, count(*) AS commit_count, max(committed_at) AS newest_at FROM git_commit"
        " GROUP BY repository ORDER BY repository"
    ).dicts()
    each = [
        f"{row['repository']} ({row['commit_count']:,} commits up to {output.plain(row['newest_at'])})"
        for row in rows
    ]
    return f"landed are {', '.join(each)}" if each else "no repository is landed, see `gitopslab extract git`"


def _named(commit: dict[str, Any]) -> str:
    return f"{commit['repository']} {commit['sha'][:_MOST]} {output.plain(commit['subject'])!r}"


def _headline(commit: dict[str, Any]) -> str:
    with_merge = (
        f", which came in with {commit['line_sha'][:_MOST]}" if commit["line_sha"] != commit["sha"] else ""
    )
    return f"{_named(commit)} by {commit['author_name']}{with_merge}"


def _print(story: "Story") -> None:
    from gitopslab.metrics.change_story import HEADINGS

    typer.echo(f"\n{output.plain(str(story))}")
    output.table(HEADINGS, [step.cells() for step in story.steps])
    for sentence in story.unknown:
        typer.echo(f"  {output.plain(sentence)}")
