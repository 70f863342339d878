"""What was seen of a whole platform in a window: what can be trusted, and what is missing of the rest."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Protocol

from gitopslab.metrics import observation
from gitopslab.metrics.observation import EVERY_KIND, Kind, Observation
from gitopslab.metrics.retention import RETENTIONS, history_limits
from gitopslab.window import Window

RowDict = Mapping[str, Any]

_NAMED = 4


class Rows(Protocol):
    """What a query returned."""

    def dicts(self) -> list[dict[str, Any]]:
        """Return one dictionary a row."""
        ...


class Asked(Protocol):
    """What runs queries by name: an open warehouse."""

    def run(self, name: str, **parameters: Any) -> Rows:
        """Run the query called `name`."""
        ...


@dataclass(frozen=True)
class Break:
    """A time in which nobody watched kinds of a cluster.

    Attributes:
        cluster: The cluster.
        since: Its beginning.
        until: Its end.
        kind_count: How many kinds were missed; 0 where all of them may have been.
        message: What is known of why.
    """

    cluster: str
    since: datetime
    until: datetime
    kind_count: int
    message: str

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.until - self.since).total_seconds()


@dataclass(frozen=True)
class Platform:
    """Everything that was looked at in a window.

    Attributes:
        window: The window.
        observations: One a kind of a cluster, as clusters and then kinds are ordered.
        systems: The same of what is no Kubernetes.
        stretches: Rows of queries/marts/coverage_stretches_in_window.sql, each with its `kind`.
        breaks: When nobody watched, the longest first.
        silences: When nothing was seen of a cluster that files tell of, which may be a break.
        histories: What histories that controllers keep do not tell, a sentence each.
        rejects: Rows of queries/marts/rejects_by_reason.sql.
        unreadable: Rows of queries/marts/unreadable_values_by_column.sql.
        unknown: Rows of queries/marts/unknown_values.sql.
        losses: Rows of queries/marts/losses.sql.
    """

    window: Window
    observations: tuple[Observation, ...]
    systems: tuple[Observation, ...]
    stretches: tuple[RowDict, ...]
    breaks: tuple[Break, ...]
    silences: tuple[Break, ...]
    histories: tuple[str, ...]
    rejects: tuple[RowDict, ...]
    unreadable: tuple[RowDict, ...]
    unknown: tuple[RowDict, ...]
    losses: tuple[RowDict, ...]

    def __str__(self) -> str:
        return " ".join(_trust(self.observations, self.window))

    def clusters(self) -> list[str]:
        """Return the clusters, in name order."""
        return sorted({each.kind.cluster for each in self.observations})

    def matrix(self) -> list[tuple[str, ...]]:
        """Return a row a kind that some cluster serves: its name, and how each of `clusters()` saw it."""
        seen = {(each.kind.name, each.kind.cluster): each for each in self.observations}
        clusters = self.clusters()
        return [
            (name, *(str(seen[name, cluster]) if (name, cluster) in seen else "" for cluster in clusters))
            for name in self._served()
        ]

    def rows(self) -> list[tuple[str, str]]:
        """Return cluster and kind of what there is a stretch of, other than that it is not served."""
        drawn = {(row["cluster"], row["kind"]) for row in self.stretches if row["state"] != "not_served"}
        whole = [(cluster, EVERY_KIND) for cluster in self.clusters()]
        kinds = [(each.kind.cluster, each.kind.name) for each in self.observations]
        systems = [(each.kind.cluster, each.kind.name) for each in self.systems]
        ordered = [*sorted([*whole, *kinds], key=lambda row: row[0]), *systems]
        return [row for row in ordered if row in drawn]

    def unserved(self) -> str:
        """Return which kinds no cluster serves, as a sentence; empty where there is none."""
        served = set(self._served())
        names = dict.fromkeys(each.kind.name for each in self.observations if each.kind.name not in served)
        return f"Served by no cluster: {', '.join(names)}." if names else ""

    def failures(self) -> list[tuple[str, str, str, str]]:
        """Return what was refused or not reached: cluster, state, the kinds alike in both, and why."""
        alike: dict[tuple[str, str, str], list[str]] = {}
        for each in (*self.observations, *self.systems):
            if each.state in {observation.REFUSED, observation.UNREACHABLE}:
                alike.setdefault((each.kind.cluster, each.state, each.message), []).append(each.kind.name)
        return [
            (cluster, state, _listed(names), message) for (cluster, state, message), names in alike.items()
        ]

    def findings(self) -> dict[str, Any]:
        """Return everything for machines, by name."""
        return {
            "kinds": [_finding(each) for each in self.observations],
            "systems": [_finding(each) for each in self.systems],
            "breaks": self.breaks,
            "silences": self.silences,
            "histories": self.histories,
            "rejects": self.rejects,
            "unreadable_values": self.unreadable,
            "unknown_values": self.unknown,
            "losses": self.losses,
        }

    def _served(self) -> list[str]:
        """Return the names of kinds that some cluster serves, as far as anybody knows."""
        states: dict[str, set[str]] = {}
        for each in self.observations:
            states.setdefault(each.kind.name, set()).add(each.state)
        return [name for name, found in states.items() if found != {observation.NOT_SERVED}]

    def forgotten(self) -> list[tuple[str, str, str, str]]:
        """Return what is missing of kinds that were not watched whole.

        Each with its clusters, what of it nobody saw, and what else tells of that.
        """
        unwatched: dict[str, list[str]] = {}
        for each in self.observations:
            if each.state not in {observation.WATCHED, observation.NOT_SERVED}:
                unwatched.setdefault(each.kind.resource, []).append(each.kind.cluster)
        return [
            (known.resource, ", ".join(unwatched[known.resource]), known.lost, known.elsewhere or "nothing")
            for known in RETENTIONS
            if known.resource in unwatched
        ]


def observe(asked: Asked, window: Window, expected: Iterable[tuple[str, str]]) -> Platform:
    """Return what was seen in `window` of every kind that is expected or known.

    Args:
        asked: The warehouse.
        window: The time that is asked about.
        expected: API group and plural of the kinds that every cluster should be asked for.
    """
    times = {"since": window.since, "until": window.until}
    stretches = asked.run("coverage_stretches_in_window", **times).dicts()
    resources = asked.run("resource_coverages").dicts()
    clusters = {row["cluster"] for row in asked.run("known_clusters").dicts()}
    observations = _observations(stretches, resources, clusters, list(expected), window)
    return Platform(
        window=window,
        observations=tuple(each for each in observations if each.kind.is_kubernetes),
        systems=tuple(each for each in observations if not each.kind.is_kubernetes),
        stretches=tuple(row | {"kind": Kind.of(row).name} for row in stretches),
        breaks=tuple(_breaks(stretches)),
        silences=tuple(
            Break(row["cluster"], row["since"], row["until"], 0, "")
            for row in asked.run("silences", **times).dicts()
        ),
        histories=tuple(history_limits(asked.run("history_edges", environment="").dicts(), window)),
        rejects=tuple(asked.run("rejects_by_reason").dicts()),
        unreadable=tuple(asked.run("unreadable_values_by_column").dicts()),
        unknown=tuple(asked.run("unknown_values").dicts()),
        losses=tuple(asked.run("losses").dicts()),
    )


def rest(rows: Sequence[object], most: int) -> str:
    """Return the note under a table that shows the first `most` of `rows`."""
    if not rows:
        return "None."
    return f"{len(rows) - most:,} more are not shown." if len(rows) > most else ""


def _observations(
    stretches: Sequence[RowDict],
    resources: Sequence[RowDict],
    clusters: set[str],
    expected: Sequence[tuple[str, str]],
    window: Window,
) -> list[Observation]:
    seen: dict[Kind, list[RowDict]] = {}
    for row in stretches:
        seen.setdefault(Kind.of(row), []).append(row)
    ever = {Kind.of(row): row for row in resources}
    clusters = clusters | {kind.cluster for kind in seen if kind.is_kubernetes}
    wanted = [Kind(cluster, *each) for cluster in sorted(clusters) for each in expected]
    others = sorted(kind for kind in {*seen, *ever} - set(wanted) if kind.resource or not kind.is_kubernetes)
    # What is said of a whole cluster, that nobody answered say, is said of each of its kinds.
    return [
        observation.observation(
            kind, [*seen.get(kind, ()), *seen.get(Kind(kind.cluster, "", ""), ())], ever.get(kind, {}), window
        )
        for kind in sorted(wanted + others, key=lambda kind: kind.cluster)
    ]


def _breaks(stretches: Sequence[RowDict]) -> list[Break]:
    """Return gaps, those of several kinds at one time as one."""
    together: dict[tuple[str, datetime, datetime], list[RowDict]] = {}
    for row in stretches:
        if row["state"] == "gap":
            together.setdefault((row["cluster"], row["since"], row["until"]), []).append(row)
    breaks = [
        Break(*key, len({Kind.of(row) for row in rows}), max(row["message"] or "" for row in rows))
        for key, rows in together.items()
    ]
    return sorted(breaks, key=lambda each: (-each.seconds, each.cluster, each.since))


def _trust(observations: Sequence[Observation], window: Window) -> list[str]:
    counts = Counter(each.state for each in observations)
    total = len(observations) - counts[observation.NOT_SERVED]
    if not total:
        return [f"Nothing is known of {window}: no cluster is configured, and nothing was landed."]
    looked = counts[observation.LISTED] + counts[observation.READ] + counts[observation.FILED]
    unknown = sum(counts[state] for state in observation.UNKNOWN)
    clusters = len({each.kind.cluster for each in observations})
    of = f"Of {_count(total, 'kind')} in {_count(clusters, 'cluster')}, from {window}:"
    parts = [
        (counts[observation.WATCHED], "watched without a break, and what is said of them is whole"),
        (counts[observation.BROKEN], "watched with breaks, in which anything may have happened"),
        (counts[observation.RECORDED], "read from files of a watch, which do not say what it missed"),
        (looked, "only looked at or read from files, so that counts of them are lower bounds"),
        (unknown, "not known at all"),
    ]
    said = [f"{count:,} {'was' if count == 1 else 'were'} {what}" for count, what in parts if count]
    said[-1] = said[-1].replace("were not known", "are not known").replace("was not known", "is not known")
    return [f"{of} {'; '.join(said)}.", *_unknown(observations, counts)]


def _unknown(observations: Sequence[Observation], counts: Counter[str]) -> list[str]:
    """Return why kinds are not known, and of which clusters nothing is."""
    why = [f"{counts[state]:,} {state}" for state in observation.UNKNOWN if counts[state]]
    said = [f"Not known: {', '.join(why)}."] if why else []
    dark = sorted(
        {each.kind.cluster for each in observations}
        - {
            each.kind.cluster
            for each in observations
            if each.state not in {*observation.UNKNOWN, observation.NOT_SERVED}
        }
    )
    if dark:
        said.append(f"Nothing at all is known of {', '.join(dark)}.")
    return said


def _listed(names: Sequence[str]) -> str:
    """Return names after one another, the first few of many."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED:,} more"


def _finding(each: Observation) -> dict[str, Any]:
    return {**each.kind._asdict(), "said": str(each)} | {
        field.name: getattr(each, field.name) for field in fields(each) if field.name != "kind"
    }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
