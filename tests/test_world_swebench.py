"""Benchmark artefacts of the simulated fleet have the shapes of the harness and of mini-swe-agent."""

import json
import re
from pathlib import Path

import pytest

from gitopslab.world.emit.evaluation import Evaluation, HarnessTests
from gitopslab.world.emit.mini_swe_agent import AgentRun, Step, Trajectory
from gitopslab.world.emit.swebench import HarnessRun

MARCH_2 = 1_772_431_200.0  # 2026-03-02T06:00:00Z
MODEL = "deepseek/deepseek-chat"
PATCH = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b\n"
PASSING = HarnessTests(("tests/test_a.py::test_new",), (), ("tests/test_a.py::test_old",), ())
FAILING = HarnessTests((), ("tests/test_a.py::test_new",), ("tests/test_a.py::test_old",), ())
PREFIX = re.compile(r"2026-03-02 06:\d\d:\d\d,\d{3} - (INFO|ERROR) - ")


def evaluation(name="django__django-1", **fields) -> Evaluation:
    standard = {"patch": PATCH, "started_at": MARCH_2, "test_seconds": 6.25, "tests": PASSING}
    return Evaluation(name, **standard | fields)


EVERY_OUTCOME = (
    evaluation("a__a-1"),
    evaluation("a__a-2", tests=FAILING),
    evaluation("a__a-3", outcome="ungradeable", failure_reason="missing_module"),
    evaluation("a__a-4", outcome="patch_apply_failed"),
    evaluation("a__a-5", outcome="test_timeout", test_seconds=1800, failure_reason="tests_timed_out"),
    evaluation("a__a-6", outcome="container_error", error="no space left", failure_reason="out_of_memory"),
    evaluation("a__a-7", outcome="interrupted"),
    evaluation("a__a-8", outcome="no_log"),
    evaluation("a__a-9", patch=""),
)
DATA_SET = [*(each.instance_id for each in EVERY_OUTCOME), "a__a-10"]


def harness_run(folder: Path, major: int = 4) -> tuple[Path, dict]:
    with HarnessRun(folder, "run_1", MODEL, DATA_SET, major=major) as run:
        for each in EVERY_OUTCOME:
            run.add(each)
    report = json.loads((folder / "deepseek__deepseek-chat.run_1.json").read_text())
    return folder / "logs/run_evaluation/run_1/deepseek__deepseek-chat", report


def log_of(folder: Path, each: Evaluation) -> str:
    with HarnessRun(folder, "run_1", MODEL, [each.instance_id]) as run:
        run.add(each)
    return (run.tree / each.instance_id / "run_instance.log").read_text()


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("a__a-1", {"run_instance.log", "patch.diff", "eval.sh", "test_output.txt", "report.json"}),
        ("a__a-3", {"run_instance.log", "patch.diff", "eval.sh", "test_output.txt", "report.json"}),
        ("a__a-4", {"run_instance.log", "patch.diff"}),
        ("a__a-5", {"run_instance.log", "patch.diff", "eval.sh", "test_output.txt"}),
        ("a__a-6", {"run_instance.log"}),
        ("a__a-7", {"run_instance.log", "patch.diff", "eval.sh"}),
    ],
)
def test_how_it_ended_shows_by_the_files_that_are_there(tmp_path, name, files):
    tree, _ = harness_run(tmp_path)

    assert {file.name for file in (tree / name).iterdir()} == files


def test_an_instance_without_a_patch_or_a_log_has_no_folder(tmp_path):
    tree, _ = harness_run(tmp_path)

    assert {folder.name for folder in tree.iterdir()} == {f"a__a-{number}" for number in range(1, 8)}


def test_the_parts_of_the_final_report_make_up_the_data_set(tmp_path):
    _, report = harness_run(tmp_path)

    assert report["completed_ids"] == ["a__a-1", "a__a-2", "a__a-3"]
    assert report["resolved_ids"] == ["a__a-1"]
    assert report["unresolved_ids"] == ["a__a-2", "a__a-3"]
    assert report["empty_patch_ids"] == ["a__a-9"]
    assert report["error_ids"] == ["a__a-4", "a__a-5", "a__a-6", "a__a-7", "a__a-8"]
    assert report["incomplete_ids"] == ["a__a-10"]
    assert report["total_instances"] == 3 + 1 + 5 + 1
    assert report["submitted_instances"] == 9
    assert report["schema_version"] == 2
    assert "failure_reasons" not in report


def test_version_5_tells_failures_of_the_infrastructure_apart(tmp_path):
    tree, report = harness_run(tmp_path, major=5)

    assert report["infra_failure_ids"] == ["a__a-6"]
    assert report["ambiguous_failure_ids"] == ["a__a-3", "a__a-5"]
    assert report["error_instances"] == 5
    assert json.loads((tree.parent / "run.json").read_text())["created_at"] == "2026-03-02T06:00:00+00:00"
    assert json.loads((tree / "a__a-3/report.json").read_text())["a__a-3"]["infra_failure"] is False


def test_a_report_is_keyed_by_its_instance_and_holds_every_test(tmp_path):
    tree, _ = harness_run(tmp_path)

    assert json.loads((tree / "a__a-2/report.json").read_text()) == {
        "a__a-2": {
            "patch_is_None": False,
            "patch_exists": True,
            "patch_successfully_applied": True,
            "resolved": False,
            "tests_status": {
                "FAIL_TO_PASS": {"success": [], "failure": ["tests/test_a.py::test_new"]},
                "PASS_TO_PASS": {"success": ["tests/test_a.py::test_old"], "failure": []},
                "FAIL_TO_FAIL": {"success": [], "failure": []},
                "PASS_TO_FAIL": {"success": [], "failure": []},
            },
        }
    }
    assert "tests_status" not in json.loads((tree / "a__a-3/report.json").read_text())["a__a-3"]


def test_the_log_begins_with_the_container_and_ends_with_its_removal(tmp_path):
    records = [line for line in log_of(tmp_path, evaluation()).splitlines() if PREFIX.match(line)]

    assert records[0] == "2026-03-02 06:00:00,000 - INFO - Creating container for django__django-1..."
    assert "Container sweb.eval.django__django-1.run_1 removed." in records[-3]
    assert "Image swebench/sweb.eval.x86_64.django_1776_django-1:latest removed." in records[-1]


def test_a_long_test_time_is_written_with_underscores(tmp_path):
    log = log_of(tmp_path, evaluation(test_seconds=1234.5))

    assert "Test runtime: 1_234.50 seconds\n" in log
    assert "Result for django__django-1: resolved: True\n" in log


def test_a_time_out_is_said_in_the_log_and_in_the_test_output(tmp_path):
    tree, _ = harness_run(tmp_path)

    assert "Test timed out after 1800 seconds." in (tree / "a__a-5/run_instance.log").read_text()
    assert (tree / "a__a-5/test_output.txt").read_text().endswith("Timeout error: 1800 seconds exceeded.")


def test_the_log_of_an_interrupted_run_just_ends(tmp_path):
    log = log_of(tmp_path, evaluation(outcome="interrupted"))

    assert log.endswith("eval.sh; copying to container...\n")


def step(number: int) -> Step:
    at = MARCH_2 + 20 * number
    return Step(at, at + 5, "Let me look.", "ls", "a.py\n", 0, 1_000, 50, 0.01)


def batch(folder: Path) -> Path:
    with AgentRun(folder, MODEL, MARCH_2) as run:
        run.add(Trajectory("a__a-1", "Fix it.", (step(1), step(2)), submission=PATCH))
        run.add(Trajectory("a__a-2", "Fix it.", (step(1), step(2)), "LimitsExceeded"))
        run.add(Trajectory("a__a-3", "Fix it.", (), "RateLimitError", error="429 from the provider"))
    return folder


def trajectory(folder: Path, name: str) -> dict:
    return json.loads((folder / name / f"{name}.traj.json").read_text())


def test_predictions_are_keyed_by_instance_and_hold_an_empty_patch_where_none_was_submitted(tmp_path):
    predictions = json.loads((batch(tmp_path) / "preds.json").read_text())

    assert predictions["a__a-1"] == {
        "model_name_or_path": MODEL,
        "instance_id": "a__a-1",
        "model_patch": PATCH,
    }
    assert predictions["a__a-2"]["model_patch"] == ""


def test_exit_statuses_name_their_instances(tmp_path):
    (file,) = batch(tmp_path).glob("exit_statuses_*.yaml")

    assert file.name == "exit_statuses_1772431200.0.yaml"
    assert file.read_text() == (
        "instances_by_exit_status:\n"
        "    Submitted:\n    - a__a-1\n"
        "    LimitsExceeded:\n    - a__a-2\n"
        "    RateLimitError:\n    - a__a-3\n"
    )


def test_a_trajectory_says_what_it_cost_and_when(tmp_path):
    document = trajectory(batch(tmp_path), "a__a-1")

    assert document["trajectory_format"] == "mini-swe-agent-1.1"
    assert document["info"]["model_stats"] == {"instance_cost": 0.02, "api_calls": 2}
    assert document["info"]["exit_status"] == "Submitted"
    first = document["messages"][2]["extra"]
    assert (first["cost"], first["timestamp"]) == (0.01, MARCH_2 + 20)
    assert first["response"]["usage"]["prompt_tokens"] == 1_000


def test_the_command_that_submits_has_no_answer(tmp_path):
    folder = batch(tmp_path)

    roles = [message["role"] for message in trajectory(folder, "a__a-1")["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "exit"]
    roles = [message["role"] for message in trajectory(folder, "a__a-2")["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "tool", "exit"]


def test_an_exception_is_kept_with_its_text(tmp_path):
    info = trajectory(batch(tmp_path), "a__a-3")["info"]

    assert info["exception_str"] == "429 from the provider"
    assert info["traceback"].endswith("RateLimitError: 429 from the provider\n")
