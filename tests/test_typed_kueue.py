"""What Kueue writes, as rows: each test is a thing that is easily read wrongly."""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitopslab import queries
from gitopslab.datasets import OBJECT_VERSIONS
from gitopslab.lake import Lake
from gitopslab.warehouse import Warehouse, build
from tests.conftest import lake_row, project_settings

TESTS = Path(__file__).parent
SHARED = TESTS.parents[1] / "shared" / "data"
SAMPLES = SHARED / "samples" / "kueue"
CRDS = SHARED / "crds" / "kueue"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared sample data is not beside this checkout"
)

TYPED = [q for q in queries.room("typed") if q.name.startswith("kueue_")]
FACTS = ("queue_quotas", "queue_usage_intervals", "workload_evictions", "workload_pod_requests", "workloads")
PARSED = {
    "clusterqueues": "parsed_kueue_cluster_queue",
    "cohorts": "parsed_kueue_cohort",
    "localqueues": "parsed_kueue_local_queue",
    "resourceflavors": "parsed_kueue_resource_flavor",
    "workloads": "parsed_kueue_workload",
}
NOT_IN_CRD = {
    "spec.parent",  # Cohort v1alpha1, served up to Kueue 0.12
}


def kueue(
    kind: str, *, name: str = "a", version: str = "v1beta2", seen: str = "1", status: Any = None, **spec: Any
) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "dev", "uid": name, "resourceVersion": seen}
    item = {"apiVersion": f"kueue.x-k8s.io/{version}", "kind": kind, "metadata": metadata, "spec": spec}
    return item if status is None else {**item, "status": status}


def condition(kind: str, status: str, reason: str = "Reason", at: str = "2026-05-04T09:00:00Z") -> Any:
    return {"type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": at}


def quotas(**resources: Any) -> list[Any]:
    flavor = {"name": "spot", "resources": [{"name": name, **quota} for name, quota in resources.items()]}
    return [{"flavors": [flavor]}]


def recorded(folder: Path) -> list[Any]:
    files = sorted(folder.glob("*.kueue.x-k8s.io.json"))
    return [item for file in files for item in json.loads(file.read_text(encoding="utf-8"))["items"]]


@pytest.fixture
def rows_of(warehouse_of):
    """Build a warehouse from objects, once, and return the rows of one of its tables."""

    def build_rows(objects: list[Any], table: str) -> list[dict[str, Any]]:
        return warehouse_of(objects).sql(f"SELECT * FROM {table}").dicts()

    return build_rows


# Records


@pytest.fixture(scope="module")
def from_records(tmp_path_factory):
    configured = project_settings(tmp_path_factory.mktemp("records"))
    rows = [lake_row(item, observed_at="2026-05-04T09:12:30Z") for item in recorded(TESTS / "records")]
    later = [
        lake_row(item, observed_at="2026-05-04T10:07:00Z") for item in recorded(TESTS / "records" / "later")
    ]
    Lake(configured.lake.path).append(OBJECT_VERSIONS, [*rows, *later], "run")
    build(configured)
    with Warehouse(configured.warehouse.path) as warehouse:
        yield warehouse


def test_every_column_has_a_value_in_the_records(from_records):
    empty = set()
    for query in TYPED:
        columns = from_records.sql(f"SELECT * FROM {query.name} LIMIT 0").columns
        counts = ", ".join(f"count({column}) AS {column}" for column in columns)
        found = from_records.sql(f"SELECT {counts} FROM {query.name}").one()
        empty |= {f"{query.name}.{column}" for column, count in found.items() if not count}

    # Only a watch says what happened to an object.
    assert {column for column in empty if not column.endswith(".event_type")} == set()


def test_no_row_of_the_records_repeats_its_grain_and_every_value_fits(from_records):
    for query in (*TYPED, *map(queries.query, FACTS)):
        rows = from_records.sql(f"SELECT {', '.join(query.grain)} FROM {query.name}").dicts()
        assert Counter(map(str, rows)).most_common(1)[0][1] == 1, query.name
    assert from_records.sql("SELECT * FROM unreadable_value").dicts() == []


def test_a_session_that_was_preempted_and_came_back_is_told_whole(from_records):
    found = from_records.sql("SELECT * FROM workloads WHERE owner_name = 'session-7f3a'").one()

    assert (found["outcome"], found["cluster_queue"], found["eviction_count"]) == (
        "Succeeded",
        "agent-sessions",
        1,
    )
    # Requeued 09:12:09, reserved 09:31:00, admitted 09:31:08, finished 10:06:48, and 615 s before that.
    assert (found["queue_wait_seconds"], found["admission_check_wait_seconds"]) == (1131, 8)
    assert found["execution_seconds"] == 615 + 2140


def test_the_eviction_keeps_its_time_and_names_who_caused_it(from_records):
    found = from_records.sql(
        "SELECT eviction.evicted_at::VARCHAR AS evicted_at, eviction.is_reconstructed, preemptor.owner_name"
        " FROM workload_evictions AS eviction JOIN workloads AS preemptor ON preemptor.uid = preemptor_uid"
    ).one()

    assert tuple(found.values()) == ("2026-05-04 09:12:00+00", False, "session-9b1e")


def test_a_pod_of_the_records_needs_containers_sidecars_and_overhead(from_records):
    found = from_records.sql(
        "SELECT pod_set, resource, request FROM workload_pod_requests JOIN workloads USING (uid)"
        " WHERE owner_name = 'session-7f3a' ORDER BY ALL"
    ).dicts()

    gibibyte, mebibyte = 1 << 30, 1 << 20
    assert [tuple(row.values()) for row in found] == [
        ("agents", "cpu", Decimal("3.245")),
        ("agents", "memory", 10 * gibibyte + 2560 * mebibyte + 160 * mebibyte),
        ("recorder", "cpu", Decimal("0.6")),
    ]


# Two API versions


def test_a_workload_reads_the_same_in_both_versions(rows_of):
    older = kueue(
        "Workload",
        version="v1beta1",
        priorityClassName="batch",
        priorityClassSource="kueue.x-k8s.io/workloadpriorityclass",
        status={"accumulatedPastExexcutionTimeSeconds": 300},
    )
    newer = kueue(
        "Workload",
        seen="2",
        priorityClassRef={"group": "kueue.x-k8s.io", "kind": "WorkloadPriorityClass", "name": "batch"},
        status={"accumulatedPastExecutionTimeSeconds": 300},
    )

    first, second = rows_of([older, newer], "kueue_workload")
    for column in ("priority_class", "priority_class_kind", "past_execution_seconds"):
        assert first[column] == second[column]
    assert (first["priority_class_kind"], first["past_execution_seconds"]) == ("WorkloadPriorityClass", 300)


def test_a_cluster_queue_reads_the_same_in_both_versions(rows_of):
    older = kueue(
        "ClusterQueue",
        version="v1beta1",
        cohort="platform",
        admissionChecks=["budget"],
        flavorFungibility={"whenCanBorrow": "Borrow", "whenCanPreempt": "Preempt"},
    )
    newer = kueue(
        "ClusterQueue",
        seen="2",
        cohortName="platform",
        admissionChecksStrategy={"admissionChecks": [{"name": "budget"}]},
        flavorFungibility={"whenCanBorrow": "MayStopSearch", "whenCanPreempt": "MayStopSearch"},
    )

    first, second = rows_of([older, newer], "kueue_cluster_queue")
    for column in ("cohort", "admission_checks", "when_can_borrow", "when_can_preempt"):
        assert first[column] == second[column]
    assert (first["cohort"], first["admission_checks"], first["when_can_borrow"]) == (
        "platform",
        ["budget"],
        "MayStopSearch",
    )


def test_usage_of_a_local_queue_is_singular_in_v1beta1(rows_of):
    used = [{"name": "spot", "resources": [{"name": "cpu", "total": "2500m"}]}]
    older = kueue("LocalQueue", version="v1beta1", status={"flavorUsage": used})
    newer = kueue("LocalQueue", seen="2", status={"flavorsUsage": used})

    rows = rows_of([older, newer], "kueue_local_queue_usage")
    assert [(row["used_total"], row["reserved_total"]) for row in rows] == [(Decimal("2.5"), None)] * 2


def test_a_cohort_names_its_parent_in_every_version(rows_of):
    older = kueue("Cohort", version="v1alpha1", parent="platform")
    newer = kueue("Cohort", seen="2", parentName="platform")

    rows = rows_of([older, newer], "kueue_cohort")
    assert [row["parent_cohort"] for row in rows] == ["platform", "platform"]


# Queues


def test_a_quota_is_exact_and_an_absent_limit_is_no_limit(rows_of):
    groups = quotas(cpu={"nominalQuota": 8}, memory={"nominalQuota": "197984306250Ki", "borrowingLimit": "0"})

    cpu, memory = rows_of([kueue("ClusterQueue", resourceGroups=groups)], "kueue_cluster_queue_quota")
    assert (cpu["nominal_quota"], cpu["nominal_quota_text"], cpu["borrowing_limit_text"]) == (8, "8", None)
    assert (memory["nominal_quota"], memory["borrowing_limit"]) == (197984306250 * 1024, 0)


def test_a_quota_that_cannot_be_read_is_null_kept_as_text_and_counted(warehouse_of):
    groups = quotas(cpu={"nominalQuota": "8", "borrowingLimit": "plenty"})
    warehouse = warehouse_of([kueue("ClusterQueue", cohortName="platform", resourceGroups=groups)])

    row = warehouse.sql("SELECT borrowing_limit, borrowing_limit_text FROM kueue_cluster_queue_quota").one()
    lost = warehouse.sql("SELECT table_name, column_name, value FROM unreadable_value").one()
    fact = warehouse.sql("SELECT is_borrowing_unlimited FROM queue_quotas").one()
    assert tuple(row.values()) == (None, "plenty")
    assert tuple(lost.values()) == ("kueue_cluster_queue_quota", "borrowing_limit", "plenty")
    assert fact == {"is_borrowing_unlimited": False}


def test_flavors_keep_their_order_and_their_group(rows_of):
    groups = [
        {
            "flavors": [
                {"name": name, "resources": [{"name": "cpu", "nominalQuota": 1}]} for name in ("b", "a")
            ]
        },
        {"flavors": [{"name": "slots", "resources": [{"name": "pods", "nominalQuota": 1}]}]},
    ]

    rows = rows_of([kueue("ClusterQueue", resourceGroups=groups)], "kueue_cluster_queue_quota")
    assert [(row["flavor"], row["resource_group_number"], row["flavor_number"]) for row in rows] == [
        ("b", 1, 1),
        ("a", 1, 2),
        ("slots", 2, 1),
    ]


def test_a_weighted_share_without_bound_is_infinite_and_no_number(rows_of):
    status = {"fairSharing": {"weightedShare": 9223372036854775807}}

    [row] = rows_of([kueue("ClusterQueue", status=status)], "kueue_cluster_queue")
    assert (row["weighted_share"], row["is_weighted_share_infinite"]) == (None, True)


def test_a_count_left_out_is_zero_but_unknown_without_a_status(rows_of):
    statuses = {"three": {"pendingWorkloads": 3}, "none": {"conditions": []}, "unknown": None}
    queues = [kueue("ClusterQueue", name=name, status=status) for name, status in statuses.items()]

    counts = {row["cluster_queue"]: row["pending_count"] for row in rows_of(queues, "kueue_cluster_queue")}
    assert counts == {"three": 3, "none": 0, "unknown": None}


def test_reserved_and_used_are_one_row_a_flavor_and_resource(rows_of):
    def use(total: str, borrowed: str) -> list[Any]:
        return [{"name": "spot", "resources": [{"name": "cpu", "total": total, "borrowed": borrowed}]}]

    status = {"flavorsReservation": use("10", "2"), "flavorsUsage": use("8500m", "500m")}

    [row] = rows_of([kueue("ClusterQueue", status=status)], "kueue_cluster_queue_usage")
    assert (row["reserved_total"], row["reserved_borrowed"]) == (10, 2)
    assert (row["used_total"], row["used_borrowed"]) == (Decimal("8.5"), Decimal("0.5"))


def test_usage_of_the_wrong_shape_is_counted(warehouse_of):
    warehouse = warehouse_of([kueue("ClusterQueue", status={"flavorsUsage": {"spot": 1}})])
    assert warehouse.sql("SELECT column_name FROM unreadable_value").one() == {
        "column_name": "status.flavorsUsage"
    }


# Workloads


def test_quota_is_held_from_reservation_until_release_or_the_end(rows_of):
    reserved = condition("QuotaReserved", "True")
    conditions = {
        "new": [],
        "waiting": [condition("QuotaReserved", "False", "WaitingForQuota")],
        "reserved": [reserved],
        "evicted, not yet released": [reserved, condition("Admitted", "True"), condition("Evicted", "True")],
        "not finished": [reserved, condition("Finished", "False")],
        "finished": [reserved, condition("Finished", "True", "Succeeded")],
    }
    workloads = [kueue("Workload", name=name, status={"conditions": c}) for name, c in conditions.items()]

    rows = rows_of(workloads, "kueue_workload")
    assert {row["workload"] for row in rows if row["holds_quota"]} == {
        "reserved",
        "evicted, not yet released",
        "not finished",
    }


def test_a_workload_without_status_is_active_and_never_ran(rows_of):
    [row] = rows_of([kueue("Workload", queueName="sessions")], "kueue_workload")

    assert (row["is_active"], row["holds_quota"], row["quota_reserved_status"]) == (True, False, None)
    assert (row["past_execution_seconds"], row["requeue_count"], row["cluster_queue"]) == (0, 0, None)


def test_a_reason_kueue_has_not_had_yet_passes_through(rows_of):
    status = {"conditions": [condition("QuotaReserved", "False", "WaitingForTheMoon")]}

    [row] = rows_of([kueue("Workload", status=status)], "kueue_workload")
    assert row["quota_reserved_reason"] == "WaitingForTheMoon"


def test_an_assignment_names_the_flavor_and_total_of_each_resource(rows_of):
    assignment = {
        "name": "main",
        "count": 3,
        "flavors": {"cpu": "on-demand", "memory": "spot"},
        "resourceUsage": {"cpu": "4500m", "memory": "600Mi"},
    }
    status = {"admission": {"clusterQueue": "sessions", "podSetAssignments": [assignment]}}

    cpu, memory = rows_of([kueue("Workload", status=status)], "kueue_workload_assignment")
    assert (cpu["flavor"], cpu["quantity_total"], cpu["pod_count"]) == ("on-demand", Decimal("4.5"), 3)
    assert (memory["flavor"], memory["quantity_total"], memory["cluster_queue"]) == (
        "spot",
        600 << 20,
        "sessions",
    )


def test_a_limit_alone_is_the_request_too(rows_of):
    resources = {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "500m"}}
    pod_set = {"name": "main", "count": 1, "template": {"spec": {"containers": [{"resources": resources}]}}}

    rows = rows_of([kueue("Workload", podSets=[pod_set])], "kueue_workload_container_request")
    assert {row["resource"]: row["request_text"] for row in rows} == {"cpu": "500m", "memory": "1Gi"}


def test_a_condition_seen_twice_is_one_row_of_when_it_was_first_seen(rows_of):
    status = {"conditions": [condition("QuotaReserved", "True")]}
    seen = [
        (kueue("Workload", seen="9", status=status), "2026-05-04T09:00:01Z"),
        (kueue("Workload", seen="10", status=status, active=True), "2026-05-04T09:00:09Z"),
    ]

    [row] = rows_of(seen, "kueue_workload_condition")
    assert row["resource_version"] == "9"


def test_an_eviction_counter_is_a_row_each_count_and_no_more(rows_of):
    def counted(count: int, seen: str) -> Any:
        eviction = {"reason": "Preempted", "underlyingCause": "", "count": count}
        return kueue("Workload", seen=seen, status={"schedulingStats": {"evictions": [eviction]}})

    rows = rows_of([counted(1, "1"), counted(1, "2"), counted(2, "3")], "kueue_workload_eviction")
    assert sorted((row["eviction_count"], row["underlying_cause"] is None) for row in rows) == [
        (1, True),
        (2, True),
    ]


# What others wrote


@needs_shared
def test_the_shared_samples_read_as_by_eye(warehouse_of):
    names = [name for name in SAMPLES.glob("*.json") if "summary" not in name.name]
    warehouse = warehouse_of([json.loads(name.read_text(encoding="utf-8")) for name in names])

    queue = warehouse.sql("SELECT * FROM kueue_cluster_queue WHERE cluster_queue = 'cq-bench'").one()
    assert [queue[f"{count}_count"] for count in ("pending", "reserving", "admitted")] == [7, 3, 2]
    assert (queue["weighted_share"], queue["cohort"]) == (31, "research")
    usage = warehouse.sql("SELECT * FROM queue_usage_intervals WHERE resource = 'nvidia.com/gpu'").one()
    assert (usage["used_total"], usage["used_borrowed"], usage["nominal_quota"]) == (10, 2, 8)
    finished = warehouse.sql("SELECT * FROM workloads WHERE owner_name = 'eval-0001'").one()
    assert (finished["execution_seconds"], finished["eviction_count"]) == (300 + 1800, 1)
    eviction = warehouse.sql("SELECT * FROM workload_evictions").one()
    assert (eviction["reason"], eviction["is_reconstructed"]) == ("Preempted", True)
    assert eviction["preemptor_uid"] == "99999999-2222-4333-8444-555555555555"
    assert warehouse.sql("SELECT count(*) AS n FROM kueue_local_queue_usage").one() == {"n": 5}
    assert warehouse.sql("SELECT * FROM unreadable_value").dicts() == []


@needs_shared
@pytest.mark.parametrize("resource", PARSED)
def test_every_field_that_is_read_is_in_a_crd(resource):
    known = set()
    for file in CRDS.rglob(f"kueue.x-k8s.io_{resource}.yaml"):
        definition = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
        for version in definition["spec"]["versions"]:
            known |= set(schema_paths(version["schema"]["openAPIV3Schema"]))
    sql = queries.query(PARSED[resource]).sql
    structure = json.loads(sql.split("from_json(version.body, '")[1].split("') AS object")[0])

    # A CRD does not list the API server's own metadata.
    read = {path for path in leaves(structure) if not path.startswith("metadata.")}
    assert read - known - NOT_IN_CRD == set()


def leaves(structure: Any, path: str = "") -> list[str]:
    if isinstance(structure, dict):
        return [
            leaf for key, value in structure.items() for leaf in leaves(value, f"{path}.{key}".lstrip("."))
        ]
    return leaves(structure[0], f"{path}[]") if isinstance(structure, list) else [path]


def schema_paths(schema: dict[str, Any], path: str = "") -> list[str]:
    found = [path]
    for key, value in schema.get("properties", {}).items():
        found += schema_paths(value, f"{path}.{key}".lstrip("."))
    return found + (schema_paths(schema["items"], f"{path}[]") if "items" in schema else [])
