"""What came of an instance: its model failed, or the infrastructure did, or nobody can tell.

A database that says 0 with an error beside it did not measure 0. So an instance counts as unresolved only
where tests ran on what the model left, and nothing else is known to have gone wrong.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class Outcome(StrEnum):
    """What came of an instance of a benchmark run."""

    RESOLVED = "resolved"
    UNRESOLVED = "unresolved"
    INFRASTRUCTURE = "infrastructure"
    TIMEOUT = "timeout"
    STALLED = "stalled"
    AMBIGUOUS = "ambiguous"
    OPEN = "open"
    CANCELLED = "cancelled"


_STALLS = r"^no_session_progress$"
_INFRASTRUCTURE = (
    r"^(?:session_host_\w+|workspace_profile_timeout|workflow_start_failed|workflow_start_pending_timeout)$"
)
_TESTED = ("unresolved", "empty_patch")
# The application lands both as unresolved; the first is the model's, the second the evaluator's.
_HARNESS_FAILURES = ("eval_failed",)


def instance_outcomes(instances: "pd.DataFrame") -> "pd.Series":
    """Return the `Outcome` of each instance; what no rule knows is ambiguous.

    An instance whose session failed has an empty patch and is unresolved, as the database says it: here it is
    what failed. A session that stalled and was tried again with success is not stalled.

    Args:
        instances: Rows of queries/facts/benchmark_run_instances.sql.
    """
    import numpy as np
    import pandas as pd

    def text(column: str) -> pd.Series:
        return instances[column].astype("object").where(instances[column].notna(), "").astype(str)

    status, inference, evaluation = (text(f"{part}status") for part in ("", "inference_", "evaluation_"))
    reason = text("termination_reason")
    is_inferred = inference.eq("inferred")
    has_error = text("evaluation_error").ne("") | text("harness_status").isin(_HARNESS_FAILURES)
    rules = (
        (status.eq("cancelled") | inference.eq("cancelled") | evaluation.eq("cancelled"), Outcome.CANCELLED),
        (~is_inferred & reason.str.contains(_STALLS), Outcome.STALLED),
        (inference.eq("timeout") | status.eq("timeout") | evaluation.eq("timeout"), Outcome.TIMEOUT),
        (~is_inferred & reason.str.contains(_INFRASTRUCTURE), Outcome.INFRASTRUCTURE),
        (inference.eq("error"), Outcome.AMBIGUOUS),
        (instances["is_active"].fillna(value=False).astype(bool), Outcome.OPEN),
        (is_inferred & evaluation.eq("resolved") & ~has_error, Outcome.RESOLVED),
        (is_inferred & evaluation.isin(_TESTED) & ~has_error, Outcome.UNRESOLVED),
    )
    conditions = [rule.to_numpy(dtype=bool) for rule, _ in rules]
    chosen = np.select(conditions, [outcome.value for _, outcome in rules], Outcome.AMBIGUOUS.value)
    return pd.Series(chosen, index=instances.index, name="outcome", dtype="object")
