"""Environment variables of the platform become limits, with the application's own precedence and defaults."""

from gitopslab.capacity.concurrency import evaluate
from gitopslab.capacity.configuration import Configuration
from gitopslab.capacity.layers import platform_layers


def configured(**values: str) -> Configuration:
    return Configuration(values, "workflow-builder")


def known(configuration: Configuration, *models: str, runtime_class: str = "coding") -> dict[str, tuple]:
    readings = configuration.readings(*models, runtime_class=runtime_class)
    return {name: (reading.value, reading.tag) for name, reading in readings.items()}


def test_nothing_configured_is_ten_at_once_on_two_replicas_of_five_slots_all_assumed():
    assert known(configured()) == {
        "requested": (10, "assumed"),
        "runtime_slots": (10, "assumed"),
        "sidecar_workflows": (10, "assumed"),
    }


def test_the_envelope_of_dev_has_192_slots():
    found = configured(
        AGENT_RUNTIME_POOL_MAX_REPLICAS="16",
        AGENT_RUNTIME_SLOTS_PER_REPLICA_JSON='{"coding": 12}',
        AGENT_RUNTIME_DAPR_WORKFLOW_LIMIT_PER_SIDECAR="9",
    ).readings()
    assert (found["runtime_slots"].value, found["sidecar_workflows"].value) == (192, 144)
    assert found["runtime_slots"].source == (
        "workflow-builder, AGENT_RUNTIME_POOL_MAX_REPLICAS times "
        "workflow-builder, AGENT_RUNTIME_SLOTS_PER_REPLICA_JSON of coding"
    )


def test_the_newer_variable_counts_before_the_older_and_what_is_no_number_is_not_set():
    both = {"BENCHMARK_MAX_ACTIVE_AGENT_WORKFLOWS": "18"}
    assert known(configured(**both))["agent_turns"] == (18, "measured")
    for value, turns in (("7", 7), ("0", 18), ("-3", 18), ("many", 18), ("", 18), ("1²", 18)):
        found = known(configured(BENCHMARK_AGENT_WORKFLOW_MAX_ACTIVE_TURNS=value, **both))
        assert found["agent_turns"] == (turns, "measured")


def test_a_models_own_limit_counts_before_that_of_all_models():
    limits = configured(
        BENCHMARK_MODEL_MAX_ACTIVE_REQUESTS="48",
        BENCHMARK_MODEL_MAX_ACTIVE_REQUESTS_JSON='{"DeepSeek-V4": 24, "kimi": 0}',
    )
    assert known(limits, "deepseek-v4")["model_requests"] == (24, "measured")
    assert known(limits, "kimi", "kimi-label")["model_requests"] == (48, "measured")


def test_a_map_that_is_no_json_is_not_set():
    assert known(configured(AGENT_RUNTIME_SLOTS_PER_REPLICA_JSON="{oops"))["runtime_slots"] == (10, "assumed")


def test_rows_of_the_deployment_make_the_mode_and_a_launch_at_once():
    rows = [
        {"deployment": "workflow-builder", "name": name, "value": value}
        for name, value in (
            ("BENCHMARK_EXECUTION_BACKEND", "dapr-kueue"),
            ("BENCHMARK_DEFAULT_CONCURRENCY", "120"),
            ("BENCHMARK_MAX_ACTIVE_SANDBOXES", "96"),
            ("BENCHMARK_MAX_ACTIVE_INFERENCE_INSTANCES", None),
        )
    ]
    found = Configuration.of(rows)
    envelope = evaluate(platform_layers(found.readings(), found.mode))
    assert (found.mode, envelope.effective, envelope.reason) == ("kueue", 96, "sandbox_capacity")
