"""Mirrors of repositories behind a URL: brought up to date, losing nothing, telling no secret."""

import base64
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from gitopslab.datasets import git as datasets
from gitopslab.errors import AccessDeniedError, SettingsError, SourceError, UnreachableError
from gitopslab.extract import git
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake
from gitopslab.settings import Repository as Settings

from .gitrepository import Repository
from .httpserver import Answer, Asked, serve

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

NOW = datetime(2026, 4, 1, tzinfo=UTC)
CREDENTIAL = "hunter2-hunter2"
VARIABLE = "STACKS_TOKEN"
BASIC = "Basic " + base64.b64encode(f"x-access-token:{CREDENTIAL}".encode()).decode()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "origin")
    made.commit(a="1")
    return made


def opened(repository: Repository, **settings) -> git.opened:
    asked = Settings(**{"name": "stacks", "url": f"file://{repository.folder}"} | settings)
    return git.opened(asked, repository.folder.parent / "mirrors")


def land(folder: Path, mirror, now: datetime = NOW) -> None:
    asked = Settings(name="stacks", role="config", url="file:///x")
    with RowLanding(Lake(str(folder / "lake")), Origin("git", "stacks", git.SYSTEM)) as landing:
        git.land(mirror, landing, git.Asked(asked, (), now))


def shas(folder: Path, dataset=datasets.COMMITS) -> set[str]:
    return {row["sha"] for t in Lake(str(folder / "lake")).read(dataset, ["sha"]) for row in t.to_pylist()}


def files_that_hold(text: str, folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


def test_a_mirror_has_branches_tags_notes_and_the_default_branch(repository):
    repository.git("tag", "v1")
    repository.git("notes", "add", "-m", "text")
    repository.git("branch", "-m", "trunk")

    mirror = opened(repository)

    listed = mirror.text("for-each-ref", "--format=%(refname)").split()
    assert listed == ["refs/heads/trunk", "refs/notes/commits", "refs/tags/v1"]
    assert mirror.text("symbolic-ref", "HEAD").strip() == "refs/heads/trunk"


def test_a_mirror_is_brought_up_to_date(repository):
    opened(repository)
    sha = repository.commit(a="2")

    assert opened(repository).text("rev-parse", "main").strip() == sha


def test_what_was_force_pushed_away_and_what_was_deleted_is_kept(repository, tmp_path):
    first = repository.git("rev-parse", "main")
    dropped = repository.commit("dropped")
    repository.git("branch", "topic")
    repository.git("switch", "-q", "topic")
    deleted = repository.commit("deleted")
    repository.git("switch", "-q", "main")
    opened(repository)
    repository.git("reset", "-q", "--hard", first)
    repository.git("branch", "-D", "topic")
    kept = repository.commit("kept")

    mirror = opened(repository)
    mirror.run("gc", "--quiet", "--prune=now")
    land(tmp_path, mirror)

    assert shas(tmp_path) == {first, dropped, deleted, kept}
    assert shas(tmp_path, datasets.BRANCH_COMMITS) == {first, kept}


def test_what_is_still_reachable_needs_no_second_name(repository):
    opened(repository)
    repository.commit(a="2")

    assert "gitopslab" not in opened(repository).text("for-each-ref")


def test_a_repository_that_is_read_in_place_is_not_changed(repository, tmp_path):
    before = {file: file.stat().st_mtime_ns for file in repository.folder.rglob("*")}

    land(tmp_path, git.opened(Settings(name="stacks", path=str(repository.folder)), tmp_path))

    assert {file: file.stat().st_mtime_ns for file in repository.folder.rglob("*")} == before


def serving(repository: Repository):
    """Serve the repository's files as a git host does the simple way, to those who have the token."""
    repository.git("update-server-info")

    def answer(asked: Asked) -> Answer:
        if asked.headers.get("Authorization") != BASIC:
            return Answer(b"", 401, {"WWW-Authenticate": "Basic"})
        file = repository.folder / ".git" / asked.path.removeprefix("/stacks.git/")
        return Answer(file.read_bytes()) if file.is_file() else Answer(b"", 404)

    return serve(answer)


def test_a_token_opens_the_repository_and_is_in_no_file(repository, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, CREDENTIAL)
    with serving(repository) as server:
        mirror = opened(repository, url=f"{server.url}/stacks.git", token_variable=VARIABLE)
    land(tmp_path, mirror)

    assert shas(tmp_path) == {repository.git("rev-parse", "main")}
    assert BASIC in {asked.headers.get("Authorization") for asked in server.asked}
    assert files_that_hold(CREDENTIAL, tmp_path) == []
    assert files_that_hold(BASIC.split()[1], tmp_path) == []


def test_a_wrong_token_is_denied_without_being_told(repository, monkeypatch):
    monkeypatch.setenv(VARIABLE, "wrong-wrong-wrong")
    with (
        serving(repository) as server,
        pytest.raises(AccessDeniedError, match="token_variable names") as caught,
    ):
        opened(repository, url=f"{server.url}/stacks.git", token_variable=VARIABLE)

    assert "wrong-wrong" not in str(caught.value)


def test_a_token_that_is_not_set_is_named(repository):
    with pytest.raises(SettingsError, match="repository stacks: token_variable: STACKS_TOKEN is not set"):
        opened(repository, url="https://example.com/x", token_variable=VARIABLE)


def test_nobody_there_is_unreachable(repository):
    with pytest.raises(UnreachableError, match="repository stacks: git ls-remote ended with 128"):
        opened(repository, url="http://127.0.0.1:9/stacks.git")


@pytest.mark.parametrize("url", ["ext::sh -c date", "", "/some/path", "--upload-pack=date", "ftp://x/y"])
def test_a_url_of_another_kind_is_refused(repository, url):
    with pytest.raises(SettingsError, match="repository stacks: no path, and no url that can be fetched"):
        opened(repository, url=url)


def test_a_redirect_to_another_transport_is_not_followed(repository):
    with (
        serve(lambda _: Answer(b"", 302, {"Location": f"file://{repository.folder}/info/refs"})) as server,
        pytest.raises(SourceError),
    ):
        opened(repository, url=f"{server.url}/stacks.git")


@pytest.mark.parametrize(
    "url",
    ["https://me:hunter2@example.com/x", "https://hunter2@example.com/x", "ssh://me:hunter2@example.com/x"],
)
def test_a_url_with_a_credential_is_refused_without_saying_it(url):
    with pytest.raises(ValidationError, match="out of the URL") as caught:
        Settings(name="stacks", url=url)

    assert "hunter2" not in str(caught.value.errors(include_input=False, include_url=False))


def test_a_user_of_ssh_is_no_credential():
    assert Settings(name="stacks", url="ssh://git@example.com/x").url == "ssh://git@example.com/x"


def test_lines_go_on_where_a_mirror_was_read_before(repository, tmp_path):
    land(tmp_path, opened(repository))
    sha = repository.commit(a="2")
    land(tmp_path, opened(repository), NOW + timedelta(hours=1))

    assert sha in shas(tmp_path, datasets.BRANCH_COMMITS)
    assert len(shas(tmp_path)) == 2
