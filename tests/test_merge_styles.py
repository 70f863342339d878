"""However a change came into the branch, the deployment that holds it is found: real git, to facts."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gitopslab.cli import app
from gitopslab.datasets import OBJECT_VERSIONS
from gitopslab.errors import UsageError
from gitopslab.extract import git
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake
from gitopslab.warehouse import Warehouse, build

from .conftest import Object, lake_row, project_settings
from .gitrepository import START, Repository

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

SETTINGS = """
[[clusters]]
name = "dev"

[[lanes]]
name = "direct"
stages = ["commit", "build", "pin", "sync", "healthy"]

[[environments]]
name = "dev"
lane = "direct"
cluster = "dev"
applications = ["*"]
pins = ["release-pins/*"]

[[services]]
name = "api"
repository = "app"
applications = ["api"]
paths = ["services/api/*"]

[[services]]
name = "web"
repository = "app"
applications = ["web"]
paths = ["services/web/*"]

[[repositories]]
name = "app"
path = "app"
role = "source"
branches = ["*"]

[[repositories]]
name = "stacks"
path = "stacks"
role = "config"
"""
NOW = datetime(2026, 4, 1, tzinfo=UTC)


class Platform:
    """A repository of code, one of pins, and an Application that syncs each pin a minute after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = project_settings(folder, SETTINGS)
        self.lake = Lake(self.settings.lake.path)
        self.code = Repository(folder / "app")
        self.stacks = Repository(folder / "stacks")
        self.history: list[Object] = []
        self.now = NOW
        self.base = self.code.commit("base", services__api__a="1\n2\n3\n", services__web__a="1\n")
        self.deploy(self.base)

    def deploy(self, sha: str, service: str = "api") -> None:
        """Pin the image of a commit, and see it synced and healthy."""
        self.stacks.minute = max(self.stacks.minute, self.code.minute)
        pins = f"images:\n  {service}: git-{sha}\nsourceShas:\n  {service}: {sha}\n"
        revision = self.stacks.commit(f"pin {sha}", **{f"release-pins__{service}_yaml": pins})
        self.code.minute = self.stacks.minute
        number = len(self.history)
        at = datetime.fromtimestamp(START + 60 * self.stacks.minute, UTC)
        self.history.append(
            {
                "id": number,
                "revision": revision,
                "deployStartedAt": stamp(at - timedelta(seconds=5)),
                "deployedAt": stamp(at),
            }
        )
        application = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {
                "name": service,
                "namespace": "argocd",
                "uid": service,
                "resourceVersion": str(number + 1),
            },
            "status": {
                "history": list(self.history),
                "health": {"status": "Healthy", "lastTransitionTime": "2026-03-01T00:00:00Z"},
                "sync": {"status": "Synced", "revision": revision},
            },
        }
        self.see(application, at + timedelta(seconds=30))

    def see(self, item: Object, at: datetime) -> None:
        self.lake.append(OBJECT_VERSIONS, [lake_row(item, observed_at=stamp(at))], "run")

    def extract(self) -> None:
        for repository in self.settings.repositories:
            asked = repository.model_copy(update={"path": str(self.folder / repository.path)})
            with RowLanding(self.lake, Origin("git", asked.name, git.SYSTEM)) as landing:
                git.land(git.opened(asked, self.folder / "mirrors"), landing, git.Asked(asked, (), self.now))
        self.now += timedelta(hours=1)

    def warehouse(self) -> Warehouse:
        self.extract()
        build(self.settings)
        return Warehouse(self.settings.warehouse.path)

    def delivered(self) -> dict[str, str]:
        """Return the sha of the release that each change of `api` became healthy with, by its subject."""
        with self.warehouse() as opened:
            rows = opened.sql(
                "SELECT subject, delivered_by_sha FROM change_environments"
                " JOIN changes USING (repository, sha, service)"
                " WHERE service = 'api' AND subject <> 'base' AND healthy_at IS NOT NULL"
            ).dicts()
        return {row["subject"]: row["delivered_by_sha"] for row in rows}

    def classes(self) -> dict[str, str]:
        """Return what became of each change of `api`, by its subject."""
        return {row["subject"]: row["class"] for row in self.changes() if row["subject"] != "base"}

    def changes(self) -> list[dict[str, Any]]:
        with self.warehouse() as opened:
            rows = opened.run(
                "changes_in_window",
                since=datetime(2026, 3, 1, tzinfo=UTC),
                until=NOW,
                as_of=NOW,
                environment="dev",
            ).dicts()
        return [row for row in rows if row["service"] == "api"]


def stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def test_a_merge_commit_is_one_change_and_its_deployment_delivers_it(platform):
    platform.code.git("switch", "-q", "-c", "topic")
    platform.code.commit("first", services__api__b="1")
    platform.code.commit("second", services__api__b="2")
    platform.code.git("switch", "-q", "main")
    merge = platform.code.merge("topic", "merge topic")
    platform.code.commit("not deployed", services__api__a="9")
    platform.deploy(merge)

    assert platform.delivered() == {"merge topic": merge}


def test_a_merge_is_delivered_by_the_build_of_its_branch_and_what_was_merged_before_is_not(platform):
    platform.code.git("switch", "-q", "-c", "topic")
    built = platform.code.commit("on the branch", services__api__b="1")
    platform.code.git("switch", "-q", "main")
    platform.code.commit("meanwhile", services__api__c="1")
    platform.code.merge("topic", "merge topic")
    platform.deploy(built)

    assert platform.delivered() == {"merge topic": built}


def test_a_build_in_the_middle_of_a_branch_does_not_deliver_its_merge(platform):
    platform.code.git("switch", "-q", "-c", "topic")
    half = platform.code.commit("half of it", services__api__b="1")
    platform.code.commit("the other half", services__api__b="2")
    platform.code.git("switch", "-q", "main")
    platform.code.merge("topic", "merge topic")
    platform.deploy(half)

    assert platform.delivered() == {}


def test_a_branch_that_took_main_in_holds_what_it_took(platform):
    platform.code.git("switch", "-q", "-c", "topic")
    platform.code.commit("on the branch", services__api__b="1")
    platform.code.git("switch", "-q", "main")
    platform.code.commit("meanwhile", services__api__c="1")
    platform.code.git("switch", "-q", "topic")
    built = platform.code.merge("main", "take main in")
    platform.code.git("switch", "-q", "main")
    platform.code.commit("too late", services__api__d="1")
    platform.code.merge("topic", "merge topic")
    platform.deploy(built)

    assert platform.delivered() == {"meanwhile": built, "merge topic": built}


def test_a_fast_forward_brings_each_commit_of_the_branch_as_a_change(platform):
    platform.code.git("switch", "-q", "-c", "topic")
    platform.code.commit("first", services__api__b="1")
    tip = platform.code.commit("second", services__api__b="2")
    platform.code.git("switch", "-q", "main")
    platform.code.git("merge", "-q", "--ff-only", "topic")
    platform.deploy(tip)

    assert platform.delivered() == {"first": tip, "second": tip}


def test_a_squash_is_found_by_its_tree_when_the_branch_was_built(platform):
    platform.code.git("switch", "-q", "-c", "topic")
    platform.code.commit("first", services__api__b="1")
    built = platform.code.commit("second", services__api__b="2")
    platform.code.git("switch", "-q", "main")
    platform.code.git("merge", "-q", "--squash", "topic")
    platform.code.commit("squashed (#1)")
    platform.deploy(built)

    assert platform.delivered() == {"squashed (#1)": built}


def test_a_squash_that_main_overtook_is_not_taken_for_the_build_of_its_branch(platform):
    platform.code.git("switch", "-q", "-c", "topic")
    platform.code.commit("first", services__api__b="1")
    built = platform.code.commit("second", services__api__b="2")
    platform.code.git("switch", "-q", "main")
    platform.code.commit("meanwhile", services__api__c="1")
    platform.code.git("merge", "-q", "--squash", "topic")
    squashed = platform.code.commit("squashed (#1)")
    platform.deploy(built)

    assert platform.delivered() == {}

    platform.deploy(squashed)

    assert platform.delivered() == {"meanwhile": squashed, "squashed (#1)": squashed}


def test_a_branch_that_takes_changes_back_is_no_older_commit_of_the_same_tree(platform):
    platform.code.commit("first", services__api__b="1")
    wrong = platform.code.commit("wrong", services__api__b="2")
    platform.deploy(wrong)
    platform.code.git("switch", "-q", "-c", "topic")
    built = platform.code.commit("back to the first", services__api__b="1")
    platform.code.git("switch", "-q", "main")
    platform.code.git("merge", "-q", "--squash", "topic")
    platform.code.commit("take it back (#1)")
    platform.deploy(built)

    assert platform.delivered() == {"first": wrong, "wrong": wrong, "take it back (#1)": built}
    assert platform.classes()["wrong"] == "delivered"


def test_a_rebase_is_found_by_its_patch_when_the_branch_was_built(platform):
    platform.code.git("switch", "-q", "-c", "topic")
    built = platform.code.commit("rebased", services__api__b="1")
    platform.code.git("switch", "-q", "main")
    platform.code.commit("meanwhile", services__api__c="1")
    platform.code.git("cherry-pick", built)
    platform.deploy(built)

    assert platform.delivered() == {"rebased": built}


def test_each_commit_of_a_rebased_branch_is_delivered_by_the_build_of_its_tip(platform):
    platform.code.git("switch", "-q", "-c", "topic")
    first = platform.code.commit("first", services__api__b="1")
    second = platform.code.commit("second", services__api__d="1")
    platform.code.git("switch", "-q", "main")
    platform.code.commit("meanwhile", services__api__c="1")
    platform.code.git("cherry-pick", first, second)
    platform.deploy(second)

    assert platform.delivered() == {"first": second, "second": second}


def test_a_cherry_pick_to_a_release_branch_delivers_that_change_alone(platform):
    platform.code.commit("left out", services__api__c="1")
    fix = platform.code.commit("fix", services__api__b="1")
    platform.code.git("switch", "-q", "-c", "release", platform.base)
    platform.code.git("cherry-pick", "-x", fix)
    picked = platform.code.git("rev-parse", "HEAD")
    platform.code.git("switch", "-q", "main")
    platform.deploy(picked)

    assert platform.delivered() == {"fix": picked}


def test_a_release_branch_delivers_every_change_that_was_picked_to_it(platform):
    one = platform.code.commit("one fix", services__api__b="1")
    platform.code.commit("left out", services__api__c="1")
    another = platform.code.commit("another fix", services__api__d="1")
    platform.code.git("switch", "-q", "-c", "release", platform.base)
    platform.code.git("cherry-pick", "-x", one)
    platform.code.git("cherry-pick", "-x", another)
    picked = platform.code.git("rev-parse", "HEAD")
    platform.code.git("switch", "-q", "main")
    platform.deploy(picked)

    assert platform.delivered() == {"one fix": picked, "another fix": picked}


def test_a_release_branch_takes_back_what_was_not_picked_to_it_and_nothing_else(platform):
    platform.code.commit("left out", services__api__c="1")
    fix = platform.code.commit("fix", services__api__b="1")
    platform.deploy(fix)
    platform.code.git("switch", "-q", "-c", "release", platform.base)
    platform.code.git("cherry-pick", "-x", fix)
    picked = platform.code.git("rev-parse", "HEAD")
    platform.code.git("switch", "-q", "main")
    platform.deploy(picked)

    assert platform.classes() == {"left out": "rolled_back", "fix": "delivered"}


def test_a_fix_on_a_release_branch_is_rolled_back_by_a_release_without_it(platform):
    before = platform.code.commit("before", services__api__c="1")
    fix = platform.code.commit("fix", services__api__b="1")
    platform.code.git("switch", "-q", "-c", "release", platform.base)
    platform.code.git("cherry-pick", "-x", fix)
    picked = platform.code.git("rev-parse", "HEAD")
    platform.code.git("switch", "-q", "main")
    platform.deploy(picked)
    platform.deploy(before)

    assert platform.classes() == {"before": "delivered", "fix": "rolled_back"}


def test_a_change_that_was_taken_back_and_brought_again_is_delivered_by_the_branch_that_brings_it(platform):
    first = platform.code.commit("try", services__api__b="1")
    platform.code.git("revert", "--no-edit", first)
    platform.code.minute += 1
    platform.deploy(platform.code.git("rev-parse", "HEAD"))
    platform.code.git("switch", "-q", "-c", "topic")
    built = platform.code.commit("again, on a branch", services__api__b="1")
    platform.code.git("switch", "-q", "main")
    platform.code.commit("meanwhile", services__api__c="1")
    platform.code.git("cherry-pick", built)
    platform.deploy(built)

    assert platform.delivered()["again, on a branch"] == built
    assert "meanwhile" not in platform.delivered()


def test_commits_of_one_pin_are_delivered_by_the_last_of_them(platform):
    platform.code.commit("first", services__api__b="1")
    last = platform.code.commit("second", services__api__b="2")
    platform.deploy(last)

    assert platform.delivered() == {"first": last, "second": last}


def test_going_back_to_an_older_image_rolls_back_what_it_lacks(platform):
    good = platform.code.commit("good", services__api__b="1")
    bad = platform.code.commit("bad", services__api__b="2")
    platform.deploy(good)
    platform.deploy(bad)
    platform.deploy(good)

    assert platform.classes() == {"good": "delivered", "bad": "rolled_back"}


def test_a_revert_of_what_was_deployed_is_a_change_of_its_own(platform):
    sha = platform.code.commit("wrong", services__api__b="1")
    platform.deploy(sha)
    platform.code.git("revert", "--no-edit", sha)
    revert = platform.code.git("rev-parse", "HEAD")
    platform.deploy(revert)

    assert platform.delivered() == {"wrong": sha, 'Revert "wrong"': revert}


def test_a_change_that_is_reverted_before_it_is_deployed_is_reverted(platform):
    sha = platform.code.commit("wrong", services__api__b="1")
    platform.code.git("revert", "--no-edit", sha)
    revert = platform.code.git("rev-parse", "HEAD")

    [row] = [row for row in platform.changes() if row["sha"] == sha]
    assert row["class"] == "reverted"
    assert row["class_reason"] == f"commit {revert[:12]} took it back"


def test_what_was_forced_away_delivers_nothing_that_took_its_place(platform):
    gone = platform.code.commit("first try", services__api__b="1")
    platform.deploy(gone)
    platform.extract()
    platform.code.git("reset", "-q", "--hard", platform.base)
    again = platform.code.commit("second try", services__api__b="2")

    assert platform.delivered() == {}

    platform.deploy(again)

    assert platform.delivered() == {"second try": again}


def test_paths_of_a_monorepo_say_which_services_a_commit_changes(platform):
    platform.code.commit("web", services__web__b="1")
    platform.code.commit("both", services__api__b="1", services__web__b="2")
    tip = platform.code.commit("neither", README="1")
    platform.deploy(tip)

    assert platform.delivered() == {"both": tip}
    with Warehouse(platform.settings.warehouse.path) as opened:
        changes = opened.sql(
            "SELECT subject, service FROM changes WHERE subject <> 'base' ORDER BY ALL"
        ).dicts()
    assert [tuple(row.values()) for row in changes] == [("both", "api"), ("both", "web"), ("web", "web")]


@pytest.fixture
def merged(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Sha of a branch's commit, and of the merge it came in with, delivered as part of a later release."""
    platform.code.git("switch", "-q", "-c", "topic")
    inner = platform.code.commit("inner", services__api__b="1")
    platform.code.git("switch", "-q", "main")
    merge = platform.code.merge("topic", "merge topic")
    platform.deploy(platform.code.commit("later", services__api__c="1"))
    platform.code.commit("open", services__api__d="1")
    platform.warehouse().close()
    monkeypatch.chdir(platform.folder)
    return inner, merge


def explained(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["explain", "change", *arguments, "--as-of", "2026-04-01"])
    if done.exception:
        raise done.exception
    return re.sub(r"\s+", " ", done.stdout)


def test_explain_tells_the_story_of_the_merge_that_a_commit_came_in_with(merged):
    inner, merge = merged
    said = explained(inner[:9])

    assert f"app {inner[:10]} 'inner' by Ada, which came in with {merge[:10]}" in said
    assert "api in dev (lane direct): delivered," in said
    assert "(holds it) → config commit" in said
    assert "sync 1 → Healthy" in said
    assert "When it passed build is not known: no successful run of it" in said


def test_explain_lists_what_is_landed_for_an_unknown_commit(merged):
    with pytest.raises(
        UsageError, match=r"ffffffffff: no landed commit begins so; landed are app \(5 commits"
    ):
        explained("ffffffffff")


def test_explain_wants_a_sha(merged):
    with pytest.raises(UsageError, match=r"'main': not a sha; give at least 4 of its hexadecimal digits"):
        explained("main")


def test_explain_of_another_environment_says_where_the_change_is_meant_for(merged):
    with pytest.raises(UsageError, match=r"no story in prod .* meant for dev$"):
        explained(merged[1], "--environment", "prod")
