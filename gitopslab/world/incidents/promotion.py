"""Incidents of the hydrator and of GitOps Promoter."""

from functools import partial

from gitopslab.world.clock import HOUR, MINUTE
from gitopslab.world.incidents.story import Blast, Kind, Stage, Story


def _behind_main(stage: Stage) -> Story:
    """Play a hydration that hangs, and all that wait for it."""
    hydrator = stage.delivery.hydrators["dev"]
    hydrator.hold()
    hydrator.notice(stage.delivery.config.head)
    items = [application.item for application in stage.delivery.applications["dev"].values()]
    yield Blast("dev", items, "dev")
    hydrator.release()


def _not_ready(environment: str, message: str, stage: Stage) -> Story:
    """Play a policy that cannot be reconciled, and so merges nothing."""
    strategy = stage.delivery.strategies[environment]
    item = strategy.hinder(environment, "ReconciliationError", message)
    yield Blast("hub", [item, strategy.item], environment)
    strategy.relieve(environment)


_NO_BRANCH = (
    "failed to reconcile ChangeTransferPolicy: failed to fetch branch: exit status 128: "
    "fatal: couldn't find remote ref env/hub-next"
)
_UNAUTHORIZED = (
    "failed to list pull requests: GET https://api.github.com/repos/example/stacks/pulls: 401 Bad credentials"
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
        "P8",
        "Proposed branch missing",
        "fault",
        "delivery",
        100 * MINUTE,
        "env/hub-next was deleted after a merge",
        partial(_not_ready, "hub", _NO_BRANCH),
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
