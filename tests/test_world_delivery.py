"""Delivery in the simulated fleet: its objects are as controllers write them, and its truth is in them."""

import json
import re
import shutil
import statistics
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime

import pytest

from gitopslab import settings
from gitopslab.checks.crds import schemas_from_directory
from gitopslab.checks.schema import drift
from gitopslab.errors import UsageError
from gitopslab.extract import files
from gitopslab.extract.files import Reading
from gitopslab.extract.landing import Landing
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake
from gitopslab.warehouse import Warehouse, build
from gitopslab.world.platform import START, Platform, generate
from gitopslab.world.scale import SCALES
from gitopslab.world.watching import Gap, Watching

from .conftest import SHARED
from .simulated import CLUSTERS, World

CRDS = {
    "current": ("argocd/v3.5.1", "gitops-promoter", "tekton-pipeline", "kueue"),
    "older": ("argocd/v3.4.7", "gitops-promoter/v0.30.0", "tekton-pipeline/v1.0.0", "kueue/v0.14.0"),
}

VERSION = re.compile(rb'"resourceVersion":"(\d+)"')

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="a world has git repositories")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world") / "out"
    generate(7, 3, "small", folder)
    return World(folder)


def stages(passage: dict) -> list:
    columns = ("pinned_at", "hydrated_at", "merged_at", "sync_started_at", "synced_at", "healthy_at")
    return [passage[column] for column in columns if passage[column] is not None]


def test_the_same_seed_writes_the_same_bytes_and_another_seed_another_world(tmp_path):
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        generate(seed, 0.5, "small", tmp_path / name)
    one, two, three = (World(tmp_path / name).digest() for name in ("one", "two", "three"))
    assert one == two
    assert one["objects/hub.ndjson.zst"] != three["objects/hub.ndjson.zst"]


@pytest.mark.parametrize("release", ["current", "older"])
def test_every_object_is_valid_by_the_crds_of_its_release(world, release, tmp_path):
    folders = [SHARED / "data" / "crds" / name for name in CRDS[release]]
    if not all(folder.is_dir() for folder in folders):
        pytest.skip("the CRDs are not beside this checkout")
    if release == "older":
        generate(7, 0.7, "small", tmp_path / "older", api_release="older")
        world = World(tmp_path / "older")
    keyed = ((("", event.kind, event.observed_at), bytes(event.body)) for event in world.events())
    schemas = [
        schema
        for folder in folders
        for file in sorted(folder.glob("*.yaml"))
        for schema in schemas_from_directory(file)
    ]
    report = drift(keyed, schemas)
    assert report.findings == ()
    assert {kind.kind for kind in report.objects_examined} >= {
        "Application",
        "ArgoCDCommitStatus",
        "ChangeTransferPolicy",
        "CommitStatus",
        "PipelineRun",
        "PromotionStrategy",
        "PullRequest",
        "TaskRun",
        "TimedCommitStatus",
    }


def test_what_controllers_forget_is_forgotten(world):
    histories = [len(item["status"]["history"]) for item in world.objects("Application", "dev")]
    assert max(histories) == 10
    policies = [item for item in world.objects("ChangeTransferPolicy") if "status" in item]
    assert max(len(item["status"]["history"]) for item in policies) == 5
    live = {item["metadata"]["uid"] for item in world.objects("Event", "staging")}
    gone = {
        event.object["metadata"]["uid"]
        for event in world.events("staging", kind="Event")
        if event.type == "DELETED"
    }
    assert live
    assert live == gone


def test_all_but_the_newest_hundred_runs_are_pruned_with_their_tasks(tmp_path):
    busy = replace(
        SCALES["small"], service_count=2, commits_per_day=80, workloads_per_day=1, benchmark_runs_per_day=0
    )
    with ExitStack() as files_of_world:
        platform = Platform(
            7,
            0.32,  # ends on Wednesday, some hours after the pruner's second run
            busy,
            out=tmp_path,
            api_release="current",
            watching=Watching(),
            files=files_of_world,
        )
        platform.run()
    events = World(tmp_path).events("hub", kind="PipelineRun")
    pruned = [event for event in events if event.type == "DELETED"]
    tasks = [event for event in World(tmp_path).events("hub", kind="TaskRun") if event.type == "DELETED"]
    began = [event for event in events if event.type == "ADDED" and event.observed_at < "2026-03-04T08"]
    assert pruned
    assert len(began) - len(pruned) in (100, 101)  # one may still run
    assert {event.observed_at[:16] for event in pruned} == {"2026-03-04T08:00"}
    assert len(tasks) > 2 * len(pruned)


def test_times_in_objects_are_whole_seconds(world):
    fraction = re.compile(rb"\d{2}:\d{2}:\d{2}\.\d+Z")
    assert not [event for event in world.events("dev", "staging") if fraction.search(event.body)]


def test_versions_of_a_cluster_come_in_their_order(world):
    for cluster in CLUSTERS:
        versions = [int(VERSION.search(event.body)[1]) for event in world.events(cluster)]
        assert versions == sorted(set(versions))


def test_a_change_passes_its_stages_in_order(world):
    passages = world.truth("change_environment")
    committed_at = {change["change_id"]: change["committed_at"] for change in world.truth("change")}
    assert len(passages) > 100
    for passage in passages:
        times = [committed_at[passage["change_id"]], *stages(passage)]
        assert times == sorted(times)
        assert (passage["state"] == "live") == (passage["healthy_at"] is not None)


def test_lanes_have_the_stages_that_they_have(world):
    live = [passage for passage in world.truth("change_environment") if passage["state"] == "live"]
    promoted = [passage for passage in live if passage["lane"] == "promoted"]
    direct = [passage for passage in live if passage["lane"] == "direct"]
    assert all(len(stages(passage)) == 6 for passage in promoted)
    assert all(passage["merged_at"] is None and len(stages(passage)) == 4 for passage in direct)
    assert {passage["environment"] for passage in live} == {"dev", "staging", "ryzen", "hub"}


def median_minutes(times) -> float:
    return statistics.median((until - since).total_seconds() / 60 for since, until in times)


def test_a_change_is_rolled_out_on_dev_five_to_eight_minutes_after_it_came_to_main(world):
    """From main of the config repository, and with its build from main of the sources."""
    changes = {change["change_id"]: change for change in world.truth("change")}
    direct = [row for row in world.truth("change_environment") if row["environment"] == "dev"]
    live = [row for row in direct if row["state"] == "live" and not row["is_superseded"]]
    built = [row for row in live if changes[row["change_id"]]["repository"] == "source"]
    assert len(live) > len(built) > 30
    assert 5 < median_minutes((row["pinned_at"], row["synced_at"]) for row in live) < 8
    assert (
        5 < median_minutes((changes[row["change_id"]]["committed_at"], row["synced_at"]) for row in built) < 8
    )


def test_a_pin_follows_its_build_within_a_minute_and_the_hydrator_looks_every_three(world):
    changes = {change["change_id"]: change for change in world.truth("change")}
    passages = [row for row in world.truth("change_environment") if row["environment"] == "dev"]
    finished = [
        abs((changes[row["change_id"]]["build_finished_at"] - row["pinned_at"]).total_seconds())
        for row in passages
        if row["pinned_at"] and changes[row["change_id"]]["build_state"] == "succeeded"
        if not row["is_superseded"]
    ]
    looked_at = [
        datetime.fromisoformat(operation["startedAt"]).timestamp()
        for item in world.objects("Application", "dev")
        if (operation := item["status"].get("sourceHydrator", {}).get("currentOperation"))
    ]
    rest = {round((time - looked_at[0]) % 180) % 180 for time in looked_at}
    assert statistics.median(finished) < 60
    assert rest <= {0, 1, 179}  # seconds are cut off


def test_the_truth_about_syncs_is_what_histories_say(world):
    deployed = {
        (item["metadata"]["name"], entry["revision"], entry["deployStartedAt"], entry["deployedAt"])
        for item in world.objects("Application", "dev")
        for entry in item["status"]["history"]
    }
    synced = {
        (
            passage["service"],
            passage["sync_revision"],
            f"{passage['sync_started_at']:%Y-%m-%dT%H:%M:%SZ}",
            f"{passage['synced_at']:%Y-%m-%dT%H:%M:%SZ}",
        )
        for passage in world.truth("change_environment")
        if passage["environment"] == "dev" and passage["synced_at"]
    }
    assert synced
    assert synced <= deployed


def test_merges_of_the_truth_are_merges_in_git(world):
    merged = {
        passage["merge_sha"]: passage["hydrated_sha"]
        for passage in world.truth("change_environment")
        if passage["environment"] == "dev" and passage["merge_sha"]
    }
    log = world.git("stacks.git", "log", "--first-parent", "--format=%H %P %ct", "env/spokes-dev")
    shas = {line.split()[0] for line in log.splitlines()}
    assert merged
    assert set(merged) <= shas
    trailers = world.git("stacks.git", "log", "--format=%(trailers:key=Pull-request-id)", "env/spokes-dev")
    assert trailers.count("Pull-request-id") == len(shas) - 2  # the branch's first two are nobody's promotion


def test_promoter_tells_of_commits_in_the_words_of_git(world):
    told = {
        (state["sha"], state["author"], state["subject"], state["body"])
        for item in world.objects("ChangeTransferPolicy")
        for side in ("active", "proposed")
        if (state := item.get("status", {}).get(side, {}).get("hydrated"))
    }
    log = world.git("stacks.git", "log", "--all", "--format=%H%x00%an%x00%s%x00%b%x01")
    committed = (entry.strip("\n").split("\0") for entry in log.split("\1")[:-1])
    assert len(told) > 100
    assert told <= {(sha, author, subject, body.strip()) for sha, author, subject, body in committed}


def test_a_commit_status_belongs_to_what_makes_it(world):
    makers = {
        (item["metadata"]["labels"]["promoter.argoproj.io/commit-status"], owner["kind"])
        for item in world.objects("CommitStatus")
        for owner in item["metadata"]["ownerReferences"]
    }
    assert makers == {
        ("argocd-health", "ArgoCDCommitStatus"),
        ("promoter-previous-environment", "ChangeTransferPolicy"),
        ("timer", "TimedCommitStatus"),
    }


def test_a_step_whose_image_cannot_be_pulled_never_ran_and_tekton_answers_for_it(world):
    attempts = [
        attempt
        for item in world.objects("TaskRun", "hub")
        for attempt in (item.get("status", {}), *item.get("status", {}).get("retriesStatus", ()))
        if attempt.get("conditions", [{}])[0].get("reason") == "TaskRunImagePullFailed"
    ]
    steps = [step for attempt in attempts for step in attempt["steps"]]
    assert steps
    assert all("startedAt" not in step["terminated"] for step in steps)
    assert {step["terminationReason"] for step in steps} == {"TaskRunImagePullFailed"}


def test_a_generator_lists_what_it_generated_and_its_template_is_what_that_is_made_of(world):
    generator = world.objects("ApplicationSet")[-1]
    template, status = generator["spec"]["template"]["spec"], generator["status"]
    mirrors = [item for item in world.objects("Application", "hub") if item["metadata"]["namespace"] == "dev"]
    assert (
        status["resourcesCount"] == len(status["resources"]) == len({m["metadata"]["name"] for m in mirrors})
    )
    for mirror in mirrors:
        name = mirror["metadata"]["name"]
        assert json.loads(json.dumps(template).replace("{{ .path.basename }}", name)) == mirror["spec"]


def test_changes_of_the_truth_are_commits_in_git(world):
    sources = {change["change_id"] for change in world.truth("change") if change["repository"] == "source"}
    assert set(world.git("workflow-builder.git", "log", "--format=%H", "main").split()) == sources
    pins = {passage["dry_sha"] for passage in world.truth("change_environment") if passage["dry_sha"]}
    assert pins <= set(world.git("stacks.git", "log", "--format=%H", "main").split())


def test_a_failed_build_pins_nothing_and_a_later_one_contains_its_change(world):
    pinned_later = {row["name"] for row in world.truth("incident_effect") if row["incident_id"][:2] == "T6"}
    failed = [
        change
        for change in world.truth("change")
        if change["build_state"] == "failed" and change["pipeline_run"] not in pinned_later
    ]
    passages = {
        (row["change_id"], row["environment"]): row
        for row in world.truth("change_environment")
        if row["state"] == "live"
    }
    live = [
        passages[change["change_id"], "dev"] for change in failed if (change["change_id"], "dev") in passages
    ]
    assert failed
    assert all(passage["is_superseded"] for passage in live)


def test_nothing_happens_in_a_stopped_environment(world):
    last = max(event.observed_at for event in world.events("staging") if event.type != "DELETED")
    assert last < "2026-03-15"


def test_a_frozen_service_is_no_longer_built(world):
    changes = [change for change in world.truth("change") if change["service"] == "fn-system"]
    frozen_at = START.replace(day=13)
    assert {change["build_state"] for change in changes if change["committed_at"] > frozen_at} <= {"none"}


def test_a_hub_mirror_names_its_original_and_has_no_operation(world):
    originals = {item["metadata"]["uid"] for item in world.objects("Application", "dev", "ryzen", "staging")}
    mirrors = [
        item for item in world.objects("Application", "hub") if item["metadata"]["namespace"] != "argocd"
    ]
    sources = {item["metadata"]["annotations"]["argocd.argoproj.io/source-uid"] for item in mirrors}
    assert sources == originals
    assert all("operation" not in item for item in mirrors)


def test_failed_syncs_are_retried_and_do_not_enter_the_history(world):
    operations = [
        item["status"]["operationState"]
        for item in world.objects("Application", "dev", "staging", "ryzen")
        if "operationState" in item["status"]
    ]
    waiting = [each for each in operations if each["phase"] == "Running" and "finishedAt" in each]
    assert waiting
    assert all("Retrying attempt #" in each["message"] for each in waiting)
    failed = {each["startedAt"] for each in operations if each["phase"] == "Failed"}
    kept = {
        entry["deployStartedAt"]
        for item in world.objects("Application", "dev", "staging", "ryzen")
        for entry in item["status"]["history"]
    }
    assert failed
    assert not failed & kept


def test_a_bad_release_degrades_and_its_change_is_live_only_with_what_repairs_it(world):
    bad = {change["change_id"] for change in world.truth("change") if change["is_bad"]}
    passages = [
        row for row in world.truth("change_environment") if row["change_id"] in bad and row["synced_at"]
    ]
    degraded = [
        item
        for item in world.objects("Application", "dev")
        if item["status"]["health"]["status"] == "Degraded"
    ]
    assert passages
    assert degraded
    assert all(row["is_superseded"] for row in passages if row["state"] == "live")


def test_a_gap_is_in_the_truth_and_its_events_are_not_in_the_file(tmp_path):
    watching = Watching(gaps=(Gap("dev", since=86_400, until=2 * 86_400),))
    generate(7, 0.5, "small", tmp_path / "out", watching=watching)
    world = World(tmp_path / "out")
    (gap,) = world.truth("watch_gap")
    assert (gap["cluster"], gap["since"].day, gap["until"].day) == ("dev", 3, 4)
    seen = [event.observed_at for event in world.events("dev")]
    assert not [time for time in seen if "2026-03-03T06:00:01" < time < "2026-03-04T06:00:00"]


def test_a_world_lands_whole_and_builds(world, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(world.folder, folder)
    configured = settings.load(folder / "gitopslab.toml")
    for cluster in CLUSTERS:
        with Landing(Lake(configured.lake.path), Origin("files", cluster, "file")) as landing:
            files.land([folder / "objects" / f"{cluster}.ndjson.zst"], landing, Reading(observed_at=START))
        assert (landing.tally.reject_count, landing.tally.known_count) == (0, 0)
    build(configured)
    with Warehouse(configured.warehouse.path) as warehouse:
        environments = warehouse.sql("SELECT DISTINCT environment FROM applications WHERE is_counted").dicts()
        built = warehouse.sql("SELECT DISTINCT digest FROM built_images").dicts()
    assert {row["environment"] for row in environments} == {"dev", "hub", "ryzen", "staging"}
    digests = {change["image_digest"] for change in world.truth("change") if change["image_digest"]}
    assert digests
    assert digests == {row["digest"] for row in built}


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something; name a new or an empty folder"):
        generate(7, 1, "small", tmp_path)


def test_no_length_of_time_is_refused(tmp_path):
    with pytest.raises(UsageError, match="weeks: 0 is no length of time"):
        generate(7, 0, "small", tmp_path / "out")
