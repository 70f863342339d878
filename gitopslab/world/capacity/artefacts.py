"""The files that benchmark runs leave: trajectories of the agent, predictions, and the harness's log tree."""

from pathlib import Path

from gitopslab.world.capacity.benchmark import Run
from gitopslab.world.capacity.benchmark_rows import CACHED_TOKENS, FRESH_TOKENS, WRITTEN_TOKENS, turn_cost
from gitopslab.world.capacity.models import base_commit
from gitopslab.world.capacity.runs import Instance
from gitopslab.world.emit.evaluation import Evaluation, HarnessTests
from gitopslab.world.emit.mini_swe_agent import AgentRun, Step, Trajectory
from gitopslab.world.emit.swebench import HarnessRun

_ENDINGS = {"max_turns_without_patch": "LimitsExceeded", "benchmark_run_failed": "TimeExceeded"}
_COMMANDS = ("ls -la", "grep -rn value .", "sed -n '30,60p' core.py", "python -m pytest -q")


class Artefacts:
    """Keeps the files of the first runs that complete.

    Args:
        folder: Where they go, a folder a run; made if it is not there.
        most_runs: Of so many runs; files are many, and the database has the rest.
    """

    def __init__(self, folder: Path, most_runs: int = 12) -> None:
        self._folder, self._runs_left = folder, most_runs

    def keep(self, run: Run) -> None:
        """Write the files of a run that completed."""
        if run.status != "completed" or not self._runs_left:
            return
        self._runs_left -= 1
        folder, model = self._folder / run.plan.run_id, run.plan.model.name
        started_at = run.started_at or run.created_at
        with AgentRun(folder / "trajectories", model, started_at, step_limit=run.plan.max_turns) as agent:
            for instance in run.instances:
                agent.add(_trajectory(run, instance))
        names = [instance.task.instance_id for instance in run.instances]
        with HarnessRun(folder, run.plan.run_id, model, names) as harness:
            for instance in run.instances:
                harness.add(_evaluation(run, instance))


def _trajectory(run: Run, instance: Instance) -> Trajectory:
    ending = _ENDINGS.get(instance.termination_reason or "", "Submitted")
    has_failed = instance.inference_status == "error"
    return Trajectory(
        instance_id=instance.task.instance_id,
        task=f"Solve {instance.task.instance_id} in {instance.task.repository}.",
        steps=_steps(run, instance) if instance.session_count_mean is not None else (),
        exit_status="RuntimeError" if has_failed else ending,
        submission=instance.task.patch if instance.has_patch else "",
        error=instance.inference_error or "" if has_failed else "",
    )


def _steps(run: Run, instance: Instance) -> tuple[Step, ...]:
    """Spread the turns evenly over the time of the session."""
    ended_at = instance.completed_at or 0
    each = instance.solve_seconds / instance.turns
    first = ended_at - instance.solve_seconds
    return tuple(
        Step(
            answered_at=first + (turn + 0.7) * each,
            finished_at=first + (turn + 1) * each,
            thought="Look further.",
            command=_COMMANDS[turn % len(_COMMANDS)],
            output="ok\n",
            return_code=0,
            input_tokens=FRESH_TOKENS + CACHED_TOKENS,
            output_tokens=WRITTEN_TOKENS,
            cost=turn_cost(run.plan.model),
        )
        for turn in range(instance.turns)
    )


def _evaluation(run: Run, instance: Instance) -> Evaluation:
    fixed, kept = instance.task.tests[:1], instance.task.tests[1:]
    is_broken = run.plan.evaluator_fault == "environment"
    return Evaluation(
        instance_id=instance.task.instance_id,
        patch=instance.task.patch if instance.has_patch else "",
        started_at=instance.tested_at or instance.evaluated_at or run.updated_at,
        test_seconds=instance.test_seconds,
        outcome="ungradeable" if is_broken else "graded",
        tests=HarnessTests(
            fail_to_pass_passed=fixed if instance.is_resolved else (),
            fail_to_pass_failed=() if instance.is_resolved else fixed,
            pass_to_pass_passed=kept,
        ),
        base_commit=base_commit(instance.task),
    )
