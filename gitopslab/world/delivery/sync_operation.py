"""One sync operation of Argo CD: asked for, begun, tried wave by wave, and tried again after a failure."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from gitopslab.world.apiserver import Object
from gitopslab.world.clock import Action, Clock, moment, stamp
from gitopslab.world.delivery import applications
from gitopslab.world.delivery.applications import HISTORY_LIMIT, RETRY_LIMIT
from gitopslab.world.events import Recorder
from gitopslab.world.random import lognormal

_FAILED_SHARE, _DOOMED_SHARE, _FAILED_AGAIN_SHARE = 0.08, 0.015, 0.35
_LONGEST_WAIT_SECONDS = 180
"""The back-off's maxDuration."""


@dataclass(frozen=True)
class Bench:
    """What the operations of one Application work with.

    Attributes:
        item: The Application.
        image: Returns the image that is applied.
        clock: The clock.
        random: Chance of this Application.
        recorder: Writes its Events.
        after: Does something later, unless the Application was stopped.
        write: Writes the status.
        refusal: Why the API server refuses what is applied now; empty if it takes it.
        wave_count: Sync waves of the manifests.
        has_hook: Whether a PreSync hook migrates a database.
    """

    item: Object
    image: Callable[[], str]
    clock: Clock
    random: Random
    recorder: Recorder
    after: Callable[[float, Action], None]
    write: Action
    refusal: Callable[[], str]
    wave_count: int
    has_hook: bool

    @property
    def name(self) -> str:
        """The Application's name."""
        return str(self.item["metadata"]["name"])


Ended = Callable[["SyncOperation"], None]
"""Told of an operation that is over."""


class SyncOperation:
    """One operation, from the request on.

    Args:
        bench: What it works with.
        revision: What it applies.
        ended: Told when it is over.

    Attributes:
        started_at: When it was begun, seconds since the epoch; 0 before that.
        has_succeeded: Whether it is over, and all was applied.
    """

    def __init__(self, bench: Bench, revision: str, ended: Ended) -> None:
        self._bench, self._revision, self._ended = bench, revision, ended
        self._random = bench.random
        self._is_doomed = False
        self.started_at, self.has_succeeded = 0.0, False
        bench.item["operation"] = applications.operation(revision)
        bench.item["status"].pop("operationState", None)
        bench.write()
        bench.recorder.emit(bench.item, "OperationStarted", f"Initiated automated sync to '{revision}'")
        bench.after(self._random.uniform(0.1, 0.8), self._begin)

    @property
    def _state(self) -> Object:
        state: Object = self._bench.item["status"]["operationState"]
        return state

    def _begin(self) -> None:
        bench = self._bench
        self.started_at = bench.clock.now
        bench.item["status"]["operationState"] = {
            "message": "waiting to start",
            "operation": bench.item["operation"],
            "phase": "Running",
            "retryCount": 0,
            "startedAt": bench.clock.stamp(),
        }
        bench.write()
        self._is_doomed = self._random.random() < _DOOMED_SHARE
        bench.after(lognormal(self._random, 1.5, 0.5), self._attempt)

    def _attempt(self) -> None:
        """Apply, wave by wave."""
        bench, state = self._bench, self._state
        state.pop("finishedAt", None)
        hook = f"waiting for completion of hook batch/Job/{bench.name}-db-migrate"
        wave = f"waiting for healthy state of apps/Deployment/{bench.name}"
        waits = ([(hook, 12.0)] if bench.has_hook else []) + [(wave, 15.0)] * (bench.wave_count - 1)
        seconds = lognormal(self._random, 2, 0.4)
        for message, median_seconds in waits:
            bench.after(seconds, partial(self._wait_for, message, is_hook=message == hook))
            seconds += lognormal(self._random, median_seconds, 0.5)
        share = _FAILED_SHARE if not state["retryCount"] else _FAILED_AGAIN_SHARE
        is_failing = self._is_doomed or self._random.random() < share
        bench.after(seconds, lambda: self._end_attempt(is_failing=is_failing))

    def _wait_for(self, message: str, *, is_hook: bool) -> None:
        state, bench = self._state, self._bench
        state["message"] = message
        state["syncResult"] = self._result(
            ("Service",) if not is_hook else (), hook_phase="Running" if is_hook else "Succeeded"
        )
        bench.write()

    def _end_attempt(self, *, is_failing: bool) -> None:
        refusal = self._bench.refusal()
        if refusal or is_failing:
            self._fail(refusal or applications.WEBHOOK_TIMEOUT)
        else:
            self._succeed()

    def _fail(self, refusal: str) -> None:
        bench, state, now = self._bench, self._state, self._bench.clock.now
        state["syncResult"] = self._result(refusal=refusal)
        state["finishedAt"] = stamp(now)
        count, failure = state["retryCount"], f"one or more objects failed to apply, reason: {refusal}"
        if count < RETRY_LIMIT:
            wait_seconds = min(5 * 2.0**count, _LONGEST_WAIT_SECONDS)
            at = kitchen_time(now + wait_seconds)
            state["message"] = f"{failure}. Retrying attempt #{count + 1} at {at}."
            state["retryCount"] = count + 1
            bench.write()
            bench.after(wait_seconds, self._retry)
            return
        state["phase"], state["message"] = "Failed", f"{failure} (retried {count} times)."
        del bench.item["operation"]
        report_failure(bench.item, self._revision, now)
        bench.write()
        message = f"Sync operation to {self._revision} failed: {state['message']}"
        bench.recorder.emit(bench.item, "OperationCompleted", message, "Warning")
        self._ended(self)

    def _retry(self) -> None:
        self._state.pop("finishedAt", None)
        self._state.pop("syncResult", None)
        self._bench.write()
        self._attempt()

    def _succeed(self) -> None:
        bench, status, state = self._bench, self._bench.item["status"], self._state
        finished_at = bench.clock.stamp()
        state |= {
            "finishedAt": finished_at,
            "message": "successfully synced (all tasks run)",
            "phase": "Succeeded",
            "syncResult": self._result(),
        }
        history = status["history"]
        entry = applications.history_entry(
            history[-1]["id"] + 1,
            self._revision,
            applications.source(bench.item),
            started_at=state["startedAt"],
            ended_at=finished_at,
        )
        status["history"] = [*history, entry][-HISTORY_LIMIT:]
        status.pop("conditions", None)
        del bench.item["operation"]
        self.has_succeeded = True
        self._ended(self)
        message = f"Sync operation to {self._revision} succeeded"
        bench.recorder.emit(bench.item, "OperationCompleted", message)

    def _result(
        self,
        kinds: tuple[str, ...] = ("Service", "Deployment"),
        *,
        refusal: str = "",
        hook_phase: str = "Succeeded",
    ) -> Object:
        bench = self._bench
        return {
            "resources": applications.sync_resources(
                bench.name,
                kinds=kinds,
                image=bench.image(),
                refusal=refusal,
                hook_phase=hook_phase if bench.has_hook else "",
            ),
            "revision": self._revision,
            "source": applications.source(bench.item),
        }


def report_failure(item: Object, revision: str, now: float) -> None:
    """Put the condition on an Application that says that Argo CD does not try `revision` again."""
    message = f"Failed last sync attempt to [{revision}]: {item['status']['operationState']['message']}"
    item["status"]["conditions"] = [applications.condition("SyncError", message, now)]


def kitchen_time(time: float) -> str:
    """Return a time as Go prints it with time.Kitchen, which is what the retry message has: `3:04PM`."""
    at = moment(time)
    return f"{at.hour % 12 or 12}:{at.minute:02d}{'AM' if at.hour < _NOON else 'PM'}"


_NOON = 12
