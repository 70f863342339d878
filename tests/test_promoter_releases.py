"""GitOps Promoter's issue 574 over trailers in real git, with little left in Kubernetes."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitopslab.datasets import OBJECT_VERSIONS
from gitopslab.extract import git
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake
from gitopslab.warehouse import Warehouse, build

from .conftest import lake_row, project_settings
from .gitrepository import START, Repository

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

SETTINGS = """
[[clusters]]
name = "dev"

[[environments]]
name = "prod"
cluster = "dev"
branch = "env/prod"
applications = ["*"]

[[repositories]]
name = "stacks"
path = "stacks"
role = "config"
"""
STRATEGY = {
    "apiVersion": "promoter.argoproj.io/v1alpha1",
    "kind": "PromotionStrategy",
    "metadata": {"name": "release", "namespace": "promoter", "uid": "s", "resourceVersion": "1"},
    "spec": {"environments": [{"branch": "env/dev"}, {"branch": "env/prod"}]},
    "status": {"environments": [{"branch": "env/dev"}, {"branch": "env/prod"}]},
}


class Stacks(Repository):
    """Dry commits on main; and merges into env/prod, as Promoter writes them."""

    def dry(self, name: str) -> str:
        return self.commit(name, **{f"apps__{name}": "1"})

    def promote(self, dry_sha: str, health_of_the_one_before: str) -> None:
        """Merge what was hydrated from a dry commit into the terminal environment."""
        self.git("switch", "-q", "env/prod")
        at = datetime.fromtimestamp(START + 60 * self.minute, UTC).isoformat().replace("+00:00", "Z")
        trailers = {
            "Pull-request-id": str(self.minute),
            "Pull-request-merge-time": at,
            "Sha-dry-proposed": dry_sha,
            "Commit-status-active-argocd-health-phase": health_of_the_one_before,
            "Commit-status-proposed-timer-phase": "pending",
        }
        message = "Promote\n\n" + "\n".join(f"{key}: {value}" for key, value in trailers.items())
        self.commit(message, **{"hydrator.metadata": json.dumps({"drySha": dry_sha})})
        self.git("switch", "-q", "main")


@pytest.fixture
def releases(tmp_path: Path):
    """Build the warehouse from git and the strategy, and return its releases by what they are called."""
    configured = project_settings(tmp_path, SETTINGS)
    lake = Lake(configured.lake.path)
    lake.append(OBJECT_VERSIONS, [lake_row(STRATEGY)], "run")
    stacks = Stacks(tmp_path / "stacks")
    first = stacks.dry("first")
    stacks.git("branch", "env/prod")

    def found() -> dict[str, dict]:
        asked = configured.repositories[0].model_copy(update={"path": str(stacks.folder)})
        with RowLanding(lake, Origin("git", asked.name, git.SYSTEM)) as landing:
            opened = git.opened(asked, tmp_path / "mirrors")
            now = datetime(2026, 4, 1, tzinfo=UTC)
            git.land(opened, landing, git.Asked(asked, ("env/prod",), now))
        build(configured)
        with Warehouse(configured.warehouse.path) as warehouse:
            rows = warehouse.sql(
                "SELECT subject, release.* FROM promoter_releases AS release"
                " JOIN git_commit ON git_commit.sha = release.dry_sha"
            ).dicts()
        return {row["subject"]: row for row in rows}

    return stacks, first, found


def minute(number: int) -> datetime:
    return datetime.fromtimestamp(START + 60 * number, UTC)


def test_trailers_alone_tell_which_releases_ended_and_which_kept_an_earlier_start(releases):
    stacks, first, found = releases  # first was committed at minute 0
    stacks.promote(first, "success")  # 1
    interrupted = stacks.dry("interrupted")  # 2
    stacks.promote(interrupted, "success")  # 3: first is known to have been well
    newer = stacks.dry("newer")  # 4
    stacks.promote(newer, "pending")  # 5: interrupted never was
    last = stacks.dry("last")  # 6
    stacks.promote(last, "success")  # 7: newer was

    rows = found()

    told = {
        name: (row["outcome"], row["evidence"], row["is_failure"], row["lead_seconds"])
        for name, row in rows.items()
    }
    assert told == {
        "first": ("successful", "trailer", False, None),  # nobody knows what it interrupted
        "interrupted": ("interrupted", None, False, None),
        "newer": ("successful", "trailer", False, 300.0),  # from minute 2, as the one it interrupted
        "last": ("pending", None, None, None),
    }
    assert rows["newer"]["started_by_sha"] == interrupted
    assert (rows["newer"]["ended_earliest_at"], rows["newer"]["ended_at"]) == (minute(5), minute(7))


def test_a_failed_status_is_counted_once_for_a_dry_commit(releases):
    stacks, first, found = releases
    bad = stacks.dry("bad")
    stacks.promote(bad, "success")
    stacks.promote(first, "failure")
    stacks.promote(bad, "success")
    stacks.promote(first, "failure")

    rows = found()

    assert {name: (row["is_failure"], row["merge_count"]) for name, row in rows.items()} == {
        "first": (False, 2),
        "bad": (True, 2),
    }
