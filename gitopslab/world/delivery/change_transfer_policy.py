"""GitOps Promoter in one environment: pull requests from its proposed to its active branch, and merges."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.clock import HOUR, MINUTE, Action, stamp
from gitopslab.world.delivery import policies
from gitopslab.world.delivery.argocd import Application
from gitopslab.world.delivery.changes import Journal
from gitopslab.world.delivery.commits import CONFIG_URL, DryCommit, Hydrated
from gitopslab.world.delivery.developers import PEOPLE, seconds_to_next
from gitopslab.world.delivery.gates import Gates
from gitopslab.world.delivery.pins import ConfigBranch
from gitopslab.world.delivery.policies import manager, ready
from gitopslab.world.emit.gitrepos import ConfigRepository
from gitopslab.world.emit.inventory import Promotion
from gitopslab.world.emit.promotions import CommitStatus, PromotionCommit
from gitopslab.world.events import Recorder
from gitopslab.world.scale import Environment

HISTORY_LIMIT = 5
_MANUAL_MERGES_PER_DAY = 5.0
_REQUEUE_SECONDS = 5 * MINUTE

Moved = Callable[[Environment, str, Hydrated], None]
"""Told that an environment's active branch moved: to which commit, and what that holds."""


@dataclass(frozen=True)
class Desk:
    """What the policies of one strategy work with.

    Attributes:
        api: The hub.
        random: Chance of this strategy.
        strategy: The PromotionStrategy.
        config: Numbers pull requests.
        repository: Where it merges.
        journal: Told of merges.
        moved: Told of merges.
        wrote: Told when the status of a policy was written.
    """

    api: ApiServer
    random: Random
    strategy: Object
    config: ConfigBranch
    repository: ConfigRepository
    journal: Journal
    moved: Moved
    wrote: Action


class Policy:
    """One ChangeTransferPolicy, and what Promoter does for it.

    Args:
        desk: What it works with.
        environment: Whose branches.
        tip: What is on them from the beginning.
        applications: Those of the environment, for its health gate.
        previous: The policy of the environment that comes before, if any.

    Attributes:
        environment: As given.
        item: The object.
        active: What is merged.
        active_sha: The merge commit.
        gates: Its commit statuses.
        pull_request: The one that is open, if any.
        trouble: Reason and message of why it is not ready; empty if it is.
    """

    def __init__(
        self,
        desk: Desk,
        environment: Environment,
        tip: Hydrated,
        *,
        applications: Mapping[str, Application],
        previous: "Policy | None",
    ) -> None:
        self.environment, self.active = environment, tip
        self._desk, self._api, self._clock, self._random = desk, desk.api, desk.api.clock, desk.random
        self._recorder = Recorder(desk.api, "PullRequest")
        self._previous = previous
        self._follower: Policy | None = None
        if previous is not None:
            previous._follower = self  # noqa: SLF001 - a chain of its own kind
        self._proposed, self._note = tip, tip.dry
        self._unseen: tuple[Hydrated, DryCommit] | None = None
        self._number, self._opened_at = 0, 0.0
        self._is_merging = self._is_due = self._is_blind = False
        self._refusal = ""
        self._history: list[Object] = []
        self.pull_request: Object | None = None
        self.trouble: tuple[str, str] | tuple[()] = ()
        self.item = self._api.create(
            policies.change_transfer_policy(desk.strategy, environment, has_previous=previous is not None),
            manager=manager("PromotionStrategy"),
        )
        self.gates = Gates(
            desk.api,
            desk.strategy,
            self.item,
            environment,
            applications=applications,
            has_previous=previous is not None,
            changed=self._gates_changed,
        )
        self._merged = self._first_promotion(tip)
        self.active_sha = desk.repository.promote(self._merged)
        desk.journal.moved(environment.name, self.active_sha, self._clock.now, tip)
        self.gates.merged(self.active_sha, self._clock.now)
        self._write()

    @property
    def promotion(self) -> Promotion:
        """What is active, and what the gates say."""
        return Promotion(
            self.active.dry.sha, self.active_sha, "success" if self.gates.is_through else "pending"
        )

    def proposed(self, hydrated: Hydrated, note: DryCommit) -> None:
        """See, some time later, that the proposed branch holds `hydrated`."""
        if self._is_blind:
            self._unseen = hydrated, note
            return
        self._proposed, self._note = hydrated, note
        if not self._is_due:
            self._is_due = True
            self._clock.after(self._random.uniform(5, 60), self._reconcile)

    def blind(self) -> None:
        """See nothing new on the proposed branch until `see` is called."""
        self._is_blind = True

    def see(self) -> None:
        """See what came onto the proposed branch meanwhile."""
        self._is_blind = False
        unseen, self._unseen = self._unseen, None
        if unseen is not None:
            self.proposed(*unseen)

    def refuse(self, message: str) -> None:
        """Let the code host refuse every merge until `accept` is called.

        Args:
            message: What it answers; NUMBER in it is that of the pull request.
        """
        self._refusal = message

    def accept(self) -> None:
        """Let the code host merge again what is asked for at the next requeue."""
        self._refusal = ""

    def hinder(self, reason: str, message: str) -> None:
        """Let the policy not be ready, so that nothing is merged, until `relieve` is called."""
        self.trouble = reason, message
        self._write()

    def relieve(self) -> None:
        """Let the policy be ready again."""
        self.trouble = ()
        if not self.gates.is_stopped:
            self._reconcile()

    def merge_by_hand(self) -> None:
        """Let somebody merge what is open, or else later."""
        if self.trouble:
            self._clock.after(HOUR, self.merge_by_hand)
        elif self.pull_request is not None:
            self._merge(self._proposed, requested_at=self._clock.now, is_manual=True)

    def _reconcile(self) -> None:
        self._is_due = False
        if self.gates.is_stopped:
            return
        if self._proposed.dry.index > self.active.dry.index and not self._is_merging:
            self.gates.propose(self._proposed.sha)
            self._look_at_previous()
            if self.pull_request is None:
                self._open()
            elif self.pull_request["spec"]["mergeSha"] != self._proposed.sha:
                policies.describe(self.pull_request, self._proposed, self.active.dry.sha)
                self._api.update(self.pull_request, manager=manager("ChangeTransferPolicy"))
                name = self.pull_request["metadata"]["name"]
                self._recorder.emit(self.pull_request, "PullRequestUpdated", f"Pull Request {name} updated")
            self._clock.after(self._random.uniform(2, 10), self._try_to_merge)
        self._write()

    def _open(self) -> None:
        self._number, self._opened_at = self._desk.config.next_pull_request(), self._clock.now
        item = policies.pull_request(self.item, self._desk.strategy, self._proposed, self.active.dry.sha)
        self.pull_request = self._api.create(item, manager=manager("ChangeTransferPolicy"))
        item["status"] = {
            "id": str(self._number),
            "prCreationTime": stamp(self._opened_at),
            "state": "open",
            "url": self._url,
        }
        ready(item, self._clock.now)
        self._api.patch_status(item, manager=manager("PullRequest"))
        self._recorder.emit(item, "PullRequestCreated", f"Pull Request {item['metadata']['name']} created")
        if self.environment.lane == "manual":
            wait_seconds = seconds_to_next(self._random, _MANUAL_MERGES_PER_DAY, self._clock.now)
            self._clock.after(wait_seconds, self.merge_by_hand)

    def _try_to_merge(self) -> None:
        is_open = self.pull_request is not None and not self._is_merging and not self.gates.is_stopped
        if not is_open or self.trouble or self.environment.lane == "manual" or not self.gates.may_merge:
            return
        if self.pull_request is None or self.pull_request["spec"]["mergeSha"] != self._proposed.sha:
            return
        self._is_merging = True
        self.pull_request["spec"]["state"] = "merged"
        self._api.update(self.pull_request, manager=manager("ChangeTransferPolicy"))
        self._ask_for_merge(self._proposed)

    def _ask_for_merge(self, proposed: Hydrated) -> None:
        """Ask the code host to merge; if it refuses, say so and ask again at every requeue."""
        if self.gates.is_stopped or self.pull_request is None:
            return
        if not self._refusal:
            self.trouble, requested_at = (), self._clock.now
            self._clock.after(
                self._random.uniform(0.8, 3), lambda: self._merge(proposed, requested_at=requested_at)
            )
            return
        name, reason = self.pull_request["metadata"]["name"], "ReconciliationError"
        refusal = self._refusal.replace("NUMBER", str(self._number))
        ready(self.pull_request, self._clock.now, reason, refusal)
        self._api.patch_status(self.pull_request, manager=manager("PullRequest"))
        text = f'PullRequest "{name}" is not Ready because "{reason}": {refusal}'
        self.trouble = "PullRequestNotReady", text
        self._write()
        self._clock.after(_REQUEUE_SECONDS, lambda: self._ask_for_merge(proposed))

    def _merge(self, proposed: Hydrated, *, requested_at: float, is_manual: bool = False) -> None:
        now, pull_request = self._clock.now, self.pull_request
        if self.gates.is_stopped or pull_request is None:
            return
        self._merged = PromotionCommit(
            branch=self.environment.branch,
            at=now,
            requested_at=requested_at,
            pull_request=self._number,
            url=self._url,
            created_at=self._opened_at,
            dry_active=self.active.dry.sha,
            dry_proposed=proposed.dry.sha,
            hydrated_active=self.active_sha,
            hydrated_proposed=proposed.sha,
            active_statuses=_statuses(self.gates.active),
            proposed_statuses=_statuses(self.gates.proposed),
            merged_by=self._random.choice(PEOPLE) if is_manual else None,
        )
        self.active, self.active_sha = proposed, self._desk.repository.promote(self._merged)
        self._desk.journal.merged(self.environment.name, proposed, self.active_sha, now)
        self._remember()
        self._close(pull_request, is_manual=is_manual)
        self.pull_request, self._is_merging = None, False
        self.gates.merged(self.active_sha, now)
        self._write()
        self._desk.moved(self.environment, self.active_sha, proposed)
        if self._proposed is not proposed:
            self.proposed(self._proposed, self._note)

    def _remember(self) -> None:
        """Put the newest promotion into the history, as the trailers of its commit tell of it."""
        commit = self._merged
        entry: Object = {"active": self._active(), "proposed": {}, "pullRequest": {}}
        if commit.merged_by is None:
            entry["proposed"] = {
                "commitStatuses": self.gates.proposed,
                "hydrated": policies.hydrated_state(self.active),
            }
            entry["pullRequest"] = {
                "id": str(commit.pull_request),
                "prCreationTime": stamp(commit.created_at),
                "prMergeTime": stamp(commit.requested_at),
                "url": commit.url,
            }
        self._history = [entry, *self._history][:HISTORY_LIMIT]

    def _close(self, item: Object, *, is_manual: bool) -> None:
        status = item["status"]
        status["state"] = "" if is_manual else "merged"
        if is_manual:
            status["externallyMergedOrClosed"] = True
        ready(item, self._clock.now)
        self._api.patch_status(item, manager=manager("PullRequest"))
        if not is_manual:
            self._recorder.emit(item, "PullRequestMerged", f"Pull Request {item['metadata']['name']} merged")
        self._api.delete(item)
        for number, finalizer in enumerate(policies.PULL_REQUEST_FINALIZERS, 1):
            self._clock.after(
                0.4 * number,
                partial(self._api.remove_finalizer, item, finalizer, manager=manager("PullRequest")),
            )

    def _gates_changed(self) -> None:
        """Write what the gates are now, and see whether the next environment may go on."""
        self._write()
        if self._follower is not None:
            self._follower._look_at_previous()  # noqa: SLF001 - a chain of its own kind
        self._clock.after(1, self._try_to_merge)

    def _look_at_previous(self) -> None:
        previous = self._previous
        if previous is None or (self.pull_request is None and self._proposed is self.active):
            return
        has_it = previous.active.dry.index >= self._proposed.dry.index
        self.gates.look_at_previous(
            is_open=has_it and previous.gates.is_through, branch=previous.environment.branch
        )

    def _write(self) -> None:
        """Write the status; soon after that the strategy copies it."""
        item = self.item
        item["status"] = {
            "active": self._active(),
            "proposed": {
                "commitStatuses": self.gates.proposed,
                "dry": policies.dry_state(self._proposed.dry),
                "hydrated": policies.hydrated_state(self._proposed),
                "note": {"drySha": self._note.sha},
            },
            "history": self._history,
            "conditions": item.get("status", {}).get("conditions", []),
        }
        if self.pull_request is not None:
            status = self.pull_request["status"]
            item["status"]["pullRequest"] = {
                key: status[key] for key in ("id", "state", "prCreationTime", "url")
            }
        ready(item, self._clock.now, *self.trouble)
        self._api.patch_status(item, manager=manager("ChangeTransferPolicy"))
        self._desk.wrote()

    def _active(self) -> Object:
        return {
            "commitStatuses": self.gates.active,
            "dry": policies.dry_state(self.active.dry),
            "hydrated": policies.merged_state(self._merged, self.active_sha),
        }

    def _first_promotion(self, tip: Hydrated) -> PromotionCommit:
        now = self._clock.now
        return PromotionCommit(
            branch=self.environment.branch,
            at=now,
            requested_at=now,
            pull_request=1,
            url=f"{CONFIG_URL}/pull/1",
            created_at=now,
            dry_active=tip.dry.sha,
            dry_proposed=tip.dry.sha,
            hydrated_active=tip.sha,
            hydrated_proposed=tip.sha,
            merged_by=PEOPLE[0],
        )

    @property
    def _url(self) -> str:
        return f"{CONFIG_URL}/pull/{self._number}"


def _statuses(states: list[Object]) -> tuple[CommitStatus, ...]:
    return tuple(
        CommitStatus(each["key"], each["phase"], each.get("url", ""), each.get("description", ""))
        for each in states
    )
