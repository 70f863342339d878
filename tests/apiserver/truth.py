"""What landed in a lake, held to what the server committed: every difference is a sentence."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple

from gitopslab import datasets
from gitopslab.lake import Lake
from tests.apiserver.store import Store, Version

# A gap begins when the reader was last told something, and that was on its way for a moment.
_ON_ITS_WAY = timedelta(seconds=1)
_OBJECTS = [
    "api_group",
    "resource",
    "uid",
    "resource_version",
    "event_type",
    "is_inferred",
    "observed_at",
    "body",
]
_COVERAGE = ["api_group", "resource", "state", "since", "until"]

Row = dict[str, Any]


class Stretch(NamedTuple):
    """A time in which a resource was listed or watched, or a gap."""

    since: datetime
    until: datetime
    state: str


def differences(store: Store, lake: Lake, cluster: str, resource: str) -> list[str]:
    """Return what is wrong with what landed of `resource`, named as `applications.argoproj.io`.

    Versions may be missing only where a gap is recorded. Nothing may be there twice, and nothing that was
    never served; what is there must be as it was; what is gone must be gone, what is live must be there.
    """
    rows = _rows(lake, datasets.OBJECT_VERSIONS, _OBJECTS, cluster, resource)
    log = store.log(resource)
    covered = stretches(lake, cluster, resource)
    return [
        *_twice(rows),
        *_never_served(rows, log),
        *_missing(rows, log, covered),
        *_dead_or_alive(rows, log),
        *_holes([stretch for stretch in covered if stretch.state != "list"]),
    ]


def stretches(lake: Lake, cluster: str, resource: str) -> list[Stretch]:
    """Return when `resource` was listed, watched and missed, in order."""
    rows = _rows(lake, datasets.COVERAGE, _COVERAGE, cluster, resource)
    found = [Stretch(row["since"], row["until"], row["state"]) for row in rows]
    return sorted(stretch for stretch in found if stretch.state in {"list", "watch", "gap"})


def keys(lake: Lake, cluster: str) -> Counter[tuple[str, str, str]]:
    """Return how often each version of each object is in the lake: resource, uid, version."""
    return Counter(
        (row["resource"], row["uid"], row["resource_version"])
        for table in lake.read(datasets.OBJECT_VERSIONS, ["resource", "uid", "resource_version"], cluster)
        for row in table.to_pylist()
    )


def _rows(
    lake: Lake, dataset: datasets.Dataset, columns: list[str], cluster: str, resource: str
) -> list[Row]:
    plural, _, group = resource.partition(".")
    return [
        row
        for table in lake.read(dataset, columns, cluster)
        for row in table.to_pylist()
        if (row["resource"], row["api_group"]) == (plural, group)
    ]


def _twice(rows: list[Row]) -> Iterator[str]:
    for key, count in Counter((row["uid"], row["resource_version"]) for row in rows).items():
        if count > 1:
            yield f"{key} landed {count} times"


def _never_served(rows: list[Row], log: list[Version]) -> Iterator[str]:
    served = {(version.uid, str(version.resource_version)): version for version in log}
    for row in rows:
        version = served.get((row["uid"], row["resource_version"]))
        if row["is_inferred"]:
            continue
        if version is None:
            yield f"{row['uid']} at {row['resource_version']} was never served"
            continue
        if (row["event_type"] == "DELETED") != (version.event_type == "DELETED"):
            was = version.event_type
            yield f"{version.name} at {row['resource_version']} is {row['event_type']}, was {was}"
        found = json.loads(row["body"])
        if {name: found[name] for name in version.object} != version.object:
            yield f"{row['uid']} at {row['resource_version']} is not what was served"


def _missing(rows: list[Row], log: list[Version], covered: list[Stretch]) -> Iterator[str]:
    landed = {(row["uid"], row["resource_version"]) for row in rows}
    gaps = [stretch for stretch in covered if stretch.state == "gap"]
    # What came and went before the first list is before all that anybody claims to know.
    begins_at = min((stretch.until for stretch in covered if stretch.state == "list"), default=None)
    for version in log:
        at = version.committed_at
        if (version.uid, str(version.resource_version)) in landed or (begins_at and at <= begins_at):
            continue
        if not any(gap.since - _ON_ITS_WAY <= at <= gap.until for gap in gaps):
            yield f"{version.name} at {version.resource_version}, {at}, is missing, and there was no gap"


def _dead_or_alive(rows: list[Row], log: list[Version]) -> Iterator[str]:
    truth = {version.uid: version for version in log}
    landed: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: int(row["resource_version"])):
        landed[row["uid"]] = row
        last = truth.get(row["uid"])
        if row["is_inferred"] and last:
            is_right = last.event_type == "DELETED" and last.resource_version <= int(row["resource_version"])
            if not is_right:
                yield f"{last.name} was not gone at {row['resource_version']}"
    for uid, version in truth.items():
        is_gone = version.event_type == "DELETED"
        if uid not in landed:
            if not is_gone:
                yield f"{version.name} is there, and never landed"
        elif is_gone != (landed[uid]["event_type"] == "DELETED"):
            yield f"{version.name} {'is gone' if is_gone else 'is there'}, and the lake says otherwise"


def _holes(covered: list[Stretch]) -> Iterator[str]:
    ends = accumulate((stretch.until for stretch in covered), max)
    for until, after in zip(ends, covered[1:], strict=False):
        if after.since - until > _ON_ITS_WAY:
            yield f"between {until} and {after.since} nothing says whether it was watched"
