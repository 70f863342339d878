"""What moves through delivery: config commits, the releases they ask for, and hydrated commits."""

from collections.abc import Mapping
from dataclasses import dataclass

from gitopslab.world.emit import hydration

SOURCE_URL = "https://github.com/example/workflow-builder"
CONFIG_URL = "https://github.com/example/stacks"
IMAGE_PREFIX = "ghcr.io/example"


@dataclass(frozen=True, slots=True)
class Release:
    """What the config repository asks for of one Application.

    Attributes:
        dry_index: The config commit that last changed it.
        number: Up to which of the service's changes it contains; 0: the first release.
        source_sha: What it was built from; empty where nothing is built.
        image: The image's reference, with tag.
        digest: The image's digest; empty where nothing is built.
        is_bad: Whether it starts and then does not become healthy.
    """

    dry_index: int
    number: int
    source_sha: str
    image: str
    digest: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class DryCommit:
    """A commit on the main branch of the config repository.

    Attributes:
        index: How many came before it.
        committed_at: Committer time, seconds since the epoch.
        content: Its sha, author and message, as the hydrator reads them.
    """

    index: int
    committed_at: float
    content: hydration.DryCommit

    @property
    def sha(self) -> str:
        """Its name."""
        return self.content.sha


@dataclass(frozen=True, slots=True)
class Hydrated:
    """A commit on a branch with the manifests of an environment.

    Attributes:
        sha: Its name.
        dry: The config commit that it was made from.
        releases: What it asks for, by Application.
        committed_at: Committer time, seconds since the epoch.
        body: Its message, without the first line.
    """

    sha: str
    dry: DryCommit
    releases: Mapping[str, Release]
    committed_at: float
    body: str


def image(service: str, source_sha: str) -> str:
    """Return the reference of a service's image."""
    return f"{IMAGE_PREFIX}/{service}:git-{source_sha}"
