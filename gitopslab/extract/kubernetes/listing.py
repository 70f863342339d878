"""Listing: every object of a resource, page by page, all of one version of the whole."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from gitopslab.clusters import path_of
from gitopslab.errors import ExpiredError
from gitopslab.extract.kubernetes import answers
from gitopslab.extract.kubernetes.backoff import Backoff, patiently
from gitopslab.extract.kubernetes.intake import Intake
from gitopslab.extract.kubernetes.surroundings import Surroundings
from gitopslab.resources import Resource

_PAGE_OBJECTS = 500
_LIST_TRIES = 3


@dataclass
class Listing:
    """What was there.

    Attributes:
        started_at: When it was asked for: later changes may be in it or not.
        uids: uid of every object.
        resource_version: Version of the whole; a watch goes on from here.
    """

    started_at: datetime
    uids: set[str] = field(default_factory=set)
    resource_version: str = ""


def list_all(
    resource: Resource, version: str, intake: Intake, around: Surroundings, progress: Callable[[int], None]
) -> Listing:
    """Hand every object of `resource` to `intake`, and return what was there.

    A page that cannot be had is asked for again, and so is the list when it takes longer than the API
    server keeps its version.

    Args:
        resource: The resource.
        version: The API version to ask for.
        intake: Takes the objects.
        around: The cluster.
        progress: Called with the number of objects in each page.

    Raises:
        SourceError: The API server refuses, or does not answer time and again.
    """
    backoff = Backoff(around.random)
    for _ in range(_LIST_TRIES - 1):
        try:
            return _List(resource, version, intake, around, progress).read()
        except ExpiredError as error:
            around.rest(backoff, error)
    return _List(resource, version, intake, around, progress).read()


@dataclass
class _List:
    resource: Resource
    version: str
    intake: Intake
    around: Surroundings
    progress: Callable[[int], None]

    def read(self) -> Listing:
        listing = Listing(self.around.clock())
        token = ""
        while True:
            page = patiently(partial(self._ask, token), self.around.stop, self.around.random)
            self.intake.take(page.objects, self.around.clock(), how="list")
            listing.uids.update(header.metadata.uid for header in page.objects.headers)
            self.progress(len(page.objects.headers))
            if not page.continue_token:
                listing.resource_version = page.resource_version
                return listing
            token = page.continue_token

    def _ask(self, token: str) -> answers.ListPage:
        query = {"limit": str(_PAGE_OBJECTS)} | ({"continue": token} if token else {})
        path = path_of(self.resource, self.version, **query)
        text = self.around.cluster.page(path, what=f"`list` on {self.resource}")
        return answers.read_page(text, self.intake.source, self.resource.kind)
