"""Repositories are read with git itself, hostile ones too; what is landed can be added up by hand."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gitopslab.datasets import COVERAGE, REJECTS, Dataset
from gitopslab.datasets import git as datasets
from gitopslab.errors import UsageError
from gitopslab.extract import git
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Origin, Tally
from gitopslab.lake import Lake
from gitopslab.settings import Repository as Settings

from .gitrepository import START, Repository

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

NOW = datetime(2026, 4, 1, tzinfo=UTC)
PINS = "release-pins__images_yaml"
PINS_PATH = "release-pins/images.yaml"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "stacks")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def land(lake: Lake, repository: Repository, *, now: datetime = NOW, branches=(), **settings) -> Tally:
    asked = Settings(name="stacks", **{"path": str(repository.folder), "role": "config"} | settings)
    with RowLanding(lake, Origin("git", "stacks", git.SYSTEM)) as landing:
        opened = git.opened(asked, repository.folder.parent / "mirrors")
        git.land(opened, landing, git.Asked(asked, branches, now))
    return landing.tally


def rows(lake: Lake, dataset: Dataset, *columns: str) -> list:
    """Return rows as tuples of `columns`, or the values of a single one, in order."""
    found = [
        tuple(row[c] for c in columns) for t in lake.read(dataset, list(columns)) for row in t.to_pylist()
    ]
    return sorted(row[0] if len(columns) == 1 else row for row in found)


def values(lake: Lake, dataset: Dataset, column: str) -> list:
    """Return the values of a column that may be NULL, as they were landed."""
    return [value for t in lake.read(dataset, [column]) for value in t[column].to_pylist()]


def minute(number: int) -> datetime:
    return datetime.fromtimestamp(START + 60 * number, UTC)


def pinned(**tags: str) -> str:
    return "images:\n" + "".join(f"  {service}: {tag}\n" for service, tag in tags.items())


def test_a_commit_lands_with_its_times_people_and_trailers(lake, repository):
    sha = repository.commit("feat: page\n\nWhy.\n\nReviewed-by: Bob <bob@example.com>\nReviewed-by: Eve")

    land(lake, repository)

    [row] = next(iter(lake.read(datasets.COMMITS, datasets.COMMITS.schema.names))).to_pylist()
    assert (row["sha"], row["subject"], row["parent_shas"]) == (sha, "feat: page", "")
    assert (row["committed_at"], row["committer_utc_offset_seconds"]) == (minute(0), 3600)
    assert (row["author_name"], row["is_merge"], row["is_boundary"]) == ("Ada", False, False)
    reviewers = json.loads(row["trailers"])["Reviewed-by"]
    assert reviewers[0].startswith("Bob <email:")
    assert reviewers[1] == "Eve"
    assert "example.com" not in str(row)
    assert row["author_email_hash"].startswith("email:")


def test_reading_again_lands_nothing_and_a_new_commit_lands_alone(lake, repository):
    repository.commit(a="1")
    first = land(lake, repository)
    again = land(lake, repository, now=NOW + timedelta(hours=1))
    repository.commit(a="2")
    later = land(lake, repository, now=NOW + timedelta(hours=2))

    assert first.landed_count == 4  # a commit, its file, its place on main, and main itself
    assert again.landed_count == 0
    assert later.landed_count == 4
    assert len(rows(lake, datasets.COMMITS, "sha")) == 2


def test_what_a_merge_brought_came_into_the_branch_with_it(lake, repository):
    first = repository.commit()
    repository.git("switch", "-q", "-c", "topic")
    brought = repository.commit(b="1")
    repository.git("switch", "-q", "main")
    second = repository.commit(a="1")
    merge = repository.merge("topic")

    land(lake, repository)

    assert rows(lake, datasets.BRANCH_COMMITS, "position", "is_on_line", "sha") == [
        (1, True, first),
        (2, True, second),
        (3, False, brought),
        (3, True, merge),
    ]
    changed = rows(lake, datasets.CHANGED_PATHS, "path", "sha")
    assert changed == sorted([("a", second), ("b", brought), ("b", merge)])


def test_a_file_that_was_moved_has_both_paths(lake, repository):
    repository.commit(a="one\ntwo\nthree\n")
    moved = repository.commit(a=None, b="one\ntwo\nthree\n")

    land(lake, repository)

    found = rows(lake, datasets.CHANGED_PATHS, "change_kind", "path", "sha")
    assert ("renamed", "b", moved) in found
    assert [old for old in values(lake, datasets.CHANGED_PATHS, "old_path") if old] == ["a"]


def test_a_forced_push_is_seen_and_the_line_parts_where_it_does(lake, repository):
    first = repository.commit()
    dropped = repository.commit("dropped")
    land(lake, repository)
    repository.git("reset", "-q", "--hard", first)
    kept = repository.commit("kept")
    land(lake, repository, now=NOW + timedelta(hours=1))

    assert rows(lake, datasets.BRANCH_COMMITS, "rewrite_number", "position", "sha") == [
        (0, 1, first),
        (0, 2, dropped),
        (1, 2, kept),
    ]
    assert rows(lake, datasets.REFS, "observed_at", "is_forced", "sha") == [
        (NOW, False, dropped),
        (NOW + timedelta(hours=1), True, kept),
    ]


def test_a_branch_that_is_gone_says_so(lake, repository):
    repository.commit()
    repository.git("branch", "topic")
    land(lake, repository)
    repository.git("branch", "-D", "topic")
    land(lake, repository, now=NOW + timedelta(hours=1))

    found = [row for t in lake.read(datasets.REFS, ["ref", "sha", "observed_at"]) for row in t.to_pylist()]
    gone = [row for row in found if row["observed_at"] > NOW]
    assert [(row["ref"], row["sha"]) for row in gone] == [("refs/heads/topic", None)]


def test_a_pin_is_added_changed_reverted_and_removed(lake, repository):
    shas = [
        repository.commit(**{PINS: pinned(api="v1", web="v1")}),
        repository.commit(**{PINS: pinned(api="v2", web="v1")}),
        repository.commit(**{PINS: pinned(api="v1", web="v1")}),
        repository.commit(**{PINS: pinned(api="v1")}),
        repository.commit(**{PINS: None}),
    ]

    land(lake, repository)

    found = rows(lake, datasets.PINS, "position", "pin_key", "change_kind", "sha", "committed_at")
    assert found == [
        (1, "api", "added", shas[0], minute(0)),
        (1, "web", "added", shas[0], minute(0)),
        (2, "api", "changed", shas[1], minute(1)),
        (3, "api", "changed", shas[2], minute(2)),
        (4, "web", "removed", shas[3], minute(3)),
        (5, "api", "removed", shas[4], minute(4)),
    ]
    states = rows(lake, datasets.PIN_FILES, "committed_at", "state", "pin_count")
    assert states[-2:] == [(minute(3), "read", 1), (minute(4), "removed", 0)]


def test_pins_that_come_by_a_merge_count_once_and_with_the_merge(lake, repository):
    repository.commit(**{PINS: pinned(api="v1")})
    repository.git("switch", "-q", "-c", "topic")
    repository.commit(**{PINS: pinned(api="v2")})
    repository.commit(**{PINS: pinned(api="v3")})
    repository.git("switch", "-q", "main")
    merge = repository.merge("topic")

    land(lake, repository)

    found = [
        row
        for t in lake.read(datasets.PINS, ["sha", "tag", "previous_tag", "position"])
        for row in t.to_pylist()
    ]
    assert [row for row in found if row["position"] > 1] == [
        {"sha": merge, "tag": "v3", "previous_tag": "v1", "position": 2}
    ]


def test_a_branch_that_catches_up_with_one_that_was_read_before_has_its_pins_all_the_same(lake, repository):
    repository.commit(**{PINS: pinned(api="v1")})
    repository.git("switch", "-q", "-c", "topic")
    sha = repository.commit(**{PINS: pinned(api="v2")})
    repository.git("switch", "-q", "main")
    land(lake, repository)
    repository.git("merge", "-q", "--ff-only", "topic")
    land(lake, repository, now=NOW + timedelta(hours=1))

    assert rows(lake, datasets.PINS, "position", "sha")[1:] == [(2, sha)]


def test_a_pin_file_that_moves_takes_its_pins_along(lake, repository):
    text = pinned(api="v1", web="v1", worker="v1", router="v1")
    repository.commit(**{PINS: text})
    repository.commit(**{PINS: None, "release-pins__all_yaml": text.replace("api: v1", "api: v2")})

    land(lake, repository)

    found = rows(lake, datasets.PINS, "position", "path", "pin_key", "change_kind")
    assert [
        (path, kind) for position, path, key, kind in found if position == 2 and key in ("api", "web")
    ] == [
        ("release-pins/all.yaml", "changed"),
        ("release-pins/all.yaml", "moved"),
        (PINS_PATH, "moved_away"),
        (PINS_PATH, "moved_away"),
    ]


def test_a_pin_file_that_cannot_be_read_is_rejected_and_the_pin_before_stays(lake, repository):
    repository.commit(**{PINS: pinned(api="v1")})
    broken = repository.commit(**{PINS: "images: {api: ["})
    repository.commit(**{PINS: pinned(api="v3")})

    tally = land(lake, repository)

    assert tally.rejects == {"invalid_yaml": 1}
    assert rows(lake, REJECTS, "source", "reason") == [(f"{broken}:{PINS_PATH}", "invalid_yaml")]
    found = rows(lake, datasets.PINS, "position", "tag", "change_kind", "is_after_unreadable")
    assert found == [(1, "v1", "added", False), (3, "v3", "changed", True)]
    assert rows(lake, datasets.PIN_FILES, "committed_at", "state")[1] == (minute(1), "unreadable")


def test_the_last_readable_version_counts_even_if_it_was_read_by_a_run_before(lake, repository):
    repository.commit(**{PINS: pinned(api="v1")})
    repository.commit(**{PINS: "images: {api: ["})
    land(lake, repository)
    repository.commit(**{PINS: pinned(api="v1")})
    repository.commit(**{PINS: pinned(api="v4")})
    land(lake, repository, now=NOW + timedelta(hours=1))

    assert rows(lake, datasets.PINS, "position", "tag", "is_after_unreadable") == [
        (1, "v1", False),
        (4, "v4", False),
    ]


def test_since_lands_what_was_in_force_as_first_seen_and_not_as_a_change(lake, repository):
    repository.commit(**{PINS: pinned(api="v0")})
    opening = repository.commit(**{PINS: pinned(api="v1", web="v1")})
    repository.minute = 24 * 60
    change = repository.commit(**{PINS: pinned(api="v2", web="v1")})

    land(lake, repository, since=date(2026, 3, 3))

    assert rows(lake, datasets.PINS, "position", "pin_key", "change_kind", "is_first_seen", "sha") == [
        (2, "api", "first_seen", True, opening),
        (2, "web", "first_seen", True, opening),
        (3, "api", "changed", False, change),
    ]
    assert rows(lake, datasets.COMMITS, "sha") == [change]
    assert rows(lake, datasets.BRANCH_COMMITS, "position", "is_boundary") == [(2, True), (3, False)]


def test_reading_more_history_later_makes_no_second_pins(lake, repository):
    repository.commit(**{PINS: pinned(api="v1")})
    repository.minute = 24 * 60
    repository.commit(**{PINS: pinned(api="v2")})
    land(lake, repository, since=date(2026, 3, 3))
    land(lake, repository, now=NOW + timedelta(hours=1))

    assert rows(lake, datasets.PINS, "position", "tag") == [(1, "v1"), (2, "v2")]
    assert len(rows(lake, datasets.COMMITS, "sha")) == 2


def test_lines_of_another_reading_and_of_the_first_again_have_numbers_of_their_own(lake, repository):
    repository.commit()
    land(lake, repository)
    land(lake, repository, now=NOW + timedelta(hours=1), since=date(2026, 3, 1))
    sha = repository.commit()
    land(lake, repository, now=NOW + timedelta(hours=2))
    land(lake, repository, now=NOW + timedelta(hours=3))

    assert rows(lake, datasets.BRANCH_COMMITS, "rewrite_number", "position") == [
        (0, 1),
        (1, 1),
        (2, 1),
        (2, 2),
    ]
    assert (2, 2, sha) in rows(lake, datasets.BRANCH_COMMITS, "rewrite_number", "position", "sha")


def test_a_shallow_clone_begins_with_what_is_first_seen(lake, repository, tmp_path):
    repository.commit(**{PINS: pinned(api="v1")})
    opening = repository.commit(**{PINS: pinned(api="v2")})
    repository.commit(**{PINS: pinned(api="v3")})
    shallow = Repository.__new__(Repository)
    shallow.folder = tmp_path / "shallow"
    repository.git("clone", "-q", "--depth", "2", f"file://{repository.folder}", str(shallow.folder))

    land(lake, shallow)

    assert rows(lake, datasets.PINS, "tag", "change_kind") == [("v2", "first_seen"), ("v3", "changed")]
    boundaries = rows(lake, datasets.COMMITS, "is_boundary", "sha")
    assert [sha for is_boundary, sha in boundaries if is_boundary] == [opening]
    assert [sha for sha in rows(lake, datasets.CHANGED_PATHS, "sha") if sha == opening] == []
    assert "shallow" in rows(lake, COVERAGE, "message")[0]


def test_notes_land_each_time_they_are_written_and_name_dry_commits(lake, repository):
    sha = repository.commit()
    for dry in ("a" * 40, "b" * 40):
        note = json.dumps({"drySha": dry})
        repository.git("notes", "--ref", "hydrator.metadata", "add", "-f", "-m", note, sha)
        repository.minute += 1

    land(lake, repository)

    assert rows(lake, datasets.NOTES, "noted_at", "object_sha", "is_removed") == [
        (minute(1), sha, False),
        (minute(2), sha, False),
    ]
    assert rows(lake, datasets.HYDRATIONS, "said_by", "dry_sha", "said_at") == [
        ("note", "a" * 40, minute(1)),
        ("note", "b" * 40, minute(2)),
    ]


def test_a_removed_note_says_so(lake, repository):
    sha = repository.commit()
    repository.git("notes", "add", "-m", "text", sha)
    repository.git("notes", "remove", sha)

    land(lake, repository)

    assert rows(lake, datasets.NOTES, "is_removed") == [False, True]


@pytest.mark.parametrize("url_key", ["repoUrl", "repoURL"])
@pytest.mark.parametrize("is_nested", [True, False])
def test_metadata_names_the_dry_commit_and_what_that_came_from(lake, repository, url_key, is_nested):
    commit = {
        "sha": "c" * 40,
        "date": "2026-03-01T12:00:00Z",
        "author": "Eve <eve@example.com>",
        url_key: "https://x/app",
    }
    metadata = {
        "drySha": "d" * 40,
        "date": "2026-03-01T13:00:00Z",
        "references": [{"commit": commit} if is_nested else commit],
    }
    folder = repository.folder / "apps" / "api"
    folder.mkdir(parents=True)
    (folder / "hydrator.metadata").write_text(json.dumps({"drySha": "d" * 40, "commands": []}))
    (repository.folder / "hydrator.metadata").write_text(json.dumps(metadata))
    sha = repository.commit()

    land(lake, repository)

    assert rows(lake, datasets.HYDRATIONS, "path", "said_in_sha", "dry_sha") == [
        ("", sha, "d" * 40),
        ("apps/api", sha, "d" * 40),
    ]
    [reference] = rows(
        lake, datasets.REFERENCES, "sha", "said_by", "reference_sha", "reference_repository_url"
    )
    assert reference == ("d" * 40, "metadata", "c" * 40, "https://x/app")


def test_metadata_that_names_no_commit_is_rejected(lake, repository):
    (repository.folder / "hydrator.metadata").write_text('{"drySha": "../../etc"}')
    repository.commit()

    assert land(lake, repository).rejects == {"invalid_metadata": 1}
    assert rows(lake, datasets.HYDRATIONS, "sha") == []


def test_trailers_name_the_source_commit_of_a_pin(lake, repository):
    sha = repository.commit(
        f"pin\n\nArgocd-reference-commit-sha: {'c' * 40}\nArgocd-reference-commit-repourl: https://x/app"
    )

    land(lake, repository)

    columns = ("sha", "said_by", "reference_sha", "reference_repository_url")
    assert rows(lake, datasets.REFERENCES, *columns) == [(sha, "trailer", "c" * 40, "https://x/app")]


def test_trailers_and_notes_of_promoter_tell_of_promotions_and_their_gates(lake, repository):
    trailers = {
        "Pull-request-id": "7",
        "Pull-request-merge-time": "2026-03-02T06:03:00Z",
        "Sha-dry-proposed": "d" * 40,
        "Commit-status-active-argocd-health-phase": "success",
        "Commit-status-active-argocd-health-description": '"3/3 apps are \\"healthy\\""',
        "Commit-status-proposed-a-phase-b-phase": "pending",
    }
    sha = repository.commit("Promote\n\n" + "\n".join(f"{key}: {value}" for key, value in trailers.items()))
    note = json.dumps({key: [value] for key, value in trailers.items()})
    repository.git("notes", "--ref", "promoter.history", "add", "-F", "-", sha, given=note)

    land(lake, repository)

    columns = ("said_by", "pull_request_id", "pull_request_merged_at", "proposed_dry_sha")
    told = ("7", datetime(2026, 3, 2, 6, 3, tzinfo=UTC), "d" * 40)
    assert rows(lake, datasets.PROMOTIONS, *columns) == [("note", *told), ("trailer", *told)]
    gates = [
        row
        for t in lake.read(datasets.PROMOTION_GATES, ["said_by", "side", "gate_key", "phase", "description"])
        for row in t.to_pylist()
    ]
    assert [tuple(row.values())[1:] for row in gates if row["said_by"] == "trailer"] == [
        ("active", "argocd-health", "success", '3/3 apps are "healthy"'),
        ("proposed", "a-phase-b", "pending", None),
    ]


def test_a_squash_a_cherry_pick_and_a_rebase_keep_their_patch_id(lake, repository):
    repository.commit(a="1\n")
    repository.git("switch", "-q", "-c", "topic")
    original = repository.commit("feat", b="1\n")
    repository.git("switch", "-q", "main")
    repository.commit(c="1\n")
    repository.git("merge", "--squash", "-q", "topic")
    squashed = repository.commit("feat (#1)")

    land(lake, repository, role="source")

    found = dict(rows(lake, datasets.PATCH_IDS, "sha", "patch_id"))
    assert found[squashed] == found[original]
    assert len(set(found.values())) == 3


def test_tags_name_their_commit(lake, repository):
    sha = repository.commit()
    repository.git("tag", "light")
    repository.git("tag", "-a", "-m", "Release\n\nNotes.", "v1")

    land(lake, repository)

    assert rows(lake, datasets.TAGS, "tag", "commit_sha", "is_annotated") == [
        ("light", sha, False),
        ("v1", sha, True),
    ]


def test_branches_of_environments_are_followed_and_others_are_not(lake, repository):
    repository.commit()
    for branch in ("env/dev", "env/dev-next", "topic"):
        repository.git("branch", branch)

    land(lake, repository, branches=("env/dev", "env/missing"))

    assert rows(lake, datasets.BRANCH_COMMITS, "branch") == ["env/dev", "env/dev-next", "main"]


def test_a_clone_is_read_as_its_origin_has_it(lake, repository, tmp_path):
    published = repository.commit()
    clone = Repository.__new__(Repository)
    clone.folder, clone.minute = tmp_path / "clone", 9
    repository.git("clone", "-q", str(repository.folder), str(clone.folder))
    clone.commit("not pushed")

    land(lake, clone)

    assert rows(lake, datasets.BRANCH_COMMITS, "branch", "sha") == [("main", published)]


def test_an_empty_repository_holds_nothing(lake, repository):
    assert land(lake, repository).landed_count == 0


def test_a_path_without_a_repository_is_wrong_input_even_inside_one(lake, repository):
    repository.commit()
    inner = Repository.__new__(Repository)
    inner.folder = repository.folder / "inner"
    inner.folder.mkdir()

    with pytest.raises(UsageError, match=r"inner: repository stacks: no clone or bare mirror is there"):
        land(lake, inner)


def test_a_partial_clone_is_refused(lake, repository, tmp_path):
    repository.commit(a="1")
    repository.git("config", "uploadpack.allowFilter", "true")
    partial = Repository.__new__(Repository)
    partial.folder = tmp_path / "partial"
    address = f"file://{repository.folder}"
    repository.git("clone", "-q", "--no-checkout", "--filter=blob:none", address, str(partial.folder))

    with pytest.raises(UsageError, match="a partial clone lacks what files hold; clone without --filter"):
        land(lake, partial)


def test_a_linked_working_tree_is_a_clone_like_others(lake, repository, tmp_path):
    sha = repository.commit(a="1")
    linked = Repository.__new__(Repository)
    linked.folder = tmp_path / "linked"
    repository.git("worktree", "add", "-q", str(linked.folder), "-b", "topic")

    land(lake, linked)

    assert rows(lake, datasets.COMMITS, "sha") == [sha]


def test_without_git_it_says_what_to_install(lake, repository, monkeypatch):
    monkeypatch.setenv("PATH", "")

    with pytest.raises(UsageError, match="repository stacks: git is not installed; install git"):
        land(lake, repository)


def test_a_credential_in_a_message_a_note_or_a_pin_file_does_not_land(lake, repository, tmp_path):
    address = "https://robot:hunter2hunter2@example.com/x"
    sha = repository.commit(f"fix: use {address}", **{PINS: f"a: [\nurl: {address}"})
    repository.git("notes", "add", "-m", f"see {address}", sha)

    land(lake, repository)

    texts = [
        str(t.to_pylist())
        for d in (datasets.COMMITS, datasets.NOTES, REJECTS)
        for t in lake.read(d, d.schema.names)
    ]
    assert len(texts) == 3
    assert "hunter2" not in "".join(texts)


def test_nothing_that_a_repository_configures_is_run(lake, repository, tmp_path):
    trap = tmp_path / "sprung"
    script = tmp_path / "trap.sh"
    script.write_text(f"#!/bin/sh\ntouch {trap}\n")
    script.chmod(0o755)
    repository.commit(a="1", **{PINS: pinned(api="v1")})
    repository.commit(a="2", **{".gitattributes": "* diff=trap\n"})
    for key in (
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "diff.trap.textconv",
        "gpg.program",
        "core.sshCommand",
    ):
        repository.git("config", key, str(script))
    repository.git("config", "core.hooksPath", str(tmp_path))
    repository.git("config", "log.showSignature", "true")
    repository.git("config", "log.showRoot", "false")
    repository.git("config", "diff.noprefix", "true")
    repository.git("config", "i18n.logOutputEncoding", "UTF-16")

    land(lake, repository, role="source")

    assert not trap.exists()
    assert len(rows(lake, datasets.COMMITS, "sha")) == 2
    assert len(rows(lake, datasets.CHANGED_PATHS, "path")) == 4
    assert len(rows(lake, datasets.PATCH_IDS, "sha")) == 2


def test_names_and_bytes_that_are_no_text_are_kept_as_escapes(lake, repository):
    odd = repository.folder.joinpath("odd\n:name\tß.txt")
    odd.write_text("x")
    sha = repository.commit("subject \udcff".encode("utf-8", "surrogateescape").decode("latin-1"))

    land(lake, repository)

    assert rows(lake, datasets.CHANGED_PATHS, "path") == ["odd\n:name\tß.txt"]
    assert rows(lake, datasets.COMMITS, "sha") == [sha]


def test_a_time_that_cannot_be_is_null_and_counted(lake, repository):
    tree = repository.git("mktree", given="")
    people = "author A <a@example.com> 99999999999999 +0000\ncommitter A <a@example.com> 1 +0000"
    body = f"tree {tree}\n{people}\n\nx\n"
    sha = repository.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", given=body)
    repository.git("update-ref", "refs/heads/main", sha)

    tally = land(lake, repository)

    assert tally.rejects == {"unreadable_time": 1}
    assert rows(lake, datasets.COMMITS, "sha") == [sha]
