"""Where repositories are read: a clone in place, or a bare mirror that is kept beside the lake.

What a source force-pushes away or deletes, the mirror keeps under refs/gitopslab/. A token is given to git in
its environment, as a header for the one URL: it is in no file, and on no command line.
"""

import base64
import os
import re
from pathlib import Path
from urllib.parse import quote, urlsplit

from gitopslab.errors import SettingsError, SourceError, UsageError
from gitopslab.extract.git.command import Git
from gitopslab.extract.git.refs import KEPT
from gitopslab.settings import Repository

_TRANSPORTS = {
    "https": ("https",),
    "http": ("http", "https"),
    "ssh": ("ssh",),
    "git": ("git",),
    "file": ("file",),
}
_SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:(?!//)[^\s]+")
_MIRRORED = tuple(f"+refs/{kind}/*:refs/{kind}/*" for kind in ("heads", "tags", "notes"))
_HEAD = re.compile(r"^ref: (refs/heads/\S+)\tHEAD$", re.MULTILINE)


def opened(repository: Repository, mirrors: Path) -> Git:
    """Return `repository`, ready to be read: the clone at its path, or its mirror, brought up to date.

    Raises:
        UsageError: git is not installed, or the path is none of a repository.
        SettingsError: Its URL is of no kind that is read, or the token's variable is not set.
        SourceError: The mirror cannot be brought up to date.
    """
    if repository.path:
        git = Git(Path(repository.path), repository.name)
        _check(git, repository.path)
        return git
    transports, token = _transports(repository), _token(repository)
    git = Git(mirrors / f"{quote(repository.name, safe='')}.git", repository.name)
    if not git.folder.exists():
        mirrors.mkdir(parents=True, exist_ok=True)
        git.run("init", "--quiet", "--bare", "--template=", "--end-of-options", str(git.folder))
    _fetch(git, repository.url, transports, token)
    return git


def _check(git: Git, path: str) -> None:
    try:
        git.run("rev-parse", "--git-dir")
    except SourceError as error:
        raise UsageError(f"{path}: repository {git.name}: no clone or bare mirror is there") from error
    if _is_partial(git):
        what = f"{path}: repository {git.name}: a partial clone lacks what files hold"
        raise UsageError(f"{what}; clone without --filter, or give a url instead of the path")


def _is_partial(git: Git) -> bool:
    try:
        return bool(git.run("config", "--get-regexp", r"^remote\..*\.promisor$"))
    except SourceError:
        return False


def _transports(repository: Repository) -> tuple[str, ...]:
    url = repository.url
    scheme = urlsplit(url).scheme if "://" in url else "ssh" if _SCP_LIKE.fullmatch(url) else ""
    if scheme not in _TRANSPORTS:
        known = ", ".join(f"{each}://" for each in _TRANSPORTS)
        what = f"repository {repository.name}: no path, and no url that can be fetched"
        raise SettingsError(f"{what}; one begins with {known}, or is user@host:path")
    return _TRANSPORTS[scheme]


def _token(repository: Repository) -> dict[str, str]:
    """Return git's configuration for the token, which is sent to the URL's own host only."""
    name = repository.token_variable
    if not name:
        return {}
    if name not in os.environ:
        raise SettingsError(f"repository {repository.name}: token_variable: {name} is not set")
    basic = base64.b64encode(f"x-access-token:{os.environ[name]}".encode()).decode()
    return {f"http.{repository.url}.extraHeader": f"Authorization: Basic {basic}"}


def _fetch(git: Git, url: str, transports: tuple[str, ...], token: dict[str, str]) -> None:
    _keep_tips(git)
    remote = git.run(
        "ls-remote", "--symref", "--end-of-options", url, "HEAD", protocols=transports, configuration=token
    )
    git.run(
        "fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
        "--no-recurse-submodules", "--end-of-options", url, *_MIRRORED,
        protocols=transports, configuration=token,
    )  # fmt: skip
    if head := _HEAD.search(remote.decode("utf-8", "backslashreplace")):
        git.run("symbolic-ref", "HEAD", head[1])
    _forget_reachable_tips(git)


def _keep_tips(git: Git) -> None:
    """Give every tip a second name, by which it stays when its source drops it."""
    git.run("update-ref", "--stdin", lines=[f"update {KEPT}{sha} {sha}" for sha in sorted(_tips(git))])


def _forget_reachable_tips(git: Git) -> None:
    """Take the second name from commits that a branch, tag or notes ref still leads to."""
    listed = git.text("for-each-ref", "--format=%(objectname) %(objecttype)", KEPT.rstrip("/")).splitlines()
    kept = dict(line.split() for line in listed)
    if not kept:
        return
    lost = set(git.text("rev-list", *kept, "--not", "--branches", "--tags", "--glob=refs/notes").split())
    tips = _tips(git)
    needless = [sha for sha, kind in kept.items() if sha in tips or (kind == "commit" and sha not in lost)]
    git.run("update-ref", "--stdin", lines=[f"delete {KEPT}{sha}" for sha in needless])


def _tips(git: Git) -> set[str]:
    refs = ("refs/heads", "refs/tags", "refs/notes")
    return set(git.text("for-each-ref", "--format=%(objectname)", *refs).split())
