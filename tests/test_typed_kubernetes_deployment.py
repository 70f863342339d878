"""Typed Deployments and Nodes: what the API server showed, with its zeroes and its gaps told apart."""

from typing import Any


def deployment(status: dict[str, Any] | None = None, *env: dict[str, Any], **spec: Any) -> dict[str, Any]:
    containers = [{"name": "api", "env": list(env)}]
    item = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "wb", "uid": "d", "resourceVersion": "1", "generation": 3},
        "spec": {"template": {"spec": {"containers": containers}}} | spec,
    }
    return item if status is None else item | {"status": status}


def node(**status: Any) -> dict[str, Any]:
    metadata = {"name": "n1", "uid": "n", "resourceVersion": "1"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {}, "status": status}


def test_counts_that_are_left_out_are_zero_where_there_is_a_status(warehouse_of):
    rows = warehouse_of([deployment({"observedGeneration": 2, "replicas": 2}, replicas=2)])

    [row] = rows.sql("FROM kubernetes_deployment").dicts()
    assert (row["wanted_replica_count"], row["replica_count"], row["ready_replica_count"]) == (2, 2, 0)
    assert (row["generation"], row["observed_generation"]) == (3, 2)


def test_counts_are_unknown_without_a_status_and_one_replica_is_wanted_by_default(warehouse_of):
    [row] = warehouse_of([deployment()]).sql("FROM kubernetes_deployment").dicts()

    assert (row["wanted_replica_count"], row["ready_replica_count"]) == (1, None)


def test_of_two_variables_of_a_name_the_later_is_effective(warehouse_of):
    env = [{"name": "BENCHMARK_X", "value": "1"}, {"name": "BENCHMARK_X", "value": "2"}]
    rows = warehouse_of([deployment(None, *env)]).sql("FROM kubernetes_deployment_environment").dicts()

    assert {(row["container"], row["value"], row["is_effective"]) for row in rows} == {
        ("api", "1", False),
        ("api", "2", True),
    }


def test_a_value_a_cut_value_and_a_reference_are_told_apart(warehouse_of):
    env = [
        {"name": "BENCHMARK_X", "value": ""},
        {"name": "CUSTOMER"},
        {"name": "GITHUB_APP", "valueFrom": {}},
        {"name": "SWEBENCH_X", "valueFrom": {"configMapKeyRef": {"key": "x"}}},
    ]
    rows = warehouse_of([deployment(None, *env)]).sql(
        "SELECT name, value, is_reference, reference FROM kubernetes_deployment_environment"
        " ORDER BY variable_number"
    )

    assert [tuple(row.values()) for row in rows.dicts()] == [
        ("BENCHMARK_X", "", False, None),
        ("CUSTOMER", None, False, None),
        ("GITHUB_APP", None, True, None),
        ("SWEBENCH_X", None, True, '{"configMapKeyRef":{"key":"x"}}'),
    ]


def test_allocatable_amounts_of_a_node_are_exact(warehouse_of):
    item = node(allocatable={"cpu": "15300m", "memory": "1Ki", "nvidia.com/gpu": "2"}, capacity={"cpu": "16"})
    rows = warehouse_of([item]).sql(
        "SELECT resource, allocatable, capacity FROM kubernetes_node_resource ORDER BY resource"
    )

    amounts = [(row["resource"], float(row["allocatable"]), row["capacity"]) for row in rows.dicts()]
    assert [amount[:2] for amount in amounts] == [("cpu", 15.3), ("memory", 1024), ("nvidia.com/gpu", 2)]
    assert [amount[2] for amount in amounts] == [16, None, None]


def test_a_node_without_conditions_is_not_known_to_be_ready(warehouse_of):
    rows = warehouse_of([node(allocatable={"pods": "110"})])

    [row] = rows.sql("SELECT ready_status FROM kubernetes_node").dicts()
    assert row["ready_status"] is None
