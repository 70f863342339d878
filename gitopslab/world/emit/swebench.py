"""What the SWE-bench harness leaves of a run: a log tree with five files an instance, and the final report.

Source: SWE-bench `swebench/harness` 4.1 and 5.0 (run_evaluation.py, reporting.py). Files appear in the
order log, patch.diff, eval.sh, test_output.txt, report.json; a failure shows by those that are missing.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from gitopslab.world.clock import stamp
from gitopslab.world.emit.evaluation import (
    ENVIRONMENT_REASONS,
    LABELS_SINCE,
    Evaluation,
    HarnessTests,
    Outcome,
    instance_report,
)
from gitopslab.world.emit.harness_log import run_instance_log

_ERRORS: frozenset[Outcome] = frozenset(
    {"patch_apply_failed", "test_timeout", "container_error", "interrupted", "no_log"}
)
_HAS_NO_PATCH_FILE = frozenset({"container_error", "no_log"})
_RAN_TESTS = frozenset({"graded", "ungradeable", "test_timeout"})


class _Verdict(NamedTuple):
    is_empty: bool
    is_error: bool
    is_resolved: bool
    failure_reason: str


class HarnessRun:
    """Writes the evaluation of one run; use it as a context manager, or call `close`.

    Args:
        folder: Root, below which logs/run_evaluation/<run_id>/<model>/ is made.
        run_id: Id of the run.
        model: The predictions' model_name_or_path.
        instance_ids: The data set, after its filter.
        major: The harness's major version, 4 or 5.
    """

    def __init__(
        self, folder: Path, run_id: str, model: str, instance_ids: Sequence[str], *, major: Literal[4, 5] = 4
    ) -> None:
        self._folder, self._run_id, self._model, self._major = folder, run_id, model, major
        self._instance_ids = instance_ids
        self._verdicts: dict[str, _Verdict] = {}
        self._started_at = float("inf")
        self.tree = folder / "logs" / "run_evaluation" / run_id / model.replace("/", "__")
        self.tree.mkdir(parents=True)

    def add(self, evaluation: Evaluation) -> None:
        """Write the folder of an instance; an empty patch has none."""
        self._started_at = min(self._started_at, evaluation.started_at)
        self._verdicts[evaluation.instance_id] = _Verdict(
            is_empty=not evaluation.patch,
            is_error=evaluation.outcome in _ERRORS,
            is_resolved=evaluation.is_resolved,
            failure_reason=evaluation.failure_reason,
        )
        if evaluation.patch and evaluation.outcome != "no_log":
            self._write_instance(evaluation)

    def close(self) -> None:
        """Write the final report, and what the version has beside it."""
        if self._major >= LABELS_SINCE and self._verdicts:
            _write_json(self.tree.parent / "run.json", _run_document(self._started_at))
        report = self._folder / f"{self._model.replace('/', '__')}.{self._run_id}.json"
        _write_json(report, self._report())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def _write_instance(self, evaluation: Evaluation) -> None:
        folder = self.tree / evaluation.instance_id
        folder.mkdir()
        report = instance_report(evaluation, major=self._major)
        where = f"{self.tree.relative_to(self._folder).as_posix()}/{evaluation.instance_id}"
        log = run_instance_log(evaluation, report, where=where, run_id=self._run_id, major=self._major)
        (folder / "run_instance.log").write_text(log, encoding="utf-8")
        if evaluation.outcome in _HAS_NO_PATCH_FILE:
            return
        (folder / "patch.diff").write_text(evaluation.patch, encoding="utf-8")
        if evaluation.outcome == "patch_apply_failed":
            return
        (folder / "eval.sh").write_text(_eval_script(evaluation), encoding="utf-8")
        if evaluation.outcome in _RAN_TESTS:
            (folder / "test_output.txt").write_text(_test_output(evaluation), encoding="utf-8")
        if evaluation.outcome not in _ERRORS:
            _write_json(folder / "report.json", report)

    def _report(self) -> dict[str, Any]:
        ids = {
            "completed": self._ids(lambda verdict: not (verdict.is_empty or verdict.is_error)),
            "incomplete": sorted(set(self._instance_ids) - self._verdicts.keys()),
            "empty_patch": self._ids(lambda verdict: verdict.is_empty),
            "submitted": self._ids(lambda _: True),
            "resolved": self._ids(lambda verdict: verdict.is_resolved),
            "unresolved": self._ids(
                lambda verdict: not (verdict.is_empty or verdict.is_error or verdict.is_resolved)
            ),
            "error": self._ids(lambda verdict: verdict.is_error and not verdict.is_empty),
        }
        counted = ("submitted", "completed", "resolved", "unresolved", "empty_patch", "error")
        report: dict[str, Any] = {"total_instances": len(self._instance_ids)}
        report |= {f"{name}_instances": len(ids[name]) for name in counted}
        report |= {f"{name}_ids": names for name, names in ids.items()}
        report |= {"schema_version": 2, "unstopped_instances": 0}
        report |= {"unstopped_containers": [], "unremoved_images": []}
        return report | self._labels() if self._major >= LABELS_SINCE else report

    def _ids(self, is_meant: Callable[[_Verdict], bool]) -> list[str]:
        return sorted(name for name, verdict in self._verdicts.items() if is_meant(verdict))

    def _labels(self) -> dict[str, Any]:
        reasons = {
            name: verdict.failure_reason for name, verdict in self._verdicts.items() if verdict.failure_reason
        }
        infrastructure = sorted(name for name, reason in reasons.items() if reason in ENVIRONMENT_REASONS)
        ambiguous = sorted(reasons.keys() - set(infrastructure))
        return {
            "infra_failure_instances": len(infrastructure),
            "infra_failure_ids": infrastructure,
            "ambiguous_failure_instances": len(ambiguous),
            "ambiguous_failure_ids": ambiguous,
            "failure_reasons": dict(sorted(reasons.items())),
        }


def _run_document(at: float) -> dict[str, str]:
    created_at = stamp(at).replace("Z", "+00:00")
    return {
        "dataset": "SWE-bench/SWE-bench_Verified",
        "split": "test",
        "task_repo": "",
        "created_at": created_at,
    }


def _eval_script(evaluation: Evaluation) -> str:
    tests = sorted(_test_files(evaluation.tests))
    checkout = f"git checkout {evaluation.base_commit} {' '.join(tests)}".rstrip()
    return "\n".join(
        (
            "#!/bin/bash",
            "set -uxo pipefail",
            "source /opt/miniconda3/bin/activate",
            "conda activate testbed",
            "cd /testbed",
            checkout,
            ": '>>>>> Start Test Output'",
            f"pytest -rA {' '.join(tests)}".rstrip(),
            ": '>>>>> End Test Output'",
            checkout,
            "",
        )
    )


def _test_output(evaluation: Evaluation) -> str:
    tests = evaluation.tests
    passed = (*tests.fail_to_pass_passed, *tests.pass_to_pass_passed)
    failed = (*tests.fail_to_pass_failed, *tests.pass_to_pass_failed)
    lines = ["+ : '>>>>> Start Test Output'", "+ pytest -rA"]
    lines += [f"PASSED {name}" for name in passed]
    lines += [f"FAILED {name}" for name in failed]
    if evaluation.outcome == "test_timeout":
        return "\n".join(lines) + f"\n\n\nTimeout error: {evaluation.test_seconds:.0f} seconds exceeded."
    if evaluation.outcome == "graded":
        summary = f"{len(failed)} failed, {len(passed)} passed in {evaluation.test_seconds:.2f}s"
        lines += [f"=== {summary} ===", "+ : '>>>>> End Test Output'"]
    return "\n".join((*lines, ""))


def _test_files(tests: HarnessTests) -> set[str]:
    names = (
        *tests.fail_to_pass_passed,
        *tests.fail_to_pass_failed,
        *tests.pass_to_pass_passed,
        *tests.pass_to_pass_failed,
    )
    return {name.split("::")[0] for name in names if "::" in name}


def _write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=4), encoding="utf-8")
