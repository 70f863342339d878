"""Incidents of the hydrator and of GitOps Promoter."""

from functools import partial

from gitopslab.world.clock import HOUR, MINUTE
from gitopslab.world.delivery.policies import HEALTH
from gitopslab.world.incidents.story import Blast, Kind, Stage, Story


def _behind_main(stage: Stage) -> Story:
    """Play a hydration that hangs, and all that wait for it."""
    hydrator = stage.delivery.hydrators["dev"]
    hydrator.hold()
    some = yield from stage.idle_application("dev")
    stage.change("dev", some, "feat: more replicas")
    while not hydrator.is_hanging:
        yield None
    items = [application.item for application in stage.delivery.applications["dev"].values()]
    yield Blast("dev", items, "dev")
    hydrator.release()


def _old_proposal(stage: Stage) -> Story:
    """Play a promoter that does not see what the hydrator proposed last."""
    some = yield from stage.idle_application("dev")
    policy, hydrator = stage.policy("dev"), stage.delivery.hydrators["dev"]
    policy.blind()
    stage.change("dev", some, "feat: more replicas")
    while hydrator.tip.dry.index < stage.delivery.config.releases["dev"][some.name].dry_index:
        yield None
    yield Blast("hub", [policy.item, stage.delivery.strategies["dev"].item], "dev")
    policy.see()


def _nothing_proposed(stage: Stage) -> Story:
    """Play an Application that does not see what was promoted: its gate waits, with nothing to promote."""
    deaf = yield from stage.idle_application("dev")
    other = yield from stage.idle_application("dev")
    deaf.deafen()
    stage.change("dev", other, "feat: more replicas")
    while deaf.target.revision == deaf.item["status"]["sync"]["revision"]:
        yield None
    policy = stage.policy("dev")
    yield Blast("hub", [policy.gates.items[HEALTH], policy.item], "dev", deaf.name)
    deaf.hear()


def _unmerged(message: str, stage: Stage) -> Story:
    """Play a pull request that the code host does not merge."""
    some = yield from stage.idle_application("dev")
    policy = stage.policy("dev")
    policy.refuse(message)
    stage.change("dev", some, "feat: more replicas")
    while not policy.trouble or policy.pull_request is None:
        yield None
    yield Blast("hub", [policy.pull_request, policy.item, stage.delivery.strategies["dev"].item], "dev")
    policy.accept()


def _not_ready(environment: str, message: str, stage: Stage) -> Story:
    """Play a policy that cannot be reconciled, and so merges nothing."""
    policy = stage.policy(environment)
    policy.hinder("ReconciliationError", message)
    yield Blast("hub", [policy.item, stage.delivery.strategies[environment].item], environment)
    policy.relieve()


_NO_BRANCH = (
    "failed to reconcile ChangeTransferPolicy: failed to fetch branch: exit status 128: "
    "fatal: couldn't find remote ref env/hub-next"
)
_UNAUTHORIZED = (
    "failed to list pull requests: GET https://api.github.com/repos/example/stacks/pulls: 401 Bad credentials"
)
_CHECK_EXPECTED = (
    "failed to merge pull request: PUT https://api.github.com/repos/example/stacks/pulls/NUMBER/merge: "
    '405 Required status check "policy-check" is expected. []'
)

KINDS = (
    Kind(
        "P2",
        "Hydrator behind main",
        "fault",
        "delivery",
        3 * HOUR,
        "an operation of the hydrator is stale and keeps the next from starting",
        _behind_main,
    ),
    Kind(
        "P3",
        "Promoter proposes old dry commit",
        "fault",
        "delivery",
        70 * MINUTE,
        "the promoter's cache holds the branch as it was",
        _old_proposal,
    ),
    Kind(
        "P4",
        "Pending, nothing proposed",
        "fault",
        "delivery",
        50 * MINUTE,
        "an Application is not refreshed, and its gate waits for it",
        _nothing_proposed,
    ),
    Kind(
        "P5",
        "Pending, pull request not merged",
        "fault",
        "delivery",
        95 * MINUTE,
        "somebody requires a check on the branch that nobody reports",
        partial(_unmerged, _CHECK_EXPECTED),
        "person",
    ),
    Kind(
        "P8",
        "Proposed branch missing",
        "fault",
        "delivery",
        100 * MINUTE,
        "env/hub-next was deleted after a merge",
        partial(_not_ready, "hub", _NO_BRANCH),
        "person",
    ),
    Kind(
        "P10",
        "Strategy not ready: credentials",
        "fault",
        "delivery",
        80 * MINUTE,
        "the token of the GitHub app was revoked",
        partial(_not_ready, "dev", _UNAUTHORIZED),
    ),
)
