"""Definitions of what is measured, by an id that stands beside every number."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Definition:
    """What a duration runs from and to, and whose definition that is.

    Attributes:
        definition_id: Stands beside numbers, in pages and in result.json.
        subject: What is counted, in the plural, as a sentence begins.
        start: What starts the clock.
        end: What stops it.
        source: The field or the paper it comes from.
    """

    definition_id: str
    subject: str
    start: str
    end: str
    source: str


SYNC_DURATION = Definition(
    "sync_duration",
    "syncs",
    "the first attempt of the sync operation began",
    "the sync operation succeeded; pods need not be healthy yet",
    "Argo CD, Application status.history[].deployStartedAt and .deployedAt",
)
PULL_REQUEST_DURATION = Definition(
    "pull_request_duration",
    "promotions",
    "GitOps Promoter opened the pull request into the environment's branch",
    "the pull request was merged",
    "GitOps Promoter, history[].pullRequest.prCreationTime and .prMergeTime",
)
COMMIT_TO_PROMOTED = Definition(
    "commit_to_promoted",
    "promoted commits",
    "the dry commit was written (its author time)",
    "it was merged into the environment's branch",
    "GitOps Promoter, history[].active.dry.commitTime and .pullRequest.prMergeTime",
)
DEFINITIONS = (SYNC_DURATION, PULL_REQUEST_DURATION, COMMIT_TO_PROMOTED)
