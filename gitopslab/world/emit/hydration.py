"""What Argo CD's source hydrator commits: manifests, and the metadata that names the dry commit.

Source: argo-cd `commitserver/commit` (hydratorhelper.go), its default commit message template.
Limits: manifests and metadata of a path are rewritten only when its manifests changed, as since 3.3.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitopslab.world.clock import stamp
from gitopslab.world.emit.fast_import import Identity


@dataclass(frozen=True)
class Reference:
    """The source commit that a dry commit came from, as its `Argocd-reference-commit-*` trailers say."""

    sha: str
    author: Identity
    authored_at: float
    subject: str
    body: str
    repo_url: str

    @property
    def trailers(self) -> str:
        """The trailers, for the message of the dry commit."""
        fields = {
            "author": str(self.author),
            "sha": self.sha,
            "subject": self.subject,
            # a trailer is one line, so the body travels as a JSON string
            "body": json.dumps(self.body),
            "repourl": self.repo_url,
            "date": stamp(self.authored_at),
        }
        return "\n".join(f"Argocd-reference-commit-{key}: {value}" for key, value in fields.items())

    @property
    def document(self) -> dict[str, Any]:
        """The reference as hydrator metadata holds it."""
        return {
            "commit": {
                "author": str(self.author),
                "date": stamp(self.authored_at),
                "subject": self.subject,
                "body": self.body,
                "sha": self.sha,
                "repoUrl": self.repo_url,
            }
        }


@dataclass(frozen=True)
class DryCommit:
    """The commit whose manifests are hydrated; `body` is without the reference trailers."""

    sha: str
    author: Identity
    authored_at: float
    subject: str
    body: str = ""
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True)
class HydratedCommit:
    """Manifests of one environment.

    Attributes:
        branch: The proposed branch, such as env/dev-next.
        at: When it is committed, seconds since the epoch.
        dry: Where the manifests come from.
        manifests: Path of an application to its manifests; only those that changed.
        base: Sha of the active branch, for the first commit on the proposed one; else empty.
    """

    branch: str
    at: float
    dry: DryCommit
    manifests: Mapping[str, bytes]
    base: str = ""

    @property
    def subject(self) -> str:
        """First line of the message."""
        return f"{self.dry.sha[:7]}: {self.dry.subject}"

    @property
    def co_authors(self) -> str:
        """Trailers of the message."""
        authors = [*(reference.author for reference in self.dry.references), self.dry.author]
        return "\n".join(f"Co-authored-by: {author}" for author in authors)


def files(hydrated: HydratedCommit, repo_url: str) -> dict[str, bytes | None]:
    """Return the files of a hydrated commit: the metadata, and three files an application."""
    dry = hydrated.dry
    metadata = {
        "repoURL": repo_url,
        "drySha": dry.sha,
        "author": str(dry.author),
        "date": stamp(dry.authored_at),
        "subject": dry.subject,
        "body": dry.body,
        "references": [reference.document for reference in dry.references],
    }
    made: dict[str, bytes | None] = {
        "hydrator.metadata": _document({key: value for key, value in metadata.items() if value}),
        "README.md": _readme(repo_url, dry.sha, ()),
    }
    for path, manifests in hydrated.manifests.items():
        commands = (f"kustomize build ./{path}",)
        own = {"commands": commands, "drySha": dry.sha, "repoURL": repo_url}
        made[f"{path}/hydrator.metadata"] = _document(own)
        made[f"{path}/README.md"] = _readme(repo_url, dry.sha, commands)
        made[f"{path}/manifest.yaml"] = manifests
    return made


def _document(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode()


def _readme(repo_url: str, dry_sha: str, commands: tuple[str, ...]) -> bytes:
    steps = (f"git clone {repo_url}", "# cd into the cloned directory", f"git checkout {dry_sha}", *commands)
    shell = "\n".join(steps)
    return (
        "# Manifest Hydration\n\nTo hydrate the manifests in this repository, "
        f"run the following commands:\n\n```shell\n{shell}\n```\n"
    ).encode()
