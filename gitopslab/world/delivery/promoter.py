"""GitOps Promoter: pull requests from proposed to active branches, gates, and merges.

One `Strategy` is one PromotionStrategy; each of its environments has a `Policy`, its ChangeTransferPolicy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.clock import HOUR, stamp
from gitopslab.world.delivery import policies
from gitopslab.world.delivery.argocd import Application
from gitopslab.world.delivery.changes import Journal
from gitopslab.world.delivery.commits import CONFIG_URL, DryCommit, Hydrated
from gitopslab.world.delivery.developers import PEOPLE, seconds_to_next
from gitopslab.world.delivery.gates import Gates
from gitopslab.world.delivery.pins import ConfigBranch
from gitopslab.world.delivery.policies import HEALTH, PREVIOUS, TIMER, manager, ready
from gitopslab.world.emit.gitrepos import GITHUB, ConfigRepository
from gitopslab.world.emit.inventory import Promotion
from gitopslab.world.emit.promotions import CommitStatus, PromotionCommit
from gitopslab.world.events import Recorder
from gitopslab.world.random import stream
from gitopslab.world.scale import Environment

HISTORY_LIMIT = 5
_MANUAL_MERGES_PER_DAY = 5.0

Moved = Callable[[Environment, str, Hydrated], None]
"""Told that an environment's active branch moved: to which commit, and what that holds."""


@dataclass
class Policy:
    """One environment of a strategy.

    Attributes:
        environment: Which one.
        item: Its ChangeTransferPolicy.
        active: What is merged.
        active_sha: The merge commit.
        merged_at: When that was made, seconds since the epoch.
        proposed: What the proposed branch holds.
        note: The newest config commit that gives the same as `proposed`.
        pull_request: The one that is open, if any, and its number.
        gates: Its commit statuses.
        trouble: Reason and message of why it is not ready; empty if it is.
    """

    environment: Environment
    item: Object
    active: Hydrated
    active_sha: str
    merged_at: float
    proposed: Hydrated
    note: DryCommit
    gates: Gates
    pull_request: Object | None = None
    number: int = 0
    opened_at: float = 0
    is_merging: bool = False
    is_due: bool = False
    history: list[Object] = field(default_factory=list)
    trouble: tuple[str, str] | tuple[()] = ()


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
        self._config, self._repository, self._journal = config, repository, journal
        self._moved = moved
        self._recorder = Recorder(api, "promotionstrategy-controller")
        self._is_writing = False
        environments = [environment for environment, _ in tips.values()]
        self.item = self._create(name, environments)
        self._policies: dict[str, Policy] = {}
        for number, (environment, tip) in enumerate(tips.values()):
            merged = PromotionCommit(
                branch=environment.branch,
                at=self._clock.now,
                requested_at=self._clock.now,
                pull_request=1,
                url=f"{CONFIG_URL}/pull/1",
                created_at=self._clock.now,
                dry_active=tip.dry.sha,
                dry_proposed=tip.dry.sha,
                hydrated_active=tip.sha,
                hydrated_proposed=tip.sha,
                merged_by=PEOPLE[0],
            )
            gates = Gates(
                api,
                self.item,
                environment,
                applications=applications[environment.name],
                has_previous=number > 0,
                changed=self._gates_changed,
            )
            policy = Policy(
                environment,
                self._create_policy(environment, has_previous=number > 0),
                active=tip,
                active_sha=repository.promote(merged),
                merged_at=self._clock.now,
                proposed=tip,
                note=tip.dry,
                gates=gates,
            )
            self._policies[environment.name] = policy
            gates.merged(policy.active_sha, self._clock.now)
            self._write(policy)

    def active_sha(self, environment: str) -> str:
        """Return the commit that the active branch of `environment` is at."""
        return self._policies[environment].active_sha

    def promotion(self, environment: str) -> Promotion:
        """Return what is active in `environment`, and what its gates say."""
        policy = self._policies[environment]
        phase = "success" if policy.gates.is_through else "pending"
        return Promotion(policy.active.dry.sha, policy.active_sha, phase)

    def proposed(self, environment: str, hydrated: Hydrated, note: DryCommit) -> None:
        """See, some time later, that the proposed branch of `environment` holds `hydrated`."""
        policy = self._policies[environment]
        policy.proposed, policy.note = hydrated, note
        if not policy.is_due:
            policy.is_due = True
            self._clock.after(self._random.uniform(5, 60), lambda: self._reconcile(policy))

    def hinder(self, environment: str, reason: str, message: str) -> Object:
        """Let the policy of `environment` not be ready, so that nothing is merged; return it."""
        policy = self._policies[environment]
        policy.trouble = reason, message
        self._write(policy)
        return policy.item

    def relieve(self, environment: str) -> None:
        """Let the policy of `environment` be ready again."""
        policy = self._policies[environment]
        policy.trouble = ()
        if not policy.gates.is_stopped:
            self._reconcile(policy)

    def applications_changed(self, environment: str) -> None:
        """Look at the health of the environment's Applications again."""
        self._policies[environment].gates.look_at_health()

    def stop(self, environment: str) -> None:
        """Promote nothing to `environment` any more."""
        self._policies[environment].gates.stop()

    def _reconcile(self, policy: Policy) -> None:
        policy.is_due = False
        if policy.gates.is_stopped:
            return
        if policy.proposed.dry.index > policy.active.dry.index and not policy.is_merging:
            policy.gates.propose(policy.proposed.sha)
            self._look_at_previous(policy)
            if policy.pull_request is None:
                self._open(policy)
            elif policy.pull_request["spec"]["mergeSha"] != policy.proposed.sha:
                policies.describe(policy.pull_request, policy.proposed, policy.active.dry.sha)
                self._api.update(policy.pull_request, manager=manager("ChangeTransferPolicy"))
            self._clock.after(self._random.uniform(2, 10), lambda: self._try_to_merge(policy))
        self._write(policy)

    def _open(self, policy: Policy) -> None:
        policy.number, policy.opened_at = self._config.next_pull_request(), self._clock.now
        item = policies.pull_request(policy.item, self.item, policy.proposed, policy.active.dry.sha)
        policy.pull_request = self._api.create(item, manager=manager("ChangeTransferPolicy"))
        item["status"] = {
            "id": str(policy.number),
            "prCreationTime": stamp(policy.opened_at),
            "state": "open",
            "url": self._url(policy),
        }
        ready(item, self._clock.now)
        self._api.patch_status(item, manager=manager("PullRequest"))
        self._recorder.emit(item, "PullRequestCreated", f"Pull Request {policy.number} created")
        if policy.environment.lane == "manual":
            wait_seconds = seconds_to_next(self._random, _MANUAL_MERGES_PER_DAY, self._clock.now)
            self._clock.after(wait_seconds, lambda: self._merge_by_hand(policy))

    def _try_to_merge(self, policy: Policy) -> None:
        is_open = policy.pull_request is not None and not policy.is_merging and not policy.gates.is_stopped
        if not is_open or policy.trouble or policy.environment.lane == "manual" or not policy.gates.may_merge:
            return
        if policy.pull_request is None or policy.pull_request["spec"]["mergeSha"] != policy.proposed.sha:
            return
        policy.is_merging = True
        policy.pull_request["spec"]["state"] = "merged"
        self._api.update(policy.pull_request, manager=manager("ChangeTransferPolicy"))
        requested_at, proposed = self._clock.now, policy.proposed
        self._clock.after(
            self._random.uniform(0.8, 3), lambda: self._merge(policy, proposed, requested_at=requested_at)
        )

    def _merge_by_hand(self, policy: Policy) -> None:
        if policy.trouble:
            self._clock.after(HOUR, lambda: self._merge_by_hand(policy))
        elif policy.pull_request is not None:
            self._merge(policy, policy.proposed, requested_at=self._clock.now, is_manual=True)

    def _merge(
        self, policy: Policy, proposed: Hydrated, *, requested_at: float, is_manual: bool = False
    ) -> None:
        environment, now = policy.environment, self._clock.now
        if policy.gates.is_stopped or policy.pull_request is None:
            return
        commit = PromotionCommit(
            branch=environment.branch,
            at=now,
            requested_at=requested_at,
            pull_request=policy.number,
            url=self._url(policy),
            created_at=policy.opened_at,
            dry_active=policy.active.dry.sha,
            dry_proposed=proposed.dry.sha,
            hydrated_active=policy.active_sha,
            hydrated_proposed=proposed.sha,
            active_statuses=_statuses(policy.gates.active),
            proposed_statuses=_statuses(policy.gates.proposed),
            merged_by=self._random.choice(PEOPLE) if is_manual else None,
        )
        policy.active, policy.active_sha = proposed, self._repository.promote(commit)
        policy.merged_at = now
        self._journal.merged(environment.name, proposed, policy.active_sha, now)
        self._remember(policy, commit, proposed)
        self._close(policy, policy.pull_request, is_manual=is_manual)
        policy.pull_request, policy.is_merging = None, False
        policy.gates.merged(policy.active_sha, now)
        self._write(policy)
        self._moved(environment, policy.active_sha, proposed)
        if policy.proposed is not proposed:
            self.proposed(environment.name, policy.proposed, policy.note)

    def _remember(self, policy: Policy, commit: PromotionCommit, proposed: Hydrated) -> None:
        """Put a promotion into the history, as the trailers of its commit tell of it."""
        entry: Object = {"active": self._active(policy), "proposed": {}, "pullRequest": {}}
        if commit.merged_by is None:
            entry["proposed"] = {
                "commitStatuses": policy.gates.proposed,
                "hydrated": policies.hydrated_state(proposed),
            }
            entry["pullRequest"] = {
                "id": str(commit.pull_request),
                "prCreationTime": stamp(commit.created_at),
                "prMergeTime": stamp(commit.requested_at),
                "url": commit.url,
            }
        policy.history = [entry, *policy.history][:HISTORY_LIMIT]

    def _close(self, policy: Policy, item: Object, *, is_manual: bool) -> None:
        status = item["status"]
        status["state"] = "" if is_manual else "merged"
        if is_manual:
            status["externallyMergedOrClosed"] = True
        ready(item, self._clock.now)
        self._api.patch_status(item, manager=manager("PullRequest"))
        self._recorder.emit(item, "PullRequestMerged", f"Pull Request {policy.number} merged")
        self._api.delete(item)
        for number, finalizer in enumerate(policies.PULL_REQUEST_FINALIZERS, 1):
            self._clock.after(
                0.4 * number,
                partial(self._api.remove_finalizer, item, finalizer, manager=manager("PullRequest")),
            )

    def _gates_changed(self, environment: Environment) -> None:
        """Write what the gates of an environment are now, and see whether the next one may go on."""
        policy = self._policies.get(environment.name)
        if policy is None:
            return
        self._write(policy)
        names = list(self._policies)
        follower = names.index(environment.name) + 1
        if follower < len(names):
            self._look_at_previous(self._policies[names[follower]])
        self._clock.after(1, lambda: self._try_to_merge(policy))

    def _look_at_previous(self, policy: Policy) -> None:
        names = list(self._policies)
        place = names.index(policy.environment.name)
        if place == 0 or (policy.pull_request is None and policy.proposed is policy.active):
            return
        previous = self._policies[names[place - 1]]
        has_it = previous.active.dry.index >= policy.proposed.dry.index
        policy.gates.look_at_previous(
            is_open=has_it and previous.gates.is_through, branch=previous.environment.branch
        )

    def _write(self, policy: Policy) -> None:
        """Write the status of a policy, and soon after that of the strategy, which copies it."""
        item = policy.item
        item["status"] = {
            "active": self._active(policy),
            "proposed": {
                "commitStatuses": policy.gates.proposed,
                "dry": policies.dry_state(policy.proposed.dry),
                "hydrated": policies.hydrated_state(policy.proposed),
                "note": {"drySha": policy.note.sha},
            },
            "history": policy.history,
            "conditions": item.get("status", {}).get("conditions", []),
        }
        if policy.pull_request is not None:
            status = policy.pull_request["status"]
            item["status"]["pullRequest"] = {
                key: status[key] for key in ("id", "state", "prCreationTime", "url")
            }
        ready(item, self._clock.now, *policy.trouble)
        self._api.patch_status(item, manager=manager("ChangeTransferPolicy"))
        if not self._is_writing:
            self._is_writing = True
            self._clock.after(self._random.uniform(0.3, 2), self._write_strategy)

    def _write_strategy(self) -> None:
        self._is_writing = False
        environments = [
            {"branch": policy.environment.branch}
            | {key: value for key, value in policy.item["status"].items() if key != "conditions"}
            for policy in self._policies.values()
        ]
        conditions = self.item.get("status", {}).get("conditions", [])
        self.item["status"] = {"conditions": conditions, "environments": environments}
        trouble = next((_inherited(each) for each in self._policies.values() if each.trouble), ())
        ready(self.item, self._clock.now, *trouble)
        self._api.patch_status(self.item, manager=manager("PromotionStrategy"))

    def _active(self, policy: Policy) -> Object:
        active = policies.hydrated_state(policy.active)
        merged = {
            "author": GITHUB.name,
            "commitTime": stamp(policy.merged_at),
            "sha": policy.active_sha,
            "subject": f"Promote {policy.active.dry.sha[:5]} to `{policy.environment.branch}`",
        }
        return {
            "commitStatuses": policy.gates.active,
            "dry": policies.dry_state(policy.active.dry),
            "hydrated": active | merged,
        }

    def _create(self, name: str, environments: Sequence[Environment]) -> Object:
        spec: Object = {
            "environments": [
                {"autoMerge": each.lane != "manual", "branch": each.branch} for each in environments
            ],
            "gitRepositoryRef": {"name": policies.REPOSITORY},
        }
        if environments[0].lane == "promoted":
            spec["activeCommitStatuses"] = [{"key": HEALTH}, {"key": TIMER}]
        item = policies.named("PromotionStrategy", name, spec)
        return self._api.create(item, manager="argocd-controller")

    def _create_policy(self, environment: Environment, *, has_previous: bool) -> Object:
        spec: Object = {
            "activeBranch": environment.branch,
            "autoMerge": environment.lane != "manual",
            "gitRepositoryRef": {"name": policies.REPOSITORY},
            "proposedBranch": f"{environment.branch}-next",
        }
        if environment.lane == "promoted":
            spec["activeCommitStatuses"] = [{"key": HEALTH}, {"key": TIMER}]
        if has_previous:
            spec["proposedCommitStatuses"] = [{"key": PREVIOUS}]
        name = policies.hashed(self.item["metadata"]["name"], environment.branch)
        item = policies.named("ChangeTransferPolicy", name, spec, owner=self.item, branch=environment.branch)
        return self._api.create(item, manager=manager("PromotionStrategy"))

    def _url(self, policy: Policy) -> str:
        return f"{CONFIG_URL}/pull/{policy.number}"


def _inherited(policy: Policy) -> tuple[str, str]:
    """Return reason and message of a strategy one of whose policies is not ready."""
    name, (reason, message) = policy.item["metadata"]["name"], policy.trouble or ("", "")
    text = f'ChangeTransferPolicy "{name}" is not Ready because "{reason}": {message}'
    return "ChangeTransferPolicyNotReady", text


def _statuses(states: Sequence[Object]) -> tuple[CommitStatus, ...]:
    return tuple(
        CommitStatus(each["key"], each["phase"], each.get("url", ""), each.get("description", ""))
        for each in states
    )
