"""What GitOps Promoter writes, and what its objects do not say, as rows."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import starmap
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from gitopslab import database, queries, resources
from gitopslab.warehouse import bookkeeping, typed

TESTS = Path(__file__).parent
SHARED = TESTS.parents[1] / "shared" / "data"
SAMPLES = SHARED / "samples" / "gitops-promoter"
CRDS = SHARED / "crds" / "gitops-promoter"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared sample data is not beside this checkout"
)

TYPED = [query for query in queries.room("typed") if query.name.startswith("promoter_")]
PARSED = [query for query in queries.room("parsed") if query.name.startswith("parsed_promoter_")]
FACTS = [
    queries.query(name)
    for name in ("promotions", "pull_requests", "commit_status_phases", "environment_states")
]
SERVER_OWNED = "metadata."
"""The API server's fields, which a CRD's schema does not list."""


def promoter(
    kind: str, *, name: str = "a", spec: Any = None, status: Any = None, **metadata: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "promoter.argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "promoter",
            "uid": f"{kind}-{name}",
            "resourceVersion": "1",
            **metadata,
        },
        "spec": spec or {},
        "status": status or {},
    }


def strategy(*environments: Any, **spec: Any) -> dict[str, Any]:
    return promoter("PromotionStrategy", name="shop", spec=spec, status={"environments": list(environments)})


def policy(*, status: Any = None, **metadata: Any) -> dict[str, Any]:
    return promoter("ChangeTransferPolicy", spec={"activeBranch": "env/dev"}, status=status, **metadata)


def recorded(folder: Path, seen_at: str) -> list[tuple[dict[str, Any], str]]:
    files = sorted(folder.glob("*.promoter.argoproj.io.json"))
    return [
        (item, seen_at) for file in files for item in json.loads(file.read_text(encoding="utf-8"))["items"]
    ]


EARLIER = recorded(TESTS / "records", "2026-03-06T08:00:00Z")
LATER = recorded(TESTS / "records" / "later", "2026-03-06T08:05:00Z")


@pytest.fixture
def rows_of() -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Rows that the queries make of objects; only the queries that are asked for are run.

    An object may be a pair of itself and when it was seen. `environments` are pairs of name and branch.
    """
    with database.memory() as connection:
        connection.execute(queries.macros())
        bookkeeping.create(connection)

        def rows(objects: Iterable[Any], table: str, *, environments: Any = ()) -> list[dict[str, Any]]:
            pairs = [item if isinstance(item, tuple) else (item, "2026-01-01T00:00:00Z") for item in objects]
            connection.register("object_versions", pa.Table.from_pylist(list(starmap(object_version, pairs))))
            for name, branch in environments:
                connection.execute(
                    "INSERT INTO configured_environment (environment, branch) VALUES (?, ?)", [name, branch]
                )
            make(connection, table)
            return database.arrow(connection, f"SELECT * FROM {table}").to_pylist()

        yield rows


def make(connection: database.Connection, table: str) -> None:
    if table not in queries.catalog():
        return
    query = queries.query(table)
    for name in query.reads:
        make(connection, name)
    sql = typed.parsed_with_shape(query) if query.room == "parsed" else query.sql
    connection.execute(f"CREATE OR REPLACE TABLE {table} AS\n{sql}")


def object_version(item: dict[str, Any], seen_at: str) -> dict[str, Any]:
    metadata = item["metadata"]
    return {
        "cluster": "hub",
        "cluster_uid": "hub-uid",
        "api_group": "promoter.argoproj.io",
        "api_version": "v1alpha1",
        "resource": resources.resource_of_kind(item["kind"]),
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "uid": metadata.get("uid", metadata["name"]),
        "resource_version": metadata.get("resourceVersion", ""),
        "event_type": "ADDED",
        "observed_at": datetime.fromisoformat(seen_at),
        "body": json.dumps(item),
    }


def test_the_records_fill_every_column_and_repeat_no_row(warehouse_of):
    warehouse_of(EARLIER, cluster="hub").close()
    warehouse = warehouse_of(LATER, cluster="hub")

    for query in (*TYPED, *FACTS):
        keys = warehouse.sql(f"SELECT {', '.join(query.grain)} FROM {query.name}").dicts()
        assert Counter(map(str, keys)).most_common(1)[0][1] == 1, query.name
    for query in TYPED:
        columns = warehouse.sql(f"SELECT * FROM {query.name} LIMIT 0").columns
        counted = ", ".join(f"count({column}) AS {column}" for column in columns)
        counts = warehouse.sql(f"SELECT {counted} FROM {query.name}").one()
        # Only a watch tells what happened to an object.
        assert [c for c, count in counts.items() if not count and c != "event_type"] == [], query.name
    assert warehouse.sql("FROM unreadable_value WHERE table_name LIKE '%promoter_%'").dicts() == []


def test_a_promotion_told_by_two_kinds_and_two_versions_is_one(rows_of):
    promotions = sorted(rows_of([*EARLIER, *LATER], "promotions"), key=lambda row: row["merged_at"])

    columns = (
        *("branch", "pull_request_id", "is_manual", "evidence"),
        *("pull_request_seconds", "dry_to_merge_seconds"),
    )
    assert [tuple(row[column] for column in columns) for row in promotions] == [
        ("env/spokes-staging", None, True, "history", None, None),
        ("env/hub", "39", False, "history", 900, 1200),
        ("env/spokes-dev", "40", False, "history", 90, 360),
        ("env/spokes-dev", None, True, "history", None, 23400),
        ("env/spokes-dev", "42", False, "history", 300, 530),
        ("env/spokes-staging", "43", False, "history", 2445, 2690),
        ("env/spokes-dev", "44", False, "history", 120, 400),
    ]


def test_a_merged_pull_request_whose_object_still_says_open_is_merged(rows_of):
    rows = rows_of([*EARLIER, *LATER], "pull_requests")

    [found] = [row for row in rows if row["pull_request_id"] == "44"]
    assert (found["state"], found["last_state"]) == ("merged", "open")
    assert found["state_source"] == "promotion_history"
    assert (found["open_seconds"], found["is_open_seconds_lower_bound"]) == (120, False)


def test_the_environments_as_they_were_last_seen(rows_of):
    states = sorted(rows_of([*EARLIER, *LATER], "environment_states"), key=lambda row: row["branch"])

    columns = (
        *("branch", "is_promotion_pending", "blocking_gates"),
        *("unsuccessful_active_gates", "pull_request_state"),
    )
    assert [tuple(row[column] for column in columns) for row in states] == [
        ("env/hub", True, None, None, "externally_merged_or_closed"),
        ("env/spokes-dev", False, None, ["argocd-health", "timer"], "merged"),
        ("env/spokes-staging", True, ["promoter-previous-environment"], ["argocd-health"], "open"),
    ]


def test_a_side_keeps_its_own_commits(rows_of):
    sides = {
        "active": {"dry": {"sha": "ad", "subject": "as"}, "hydrated": {"sha": "ah", "subject": "at"}},
        "proposed": {"dry": {"sha": "pd", "subject": "ps"}, "hydrated": {"sha": "ph", "subject": "pt"}},
    }

    for table, item in (
        ("promoter_promotion_strategy_environment", strategy({"branch": "env/dev", **sides})),
        ("promoter_change_transfer_policy", policy(status=sides)),
    ):
        [row] = rows_of([item], table)
        assert [row[f"active_{column}"] for column in ("dry_sha", "hydrated_sha")] == ["ad", "ah"]
        assert [row[f"active_{column}_subject"] for column in ("dry", "hydrated")] == ["as", "at"]
        assert [row[f"proposed_{column}"] for column in ("dry_sha", "hydrated_sha")] == ["pd", "ph"]
        assert [row[f"proposed_{column}_subject"] for column in ("dry", "hydrated")] == ["ps", "pt"]


def test_the_dry_time_is_the_authors_and_the_hydrated_time_the_committers(rows_of):
    times = {
        "dry": {"sha": "d", "commitTime": "2026-01-01T10:00:00+02:00"},
        "hydrated": {"sha": "h", "commitTime": "2026-01-01T08:05:00Z"},
    }

    [row] = rows_of([policy(status={"active": times})], "promoter_change_transfer_policy")

    assert row["active_dry_authored_at"].isoformat() == "2026-01-01T08:00:00+00:00"
    assert row["active_hydrated_committed_at"].isoformat() == "2026-01-01T08:05:00+00:00"


def test_after_a_hydration_that_changed_nothing_the_note_is_ahead_and_nothing_is_pending(rows_of):
    status = {"active": {"dry": {"sha": "d1"}}, "proposed": {"dry": {"sha": "d1"}, "note": {"drySha": "d2"}}}

    [row] = rows_of([policy(status=status)], "environment_states")

    assert (row["proposed_dry_sha"], row["proposed_effective_dry_sha"]) == ("d1", "d2")
    assert row["is_promotion_pending"] is False


def test_an_environment_that_says_nothing_merges_by_itself(rows_of):
    wanted = [{"branch": "env/dev"}, {"branch": "env/prod", "autoMerge": False, "activePath": "prod"}]
    item = strategy({"branch": "env/dev"}, {"branch": "env/prod"}, environments=wanted, activePath="all")

    rows = rows_of([item], "promoter_promotion_strategy_environment")

    assert [(row["branch"], row["is_auto_merge"], row["active_path"]) for row in rows] == [
        ("env/dev", True, "all"),
        ("env/prod", False, "prod"),
    ]


def test_an_environment_that_left_the_spec_is_kept_with_what_is_known(rows_of):
    [row] = rows_of(
        [strategy({"branch": "env/old"}, environments=[])], "promoter_promotion_strategy_environment"
    )

    assert (row["branch"], row["is_auto_merge"]) == ("env/old", None)


def test_a_commit_made_by_hand_has_no_pull_request_and_is_kept(rows_of):
    by_hand = {"active": {"hydrated": {"sha": "h"}}, "proposed": {"hydrated": {}}, "pullRequest": {}}

    [row] = rows_of([policy(status={"history": [by_hand]})], "promotions")

    assert (row["hydrated_sha"], row["pull_request_id"], row["is_manual"]) == ("h", None, True)


def test_a_promotion_that_leaves_the_history_stays(warehouse_of):
    def history(*shas: str) -> dict[str, Any]:
        return {"history": [{"active": {"hydrated": {"sha": sha}}} for sha in shas]}

    before = policy(status=history("5", "4", "3", "2", "1"))
    after = policy(status=history("6", "5", "4", "3", "2"), resourceVersion="2")
    warehouse_of([(before, "2026-01-01T00:00:00Z")]).close()
    warehouse = warehouse_of([(after, "2026-01-02T00:00:00Z")])

    found = warehouse.sql("SELECT hydrated_sha FROM promoter_promotion ORDER BY 1").dicts()
    assert [row["hydrated_sha"] for row in found] == ["1", "2", "3", "4", "5", "6"]


def test_a_merge_time_outside_of_a_history_is_not_a_column(rows_of):
    pull_request = {"id": "7", "prMergeTime": "2026-01-01T00:00:00Z"}

    [row] = rows_of([policy(status={"pullRequest": pull_request})], "promoter_change_transfer_policy")

    assert row["pull_request_id"] == "7"
    assert not [column for column in row if "merged_at" in column]


def test_fields_that_the_controller_never_writes_are_not_read(rows_of):
    invented = {
        "endedAt": "2026-01-01T00:00:00Z",
        "active": {"hydrated": {"sha": "h"}},
        "pullRequest": {"number": 3},
    }
    item = strategy(
        {"branch": "env/dev", "history": [invented], "lastHealthyDryShas": [{"sha": "d", "time": "never"}]}
    )

    [row] = rows_of([item], "promoter_promotion")

    assert {column for column, value in row.items() if value is not None} == {
        *(
            "cluster",
            "cluster_uid",
            "namespace",
            "kind",
            "object_name",
            "uid",
            "resource_version",
            "observed_at",
        ),
        *("promotion_strategy", "branch", "hydrated_sha"),
    }


def test_a_sha_of_39_characters_is_kept_as_it_is(rows_of):
    short = {"active": {"dry": {"sha": "a" * 39}}}

    [row] = rows_of([policy(status=short)], "promoter_change_transfer_policy")

    assert row["active_dry_sha"] == "a" * 39


def test_the_owner_names_the_strategy_that_a_label_cuts_short(rows_of):
    name = "a-strategy-whose-name-is-longer-than-the-sixty-three-characters-of-a-label"
    labels = {"promoter.argoproj.io/promotion-strategy": name[:63]}
    owned = policy(labels=labels, ownerReferences=[{"kind": "PromotionStrategy", "name": name}])

    assert rows_of([owned], "promoter_change_transfer_policy")[0]["promotion_strategy"] == name


def test_the_label_names_the_strategy_where_the_owner_is_missing(rows_of):
    labelled = policy(labels={"promoter.argoproj.io/promotion-strategy": "shop"})

    assert rows_of([labelled], "promoter_change_transfer_policy")[0]["promotion_strategy"] == "shop"


def test_gates_of_both_sides_are_rows(rows_of):
    gates = {
        "active": {"commitStatuses": [{"key": "argocd-health", "phase": "success"}]},
        "proposed": {"commitStatuses": [{"key": "scan", "phase": "pending", "description": "waiting"}]},
    }

    rows = rows_of([policy(status=gates)], "promoter_environment_commit_status")

    assert sorted((row["side"], row["gate_key"], row["phase"], row["description"]) for row in rows) == [
        ("active", "argocd-health", "success", None),
        ("proposed", "scan", "pending", "waiting"),
    ]


def test_an_unknown_phase_is_passed_on(rows_of):
    gates = {"proposed": {"commitStatuses": [{"key": "scan", "phase": "skipped"}]}}

    assert rows_of([policy(status=gates)], "promoter_environment_commit_status")[0]["phase"] == "skipped"


def test_the_final_phases_of_a_promotion_are_kept(rows_of):
    entry = {
        "active": {
            "hydrated": {"sha": "h"},
            "commitStatuses": [{"key": "argocd-health", "phase": "success"}],
        },
        "proposed": {"commitStatuses": [{"key": "a-phase-of-my-own", "phase": "failure"}]},
    }

    rows = rows_of([policy(status={"history": [entry]})], "promoter_promotion_commit_status")

    assert sorted((row["hydrated_sha"], row["side"], row["gate_key"], row["phase"]) for row in rows) == [
        ("h", "active", "argocd-health", "success"),
        ("h", "proposed", "a-phase-of-my-own", "failure"),
    ]


def test_a_dry_commit_names_the_source_commits_it_was_made_from(rows_of):
    commit = {"sha": "s", "repoURL": "https://example.com/shop", "subject": "fix"}
    dry = {"sha": "d", "repoURL": "https://example.com/stacks", "references": [{"commit": commit}]}

    rows = rows_of(
        [policy(status={"proposed": {"dry": dry}}), strategy({"history": [{"active": {"dry": dry}}]})],
        "promoter_dry_commit_reference",
    )

    assert {(row["dry_sha"], row["reference_sha"], row["reference_subject"]) for row in rows} == {
        ("d", "s", "fix")
    }
    assert {row["uid"] for row in rows} == {"PromotionStrategy-shop", "ChangeTransferPolicy-a"}


def test_a_dry_commit_without_references_has_no_row(rows_of):
    nothing = policy(status={"proposed": {"dry": {"sha": "d"}}, "active": {}})

    assert rows_of([nothing], "promoter_dry_commit_reference") == []


def test_a_name_used_again_is_another_pull_request(rows_of):
    first = promoter("PullRequest", name="dev-next-dev", uid="one", status={"id": "1", "state": "open"})
    second = promoter("PullRequest", name="dev-next-dev", uid="two", status={"id": "2", "state": "open"})

    rows = rows_of([first, second], "pull_requests")

    assert sorted((row["uid"], row["pull_request_id"]) for row in rows) == [("one", "1"), ("two", "2")]


def test_merge_requested_is_not_merged(rows_of):
    requested = promoter("PullRequest", spec={"state": "merged"}, status={"id": "1", "state": "open"})

    [row] = rows_of([requested], "pull_requests")

    assert (row["state"], row["is_merge_requested"]) == ("open", True)


def test_a_pull_request_wants_to_be_open_by_default(rows_of):
    assert rows_of([promoter("PullRequest")], "promoter_pull_request")[0]["desired_state"] == "open"


def test_a_pull_request_that_others_ended_is_neither_merged_nor_closed(rows_of):
    ended = promoter("PullRequest", status={"id": "1", "state": "", "externallyMergedOrClosed": True})

    [row] = rows_of([ended], "pull_requests")

    assert (row["state"], row["last_state"]) == ("externally_merged_or_closed", None)


def test_a_pull_request_the_forge_does_not_know_yet_has_no_state(rows_of):
    [row] = rows_of([promoter("PullRequest", spec={"state": "open"})], "pull_requests")

    assert (row["state"], row["state_source"], row["open_seconds"]) == (None, None, None)


def test_finalizers_are_kept_as_they_are_spelt(rows_of):
    spelt = "pullrequest.promoter.argoporoj.io/finalizer"

    [row] = rows_of([promoter("PullRequest", finalizers=[spelt])], "promoter_pull_request")

    assert row["finalizers"] == [spelt]


def test_what_a_gate_says_and_what_the_forge_was_told_differ(rows_of):
    behind = promoter(
        "CommitStatus", spec={"sha": "new", "phase": "pending"}, status={"sha": "old", "phase": "success"}
    )

    [row] = rows_of([behind], "promoter_commit_status")

    assert (row["sha"], row["phase"]) == ("new", "pending")
    assert (row["reported_sha"], row["reported_phase"]) == ("old", "success")


def test_a_gate_that_was_not_reported_yet_has_no_reported_phase(rows_of):
    [row] = rows_of([promoter("CommitStatus", status={"phase": ""})], "promoter_commit_status")

    assert (row["phase"], row["reported_phase"]) == ("pending", None)


def test_soak_times_are_seconds_beside_their_text(rows_of):
    environment = {"branch": "env/dev", "requiredDuration": "1h30m0s", "atMostDurationRemaining": "14m30.5s"}

    [row] = rows_of(
        [promoter("TimedCommitStatus", status={"environments": [environment]})],
        "promoter_timed_commit_status_environment",
    )

    assert (row["required_duration"], row["required_seconds"]) == ("1h30m0s", 5400)
    assert (row["at_most_duration_remaining"], row["at_most_remaining_seconds"]) == ("14m30.5s", 870.5)
    assert row["gate_key"] == "timer"


def test_a_soak_time_that_is_no_duration_is_counted(warehouse_of):
    environment = {"branch": "env/dev", "requiredDuration": "soon"}
    warehouse = warehouse_of([promoter("TimedCommitStatus", status={"environments": [environment]})])

    [lost] = warehouse.sql("SELECT column_name, value FROM unreadable_value").dicts()
    assert lost == {"column_name": "required_seconds", "value": "soon"}


def test_the_sha_of_an_application_that_is_not_synced_is_not_known(rows_of):
    selected = [
        {"environment": "env/dev", "clusterName": "", "name": "shop", "phase": "pending", "sha": ""},
        {"environment": "env/prod", "name": "shop", "phase": "success", "sha": "h"},
    ]

    rows = rows_of(
        [promoter("ArgoCDCommitStatus", status={"applicationsSelected": selected})],
        "promoter_argocd_commit_status_application",
    )

    assert [(row["environment_branch"], row["application_cluster"], row["sha"]) for row in rows] == [
        ("env/dev", "", None),
        ("env/prod", None, "h"),
    ]
    assert {row["gate_key"] for row in rows} == {"argocd-health"}


def test_an_error_that_went_away_is_still_a_row(rows_of):
    def ready(status: str, reason: str) -> dict[str, Any]:
        return {"conditions": [{"type": "Ready", "status": status, "reason": reason}]}

    failing = promoter("CommitStatus", status=ready("False", "ReconciliationError"))
    well = promoter("CommitStatus", status=ready("True", "ReconciliationSuccess"), resourceVersion="2")

    rows = rows_of([failing, well], "promoter_condition")

    assert sorted((row["kind"], row["status"], row["reason"]) for row in rows) == [
        ("CommitStatus", "False", "ReconciliationError"),
        ("CommitStatus", "True", "ReconciliationSuccess"),
    ]


def test_an_object_without_a_status_is_a_row_of_what_is_known(rows_of):
    bare = {
        "apiVersion": "promoter.argoproj.io/v1alpha1",
        "kind": "PromotionStrategy",
        "metadata": {"name": "a"},
    }

    [row] = rows_of([bare], "promoter_promotion_strategy")

    assert (row["environment_count"], row["reported_environment_count"], row["ready_status"]) == (0, 0, None)


def test_a_status_of_the_wrong_shape_is_counted(warehouse_of):
    warehouse = warehouse_of([promoter("PromotionStrategy", status={"environments": {"env/dev": {}}})])

    [lost] = warehouse.sql("SELECT table_name, column_name FROM unreadable_value").dicts()
    assert lost == {"table_name": "parsed_promoter_promotion_strategy", "column_name": "status.environments"}


@pytest.mark.parametrize("fact", ["promotions", "environment_states", "pull_requests"])
@pytest.mark.parametrize(
    ("environments", "named"),
    [
        ([("development", "env/dev"), ("production", "env/prod")], "development"),
        ([("one", "env/dev"), ("other", "env/dev")], "env/dev"),
        ([("direct", "")], "env/dev"),
    ],
    ids=["one claims the branch", "two claim the branch", "none claims the branch"],
)
def test_an_environment_is_the_only_configured_one_of_its_branch(rows_of, fact, environments, named):
    seen = [
        policy(status={"active": {"hydrated": {"sha": "h"}}}),
        promoter("PullRequest", spec={"targetBranch": "env/dev"}),
    ]

    [row] = rows_of(seen, fact, environments=environments)

    assert row["environment"] == named


@pytest.mark.parametrize("query", PARSED, ids=lambda query: query.name)
@needs_shared
def test_every_field_that_is_read_is_in_the_crd(query):
    plural = query.sql.rpartition("version.resource = '")[2].partition("'")[0]
    definition = yaml.safe_load((CRDS / f"promoter.argoproj.io_{plural}.yaml").read_text(encoding="utf-8"))
    served = [version["schema"] for version in definition["spec"]["versions"] if version["served"]]
    known = {path for schema in served for path in schema_paths(schema["openAPIV3Schema"])}
    structure = json.loads(query.sql.partition("version.body, '")[2].partition("') AS object")[0])

    unknown = {path for path in leaves(structure) if path not in known and not path.startswith(SERVER_OWNED)}
    assert unknown == set()


def leaves(structure: Any, path: str = "") -> list[str]:
    if isinstance(structure, dict):
        return [
            leaf
            for key, value in structure.items()
            for leaf in leaves(value, f"{path}.{key}" if path else key)
        ]
    return leaves(structure[0], f"{path}[]") if isinstance(structure, list) else [path]


def schema_paths(schema: dict[str, Any], path: str = "") -> list[str]:
    found = [path]
    for key, value in schema.get("properties", {}).items():
        found += schema_paths(value, f"{path}.{key}" if path else key)
    return found + (schema_paths(schema["items"], f"{path}[]") if "items" in schema else [])


def sample(name: str) -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        """YAML with times left as text, as JSON has them."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    loaded: dict[str, Any] = yaml.load((SAMPLES / name).read_text(encoding="utf-8"), Loader)  # noqa: S506 - a SafeLoader
    return loaded


@needs_shared
def test_the_captured_policy_reads_as_one_reads_it(rows_of):
    captured = sample("ctp-real-non-successful.yaml")

    [row] = rows_of([captured], "promoter_change_transfer_policy")
    [state] = rows_of([captured], "environment_states")

    assert row["promotion_strategy"] == "argocon-demo"
    assert (row["branch"], row["proposed_branch"]) == (
        "environments/development",
        "environments/development-next",
    )
    assert row["is_auto_merge"] is False
    assert row["active_hydrated_sha"] == "273279e41e0684bdbe112b28c2ee65cae9123fca"
    assert row["active_hydrated_committed_at"].isoformat() == "2025-07-18T19:29:44+00:00"
    assert (row["active_dry_authored_at"], row["pull_request_id"], row["history_count"]) == (None, None, 0)
    assert (state["is_promotion_pending"], state["unsuccessful_active_gates"]) == (False, ["argocd-health"])


@needs_shared
@pytest.mark.parametrize(
    ("name", "desired", "is_requested"),
    [("pr-real-open.yaml", "open", False), ("pr-real-merge-requested.yaml", "merged", True)],
)
def test_the_captured_pull_requests_read_as_one_reads_them(rows_of, name, desired, is_requested):
    [row] = rows_of([sample(name)], "promoter_pull_request")
    [fact] = rows_of([sample(name)], "pull_requests")

    assert (row["pull_request_id"], row["desired_state"], row["state"]) == ("2986", desired, "open")
    assert row["target_branch"] == "wave/0/west"
    assert (fact["state"], fact["is_merge_requested"]) == ("open", is_requested)


@needs_shared
def test_the_annotated_examples_read_as_one_reads_them(rows_of):
    names = (
        "ArgoCDCommitStatus",
        "ChangeTransferPolicy",
        "CommitStatus",
        "PromotionStrategy",
        "TimedCommitStatus",
    )
    examples = [sample(f"{name}.yaml") for name in names]

    def column(name: str, table: str) -> list[Any]:
        return sorted(row[name] for row in rows_of(examples, table))

    assert column("environment_count", "promoter_promotion_strategy") == [3]
    assert column("branch", "promoter_promotion_strategy_environment") == [
        "environment/dev",
        "environment/prod",
        "environment/test",
    ]
    assert column("reference_sha", "promoter_dry_commit_reference") == [
        "9d5ccef278218dea4caa903bb6abb9ed974a1d90"
    ]
    assert column("pull_request_id", "promoter_promotion") == ["847", "848"]
    assert column("phase", "promoter_commit_status") == ["success"]
    assert column("required_seconds", "promoter_timed_commit_status_environment") == [3600, 14400]
    assert column("at_most_remaining_seconds", "promoter_timed_commit_status_environment") == [0, 870]
    assert column("application_cluster", "promoter_argocd_commit_status_application") == ["", "prod"]
    assert column("kind", "promoter_condition") == list(names)


@needs_shared
def test_the_sample_of_a_hydration_that_changed_nothing_has_nothing_pending(rows_of):
    rows = rows_of([sample("ps-noop-rehydration.yaml")], "environment_states")

    assert [(row["is_promotion_pending"], row["proposed_effective_dry_sha"]) for row in rows] == [
        (False, "ab3c473abcdef0"),
        (False, "ab3c473abcdef0"),
    ]
