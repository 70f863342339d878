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


CHANGE_LEAD_TIME = Definition(
    "change_lead_time",
    "changes",
    "the change came into its main branch (committer time)",
    "the environment was healthy with a release that holds it",
    "DORA, change lead time; ended where users have it, and not where the pipeline has",
)
AUTHORING_LEAD_TIME = Definition(
    "authoring_lead_time",
    "changes",
    "its author wrote the commit (author time): review is in it",
    "the environment was healthy with a release that holds it",
    "as many dashboards count: from the first commit",
)
MERGE_TO_DEPLOY = Definition(
    "merge_to_deploy",
    "changes",
    "the change came into its main branch (committer time)",
    "Argo CD's sync that brought it succeeded; pods need not be healthy yet",
    "what a deployment event of the pipeline tells",
)
PIN_TO_LIVE = Definition(
    "pin_to_live",
    "changes",
    "the configuration repository asked for it (committer time of the pin)",
    "the environment was healthy with a release that holds it",
    "what GitOps itself takes: without the build",
)
PROMOTER_RELEASE_LEAD_TIME = Definition(
    "promoter_release_lead_time",
    "releases",
    "the dry commit was written; of one that a newer one interrupted, the earliest",
    "it was merged into the last environment's branch and its commit statuses were successful",
    "GitOps Promoter, issue 574; per release, in the terminal environment",
)
APPLICATION_LEAD_TIME = Definition(
    "application_lead_time",
    "changes",
    "the configuration repository asked for it (committer time of the pin)",
    "its build ended; not known where the build ended first, which is the rule",
    "the worked example's own page: build end minus pin time, empty if negative",
)
DEPLOYMENT_FREQUENCY = Definition(
    "deployment_frequency",
    "deployments",
    "a day of the window, UTC",
    "a sync that brought other revisions to an Application succeeded",
    "DORA, deployment frequency",
)
CHANGE_FAIL_RATE = Definition(
    "change_fail_rate",
    "deployments",
    "a deployment's sync succeeded",
    "it was Degraded within an hour, or the next one went back: yes; neither: no; else not yet known",
    "DORA, change fail rate",
)
FAILED_DEPLOYMENT_RECOVERY_TIME = Definition(
    "failed_deployment_recovery_time",
    "failed deployments",
    "the Application was first Degraded after the sync",
    "it was Healthy again, whichever deployment brought that",
    "DORA, failed deployment recovery time (once: time to restore service)",
)
REWORK_RATE = Definition(
    "rework_rate",
    "deployments",
    "the deployment before it, of the same Application, failed, or it went back itself",
    "share of all deployments",
    "DORA 2024, rework rate; without tickets, unplanned is read from what happened",
)
STAGE_DURATION = Definition(
    "stage_duration",
    "changes",
    "the stage before was passed",
    "the stage was passed; 0 where a lane does not have it",
    "the parts that a change lead time is the sum of",
)
LEAD_TIMES = (
    CHANGE_LEAD_TIME,
    AUTHORING_LEAD_TIME,
    MERGE_TO_DEPLOY,
    PIN_TO_LIVE,
    PROMOTER_RELEASE_LEAD_TIME,
    APPLICATION_LEAD_TIME,
)
DEFINITIONS = (
    *LEAD_TIMES,
    STAGE_DURATION,
    DEPLOYMENT_FREQUENCY,
    CHANGE_FAIL_RATE,
    FAILED_DEPLOYMENT_RECOVERY_TIME,
    REWORK_RATE,
)
