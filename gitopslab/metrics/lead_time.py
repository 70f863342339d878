"""How long changes take until they are live and healthy, by environment; environments are never pooled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitopslab.errors import UsageError
from gitopslab.metrics import definitions, stages
from gitopslab.metrics.definitions import CHANGE_LEAD_TIME, Definition
from gitopslab.metrics.durations import Bootstrap, DurationSummary, human, summarize
from gitopslab.metrics.stages import StageDuration, StageMeans, Working
from gitopslab.metrics.survival import Survival, summarize_with_open, survive
from gitopslab.window import Window

if TYPE_CHECKING:
    import pandas as pd

IN_FLIGHT = "in_flight"

# Where a definition's clock starts and stops, as columns of queries/marts/changes_in_window.sql.
_CLOCKS: tuple[tuple[Definition, str, str], ...] = (
    (CHANGE_LEAD_TIME, "committed_at", "healthy_at"),
    (definitions.AUTHORING_LEAD_TIME, "authored_at", "healthy_at"),
    (definitions.MERGE_TO_DEPLOY, "committed_at", "synced_at"),
    (definitions.PIN_TO_LIVE, "pinned_at", "live_at"),
    (definitions.APPLICATION_LEAD_TIME, "pinned_at", "built_at"),
)


@dataclass(frozen=True)
class LeadTime:
    """How long changes of a window took to one environment.

    Attributes:
        environment: The environment.
        change_count: Changes of the window that are meant for it.
        duration: The change lead time, with open changes counted for as long as they have lasted.
        delivered: The same of those that arrived alone, which is too quick while others are open.
        stages: Where the time went, in the typical change and in the slowest tenth.
        stage_durations: How long each stage took, each with its own quantiles, which do not sum up.
        working: How much of it something worked on them.
        bounded_count: Delivered changes of which it is only known between which times they were healthy.
        superseded_count: Delivered changes that arrived as part of a later one only.
        uncertain_count: Delivered changes that are linked by a rule that is not certain.
    """

    environment: str
    change_count: int
    duration: DurationSummary
    delivered: DurationSummary
    stages: tuple[StageMeans, ...]
    stage_durations: tuple[StageDuration, ...]
    working: Working
    bounded_count: int
    superseded_count: int
    uncertain_count: int

    def __str__(self) -> str:
        return f"{self.environment}: {self._arrived()}{self._where()}."

    @property
    def clause(self) -> str:
        """The shortest honest thing to say, as part of a sentence about several environments."""
        half = self.duration.quantile(0.5)
        counted = f"{self.duration.n + self.duration.open_count:,}"
        if half:
            return f"{human(half.seconds)} in {self.environment} (of {counted})"
        opened = f"{self.duration.open_count:,} of {counted} still open" if self.duration.open_count else ""
        return f"{self.environment} ({opened or f'{counted} delivered'})"

    @property
    def caveat(self) -> str:
        """What to keep in mind of the delivered changes."""
        parts = [
            f"{count:,} {what}"
            for count, what in (
                (self.superseded_count, "arrived as part of a later one"),
                (self.bounded_count, "became healthy between two looks, at a time known by its bounds"),
                (self.uncertain_count, "came by a link that is not certain"),
            )
            if count
        ]
        found = "; ".join(parts) or "each arrived by itself, at a known time, by links that are certain"
        return f"{self.environment}: of {_count(self.delivered.n, 'delivered change')}, {found}."

    def _arrived(self) -> str:
        duration = self.duration
        if not duration.n and not duration.open_count:
            return f"none of {_count(self.change_count, 'change')} was measured"
        started = _count(duration.n + duration.open_count, "change")
        opened = f"{duration.open_count:,} of {started} are still open; " if duration.open_count else ""
        half, most = duration.quantile(0.5), duration.quantile(0.9)
        if half:
            count = "with them counted, half" if opened else f"half of {_count(duration.n, 'change')}"
            nine = f", nine in ten within {human(most.seconds)}" if most else ""
            interval = f" (95% interval {half.interval})" if half.interval else ""
            return f"{opened}{count} were live and healthy within {human(half.seconds)}{interval}{nine}"
        if duration.n and duration.few:
            return f"{opened}{_count(duration.n, 'change')} arrived, too few for an estimate"
        naive = self.delivered.quantile(0.5)
        arrived = f" (of the {duration.n:,} that arrived, half took {human(naive.seconds)})" if naive else ""
        return f"{opened}too many to say how long half of them take{arrived}"

    def _where(self) -> str:
        if not self.stages:
            return ""
        stage, share = self.stages[0].longest
        return f"; {share:.0%} of a typical one's time goes by {stage.doing}"


@dataclass(frozen=True)
class Split:
    """The change lead time of one kind of changes to an environment.

    Attributes:
        environment: The environment.
        by: What they are split by.
        value: Which of them these are.
        duration: Their change lead time, with open changes counted.
    """

    environment: str
    by: str
    value: str
    duration: DurationSummary


def known_environment(environment: str, names: Sequence[str]) -> None:
    """Return if `environment` is one of `names`, or empty, which means all of them.

    Raises:
        UsageError: It is not, so that every number about it would be a zero that means nothing.
    """
    if environment and environment not in names:
        raise UsageError(f"no environment {environment!r}; there are: {', '.join(sorted(names)) or 'none'}")


def environments(rows: "pd.DataFrame") -> "list[tuple[str, pd.DataFrame]]":
    """Return the rows of each environment, in name order."""
    return [(str(name), part) for name, part in rows.groupby("environment", sort=True)]


def by_environment(changes: "pd.DataFrame", bootstrap: Bootstrap) -> list[LeadTime]:
    """Return how long changes took to each environment, in name order.

    Args:
        changes: Rows of queries/marts/changes_in_window.sql.
        bootstrap: How intervals are made.
    """
    return [_lead_time(name, part, bootstrap) for name, part in environments(changes)]


def duration(changes: "pd.DataFrame", bootstrap: Bootstrap) -> DurationSummary:
    """Return the change lead time of `changes`, with open ones counted for as long as they have lasted."""
    is_open = changes["class"].eq(IN_FLIGHT)
    return summarize_with_open(
        changes["lead_seconds"].dropna().tolist(),
        changes.loc[is_open, "open_seconds"].tolist(),
        CHANGE_LEAD_TIME,
        bootstrap,
    )


def splits(changes: "pd.DataFrame", by: str, bootstrap: Bootstrap) -> list[Split]:
    """Return the change lead time by environment and value of the column `by`, most changes first.

    Values that have neither a delivered nor an open change are left out.
    """
    found = []
    for environment, part in environments(changes):
        groups = [
            Split(environment, by, str(value), duration(rows, bootstrap))
            for value, rows in part.groupby(by, sort=True)
        ]
        sized = [split for split in groups if split.duration.n + split.duration.open_count]
        found += sorted(sized, key=lambda split: -(split.duration.n + split.duration.open_count))
    return found


def compared(
    changes: "pd.DataFrame", releases: "pd.DataFrame", bootstrap: Bootstrap
) -> list[tuple[str, DurationSummary]]:
    """Return every definition's duration of the same delivered changes, by environment.

    A duration below zero is not known, as the clock of that definition stopped before it started.

    Args:
        changes: Rows of queries/marts/changes_in_window.sql.
        releases: Rows of queries/marts/promoter_releases_in_window.sql; one of them holds several changes.
        bootstrap: How intervals are made.
    """
    found = [
        (environment, _by_clock(part[part["lead_seconds"].notna()], clock, bootstrap))
        for environment, part in environments(changes)
        for clock in _CLOCKS
    ]
    found += [(environment, _of_releases(part, bootstrap)) for environment, part in environments(releases)]
    return sorted(found, key=lambda each: each[0])


def curves(changes: "pd.DataFrame") -> list[tuple[str, Survival]]:
    """Return, by environment, how much of the changes is not live and healthy yet after how long."""
    found = []
    for environment, part in environments(changes):
        known = part.loc[part["lead_seconds"].notna(), "lead_seconds"]
        waiting = part.loc[part["class"].eq(IN_FLIGHT), "open_seconds"]
        if len(known):
            found.append((environment, survive(known, waiting, CHANGE_LEAD_TIME)))
    return found


def slowest(changes: "pd.DataFrame", most: int = 3) -> "pd.DataFrame":
    """Return the `most` slowest delivered changes of each environment, each with its `story` and `commit`."""
    timed = changes[changes["lead_seconds"].notna()].sort_values(
        ["lead_seconds", "sha"], ascending=[False, True], kind="stable"
    )
    ordered = timed.groupby("environment", sort=True).head(most).sort_values("environment", kind="stable")
    told = [stages.story(row) for row in ordered[stages.COLUMNS].to_dict("records")]
    return ordered.assign(story=told, commit=ordered["sha"].str[:12])


def headline(found: Sequence[LeadTime], window: Window) -> str:
    """Return the one sentence to remember: the environment's own, or one that names each."""
    if not found:
        return f"No change came in within {human(86_400 * window.days)}."
    if len(found) == 1:
        return str(found[0])
    known = ", ".join(each.clause for each in found if each.duration.quantile(0.5))
    unknown = ", ".join(each.clause for each in found if not each.duration.quantile(0.5))
    said = [f"Half of the changes are live and healthy within {known}" if known else ""]
    said.append(f"{'not' if known else 'Not'} yet known for {unknown}" if unknown else "")
    return f"{'; '.join(part for part in said if part)}."


def _lead_time(environment: str, changes: "pd.DataFrame", bootstrap: Bootstrap) -> LeadTime:
    timed = changes[changes["lead_seconds"].notna()]
    return LeadTime(
        environment=environment,
        change_count=len(changes),
        duration=duration(changes, bootstrap),
        delivered=duration(timed, bootstrap),
        stages=tuple(stages.stage_means(changes, environment)),
        stage_durations=tuple(stages.stage_durations(changes, environment, bootstrap)),
        working=stages.working(changes, environment),
        bounded_count=int((timed["lead_earliest_seconds"] < timed["lead_seconds"]).sum()),
        superseded_count=int(changes["is_superseded"].sum()),
        uncertain_count=int((timed["confidence"] < 1).sum()),
    )


def _by_clock(
    changes: "pd.DataFrame", clock: tuple[Definition, str, str], bootstrap: Bootstrap
) -> DurationSummary:
    definition, start, end = clock
    seconds = (changes[end] - changes[start]).dt.total_seconds()
    known = seconds.where(seconds >= 0)
    return summarize(known.tolist(), definition, seed=bootstrap.seed, samples=bootstrap.samples)


def _of_releases(releases: "pd.DataFrame", bootstrap: Bootstrap) -> DurationSummary:
    is_open = releases["open_seconds"].notna()
    return summarize_with_open(
        releases.loc[~is_open, "lead_seconds"].tolist(),
        releases.loc[is_open, "open_seconds"].tolist(),
        definitions.PROMOTER_RELEASE_LEAD_TIME,
        bootstrap,
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
