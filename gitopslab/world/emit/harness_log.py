"""The `run_instance.log` of the SWE-bench harness: what it says of one instance, and when.

Times are local to the machine that evaluated, without a zone; here that is UTC. A message may span lines.
Stopping a container takes some fifteen seconds, since what runs in it does not listen.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from gitopslab.world.emit.evaluation import LABELS_SINCE, Evaluation

_PATCH_COMMANDS = (
    "git apply --verbose",
    "git apply --verbose --reject",
    "patch --batch --fuzz=5 -p1 -i",
)
_STOP_SECONDS = 15.3


class _Log:
    def __init__(self, at: float) -> None:
        self.at = at
        self.lines: list[str] = []

    def say(self, message: str, after: float = 0.02, level: str = "INFO") -> None:
        """Say something so many seconds after what was said before."""
        self.at += after
        time = datetime.fromtimestamp(self.at, UTC)
        self.lines.append(f"{time:%Y-%m-%d %H:%M:%S},{time.microsecond // 1000:03d} - {level} - {message}\n")


def run_instance_log(
    evaluation: Evaluation, report: Mapping[str, Any], *, where: str, run_id: str, major: int
) -> str:
    """Return the log of an instance.

    Args:
        evaluation: What happened.
        report: Its report.json, which the log repeats.
        where: Its folder, as the log names it.
        run_id: Id of the run; the container's name holds it.
        major: The harness's major version.
    """
    log = _Log(evaluation.started_at)
    name = evaluation.instance_id
    log.say(f"Creating container for {name}...", 0)
    if evaluation.outcome == "container_error":
        log.say(f"Error creating container for {name}: {evaluation.error}", 2.1, "ERROR")
        return "".join(log.lines)
    container = sha256(f"{run_id} {name}".encode()).hexdigest()
    log.say(f"Container for {name} created: {container}", 0.4)
    log.say(f"Container for {name} started: {container}", 0.2)
    log.say(f"Intermediate patch for {name} written to {where}/patch.diff, now applying to container...", 0)
    if evaluation.outcome == "patch_apply_failed":
        _say_patch_failed(log, name)
    else:
        _say_tests(log, evaluation, report, where)
    if evaluation.outcome != "interrupted":
        _say_removed(log, name, run_id, major)
    return "".join(log.lines)


def _say_patch_failed(log: _Log, name: str) -> None:
    for command in _PATCH_COMMANDS:
        log.say(f"Failed to apply patch to container: {command}", 0.1)
    failed = ">>>>> Patch Apply Failed:\nerror: patch failed"
    log.say(failed, 0.05)
    log.say(_traceback(name, failed))


def _say_tests(log: _Log, evaluation: Evaluation, report: Mapping[str, Any], where: str) -> None:
    name = evaluation.instance_id
    log.say(">>>>> Applied Patch:\nApplied patch cleanly.\n", 0.1)
    log.say(f"Git diff before:\n{evaluation.patch.rstrip()}", 0.6)
    log.say(f"Eval script for {name} written to {where}/eval.sh; copying to container...")
    if evaluation.outcome == "interrupted":
        return
    log.say(f"Test runtime: {evaluation.test_seconds:_.2f} seconds", evaluation.test_seconds)
    log.say(f"Test output for {name} written to {where}/test_output.txt", 0)
    if evaluation.outcome == "test_timeout":
        log.say(_traceback(name, f"Test timed out after {evaluation.test_seconds:.0f} seconds."))
        return
    log.say(f"Git diff after:\n{evaluation.patch.rstrip()}", 0.05)
    log.say(f"Grading answer for {name}...")
    log.say(f"report: {dict(report)}\nResult for {name}: resolved: {evaluation.is_resolved}", 0)


def _say_removed(log: _Log, name: str, run_id: str, major: int) -> None:
    container = f"sweb.eval.{name.lower()}.{run_id}"
    log.say(f"Attempting to stop container {container}...", 0)
    log.say(f"Attempting to remove container {container}...", _STOP_SECONDS)
    log.say(f"Container {container} removed.")
    if major < LABELS_SINCE:
        image = f"swebench/sweb.eval.x86_64.{name.lower().replace('__', '_1776_')}:latest"
        log.say(f"Attempting to remove image {image}...", 0)
        log.say(f"Image {image} removed.", 0.2)


def _traceback(name: str, message: str) -> str:
    return (
        "Traceback (most recent call last):\n"
        '  File "swebench/harness/run_evaluation.py", line 214, in run_instance\n'
        "    raise EvaluationError(\n"
        f"swebench.harness.utils.EvaluationError: Evaluation error for {name}: {message}\n"
        "Check (run_instance.log) for more information."
    )
