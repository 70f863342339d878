"""From all changes down to those that are measured: what each number of a report leaves out, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitopslab.metrics.lead_time import environments

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Reason:
    """Why changes are not measured.

    Attributes:
        name: What stands in figures and tables.
        what: What is known of such changes, and what is done with them.
    """

    name: str
    what: str


REASONS = {
    "not_stitched": Reason("not stitched", "nothing links them to a build or a pin"),
    "first_seen": Reason(
        "first seen", "they were there, or under way, before anybody looked: times are bounds"
    ),
    "failed": Reason("build failed", "their build failed, and no later one holds them"),
    "reverted": Reason("reverted", "a later commit took them back before they were there"),
    "unobserved": Reason("not looked at", "they came in after the environment was last looked at"),
    "in_flight": Reason("on their way", "open: counted for as long as they have waited, not as arrived"),
    "untimed": Reason("clocks disagree", "they were healthy before they came in"),
}
MEASURED = "measured"


@dataclass(frozen=True)
class Step:
    """Changes to an environment that are left out for one reason.

    Attributes:
        environment: The environment.
        reason: A key of `REASONS`, or `measured` for what is left at last.
        change_count: How many they are.
        left_count: How many changes are left after them.
        of_count: How many there were at first.
        says: What is known of the newest of them; empty for what is measured.
        example_sha: The newest of them; empty for none.
    """

    environment: str
    reason: str
    change_count: int
    left_count: int
    of_count: int
    says: str = ""
    example_sha: str = ""

    @property
    def name(self) -> str:
        """What the step is called."""
        return MEASURED if self.reason == MEASURED else REASONS[self.reason].name

    @property
    def ratio(self) -> float:
        """Its share of all changes."""
        return self.change_count / self.of_count


def waterfall(changes: "pd.DataFrame") -> list[Step]:
    """Return, for each environment, the steps from all of its changes down to the measured ones.

    Reasons that hold for none are left out; the last step is what is measured.

    Args:
        changes: Rows of queries/marts/changes_in_window.sql.
    """
    return [step for environment, part in environments(changes) for step in _steps(environment, part)]


def sentence(steps: Sequence[Step], environment: str) -> str:
    """Return what is measured of an environment, and what most of the rest is."""
    own = [step for step in steps if step.environment == environment]
    *left_out, measured = own
    said = f"{environment}: {measured.ratio:.0%} of {measured.of_count:,} changes are measured"
    if not left_out:
        return f"{said}, none is left out."
    parts = [f"{step.change_count:,} {step.name}" for step in left_out]
    return f"{said}; {', '.join(parts)}."


def why(step: Step) -> str:
    """Return why the changes of `step` are not measured, and what is done with them."""
    return "" if step.reason == MEASURED else REASONS[step.reason].what


def measured(steps: Sequence[Step]) -> str:
    """Return what share of each environment's changes is measured, as one sentence."""
    shares = [
        f"{step.environment} {step.ratio:.0%} of {step.of_count:,}"
        for step in steps
        if step.reason == MEASURED
    ]
    return f"Measured, of the changes that came in: {', '.join(shares)}." if shares else "Nothing came in."


def _steps(environment: str, changes: "pd.DataFrame") -> list[Step]:
    reasons = changes["class"].mask(changes["class"].isin(("delivered", "rolled_back")), "untimed")
    reasons = reasons.mask(changes["lead_seconds"].notna(), MEASURED)
    steps, left = [], len(changes)
    for reason in REASONS:
        rows = changes[reasons.eq(reason)]
        if rows.empty:
            continue
        left -= len(rows)
        newest = _newest(rows)
        steps.append(
            Step(
                environment,
                reason,
                len(rows),
                left,
                len(changes),
                says=str(newest["class_reason"]),
                example_sha=str(newest["sha"]),
            )
        )
    example_sha = str(_newest(changes[reasons.eq(MEASURED)])["sha"]) if left else ""
    return [*steps, Step(environment, MEASURED, left, left, len(changes), example_sha=example_sha)]


def _newest(changes: "pd.DataFrame") -> "pd.Series[Any]":
    return changes.sort_values(["committed_at", "sha"], kind="stable").iloc[-1]
