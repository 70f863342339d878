"""One sweep: every resource of a cluster listed once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from random import Random
from threading import Event
from typing import NamedTuple

from gitopslab.clusters import Cluster, path_of
from gitopslab.errors import SourceError
from gitopslab.extract.kubernetes.backoff import patiently
from gitopslab.extract.kubernetes.catalogue import Catalogue
from gitopslab.extract.kubernetes.intake import Intake
from gitopslab.extract.kubernetes.listing import list_all
from gitopslab.extract.kubernetes.memory import Memory, ResourceKey, recall
from gitopslab.extract.kubernetes.reflector import state_of
from gitopslab.extract.kubernetes.session import EXTRACTOR, Destination, identify, note_unread
from gitopslab.extract.kubernetes.surroundings import Surroundings
from gitopslab.extract.kubernetes.timeline import Timeline
from gitopslab.extract.run import Origin, Tally
from gitopslab.resources import Resource

# Several kinds at once, since most of the time of a list is waiting.
_AT_ONCE = 4
_TRIES = 3

Progress = Callable[[int], None]


class Outcome(NamedTuple):
    """What came of one resource.

    Attributes:
        resource: The resource.
        state: `list`, or why there is none: `refused`, `not_served`, `unreachable`.
        object_count: Objects that were there.
        landed_count: Versions of them that the lake gained, deletions among them.
        gone_count: Objects that were there before and are no more.
        message: Why there is no list.
    """

    resource: Resource
    state: str
    object_count: int = 0
    landed_count: int = 0
    gone_count: int = 0
    message: str = ""


class Sweep(NamedTuple):
    """What came of one cluster."""

    cluster: str
    outcomes: list[Outcome]
    tally: Tally


def sweep(
    cluster: Cluster,
    configured_uid: str,
    resources: tuple[Resource, ...],
    destination: Destination,
    progress: Progress = lambda _: None,
) -> Sweep:
    """List `resources` of `cluster` into the lake, and return what came of each; refusals stop nothing.

    Args:
        cluster: The cluster.
        configured_uid: Its uid as far as settings say.
        resources: What to list.
        destination: Where it goes.
        progress: Called with the number of objects read since the last call.
    """
    started_at, stop, random = datetime.now(UTC), Event(), Random()  # noqa: S311 - only spreads waits
    try:
        uid = patiently(partial(identify, cluster, configured_uid), stop, random, tries=_TRIES)
    except SourceError as error:
        note_unread(destination, cluster.name, resources, error, started_at)
        unread = [Outcome(resource, state_of(error), message=str(error)) for resource in resources]
        return Sweep(cluster.name, unread, Tally())
    memories = recall(destination.lake, cluster.name, uid)
    origin = Origin(EXTRACTOR, cluster.name, "list", uid)
    with (
        destination.feed(origin) as feed,
        ThreadPoolExecutor(_AT_ONCE, "sweep") as threads,
    ):
        around = Surroundings(cluster, Catalogue(cluster), feed, stop, random)
        outcomes = list(threads.map(partial(_list, memories, around, progress), resources))
    return Sweep(cluster.name, outcomes, feed.tally)


def _list(
    memories: dict[ResourceKey, Memory], around: Surroundings, progress: Progress, resource: Resource
) -> Outcome:
    started_at = around.clock()
    memory = memories.get((resource.api_group, resource.resource)) or Memory()
    timeline = Timeline(resource, path_of(resource, "*"), around.feed.cover)
    try:
        located, version = patiently(
            partial(around.catalogue.locate, resource), around.stop, around.random, tries=_TRIES
        )
        intake = Intake(located, path_of(located, version), memory, around.feed)
        listing = list_all(located, version, intake, around, progress)
    except SourceError as error:
        timeline.failed(state_of(error), started_at, around.clock(), str(error))
        return Outcome(resource, state_of(error), message=str(error))
    gone_count = intake.take_gone(listing.uids, around.clock(), listing.resource_version)
    timeline.listed(listing.shown_at, around.clock(), len(listing.uids))
    return Outcome(located, "list", len(listing.uids), intake.landed_count, gone_count)
