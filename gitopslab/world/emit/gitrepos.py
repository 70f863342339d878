"""The git repositories of the fleet: sources, and the configuration with its hydrated branches.

What developers, the build, Argo CD's hydrator and GitOps Promoter commit, in their words: trailers and
notes are those that extractors find in real repositories. Each method returns the sha of its commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from gitopslab.world.emit import hydration, pins, promotions
from gitopslab.world.emit.fast_import import Commit, Identity, Repository
from gitopslab.world.emit.hydration import HydratedCommit
from gitopslab.world.emit.pins import PinCommit
from gitopslab.world.emit.promotions import PromotionCommit

GITHUB = Identity("GitHub", "noreply@github.com")
ARGO_CD = Identity("Argo CD", "argo-cd@example.com")
PROMOTER = Identity("gitops-promoter[bot]", "41898282+gitops-promoter[bot]@users.noreply.github.com")

HYDRATOR_NOTES = "refs/notes/hydrator.metadata"
PROMOTER_NOTES = "refs/notes/promoter.history"


@dataclass(frozen=True)
class SourceCommit:
    """A change that arrives on the main branch.

    Attributes:
        author: Who wrote it.
        authored_at: When, seconds since the epoch; before `committed_at` where it waited for a review.
        committed_at: When it arrived; this is where lead time starts.
        subject: First line, without the number of a pull request.
        body: What follows; may be empty.
        files: Path to what it holds from now on; None: gone.
        arrival: A push is committed by its author; GitHub commits what it merges, and a squash takes the
            number into its subject, a rebase does not.
        pull_request: Its number; 0: none.
        reverts: Sha that it takes back; empty: none.
        co_authors: Further authors of a squash.
    """

    author: Identity
    authored_at: float
    committed_at: float
    subject: str
    files: Mapping[str, bytes | None]
    body: str = ""
    arrival: Literal["push", "squash", "rebase"] = "push"
    pull_request: int = 0
    reverts: str = ""
    co_authors: tuple[Identity, ...] = ()

    @property
    def message(self) -> str:
        """The commit message."""
        number = f" (#{self.pull_request})" if self.arrival == "squash" else ""
        reverted = f"This reverts commit {self.reverts}." if self.reverts else ""
        trailers = "\n".join(f"Co-authored-by: {author}" for author in self.co_authors)
        return paragraphs(f"{self.subject}{number}", reverted, self.body, trailers)


class SourceRepository:
    """A repository that developers commit to; close it when time is over.

    Args:
        folder: Where it is made; must not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._repository = Repository(folder)

    def commit(self, change: SourceCommit) -> str:
        """Commit a change to the main branch."""
        committer = change.author if change.arrival == "push" else GITHUB
        return self._repository.commit(
            Commit(
                branch="main",
                author=change.author,
                authored_at=change.authored_at,
                committer=committer,
                committed_at=change.committed_at,
                message=change.message,
                files=change.files,
            )
        )

    def close(self) -> None:
        """End the repository; only now are its branches there."""
        self._repository.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ConfigRepository(SourceRepository):
    """The configuration: main with release pins, a proposed and an active branch an environment.

    Args:
        folder: Where it is made; must not exist.
        url: Its address, as hydrator metadata names it.
    """

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self._url = url
        self._pins = pins.Pins()

    def pin(self, change: PinCommit) -> str:
        """Write release pins on the main branch, as the last task of a build does."""
        return self.commit(
            SourceCommit(
                author=change.author,
                authored_at=change.at,
                committed_at=change.at,
                subject=change.subject,
                body=change.body,
                files=self._pins.write(change),
            )
        )

    def begin(self, branch: str, at: float) -> str:
        """Begin an environment's active branch with an empty commit, as the hydrator does."""
        return self._repository.commit(_by_argo_cd(branch, at, "initial commit\n", {}))

    def hydrate(self, hydrated: HydratedCommit) -> str:
        """Commit manifests to a proposed branch, with the note that names their dry commit."""
        message = paragraphs(hydrated.subject, hydrated.dry.body, hydrated.co_authors)
        made = hydration.files(hydrated, self._url)
        sha = self._repository.commit(_by_argo_cd(hydrated.branch, hydrated.at, message, made, hydrated.base))
        self.note_hydrated(sha, hydrated.dry.sha, hydrated.at)
        return sha

    def note_hydrated(self, sha: str, dry_sha: str, at: float) -> None:
        """Say that `dry_sha` gives the manifests of `sha`: all that a hydration without a change leaves."""
        self._repository.note(HYDRATOR_NOTES, sha, f'{{"drySha":"{dry_sha}"}}\n', by=ARGO_CD, at=at)

    def promote(self, promotion: PromotionCommit) -> str:
        """Merge a proposed branch into the active one, by the Promoter or by a person."""
        sha = self._repository.commit(
            Commit(
                branch=promotion.branch,
                author=promotion.merged_by or PROMOTER,
                authored_at=promotion.at,
                committer=GITHUB,
                committed_at=promotion.at,
                message=promotions.message(promotion),
                merges=promotion.hydrated_proposed,
            )
        )
        if promotion.is_noted:
            self._repository.note(
                PROMOTER_NOTES, sha, promotions.note(promotion), by=PROMOTER, at=promotion.at
            )
        return sha


def _by_argo_cd(
    branch: str, at: float, message: str, files: Mapping[str, bytes | None], base: str = ""
) -> Commit:
    return Commit(branch, ARGO_CD, at, ARGO_CD, at, message, files, base)


def paragraphs(*texts: str) -> str:
    """Return the texts that are not empty as paragraphs of one message."""
    return "\n\n".join(text.strip("\n") for text in texts if text) + "\n"
