"""What a plan predicts, as rows of the lake; and what came of predictions that are over."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gitopslab.metrics.scaling_law import Interval
from gitopslab.version import __version__

if TYPE_CHECKING:
    from gitopslab.capacity.expectation import Prediction
    from gitopslab.capacity.plan import Plan


@dataclass(frozen=True)
class Judged:
    """A prediction that is over.

    Attributes:
        concurrency: Sessions at once that it was for.
        predicted_at: When it was made.
        until: When it was over.
        throughput: Completed sessions an hour, as predicted; None where none was.
        resolved: Share of resolved among answered instances, as predicted.
        actual_hours: For how long about so many ran; None where nobody tried.
        actual_throughput: What came of it.
        actual_resolved: What came of it.
        is_throughput_inside: Whether it lies in the interval, give or take chance; None where not known, as
            of fewer than five sessions.
        is_resolved_inside: The same of the share.
    """

    concurrency: int
    predicted_at: datetime
    until: datetime
    throughput: Interval | None
    resolved: Interval | None
    actual_hours: float | None
    actual_throughput: float | None
    actual_resolved: float | None
    is_throughput_inside: bool | None
    is_resolved_inside: bool | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Judged":
        """Return a row of `prediction_outcomes_as_of`."""
        return cls(
            row["concurrency"],
            row["predicted_at"],
            row["until"],
            _interval(row, "throughput"),
            _interval(row, "resolved_ratio"),
            row["actual_hours"],
            row["actual_throughput"],
            row["actual_resolved_ratio"],
            row["is_throughput_inside"],
            row["is_resolved_ratio_inside"],
        )

    def __str__(self) -> str:
        said = f"For {self.concurrency:,} at once, of {self.predicted_at:%Y-%m-%d}"
        if self.actual_hours is None:
            return f"{said}: nobody ran so many until {self.until:%Y-%m-%d}."
        parts = (
            ("an hour", self.throughput, self.actual_throughput, "{:.3g}", self.is_throughput_inside),
            ("resolved", self.resolved, self.actual_resolved, "{:.0%}", self.is_resolved_inside),
        )
        judged = [
            f"{form.format(actual)} {what} where {form.format(interval.estimate)} was predicted,"
            f" {_place(interval, actual, is_inside=is_inside)}"
            for what, interval, actual, form, is_inside in parts
            if interval is not None and actual is not None
        ]
        found = "; ".join(judged) or "nothing that was predicted can be judged"
        return f"{said}: {found} ({self.actual_hours:.3g} h)."


def rows(plan: "Plan", logged_at: datetime, *, days: int = 28) -> list[dict[str, Any]]:
    """Return what a plan says of its number and of what it recommends, as rows of the lake.

    Args:
        plan: The plan.
        logged_at: Now, by the clock.
        days: For how long a prediction holds.
    """
    decision = plan.decision
    shared = {
        "cluster": plan.evidence.question.cluster,
        "model": plan.evidence.question.model,
        "predicted_at": plan.evidence.as_of,
        "until": plan.evidence.as_of + timedelta(days=days),
        "logged_at": logged_at,
        "action": decision.action.value,
        "current_concurrency": decision.current,
        "recommended_concurrency": decision.to,
        "is_supported": decision.is_supported,
        "gitopslab_version": __version__,
    }
    if plan.limits:
        shared["binding"] = min(plan.limits, key=lambda limit: limit.value).name
    return [shared | _predicted(each) for each in plan.predictions]


def _predicted(prediction: "Prediction") -> dict[str, Any]:
    waits = prediction.wait_seconds
    return {
        "concurrency": prediction.concurrency,
        **_ends("throughput", prediction.throughput),
        **_ends("resolved_ratio", prediction.resolved),
        "wait_p50_seconds": waits.get(0.5),
        "wait_p90_seconds": waits.get(0.9),
        "wait_p99_seconds": waits.get(0.99),
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    estimate, low, high = (interval.estimate, interval.low, interval.high) if interval else (None, None, None)
    return {name: estimate, f"{name}_low": low, f"{name}_high": high}


def _interval(row: Mapping[str, Any], name: str) -> Interval | None:
    if row[name] is None:
        return None
    return Interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _place(interval: Interval, actual: float, *, is_inside: bool | None) -> str:
    if is_inside:
        return "inside its interval"
    if is_inside is None:
        return "without an interval" if interval.low is None else "from too few sessions to judge"
    return "below its interval" if actual < interval.estimate else "above its interval"
