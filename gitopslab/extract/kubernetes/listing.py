"""Listing: every object of a resource, page by page, all of one version of the whole."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
        asked_at: When it was asked for: it is not older.
        shown_at: When the answer came: it is not newer.
        uids: uid of every object.
        resource_version: Version of the whole; a watch goes on from here.
    """

    asked_at: datetime
    shown_at: datetime
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
        # The next page is on its way while this one is read.
        with ThreadPoolExecutor(1, "page") as ahead:
            asked_at, page = self._page("")
            listing = Listing(asked_at, self.around.clock())
            while page.continue_token:
                coming = ahead.submit(self._page, page.continue_token)
                self._take(page, listing)
                _, page = coming.result()
            self._take(page, listing)
        listing.resource_version = page.resource_version
        return listing

    def _take(self, page: answers.ListPage, listing: Listing) -> None:
        source, kind = self.intake.source, page.kind
        objects = answers.read_objects(page.texts, source, kind, are_utf8=page.is_utf8)
        self.intake.take(objects, self.around.clock(), how="list")
        listing.uids.update(header.metadata.uid for header in objects.headers)
        self.progress(len(objects.headers))

    def _page(self, token: str) -> tuple[datetime, answers.ListPage]:
        return patiently(partial(self._ask, token), self.around.stop, self.around.random)

    def _ask(self, token: str) -> tuple[datetime, answers.ListPage]:
        query = {"limit": str(_PAGE_OBJECTS)} | ({"continue": token} if token else {})
        path = path_of(self.resource, self.version, **query)
        asked_at = self.around.clock()
        text = self.around.cluster.page(path, what=f"`list` on {self.resource}")
        return asked_at, answers.read_page(text, self.intake.source, self.resource.kind)
