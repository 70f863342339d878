"""Deployments: of their environment only what is on the allow-list lands with its value."""

import json
from pathlib import Path
from typing import Any

import pytest

from gitopslab.datasets import OBJECT_VERSIONS
from gitopslab.extract import files
from gitopslab.extract.landing import Landing
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def workload(*env: dict[str, Any], kind: str = "Deployment", **container: Any) -> dict[str, Any]:
    containers = [{"name": "api", "image": "api:1", "env": list(env), **container}]
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "api", "namespace": "wb", "uid": "d", "resourceVersion": "1"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": containers}}},
    }


def landed(folder: Path, item: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return `item` as it stands in the lake after it was landed from a file."""
    file = folder / "a.json"
    file.write_text(json.dumps(item))
    lake = Lake(str(folder / "lake"))
    with Landing(lake, Origin("files", "dev", "file"), **options) as landing:
        files.land([file], landing)
    [body] = [body for rows in lake.read(OBJECT_VERSIONS, ["body"]) for body in rows["body"].to_pylist()]
    return json.loads(body)


def container(item: dict[str, Any]) -> dict[str, Any]:
    return item["spec"]["template"]["spec"]["containers"][0]


def test_variables_on_the_allow_list_keep_their_values_and_others_their_names(tmp_path):
    kept = {"name": "BENCHMARK_DEFAULT_CONCURRENCY", "value": "12"}
    after = landed(tmp_path, workload(kept, {"name": "CUSTOMER", "value": "Example Bank"}))

    assert container(after)["env"] == [kept, {"name": "CUSTOMER"}]
    assert container(after)["image"] == "api:1"
    assert after["spec"]["replicas"] == 2


def test_references_of_other_variables_say_only_that_they_are_references(tmp_path):
    reference = {"name": "GITHUB_APP", "valueFrom": {"secretKeyRef": {"name": "github", "key": "app"}}}
    listed = {"name": "SWEBENCH_X", "valueFrom": {"configMapKeyRef": {"name": "evaluator", "key": "x"}}}
    after = landed(tmp_path, workload(reference, listed, envFrom=[{"configMapRef": {"name": "all"}}]))

    assert container(after)["env"] == [{"name": "GITHUB_APP", "valueFrom": {}}, listed]
    assert container(after)["envFrom"] == [{}]


def test_of_a_pods_environment_too_only_the_allow_list_lands(tmp_path):
    kept, cut = ({"name": name, "value": "12"} for name in ("BENCHMARK_X", "CUSTOMER"))
    spec = {kind: [{"name": "a", "env": [kept, cut]}] for kind in ("containers", "initContainers")}
    metadata = {"name": "api-1", "namespace": "wb", "uid": "p", "resourceVersion": "1"}
    after = landed(tmp_path, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    assert [each["env"] for [each] in after["spec"].values()] == [[kept, {"name": "CUSTOMER"}]] * 2


def test_a_credential_is_hidden_even_under_a_name_on_the_list(tmp_path):
    after = landed(tmp_path, workload({"name": "BENCHMARK_API_TOKEN", "value": "hunter2"}))

    assert container(after)["env"] == [{"name": "BENCHMARK_API_TOKEN", "value": "[redacted]"}]


def test_what_was_applied_is_cut_with_it_since_it_repeats_the_environment(tmp_path):
    item = workload({"name": "CUSTOMER", "value": "Example Bank"})
    item["metadata"]["annotations"] = {APPLIED: json.dumps(item), "team": "platform"}

    after = landed(tmp_path, item)
    assert after["metadata"]["annotations"] == {"team": "platform"}
    assert "Example Bank" not in json.dumps(after)


@pytest.mark.parametrize("where", ["initContainers", "ephemeralContainers"])
def test_containers_of_every_kind_are_cut(tmp_path, where):
    item = workload()
    item["spec"]["template"]["spec"][where] = [{"name": "x", "env": [{"name": "CUSTOMER", "value": "Bank"}]}]

    assert "Bank" not in json.dumps(landed(tmp_path, item))


@pytest.mark.parametrize("kind", ["ReplicaSet", "StatefulSet", "DaemonSet"])
def test_other_workloads_of_the_group_are_cut_too(tmp_path, kind):
    assert "Bank" not in json.dumps(
        landed(tmp_path, workload({"name": "CUSTOMER", "value": "Bank"}, kind=kind))
    )


def test_the_allow_list_can_be_another(tmp_path):
    after = landed(
        tmp_path,
        workload({"name": "CUSTOMER", "value": "Bank"}, {"name": "BENCHMARK_X", "value": "1"}),
        environment_names=("CUST*",),
    )

    assert container(after)["env"] == [{"name": "CUSTOMER", "value": "Bank"}, {"name": "BENCHMARK_X"}]


def test_an_empty_allow_list_keeps_no_value(tmp_path):
    after = landed(tmp_path, workload({"name": "BENCHMARK_X", "value": "1"}), environment_names=())

    assert container(after)["env"] == [{"name": "BENCHMARK_X"}]


def test_objects_of_other_kinds_are_left_as_they_are(tmp_path):
    item = workload({"name": "STEP", "value": "1"}) | {"apiVersion": "tekton.dev/v1", "kind": "TaskRun"}

    assert landed(tmp_path, item) == item


def test_an_environment_of_another_shape_is_cut_and_no_error(tmp_path):
    item = workload()
    container(item)["env"] = [None, "CUSTOMER=Bank", {"value": "Bank"}, {"name": 7, "value": "Bank"}]

    assert "Bank" not in json.dumps(landed(tmp_path, item))
