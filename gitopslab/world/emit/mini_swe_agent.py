"""What mini-swe-agent leaves of a batch: a trajectory an instance, predictions, and how each ended.

Source: mini-swe-agent 2.2, trajectory format mini-swe-agent-1.1.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_SYSTEM = "You are a helpful assistant that can interact with a computer."
_SUBMITTED = "Submitted"


@dataclass(frozen=True)
class Step:
    """One question to the model, and the command that it answered.

    Attributes:
        answered_at: When the model had answered, seconds since the epoch.
        finished_at: When the command had ended.
        thought: What the model said beside the command.
        command: The command.
        output: What it printed.
        return_code: Its exit code.
        input_tokens: Tokens that were sent, those from the cache among them.
        output_tokens: Tokens that came back.
        cost: What the question cost, in USD.
    """

    answered_at: float
    finished_at: float
    thought: str
    command: str
    output: str
    return_code: int
    input_tokens: int
    output_tokens: int
    cost: float


@dataclass(frozen=True)
class Trajectory:
    """One attempt at one instance.

    Attributes:
        instance_id: Such as django__django-11206.
        task: The problem statement.
        steps: In order of time.
        exit_status: Submitted, LimitsExceeded, TimeExceeded, RepeatedFormatError, or the class of an
            exception, such as RateLimitError.
        submission: The patch; empty unless it was submitted.
        error: What the exception said.
    """

    instance_id: str
    task: str
    steps: tuple[Step, ...]
    exit_status: str = _SUBMITTED
    submission: str = ""
    error: str = ""


class AgentRun:
    """Writes a batch; use it as a context manager, or call `close`.

    Args:
        folder: Where it goes; made if it is not there.
        model: The model, as predictions name it.
        started_at: When the batch began, seconds since the epoch; a file's name holds it.
        step_limit: Most questions an instance.
        cost_limit: Most USD an instance.
    """

    def __init__(
        self, folder: Path, model: str, started_at: float, *, step_limit: int = 250, cost_limit: float = 3.0
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._model, self._started_at = folder, model, started_at
        self._limits = {"step_limit": step_limit, "cost_limit": cost_limit}
        self._predictions: dict[str, dict[str, str]] = {}
        self._statuses: dict[str, list[str]] = defaultdict(list)

    def add(self, trajectory: Trajectory) -> None:
        """Write a trajectory, and keep its prediction."""
        name = trajectory.instance_id
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        text = json.dumps(self._document(trajectory), indent=2)
        (folder / f"{name}.traj.json").write_text(text, encoding="utf-8")
        self._statuses[trajectory.exit_status].append(name)
        self._predictions[name] = {
            "model_name_or_path": self._model,
            "instance_id": name,
            "model_patch": trajectory.submission,
        }

    def close(self) -> None:
        """Write predictions and exit statuses."""
        predictions = json.dumps(self._predictions, indent=2)
        (self._folder / "preds.json").write_text(predictions, encoding="utf-8")
        lines = ["instances_by_exit_status:"]
        for status, names in self._statuses.items():
            lines += [f"    {status}:", *(f"    - {name}" for name in names)]
        statuses = self._folder / f"exit_statuses_{self._started_at}.yaml"
        statuses.write_text("\n".join((*lines, "")), encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def _document(self, trajectory: Trajectory) -> dict[str, Any]:
        info: dict[str, Any] = {
            "model_stats": {
                "instance_cost": sum(step.cost for step in trajectory.steps),
                "api_calls": len(trajectory.steps),
            },
            "config": {
                "agent": self._limits | {"mode": "yolo"},
                "agent_type": "minisweagent.run.benchmarks.swebench.ProgressTrackingAgent",
                "model": {"model_name": self._model},
                "model_type": "minisweagent.models.litellm_model.LitellmModel",
                "environment": {"cwd": "/testbed", "timeout": 60},
                "environment_type": "minisweagent.environments.docker.DockerEnvironment",
            },
            "mini_version": "2.2.7",
            "exit_status": trajectory.exit_status,
            "submission": trajectory.submission,
        }
        if trajectory.error:
            info |= {"exception_str": trajectory.error, "traceback": _traceback(trajectory)}
        return {
            "info": info,
            "messages": self._messages(trajectory),
            "trajectory_format": "mini-swe-agent-1.1",
            "instance_id": trajectory.instance_id,
        }

    def _messages(self, trajectory: Trajectory) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": _SYSTEM},
            {"role": "user", "content": trajectory.task},
        ]
        for number, step in enumerate(trajectory.steps):
            digest = sha256(f"{trajectory.instance_id} {number}".encode()).hexdigest()
            messages += [_asked(step, digest[:24], self._model), _answered(step, digest[:24])]
        if trajectory.steps and trajectory.exit_status == _SUBMITTED:
            # the command that submits ends the run before its output becomes a message
            messages.pop()
        return [*messages, _exit(trajectory)]


def _asked(step: Step, call_id: str, model: str) -> dict[str, Any]:
    arguments = json.dumps({"command": step.command})
    call = {"function": {"arguments": arguments, "name": "bash"}, "id": call_id, "type": "function"}
    usage = {
        "completion_tokens": step.output_tokens,
        "prompt_tokens": step.input_tokens,
        "total_tokens": step.input_tokens + step.output_tokens,
    }
    response = {
        "id": f"chatcmpl-{call_id}",
        "created": int(step.answered_at),
        "model": model.rpartition("/")[2],
        "object": "chat.completion",
        "usage": usage,
    }
    return {
        "content": step.thought,
        "role": "assistant",
        "tool_calls": [call],
        "function_call": None,
        "extra": {
            "actions": [{"command": step.command, "tool_call_id": call_id}],
            "response": response,
            "cost": step.cost,
            "timestamp": step.answered_at,
        },
    }


def _answered(step: Step, call_id: str) -> dict[str, Any]:
    return {
        "content": f"<returncode>{step.return_code}</returncode>\n<output>\n{step.output}</output>",
        "extra": {
            "raw_output": step.output,
            "returncode": step.return_code,
            "timestamp": step.finished_at,
            "exception_info": "",
        },
        "role": "tool",
        "tool_call_id": call_id,
    }


def _exit(trajectory: Trajectory) -> dict[str, Any]:
    ending = {"exit_status": trajectory.exit_status, "submission": trajectory.submission}
    return {"role": "exit", "content": trajectory.submission or trajectory.error, "extra": ending}


def _traceback(trajectory: Trajectory) -> str:
    return (
        "Traceback (most recent call last):\n"
        '  File "minisweagent/run/benchmarks/swebench.py", line 170, in process_instance\n'
        "    info = agent.run(task)\n"
        f"{trajectory.exit_status}: {trajectory.error}\n"
    )
