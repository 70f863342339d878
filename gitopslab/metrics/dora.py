"""DORA's five keys of each environment, from what was deployed to it and what came of that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gitopslab.metrics.definitions import FAILED_DEPLOYMENT_RECOVERY_TIME
from gitopslab.metrics.durations import Bootstrap, DurationSummary
from gitopslab.metrics.lead_time import LeadTime, environments
from gitopslab.metrics.ratios import Rate, Share
from gitopslab.metrics.survival import summarize_with_open
from gitopslab.window import Window

if TYPE_CHECKING:
    import pandas as pd

EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""From when on rollouts are asked for: what the first of a window replaced may be of any age."""

_APPLICATION = ["cluster_uid", "uid"]
_FAILED_OPERATION = ("failed", "error")


@dataclass(frozen=True)
class Keys:
    """The five keys of one environment in a window.

    Attributes:
        environment: The environment.
        deployment_frequency: Syncs that brought other revisions to an Application.
        change_lead_time: From the main branch to healthy; None where no change is meant for it.
        change_fail_rate: Deployments that failed.
        recovery_time: How long failed ones stayed so; those that still do are counted as open.
        rework_rate: Deployments that followed a failed one, or went back.
        failed_operation_count: Sync operations that failed, and so deployed nothing.
        operation_count: Sync operations that ended.
        is_lower_bound: Whether failed operations may be missing, as not every version was watched.
    """

    environment: str
    deployment_frequency: Rate
    change_lead_time: DurationSummary | None
    change_fail_rate: Share
    recovery_time: DurationSummary
    rework_rate: Share
    failed_operation_count: int
    operation_count: int
    is_lower_bound: bool

    @property
    def operations(self) -> str:
        """How many syncs failed, in words."""
        at_least = "at least " if self.is_lower_bound else ""
        return f"{at_least}{self.failed_operation_count:,} of {self.operation_count:,}"

    def __str__(self) -> str:
        return (
            f"{self.environment}: deployed {self.deployment_frequency}; failed: {self.change_fail_rate};"
            f" rework: {self.rework_rate}."
        )


def keys(  # noqa: PLR0913 - what an environment's keys rest on, each by its name
    rollouts: "pd.DataFrame",
    operations: "pd.DataFrame",
    lead_times: Sequence[LeadTime],
    window: Window,
    bootstrap: Bootstrap,
    *,
    is_watched: bool,
) -> list[Keys]:
    """Return the five keys of each environment, in name order.

    Args:
        rollouts: Rows of queries/marts/rollouts_in_window.sql up to the window's end, older ones too: they
            tell what the first deployment of the window replaced.
        operations: Rows of queries/marts/sync_operations_in_window.sql.
        lead_times: What is known of the same environments' changes.
        window: The window.
        bootstrap: How intervals are made.
        is_watched: Whether every version of the Applications was watched, so that no failed sync is missing.
    """
    marked = with_rework(rollouts)
    of_window = marked[marked["synced_at"] >= window.since]
    durations = {each.environment: each.duration for each in lead_times}
    found = []
    for environment, deployed in environments(of_window):
        own = operations[operations["environment"].eq(environment) & ~operations["is_dry_run"].astype(bool)]
        failed = int(own["outcome"].isin(_FAILED_OPERATION).sum())
        found.append(
            Keys(
                environment=environment,
                deployment_frequency=Rate(len(deployed), window.days),
                change_lead_time=durations.get(environment),
                change_fail_rate=_share(deployed["is_failure"]),
                recovery_time=recovery_time(deployed, window, bootstrap),
                rework_rate=_share(deployed["is_rework"]),
                failed_operation_count=failed,
                operation_count=failed + int(own["outcome"].eq("succeeded").sum()),
                is_lower_bound=not is_watched,
            )
        )
    return found


def with_rework(rollouts: "pd.DataFrame") -> "pd.DataFrame":
    """Return `rollouts` with `is_rework`: the one before failed, or it went back; NA where nobody knows."""
    ordered = rollouts.sort_values([*_APPLICATION, "synced_at", "sync_id"], kind="stable")
    failed = ordered["is_failure"].astype("boolean")
    before = failed.groupby([ordered[column] for column in _APPLICATION]).shift()
    return ordered.assign(is_rework=before | ordered["is_rollback"].astype("boolean"))


def recovery_time(rollouts: "pd.DataFrame", window: Window, bootstrap: Bootstrap) -> DurationSummary:
    """Return how long failed rollouts stayed so; what is not restored by the window's end is open.

    Of those that never were Degraded, and count as failed since the next one went back, it is not known.
    """
    failed = rollouts[_is_so(rollouts["is_failure"])]
    lasts = failed["failed_at"].notna() & failed["restored_at"].isna()
    took = (failed["restored_at"] - failed["failed_at"]).dt.total_seconds()
    so_far = (window.until - failed["failed_at"]).dt.total_seconds()
    return summarize_with_open(
        took[~lasts].tolist(), so_far[lasts].tolist(), FAILED_DEPLOYMENT_RECOVERY_TIME, bootstrap
    )


def failed_deployments(rollouts: "pd.DataFrame", window: Window) -> "pd.DataFrame":
    """Return the rollouts of the window that failed, newest first, with `recovery_seconds` and `commit`."""
    failed = rollouts[_is_so(rollouts["is_failure"]) & (rollouts["synced_at"] >= window.since)]
    took = (failed["restored_at"] - failed["failed_at"]).dt.total_seconds()
    return failed.assign(recovery_seconds=took, commit=failed["source_sha"].str[:12]).sort_values(
        ["synced_at", "environment", "application"], ascending=[False, True, True], kind="stable"
    )


def troubled(operations: "pd.DataFrame") -> "pd.DataFrame":
    """Return the sync operations that failed or needed more than one attempt, newest first."""
    rows = operations[operations["outcome"].isin(_FAILED_OPERATION) | (operations["retry_count"] > 0)]
    return rows.sort_values(["started_at", "application"], ascending=[False, True], kind="stable")


def _share(told: "pd.Series[bool]") -> Share:
    yes, unknown = int(_is_so(told).sum()), int(told.isna().sum())
    return Share(yes, len(told) - yes - unknown, unknown)


def _is_so(told: "pd.Series[bool]") -> "pd.Series[bool]":
    return told.astype("boolean").fillna(value=False).astype(bool)
