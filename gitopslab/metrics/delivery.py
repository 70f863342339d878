"""What was delivered to an environment in a window, and how long each step that can be seen took."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

from gitopslab.errors import UsageError
from gitopslab.metrics.definitions import COMMIT_TO_PROMOTED, PULL_REQUEST_DURATION, SYNC_DURATION, Definition
from gitopslab.metrics.durations import DurationSummary, human, summarize
from gitopslab.window import Window

if TYPE_CHECKING:
    import pandas as pd


_FAILED = ("failed", "error")


@dataclass(frozen=True)
class Deployments:
    """What the syncs of a window did.

    Attributes:
        sync_count: Complete syncs that succeeded.
        deployment_count: Of them, those that brought other revisions than the sync before.
        repeat_count: Of them, those that brought the same revisions again.
        unknown_count: Of them, those whose predecessor nobody knows.
        rollback_count: Of the deployments, those that brought back older revisions.
        days: Length of the window.
    """

    sync_count: int
    deployment_count: int
    repeat_count: int
    unknown_count: int
    rollback_count: int
    days: float

    def __str__(self) -> str:
        if not self.sync_count:
            return f"No sync succeeded in {self.days:.4g} days."
        rate = self.deployment_count / self.days
        parts = [
            f"{_count(self.deployment_count, 'deployment')} in {self.days:.4g} days: {rate:.2g} a day",
            f"{_count(self.repeat_count, 'sync')} brought the same revisions again"
            if self.repeat_count
            else "",
            f"{_count(self.rollback_count, 'deployment')} went back to older revisions"
            if self.rollback_count
            else "",
            f"of {_count(self.unknown_count, 'sync')} nobody knows what ran before"
            if self.unknown_count
            else "",
        ]
        return "; ".join(part for part in parts if part) + "."


@dataclass(frozen=True)
class Operations:
    """How the sync operations that began in a window ended.

    Attributes:
        succeeded_count: Operations whose last phase seen is Succeeded.
        failed_count: Operations whose last phase seen is Failed or Error.
        running_count: Operations that were not seen in their end.
        retried_count: Operations that needed more than one attempt, whatever came of them.
        is_lower_bound: Whether failures may be missing, as not every version was watched.
    """

    succeeded_count: int
    failed_count: int
    running_count: int
    retried_count: int
    is_lower_bound: bool

    def __str__(self) -> str:
        ended = self.succeeded_count + self.failed_count
        if not ended + self.running_count:
            return "No sync operation was seen."
        at_least = "at least " if self.is_lower_bound else ""
        running = f"; {self.running_count:,} were not seen in their end" if self.running_count else ""
        return (
            f"{at_least}{self.failed_count:,} of {_count(ended, 'sync operation')} failed"
            f" and {at_least}{self.retried_count:,} needed more than one attempt{running}."
        ).capitalize()


@dataclass(frozen=True)
class Delivery:
    """What was delivered in a window, step by step.

    Attributes:
        environment: The environment.
        window: The time that was looked at.
        deployments: What the syncs did.
        operations: How the sync operations ended.
        sync_duration: How long syncs took.
        pull_request_duration: How long promotions waited in their pull request.
        commit_to_promoted: From the dry commit to its merge into the environment's branch.
        manual_promotion_count: Promotions without a pull request of the promoter's.
    """

    environment: str
    window: Window
    deployments: Deployments
    operations: Operations
    sync_duration: DurationSummary
    pull_request_duration: DurationSummary
    commit_to_promoted: DurationSummary
    manual_promotion_count: int

    def __str__(self) -> str:
        promoted = self.commit_to_promoted
        parts = [str(self.deployments).rstrip(".")]
        if promoted.n:
            half = human(promoted.quantiles[0.5].seconds)
            parts.append(
                f"half of {_count(promoted.n, 'promotion')} merged within {half} of their dry commit"
            )
        if self.sync_duration.n:
            parts.append(f"half of the syncs took at most {human(self.sync_duration.quantiles[0.5].seconds)}")
        return f"{self.environment}: {'; '.join(parts)}."


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: the seed that makes them the same again, and how many resamples."""

    seed: int
    samples: int = 2_000


class WindowRows(NamedTuple):
    """What the marts of a window returned, one frame each.

    Attributes:
        syncs: Rows of queries/marts/syncs_in_window.sql.
        operations: Rows of queries/marts/sync_operations_in_window.sql.
        promotions: Rows of queries/marts/promotions_in_window.sql.
    """

    syncs: "pd.DataFrame"
    operations: "pd.DataFrame"
    promotions: "pd.DataFrame"

    def of(self, environment: str) -> Self:
        """Return the rows of one environment."""
        return type(self)(*(frame[frame["environment"] == environment] for frame in self))


def by_environment(
    rows: WindowRows, window: Window, bootstrap: Bootstrap, *, is_watched: bool
) -> list[Delivery]:
    """Return what was delivered to each environment, in name order; durations of two are never pooled.

    Args:
        rows: What happened in the window.
        window: The window they were asked for.
        bootstrap: How intervals are made.
        is_watched: Whether every version of the Applications was watched, so that no failure is missing.
    """
    names = sorted({str(name) for frame in rows for name in frame["environment"].unique()})
    return [_delivery(name, rows.of(name), window, bootstrap, is_watched=is_watched) for name in names]


def known_environment(environment: str, names: Sequence[str]) -> None:
    """Return if `environment` is one of `names`, or empty, which means all of them.

    Raises:
        UsageError: It is not, so that every number about it would be a zero that means nothing.
    """
    if environment and environment not in names:
        raise UsageError(f"no environment {environment!r}; there are: {', '.join(sorted(names)) or 'none'}")


def troubled(operations: "pd.DataFrame") -> "pd.DataFrame":
    """Return the rows of sync operations that failed or needed more than one attempt."""
    return operations[operations["outcome"].isin(_FAILED) | (operations["retry_count"] > 0)]


def sentences(deliveries: Sequence[Delivery], part: str = "") -> str:
    """Return what there is to say of each environment as Markdown, one of `part`'s sentences a line."""
    if not deliveries:
        return "Nothing was delivered."
    if not part:
        return "\n".join(f"- {_plain(str(delivery))}" for delivery in deliveries)
    said = [(delivery.environment, str(getattr(delivery, part))) for delivery in deliveries]
    return "\n".join(f"- {_plain(f'{environment}: {sentence}')}" for environment, sentence in said)


def headline(deliveries: Sequence[Delivery], window: Window) -> str:
    """Return the one sentence to remember: the environment's own, or the sum of several."""
    if len(deliveries) == 1:
        return str(deliveries[0])
    if not deliveries:
        return f"Nothing was delivered in {window.days:.4g} days."
    count = sum(delivery.deployments.deployment_count for delivery in deliveries)
    promoted = sum(
        delivery.commit_to_promoted.n + delivery.commit_to_promoted.unknown_count for delivery in deliveries
    )
    failed = sum(delivery.operations.failed_count for delivery in deliveries)
    return (
        f"{_count(count, 'deployment')} to {len(deliveries)} environments in {window.days:.4g} days,"
        f" {_count(promoted, 'promotion')} merged, {_count(failed, 'sync operation')} failed."
    )


def _delivery(
    environment: str, rows: WindowRows, window: Window, bootstrap: Bootstrap, *, is_watched: bool
) -> Delivery:
    syncs, operations, promotions = rows
    known = syncs["is_deployment"].notna()
    deployed = syncs["is_deployment"].fillna(value=False).astype(bool)
    counted = operations[~operations["is_dry_run"].astype(bool)]

    def summary(rows: "pd.DataFrame", column: str, definition: Definition) -> DurationSummary:
        return summarize(rows[column].tolist(), definition, seed=bootstrap.seed, samples=bootstrap.samples)

    return Delivery(
        environment=environment,
        window=window,
        deployments=Deployments(
            sync_count=len(syncs),
            deployment_count=int(deployed.sum()),
            repeat_count=int((known & ~deployed).sum()),
            unknown_count=int((~known).sum()),
            rollback_count=int(syncs["is_rollback"].astype(bool).sum()),
            days=window.days,
        ),
        operations=Operations(
            succeeded_count=int((counted["outcome"] == "succeeded").sum()),
            failed_count=int(counted["outcome"].isin(_FAILED).sum()),
            running_count=int((counted["outcome"] == "running").sum()),
            retried_count=int((counted["retry_count"] > 0).sum()),
            is_lower_bound=not is_watched,
        ),
        sync_duration=summary(syncs, "sync_seconds", SYNC_DURATION),
        pull_request_duration=summary(promotions, "pull_request_seconds", PULL_REQUEST_DURATION),
        commit_to_promoted=summary(promotions, "dry_to_merge_seconds", COMMIT_TO_PROMOTED),
        manual_promotion_count=int(promotions["is_manual"].fillna(value=False).astype(bool).sum()),
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _plain(text: str) -> str:
    """Return text from outside as Markdown that says just that."""
    return re.sub(r"([\\`*_{}\[\]<>#|!~])", r"\\\1", text)
