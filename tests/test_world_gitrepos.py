"""The repositories of the simulated fleet are read with git itself."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from gitopslab.errors import UsageError
from gitopslab.world.emit.fast_import import Identity
from gitopslab.world.emit.gitrepos import ConfigRepository, SourceCommit, SourceRepository
from gitopslab.world.emit.hydration import DryCommit, HydratedCommit, Reference
from gitopslab.world.emit.pins import DIRECT, Pin, PinCommit
from gitopslab.world.emit.promotions import CommitStatus, PromotionCommit

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

MARCH_2 = 1_772_431_200.0  # 2026-03-02T06:00:00Z
ADA = Identity("Ada Byron", "ada@example.com")
ROBOT = Identity("image-updater", "image-updater@example.com")
SOURCE_SHA = "b" * 40
STACKS = "https://github.com/example/stacks"


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "--git-dir", str(repository), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def change(subject="feat: page of runs", **fields) -> SourceCommit:
    standard = {
        "author": ADA,
        "authored_at": MARCH_2,
        "committed_at": MARCH_2 + 3600,
        "files": {"services/api/main.ts": b"1\n"},
    }
    return SourceCommit(subject=subject, **standard | fields)


def digest(folder: Path) -> str:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    parts = [str(file.relative_to(folder)).encode() + file.read_bytes() for file in files]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_a_commit_says_the_sha_that_git_gives_it(tmp_path):
    with SourceRepository(tmp_path / "source.git") as source:
        shas = [source.commit(change()), source.commit(change("fix: names"))]

    assert git(tmp_path / "source.git", "log", "--format=%H %s", "main").splitlines() == [
        f"{shas[1]} fix: names",
        f"{shas[0]} feat: page of runs",
    ]


def test_a_squash_merge_is_committed_by_github_with_the_number_in_its_subject(tmp_path):
    with SourceRepository(tmp_path / "source.git") as source:
        source.commit(change(arrival="squash", pull_request=12, co_authors=(ROBOT,)))

    log = git(tmp_path / "source.git", "log", "--format=%an|%at|%cn|%ct|%s|%(trailers:key=Co-authored-by)")
    assert log.strip() == (
        f"Ada Byron|{MARCH_2:.0f}|GitHub|{MARCH_2 + 3600:.0f}|feat: page of runs (#12)"
        "|Co-authored-by: image-updater <image-updater@example.com>"
    )


def test_a_rebase_merge_keeps_its_subject_and_a_revert_names_its_commit(tmp_path):
    with SourceRepository(tmp_path / "source.git") as source:
        sha = source.commit(change(arrival="rebase", pull_request=12))
        source.commit(change('Revert "feat: page of runs"', reverts=sha, arrival="squash", pull_request=13))

    messages = git(tmp_path / "source.git", "log", "--format=%B%x00").split("\0")
    assert messages[1].strip() == "feat: page of runs"
    assert messages[0].strip() == f'Revert "feat: page of runs" (#13)\n\nThis reverts commit {sha}.'


def test_names_and_paths_that_git_would_stumble_over_are_kept_as_far_as_git_can(tmp_path):
    author = Identity("Ada <b>\nByron", "ada@example.com")
    path = 'odd "name"\\ß.txt'
    with SourceRepository(tmp_path / "source.git") as source:
        source.commit(change(author=author, files={path: b"x"}))

    assert git(tmp_path / "source.git", "log", "--format=%an").strip() == "Ada bByron"
    assert git(tmp_path / "source.git", "ls-tree", "-rz", "--name-only", "main") == f"{path}\0"


def test_pins_of_several_services_gather_in_one_file(tmp_path):
    first = Pin("api", "ghcr.io/example/api", SOURCE_SHA, "sha256:1", "outer-loop-api-x1")
    second = Pin("worker", "ghcr.io/example/worker", "c" * 40, "sha256:2", "outer-loop-worker-x2")
    with ConfigRepository(tmp_path / "stacks.git", STACKS) as stacks:
        stacks.pin(PinCommit(MARCH_2, ROBOT, (first,)))
        stacks.pin(PinCommit(MARCH_2 + 60, ROBOT, (second,)))

    path = "packages/components/hub-spoke-appsets/release-pins/workflow-builder-images.yaml"
    pins = git(tmp_path / "stacks.git", "show", f"main:{path}")
    assert f'sourceShas:\n  api: "{SOURCE_SHA}"\n  worker: "{"c" * 40}"\n' in pins
    assert 'updatedAts:\n  api: "2026-03-02T06:00:00Z"\n  worker: "2026-03-02T06:01:00Z"\n' in pins
    assert len(git(tmp_path / "stacks.git", "log", "--format=%h", "--", path).splitlines()) == 2
    assert git(tmp_path / "stacks.git", "log", "-1", "--format=%s").strip() == (
        f"chore(worker): pin image to git-{'c' * 40}"
    )


def test_the_direct_lane_has_its_own_pins_without_builds(tmp_path):
    pin = Pin("api", "ghcr.io/example/api", SOURCE_SHA, "sha256:1")
    with ConfigRepository(tmp_path / "stacks.git", STACKS) as stacks:
        stacks.pin(PinCommit(MARCH_2, ADA, (pin,), DIRECT))

    files = git(tmp_path / "stacks.git", "ls-tree", "-r", "--name-only", "main").splitlines()
    assert files == [
        "packages/components/hub-spoke-appsets/release-pins/workflow-builder-images-ryzen.yaml",
        "packages/components/workflow-builder-ryzen-image/kustomization.yaml",
    ]
    assert "pipelineRuns" not in git(tmp_path / "stacks.git", "show", f"main:{files[0]}")
    assert git(tmp_path / "stacks.git", "log", "--format=%s").strip() == (
        f"chore(api): pin ryzen image to git-{SOURCE_SHA}"
    )


def promoted(folder: Path, **fields) -> dict[str, str]:
    """Pin, hydrate and promote one change to dev; return the shas by their part in it."""
    reference = Reference(SOURCE_SHA, ADA, MARCH_2, "feat: page", "Why.\n", "https://github.com/example/app")
    with ConfigRepository(folder, STACKS) as stacks:
        pin = Pin("api", "ghcr.io/example/api", SOURCE_SHA, "sha256:1", "outer-loop-api-x1")
        dry = stacks.pin(PinCommit(MARCH_2 + 60, ROBOT, (pin,), reference=reference))
        begun = stacks.begin("env/dev", MARCH_2)
        hydrated = stacks.hydrate(
            HydratedCommit(
                "env/dev-next",
                MARCH_2 + 120,
                DryCommit(dry, ROBOT, MARCH_2 + 60, "chore: pin", references=(reference,)),
                {"apps/api": b"kind: Deployment\n"},
                base=begun,
            )
        )
        standard = {
            "branch": "env/dev",
            "at": MARCH_2 + 181,
            "requested_at": MARCH_2 + 180,
            "pull_request": 7,
            "url": f"{STACKS}/pull/7",
            "created_at": MARCH_2 + 130,
            "dry_active": "0" * 40,
            "dry_proposed": dry,
            "hydrated_active": begun,
            "hydrated_proposed": hydrated,
            "active_statuses": (CommitStatus("argocd-health", "success", "", 'all "3"\nhealthy'),),
        }
        merged = stacks.promote(PromotionCommit(**standard | fields))
        stacks.note_hydrated(hydrated, "e" * 40, MARCH_2 + 300)
    return {"dry": dry, "begun": begun, "hydrated": hydrated, "merged": merged}


def test_a_pin_tells_the_hydrator_of_its_source_commit_in_trailers(tmp_path):
    promoted(tmp_path / "stacks.git")

    shown = git(tmp_path / "stacks.git", "log", "main", "--format=%(trailers:only,unfold)")
    trailers = dict(line.split(": ", 1) for line in shown.splitlines() if line)
    assert trailers["Argocd-reference-commit-sha"] == SOURCE_SHA
    assert trailers["Argocd-reference-commit-author"] == "Ada Byron <ada@example.com>"
    assert json.loads(trailers["Argocd-reference-commit-body"]) == "Why.\n"


def test_a_hydrated_commit_names_its_dry_commit(tmp_path):
    shas = promoted(tmp_path / "stacks.git")

    files = git(tmp_path / "stacks.git", "ls-tree", "-r", "--name-only", shas["hydrated"]).splitlines()
    metadata = json.loads(git(tmp_path / "stacks.git", "show", f"{shas['hydrated']}:hydrator.metadata"))
    assert files == [
        "README.md",
        "apps/api/README.md",
        "apps/api/hydrator.metadata",
        "apps/api/manifest.yaml",
        "hydrator.metadata",
    ]
    assert (metadata["drySha"], metadata["repoURL"]) == (shas["dry"], STACKS)
    assert metadata["date"] == "2026-03-02T06:01:00Z"
    assert metadata["references"][0]["commit"]["sha"] == SOURCE_SHA


def test_a_hydration_without_a_change_moves_only_the_note(tmp_path):
    shas = promoted(tmp_path / "stacks.git")
    repository = tmp_path / "stacks.git"

    note = git(repository, "notes", "--ref", "hydrator.metadata", "show", shas["hydrated"])
    before = git(repository, "show", f"notes/hydrator.metadata~1:{shas['hydrated']}")
    assert json.loads(note) == {"drySha": "e" * 40}
    assert json.loads(before) == {"drySha": shas["dry"]}
    assert git(repository, "rev-parse", "env/dev-next").strip() == shas["hydrated"]


def test_a_promotion_merges_the_proposed_tree_and_says_all_in_trailers(tmp_path):
    shas = promoted(tmp_path / "stacks.git")
    repository = tmp_path / "stacks.git"

    parents = git(repository, "log", "-1", "--first-parent", "--format=%P", "env/dev").split()
    assert parents == [shas["begun"], shas["hydrated"]]
    assert git(repository, "diff", "--stat", shas["hydrated"], "env/dev") == ""
    shown = git(repository, "log", "-1", "--format=%(trailers:only,unfold)", "env/dev")
    trailers = dict(line.split(": ", 1) for line in shown.splitlines() if line)
    assert trailers["Pull-request-merge-time"] == "2026-03-02T06:03:00Z"
    assert trailers["Sha-dry-proposed"] == shas["dry"]
    assert trailers["Commit-status-active-argocd-health-phase"] == "success"
    assert json.loads(trailers["Commit-status-active-argocd-health-description"]) == 'all "3"\nhealthy'
    assert list(trailers)[-1] == "Pull-request-merge-time"


def test_the_promoter_s_note_repeats_the_trailers(tmp_path):
    shas = promoted(tmp_path / "stacks.git")

    note = git(tmp_path / "stacks.git", "notes", "--ref", "promoter.history", "show", shas["merged"])
    assert json.loads(note)["Pull-request-id"] == ["7"]


def test_two_branches_that_begin_alike_are_still_two(tmp_path):
    with ConfigRepository(tmp_path / "stacks.git", STACKS) as stacks:
        begun = [stacks.begin(branch, MARCH_2) for branch in ("env/dev", "env/staging")]
        dry = DryCommit("d" * 40, ADA, MARCH_2, "chore: pin")
        proposed = [
            stacks.hydrate(HydratedCommit(f"env/{name}-next", MARCH_2, dry, {name: b""}, base=begun[0]))
            for name in ("dev", "staging")
        ]

    heads = git(
        tmp_path / "stacks.git", "for-each-ref", "--format=%(objectname) %(refname:short)", "refs/heads"
    )
    assert begun[0] == begun[1]
    assert heads.splitlines() == [
        f"{begun[0]} env/dev",
        f"{proposed[0]} env/dev-next",
        f"{begun[1]} env/staging",
        f"{proposed[1]} env/staging-next",
    ]


def test_a_sha_of_another_repository_is_refused(tmp_path):
    with (
        ConfigRepository(tmp_path / "stacks.git", STACKS) as stacks,
        pytest.raises(UsageError, match="is no commit of this repository"),
    ):
        stacks.note_hydrated("f" * 40, "d" * 40, MARCH_2)


def test_a_merge_by_hand_has_no_trailers(tmp_path):
    promoted(tmp_path / "stacks.git", merged_by=ADA, is_noted=False)

    message = git(tmp_path / "stacks.git", "log", "-1", "--format=%an%n%B", "env/dev")
    assert message.startswith("Ada Byron\nMerge pull request #7 from example/env/dev-next\n\nPromote ")
    assert "Pull-request-id" not in message


def test_the_repository_is_sound_and_the_same_bytes_each_time(tmp_path):
    promoted(tmp_path / "one" / "stacks.git")
    promoted(tmp_path / "two" / "stacks.git")

    git(tmp_path / "one" / "stacks.git", "fsck", "--strict")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_a_folder_that_exists_is_not_written_over(tmp_path):
    with pytest.raises(UsageError, match="exists; name a folder that does not"):
        SourceRepository(tmp_path)
