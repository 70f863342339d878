"""What GitOps Promoter leaves in git: the merge commit of a promotion, its trailers and its note.

Source: gitops-promoter `internal/types/constants/trailers.go`, `mergePullRequest`. The note is new:
releases up to 0.30 write trailers only.
"""

import json
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from gitopslab.world.clock import stamp
from gitopslab.world.emit.fast_import import Identity


class CommitStatus(NamedTuple):
    """A gate as it stood when a pull request was merged.

    Attributes:
        key: Such as argocd-health or timer.
        phase: Its phase.
        url: Where more is said.
        description: Written as a trailer from 0.34 on, so empty before.
    """

    key: str
    phase: Literal["pending", "success", "failure"]
    url: str = ""
    description: str = ""


@dataclass(frozen=True)
class PromotionCommit:
    """A merge of a proposed branch into an environment's active branch.

    Attributes:
        branch: The active branch, such as env/dev.
        at: When the commit is made, seconds since the epoch.
        requested_at: When the Promoter asked for the merge; its merge time.
        pull_request: Number of the pull request.
        url: Its address, https://<host>/<owner>/<repository>/pull/<number>.
        created_at: When it was opened.
        dry_active: Dry sha that the environment ran until now.
        dry_proposed: Dry sha that it is to run.
        hydrated_active: Tip of the active branch until now.
        hydrated_proposed: Commit of the proposed branch that is merged.
        active_statuses: Gates of the active commit.
        proposed_statuses: Gates of the proposed commit.
        merged_by: The person who pressed the button, and so no trailers; None: the Promoter.
        is_noted: Whether the Promoter writes the history note, which it does for either kind of merge.
    """

    branch: str
    at: float
    requested_at: float
    pull_request: int
    url: str
    created_at: float
    dry_active: str
    dry_proposed: str
    hydrated_active: str
    hydrated_proposed: str
    active_statuses: tuple[CommitStatus, ...] = ()
    proposed_statuses: tuple[CommitStatus, ...] = ()
    merged_by: Identity | None = None
    is_noted: bool = True

    @property
    def title(self) -> str:
        """Title of the pull request."""
        return f"Promote {self.dry_proposed[:7]} to `{self.branch}`"

    @property
    def description(self) -> str:
        """What the pull request says."""
        return (
            f"This PR is promoting the environment branch `{self.branch}` which is currently on dry sha "
            f"{self.dry_active} to dry sha {self.dry_proposed}."
        )


def message(promotion: PromotionCommit) -> str:
    """Return the message of the merge commit."""
    if promotion.merged_by:
        owner = urlsplit(promotion.url).path.split("/")[1]
        source = f"{owner}/{promotion.branch}-next"
        return f"Merge pull request #{promotion.pull_request} from {source}\n\n{promotion.title}\n"
    trailers = "".join(f"{key}: {value}\n" for key, value in _trailers(promotion).items())
    return f"{promotion.title}\n\n{promotion.description}\n\n{trailers}"


def note(promotion: PromotionCommit) -> str:
    """Return the history note: the trailers as JSON, each with a list of its values."""
    values = {key: [value] for key, value in sorted(_trailers(promotion).items())}
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False) + "\n"


def _trailers(promotion: PromotionCommit) -> dict[str, str]:
    """Return the trailers in their order: sorted, and the merge time behind them, as it is added last."""
    trailers = {
        "Pull-request-id": str(promotion.pull_request),
        "Pull-request-source-branch": f"{promotion.branch}-next",
        "Pull-request-target-branch": promotion.branch,
        "Pull-request-creation-time": stamp(promotion.created_at),
        "Pull-request-url": promotion.url,
        "Sha-dry-active": promotion.dry_active,
        "Sha-dry-proposed": promotion.dry_proposed,
        "Sha-hydrated-active": promotion.hydrated_active,
        "Sha-hydrated-proposed": promotion.hydrated_proposed,
    }
    for side, statuses in (("active", promotion.active_statuses), ("proposed", promotion.proposed_statuses)):
        for status in statuses:
            trailers |= _status_trailers(f"Commit-status-{side}-{status.key}", status)
    return dict(sorted(trailers.items())) | {"Pull-request-merge-time": stamp(promotion.requested_at)}


def _status_trailers(prefix: str, status: CommitStatus) -> dict[str, str]:
    trailers = {f"{prefix}-phase": status.phase, f"{prefix}-url": status.url}
    if status.description:
        trailers[f"{prefix}-description"] = json.dumps(status.description, ensure_ascii=False)
    return trailers
