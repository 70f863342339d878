"""The story of one change in one environment: every step with what proves it, and what is not known."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gitopslab.metrics.durations import human

Row = Mapping[str, Any]

_WHY_UNSEEN = {
    "build": "no successful run of it, or of a commit that holds it, was landed",
    "pin": "no landed pin names an image that holds it",
    "hydrate": "no landed commit of the environment's proposed branch holds it",
    "promote": "no landed commit of the environment's active branch holds it",
    "sync": "no landed sync brought a revision that holds it",
    "healthy": "no Application of the service was seen Healthy with it",
}
_SHORT = 12
"""Digits of a sha that are shown."""
HEADINGS = ("at", "after", "took", "stage", "what led to what", "rule", "confidence", "evidence")
"""What stands above `Step.cells`."""


@dataclass(frozen=True)
class Step:
    """A stage that the change passed, or might have.

    Attributes:
        stage: Stage of the lane.
        at: When it was passed, UTC.
        after_seconds: Since the step of the change before it; negative where clocks disagree, None for a
            step that does not count.
        took_seconds: Since the step's own start, for builds and syncs.
        link: What leads to what.
        rule: What says that the two belong together.
        evidence: Where that can be looked up.
        confidence: From 0 to 1.
        is_chosen: Whether the change's time of the stage is this one.
    """

    stage: str
    at: datetime
    after_seconds: float | None
    took_seconds: float | None
    link: str
    rule: str
    evidence: str
    confidence: float | None
    is_chosen: bool

    def cells(self, length: Callable[[float], object] = human) -> tuple[Any, ...]:
        """Return the step as a row of a table, under `HEADINGS`; a stage in brackets does not count.

        Args:
            length: Shows a length of time, in seconds.
        """
        after, took = (
            None if seconds is None else length(seconds)
            for seconds in (self.after_seconds, self.took_seconds)
        )
        stage = self.stage if self.is_chosen else f"({self.stage})"
        return self.at, after, took, stage, self.link, self.rule, self.confidence, self.evidence


@dataclass(frozen=True)
class Story:
    """What became of a change in an environment.

    Attributes:
        change: The change's row of `changes_in_window`.
        steps: In the order of their times, from the commit on.
        unknown: What is not known, and why, a sentence each.
    """

    change: Row
    steps: tuple[Step, ...]
    unknown: tuple[str, ...]

    @property
    def title(self) -> str:
        """Service, environment and lane."""
        lane = f" (lane {self.change['lane']})" if self.change["lane"] else ""
        return f"{self.change['service']} in {self.change['environment']}{lane}"

    def __str__(self) -> str:
        change = self.change
        said = [f"{self.title}: {change['class']}"]
        if change["lead_seconds"] is not None:
            said.append(f"{human(change['lead_seconds'])} from commit to healthy")
        elif change["class"] == "unobserved":
            seen = _time(change["environment_observed_until"])
            said.append(f"{change['environment']} was last looked at on {seen}, before the change came in")
        elif change["class_reason"]:
            said.append(change["class_reason"])
        if change["open_seconds"] is not None:
            said.append(f"open for {human(change['open_seconds'])}")
        if change["is_superseded"]:
            said.append(f"brought by commit {change['delivered_by_sha'][:_SHORT]}, which holds it")
        if len(self.steps) > 1:
            said.append(f"confidence {change['confidence']:g}")
        return f"{', '.join(said)}."

    def findings(self) -> dict[str, Any]:
        """Return everything, for a program."""
        return {"change": dict(self.change), "steps": self.steps, "unknown": self.unknown}


def stories(changes: Iterable[Row], links: Iterable[Row]) -> tuple[Story, ...]:
    """Return a story for each row of a change, by service and environment.

    Args:
        changes: Rows of `changes_in_window`.
        links: Rows of `change_links` of the same changes, in its order.
    """
    of_place: dict[tuple[str, ...], list[Row]] = {}
    for link in links:
        of_place.setdefault(_place(link), []).append(link)
    ordered = sorted(changes, key=_place)
    return tuple(_story(change, of_place.get(_place(change), [])) for change in ordered)


def _place(row: Row) -> tuple[str, ...]:
    return row["repository"], row["sha"], row["service"], row["environment"]


def _story(change: Row, links: list[Row]) -> Story:
    return Story(change, tuple(_steps(change, links)), tuple(_unknown(change, links)))


def _steps(change: Row, links: list[Row]) -> Iterator[Step]:
    came_in = f"{change['kind']} came into {change['repository']}"
    committed_at = change["committed_at"]
    yield Step("commit", committed_at, None, None, came_in, "branch", change["sha"], 1.0, is_chosen=True)
    before = committed_at
    for link in sorted((each for each in links if each["happened_at"]), key=lambda each: each["happened_at"]):
        at, began_at, is_chosen = link["happened_at"], link["began_at"], link["is_chosen"]
        yield Step(
            link["stage"],
            at,
            (at - before).total_seconds() if is_chosen else None,
            (at - began_at).total_seconds() if began_at else None,
            " → ".join(filter(None, (_carried(link), link["to_text"]))),
            link["rule"] or "",
            link["evidence"] or link["passed_by"],
            link["confidence"],
            is_chosen,
        )
        before = at if is_chosen else before


def _carried(link: Row) -> str:
    """Return where a link starts, and whether what was built or pinned there only holds the change."""
    holds = link["is_carried"] and link["stage"] in {"build", "pin"}
    return f"{link['from_text'] or ''}{' (holds it)' if holds else ''}".strip()


def _unknown(change: Row, links: list[Row]) -> Iterator[str]:
    chosen = [link for link in links if link["is_chosen"]]
    for place, link in enumerate(links):
        if link["happened_at"]:
            continue
        if any(later["is_chosen"] for later in links[place + 1 :]):
            yield (
                f"When it passed {link['stage']} is not known: {_WHY_UNSEEN[link['stage']]};"
                " the time is in the next step."
            )
        elif link["stage"] == change["waits_for"] or change["class"] == "not_stitched":
            yield f"It has not passed {link['stage']}: {_WHY_UNSEEN[link['stage']]}."
            break
    yield from _partly(links)
    earliest, latest = change["healthy_earliest_at"], change["healthy_at"]
    if earliest and earliest < latest:
        yield (
            f"It was healthy at some time from {_time(earliest)} to {_time(latest)}:"
            " nobody looked in between, and no transition time was written."
        )
    for link in chosen:
        if link["confidence"] is not None and link["confidence"] < 1:
            others = f"; other rules say otherwise: {link['alternatives']}" if link["alternatives"] else ""
            sure = f"{link['confidence']:g}, by {link['rule']}{others}"
            yield f"The link of {link['stage']} is of confidence {sure}."


def _partly(links: list[Row]) -> Iterator[str]:
    """Say of which stages there are steps, and none that counts."""
    for stage in dict.fromkeys(link["stage"] for link in links if link["happened_at"]):
        if not any(link["is_chosen"] for link in links if link["stage"] == stage):
            yield (
                f"Its steps of {stage} do not count: Applications of the service are missing,"
                " or it was taken back."
            )


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
