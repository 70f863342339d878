"""Stories of single changes: what `gitopslab explain change` tells, in a page whose tables link to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gitopslab.metrics import change_story
from gitopslab.metrics.change_story import HEADINGS, Row, Story
from gitopslab.settings import Repository
from gitopslab.tables import Fold, Link, Seconds, Sentences, Table
from gitopslab.warehouse import Rows, Warehouse

if TYPE_CHECKING:
    import pandas as pd

MOST = 40
"""Changes whose stories a page tells, so that it stays small."""
_MOST_PLACES = 8
"""Services and environments that are told of one change."""
_SHORT = 12
"""Digits of a sha that are shown, and that its anchor has."""


@dataclass(frozen=True)
class ToldChange:
    """A change, and what became of it.

    Attributes:
        repository: Its source repository.
        sha: Its commit.
        subject: First line of the commit's message.
        stories: One a service and environment, in name order.
        address: Where the repository's web pages show the commit; empty where that is not configured.
    """

    repository: str
    sha: str
    subject: str
    stories: tuple[Story, ...]
    address: str

    @property
    def anchor(self) -> str:
        """What a link to it names."""
        return f"change-{self.sha[:_SHORT]}"

    def fold(self) -> Fold:
        """Return it as a page shows it."""
        shown = self.stories[:_MOST_PLACES]
        links = [Link(f"{self.repository} {self.sha}", self.address)] if self.address else []
        parts = [*links, *chain.from_iterable(_parts(story) for story in shown), self._rest(len(shown))]
        return Fold(f"{self.sha[:_SHORT]} {self.subject} ({self.repository})", tuple(parts), self.anchor)

    def findings(self) -> dict[str, Any]:
        """Return what a program is told: a sentence for each service and environment."""
        said = [str(story) for story in self.stories]
        about = {"repository": self.repository, "sha": self.sha, "subject": self.subject}
        return about | {"web_url": self.address or None, "stories": said}

    def _rest(self, shown_count: int) -> Sentences:
        rest = len(self.stories) - shown_count
        more = f"{rest:,} more services and environments are not shown. " if rest else ""
        return Sentences((f"{more}In every environment: gitopslab explain change {self.sha[:_SHORT]}",))


@dataclass(frozen=True)
class Stories:
    """The changes of a page whose stories are told; a notebook shows them folded.

    Attributes:
        changes: They, the newest first.
    """

    changes: tuple[ToldChange, ...]

    def link(self, sha: str) -> Link | str:
        """Return the short form of `sha`, as a link where its story is told."""
        anchor = self._anchors.get(sha)
        return Link(sha[:_SHORT], f"#{anchor}") if anchor else sha[:_SHORT]

    def linked(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """Return `frame`, whose `sha` is a change, with a `commit` that links to its story."""
        return frame.assign(commit=frame["sha"].map(self.link))

    def findings(self) -> list[dict[str, Any]]:
        """Return what a program is told."""
        return [change.findings() for change in self.changes]

    @cached_property
    def _anchors(self) -> dict[str, str]:
        return {change.sha: change.anchor for change in self.changes}

    def _repr_html_(self) -> str:
        return self._shown()._repr_html_()

    def __repr__(self) -> str:
        return repr(self._shown())

    def _shown(self) -> Fold | Sentences:
        if not self.changes:
            return Sentences(("There is no change to tell of.",))
        counted = f"{len(self.changes)} changes, newest first" if len(self.changes) > 1 else "1 change"
        return Fold(counted, tuple(change.fold() for change in self.changes))


def of_changes(warehouse: Warehouse, changes: Sequence[Row], as_of: datetime) -> tuple[Story, ...]:
    """Return the story of each row of `changes_in_window`, by service and environment."""
    shas = dict.fromkeys(change["sha"] for change in changes)
    links = (warehouse.run("change_links", sha=sha, environment="", as_of=as_of).dicts() for sha in shas)
    return change_story.stories(changes, chain.from_iterable(links))


def tell(
    warehouse: Warehouse,
    changes: Rows,
    *wanted: Iterable[str],
    as_of: datetime,
    environment: str = "",
    repositories: Sequence[Repository] = (),
) -> Stories:
    """Return the stories of the changes that a page names, 40 at most.

    Args:
        warehouse: Where their links are.
        changes: Rows of queries/marts/changes_in_window.sql.
        wanted: Commits of these rows, the most wanted first; each list gets its turn. An empty one is none.
        as_of: What was known then.
        environment: Only what became of them there; empty: everywhere.
        repositories: As they are configured; one with a `web_url` has its commits linked.
    """
    turns = chain.from_iterable(zip_longest(*wanted))
    shas = list(dict.fromkeys(sha for sha in turns if sha))[:MOST]
    of_sha: dict[tuple[str, str], list[Story]] = {}
    for story in of_changes(warehouse, _rows(changes, shas, environment), as_of):
        of_sha.setdefault((story.change["repository"], story.change["sha"]), []).append(story)
    web_urls = {repository.name: repository.web_url for repository in repositories}
    told = [_told(stories, web_urls) for stories in of_sha.values()]
    return Stories(tuple(sorted(told, key=_came_in, reverse=True)))


def _rows(changes: Rows, shas: Sequence[str], environment: str) -> list[Row]:
    import pyarrow as pa
    import pyarrow.compute as pc

    table = changes.arrow()
    is_wanted = pc.is_in(table["sha"], pa.array(shas, table.schema.field("sha").type))
    found: list[Row] = table.filter(is_wanted).to_pylist()
    return [row for row in found if environment in {"", row["environment"]}]


def _told(stories: Sequence[Story], web_urls: Mapping[str, str]) -> ToldChange:
    change = stories[0].change
    repository, sha = change["repository"], change["sha"]
    web_url = web_urls.get(repository, "")
    address = f"{web_url.rstrip('/')}/commit/{quote(sha, safe='')}" if web_url else ""
    return ToldChange(repository, sha, change["subject"], tuple(stories), address)


def _came_in(change: ToldChange) -> tuple[datetime, str, str]:
    return change.stories[0].change["committed_at"], change.sha, change.repository


def _parts(story: Story) -> Iterable[Sentences | Table]:
    yield Sentences((str(story),))
    yield Table(HEADINGS, tuple(step.cells(Seconds) for step in story.steps))
    if story.unknown:
        yield Sentences(story.unknown)
