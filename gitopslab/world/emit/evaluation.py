"""What the SWE-bench harness finds out about one prediction, and its report of it."""

from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal[
    "graded", "ungradeable", "patch_apply_failed", "test_timeout", "container_error", "interrupted", "no_log"
]

ENVIRONMENT_REASONS = frozenset(
    {
        "browser_launch_failed",
        "display_unavailable",
        "out_of_memory",
        "container_unavailable",
        "network_unreachable",
    }
)
"""Reasons of a failure that 5.0 takes for the infrastructure's; its others are ambiguous."""

LABELS_SINCE = 5
"""Major version that began to say which failures may be the infrastructure's."""


@dataclass(frozen=True)
class HarnessTests:
    """Names of the tests, by what they should do and what they did."""

    fail_to_pass_passed: tuple[str, ...] = ()
    fail_to_pass_failed: tuple[str, ...] = ()
    pass_to_pass_passed: tuple[str, ...] = ()
    pass_to_pass_failed: tuple[str, ...] = ()

    @property
    def is_resolved(self) -> bool:
        """Whether every test did what it should."""
        return not (self.fail_to_pass_failed or self.pass_to_pass_failed)

    @property
    def document(self) -> dict[str, dict[str, list[str]]]:
        """The `tests_status` of a report; its last two groups are always empty."""
        return {
            "FAIL_TO_PASS": _group(self.fail_to_pass_passed, self.fail_to_pass_failed),
            "PASS_TO_PASS": _group(self.pass_to_pass_passed, self.pass_to_pass_failed),
            "FAIL_TO_FAIL": _group((), ()),
            "PASS_TO_FAIL": _group((), ()),
        }


@dataclass(frozen=True)
class Evaluation:
    """One prediction, evaluated.

    Attributes:
        instance_id: Such as django__django-11206.
        patch: The model's patch; empty: it is never run, whatever the outcome says.
        started_at: When its container is asked for, seconds since the epoch.
        test_seconds: How long the tests ran; with a time-out, the limit.
        outcome: How it ended. `interrupted` has a log that just ends; `no_log` nothing at all.
        tests: What the tests did; only of `graded`.
        base_commit: What the patch applies to.
        failure_reason: What 5.0 found in the log of an instance that did not resolve; empty: nothing.
        error: What the container runtime said; only of `container_error`.
    """

    instance_id: str
    patch: str
    started_at: float
    test_seconds: float
    outcome: Outcome = "graded"
    tests: HarnessTests = HarnessTests()
    base_commit: str = ""
    failure_reason: str = ""
    error: str = ""

    @property
    def is_resolved(self) -> bool:
        """Whether the harness counts it as resolved."""
        return bool(self.patch) and self.outcome == "graded" and self.tests.is_resolved


def instance_report(evaluation: Evaluation, *, major: Literal[4, 5] = 4) -> dict[str, Any]:
    """Return the `report.json` of an instance whose tests ran to an end."""
    is_graded = evaluation.outcome == "graded"
    report: dict[str, Any] = {
        "patch_is_None": False,
        "patch_exists": True,
        "patch_successfully_applied": is_graded,
        "resolved": evaluation.is_resolved,
    }
    if major >= LABELS_SINCE:
        report["infra_failure"] = evaluation.failure_reason in ENVIRONMENT_REASONS
        if evaluation.failure_reason:
            report["infra_failure_reason"] = evaluation.failure_reason
    if is_graded:
        report["tests_status"] = evaluation.tests.document
    return {evaluation.instance_id: report}


def _group(passed: tuple[str, ...], failed: tuple[str, ...]) -> dict[str, list[str]]:
    return {"success": list(passed), "failure": list(failed)}
