"""GitOps Promoter over several environments: a PromotionStrategy, which says what its policies say."""

from collections.abc import Mapping

from gitopslab.world.apiserver import ApiServer
from gitopslab.world.delivery import policies
from gitopslab.world.delivery.argocd import Application
from gitopslab.world.delivery.change_transfer_policy import Desk, Moved, Policy
from gitopslab.world.delivery.changes import Journal
from gitopslab.world.delivery.commits import DryCommit, Hydrated
from gitopslab.world.delivery.pins import ConfigBranch
from gitopslab.world.delivery.policies import manager, ready
from gitopslab.world.emit.gitrepos import ConfigRepository
from gitopslab.world.emit.inventory import Promotion
from gitopslab.world.random import stream
from gitopslab.world.scale import Environment


class Strategy:
    """One PromotionStrategy with its policies.

    Args:
        api: The hub.
        seed: Seed of the world.
        name: Its name.
        tips: The environments in their order, and what is on their branches.
        config: Numbers pull requests.
        repository: Where it merges.
        journal: Told of merges.
        applications: By environment, for its health gate.
        moved: Told of merges.

    Attributes:
        item: The object.
        policies: By environment, in their order.
    """

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        api: ApiServer,
        seed: int,
        name: str,
        *,
        tips: Mapping[str, tuple[Environment, Hydrated]],
        config: ConfigBranch,
        repository: ConfigRepository,
        journal: Journal,
        applications: Mapping[str, Mapping[str, Application]],
        moved: Moved,
    ) -> None:
        self._api, self._clock, self._random = api, api.clock, stream(seed, "promoter", name)
        self._is_writing = False
        environments = [environment for environment, _ in tips.values()]
        self.item = api.create(
            policies.promotion_strategy(name, environments), manager=policies.ARGO_CD_CONTROLLER
        )
        self.policies: dict[str, Policy] = {}
        desk = Desk(api, self._random, self.item, config, repository, journal, moved, self._copy_soon)
        previous: Policy | None = None
        for environment, tip in tips.values():
            previous = self.policies[environment.name] = Policy(
                desk, environment, tip, applications=applications[environment.name], previous=previous
            )

    def active_sha(self, environment: str) -> str:
        """Return the commit that the active branch of `environment` is at."""
        return self.policies[environment].active_sha

    def promotion(self, environment: str) -> Promotion:
        """Return what is active in `environment`, and what its gates say."""
        return self.policies[environment].promotion

    def proposed(self, environment: str, hydrated: Hydrated, note: DryCommit) -> None:
        """See, some time later, that the proposed branch of `environment` holds `hydrated`."""
        self.policies[environment].proposed(hydrated, note)

    def applications_changed(self, environment: str) -> None:
        """Look at the health of the environment's Applications again."""
        self.policies[environment].gates.look_at_health()

    def stop(self, environment: str) -> None:
        """Promote nothing to `environment` any more."""
        self.policies[environment].gates.stop()

    def _copy_soon(self) -> None:
        if not self._is_writing:
            self._is_writing = True
            self._clock.after(self._random.uniform(0.3, 2), self._copy)

    def _copy(self) -> None:
        """Write what the statuses of the policies say."""
        self._is_writing = False
        environments = [
            {"branch": policy.environment.branch}
            | {key: value for key, value in policy.item["status"].items() if key not in _OWN}
            for policy in self.policies.values()
        ]
        conditions = self.item.get("status", {}).get("conditions", [])
        self.item["status"] = {"conditions": conditions, "environments": environments}
        trouble = next((_inherited(each) for each in self.policies.values() if each.trouble), ())
        ready(self.item, self._clock.now, *trouble)
        self._api.patch_status(self.item, manager=manager("PromotionStrategy"))


_OWN = frozenset({"conditions", "observedGeneration"})
"""What the status of a policy says of the policy itself."""


def _inherited(policy: Policy) -> tuple[str, str]:
    """Return reason and message of a strategy one of whose policies is not ready."""
    name, (reason, message) = policy.item["metadata"]["name"], policy.trouble or ("", "")
    text = f'ChangeTransferPolicy "{name}" is not Ready because "{reason}": {message}'
    return "ChangeTransferPolicyNotReady", text
