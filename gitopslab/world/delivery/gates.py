"""Gates of an environment: health of its Applications, time since the merge, and the environment before."""

from collections.abc import Mapping

from gitopslab.world.apiserver import ApiServer, Object
from gitopslab.world.clock import Action, stamp
from gitopslab.world.delivery import policies
from gitopslab.world.delivery.argocd import Application
from gitopslab.world.delivery.policies import HEALTH, PREVIOUS, TIMER, manager, ready
from gitopslab.world.events import Recorder
from gitopslab.world.scale import Environment

_HYSTERESIS_SECONDS = 5.0
_CONSOLE = "https://argocd.example.com/applications?labels=stacks.io%2Fenvironment%3D"

_PROMOTER_OF = {HEALTH: "ArgoCDCommitStatus", TIMER: "TimedCommitStatus", PREVIOUS: "PromotionStrategy"}


class Gates:
    """The commit statuses of one environment, and the objects that make them.

    Args:
        api: The hub.
        strategy: The PromotionStrategy.
        policy: The ChangeTransferPolicy of the environment.
        environment: Which one.
        applications: Those of the environment, by name; filled before the clock runs.
        has_previous: Whether another environment comes before it.
        changed: Told when a gate changed.

    Attributes:
        is_stopped: Whether the environment was stopped.
    """

    def __init__(  # noqa: PLR0913 - what they are about
        self,
        api: ApiServer,
        strategy: Object,
        policy: Object,
        environment: Environment,
        *,
        applications: Mapping[str, Application],
        has_previous: bool,
        changed: Action,
    ) -> None:
        self._api, self._clock = api, api.clock
        self._strategy, self._environment = strategy, environment
        self._applications, self._changed = applications, changed
        self._has_previous = has_previous
        self._active_sha = self._proposed_sha = ""
        self._merged = 0.0
        self._is_looking = False
        self._items: dict[str, Object] = {}
        self._health_item = self._timer_item = None
        self._makers = {PREVIOUS: policy}
        self._recorder = Recorder(api, "CommitStatus")
        self.is_stopped = False
        if environment.lane == "promoted":
            self._health_item, self._timer_item = self._create_sources()
            self._makers |= {HEALTH: self._health_item, TIMER: self._timer_item}

    @property
    def active(self) -> list[Object]:
        """The gates of the active commit, as statuses tell of them."""
        return [_state(key, self._items[key]) for key in (HEALTH, TIMER) if key in self._items]

    @property
    def proposed(self) -> list[Object]:
        """The gates of the proposed commit, as statuses tell of them."""
        return [_state(PREVIOUS, self._items[PREVIOUS])] if PREVIOUS in self._items else []

    @property
    def items(self) -> Mapping[str, Object]:
        """Its CommitStatuses, by key."""
        return self._items

    @property
    def is_through(self) -> bool:
        """Whether all gates of the active commit are open."""
        return all(state["phase"] == "success" for state in self.active)

    @property
    def may_merge(self) -> bool:
        """Whether all gates of the proposed commit are open."""
        if not self._has_previous:
            return True
        item = self._items.get(PREVIOUS)
        if item is None:
            return False
        return bool(item["spec"]["sha"] == self._proposed_sha and item["spec"]["phase"] == "success")

    def stop(self) -> None:
        """Do nothing any more."""
        self.is_stopped = True

    def merged(self, sha: str, now: float) -> None:
        """Begin again for the commit `sha` that was merged."""
        self._active_sha, self._merged = sha, now
        if self._environment.lane != "promoted":
            return
        self.look_at_health()
        soak_seconds = self._environment.soak_seconds
        self._time(sha)
        for share in (0.5, 1):
            if soak_seconds:
                self._clock.after(soak_seconds * share + 0.5, lambda: self._time(sha))

    def propose(self, sha: str) -> None:
        """Take note of which commit is proposed."""
        self._proposed_sha = sha

    def look_at_health(self) -> None:
        """Look at the Applications in a moment; many changes at once are one look."""
        if self._is_looking or self._health_item is None or self.is_stopped:
            return
        self._is_looking = True
        self._clock.after(_HYSTERESIS_SECONDS, self._judge_health)

    def look_at_previous(self, *, is_open: bool, branch: str) -> None:
        """Say whether the environment of `branch`, which comes before, lets the proposed commit pass."""
        if self.is_stopped or not self._proposed_sha:
            return
        description = f"All {branch} commit statuses are successful" if is_open else f"Waiting for {branch}"
        self._set(PREVIOUS, self._proposed_sha, "success" if is_open else "pending", description, "")

    def _judge_health(self) -> None:
        self._is_looking = False
        if self._health_item is None or self.is_stopped or not self._applications:
            return
        total = len(self._applications)
        healthy = sum(self._is_healthy(each) for each in self._applications.values())
        degraded = sum(each.is_degraded for each in self._applications.values())
        counts = f"({healthy} healthy, {degraded} degraded, {total - healthy - degraded} pending)"
        phase, description = "pending", f"Waiting for apps to be healthy {counts}"
        if healthy == total:
            phase, description = "success", f"{total}/{total} apps are healthy"
        elif degraded == total:
            phase, description = "failure", f"{total}/{total} apps are degraded"
        selected = [self._selected(name, each) for name, each in sorted(self._applications.items())]
        item = self._health_item
        if item.get("status", {}).get("applicationsSelected") != selected:
            conditions = item.get("status", {}).get("conditions", [])
            item["status"] = {"applicationsSelected": selected, "conditions": conditions}
            ready(item, self._clock.now)
            self._api.patch_status(item, manager=manager("ArgoCDCommitStatus"))
        self._set(HEALTH, self._active_sha, phase, description, f"{_CONSOLE}{self._environment.name}")

    def _is_healthy(self, application: Application) -> bool:
        return application.is_healthy and application.target.revision == self._active_sha

    def _selected(self, name: str, application: Application) -> Object:
        status = application.item["status"]
        is_synced = status["sync"]["status"] == "Synced"
        phase = "failure" if application.is_degraded else "pending"
        return {
            "clusterName": self._environment.cluster,
            "environment": self._environment.branch,
            "lastTransitionTime": status["health"]["lastTransitionTime"],
            "name": name,
            "namespace": self._environment.cluster,
            "phase": "success" if self._is_healthy(application) else phase,
            "sha": status["sync"]["revision"] if is_synced else "",
        }

    def _time(self, sha: str) -> None:
        item = self._timer_item
        if item is None or sha != self._active_sha or self.is_stopped:
            return
        required_seconds = self._environment.soak_seconds
        left_seconds = max(0.0, self._merged + required_seconds - self._clock.now)
        phase = "pending" if left_seconds else "success"
        branch, required = self._environment.branch, _duration(required_seconds)
        state = {
            "atMostDurationRemaining": _duration(left_seconds),
            "branch": branch,
            "commitTime": stamp(self._merged),
            "phase": phase,
            "requiredDuration": required,
            "sha": sha,
        }
        item["status"] = {
            "conditions": item.get("status", {}).get("conditions", []),
            "environments": [state],
        }
        ready(item, self._clock.now)
        self._api.patch_status(item, manager=manager("TimedCommitStatus"))
        description = f"Time-based gate requirement met for {branch} environment"
        if left_seconds:
            description = f"Waiting for <{required}> duration gate to complete on {branch} environment"
        self._set(TIMER, sha, phase, description, "")

    def _set(self, key: str, sha: str, phase: str, description: str, url: str) -> None:
        """Write a CommitStatus, if what it says is new."""
        item = self._items.get(key)
        spec = {"description": description, "phase": phase, "sha": sha} | ({"url": url} if url else {})
        by = manager(_PROMOTER_OF[key])
        if item is None:
            item = policies.commit_status(
                key, self._strategy, self._environment.branch, owner=self._makers[key]
            )
            item["spec"] |= spec
            self._items[key] = self._api.create(item, manager=by)
        elif item["spec"].items() >= spec.items():
            return
        else:
            item["spec"] |= spec
            self._api.update(item, manager=by)
        item["status"] = {
            "conditions": item.get("status", {}).get("conditions", []),
            "id": str(int(self._clock.now * 1000)),
            "phase": phase,
            "sha": sha,
        }
        ready(item, self._clock.now)
        self._api.patch_status(item, manager=manager("CommitStatus"))
        name = item["metadata"]["name"]
        self._recorder.emit(item, "CommitStatusSet", f"Commit status {name} set to {phase} for hash {sha}")
        self._changed()

    def _create_sources(self) -> tuple[Object, Object]:
        strategy = self._strategy["metadata"]["name"]
        reference = {"promotionStrategyRef": {"name": strategy}}
        label = {"stacks.io/environment": self._environment.name}
        name = policies.hashed(strategy, self._environment.branch)
        health = policies.named(
            "ArgoCDCommitStatus",
            name,
            reference | {"applicationSelector": {"matchLabels": label}, "key": HEALTH},
        )
        duration = {
            "branch": self._environment.branch,
            "duration": _duration(self._environment.soak_seconds),
        }
        timer = policies.named("TimedCommitStatus", name, reference | {"environments": [duration]})
        for item in (health, timer):
            self._api.create(item, manager=policies.ARGO_CD_CONTROLLER)
        return health, timer


def _state(key: str, item: Object) -> Object:
    spec = item["spec"]
    state = {"description": spec["description"], "key": key, "phase": spec["phase"]}
    return state | ({"url": spec["url"]} if "url" in spec else {})


def _duration(seconds: float) -> str:
    """Return a duration as Go prints it: `10m0s`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
