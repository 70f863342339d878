"""Tekton Results: PipelineRuns and TaskRuns that the cluster itself has pruned, and the events of runs.

Source: `/apis/results.tekton.dev/v1alpha2/parents/<namespace or ->/results/-/records`.
Needs:  a token that may `get` and `list` records.results.tekton.dev in those namespaces.
Limits: a record holds the last state that the watcher stored of a run, so how a run changed is not here, and
        its retention agent deletes records (30 days by default). Logs are not landed; record types that
        nothing here reads are counted in coverage.

Records are read from the one updated last, back to where the run before had begun: unlike results, records
cannot be filtered by update_time (pkg/api/server/cel/env.go). One that changes while pages are read moves to
the front, behind the reader, with a time that the next run comes to.
"""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec

from gitopslab.errors import SourceError, UnreachableError
from gitopslab.extract import cursors, envelopes
from gitopslab.extract.landing import Batch, Landing
from gitopslab.extract.pages import EXCERPT_BYTES, Item, Limits, Reading
from gitopslab.extract.run import Refusal
from gitopslab.http import HttpSource
from gitopslab.redaction import is_secret
from gitopslab.resources import resource_of_kind, split_api_version

SYSTEM = "results"
PAGE_SIZE = 500
"""Records in one answer; the API takes 5 to 10,000, whatever its documentation says."""

OVERLAP = timedelta(minutes=10)
"""How far a run reads back behind what the one before had seen: clocks of the API's replicas differ."""

_LANDED_KINDS = {"PipelineRun", "TaskRun", "CustomRun", "EventList"}
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)

Progress = Callable[[int], None]


class _Data(msgspec.Struct):
    type: str = ""
    value: str = ""


class _Record(msgspec.Struct):
    name: str = ""
    data: _Data = msgspec.field(default_factory=_Data)
    create_time: datetime | None = None
    update_time: datetime | None = None

    @property
    def updated_at(self) -> datetime:
        at = self.update_time or self.create_time or _FIRST
        return at if at.tzinfo else at.replace(tzinfo=UTC)


class _Page(msgspec.Struct):
    records: list[msgspec.Raw] | None = None
    next_page_token: str | None = None


_VALUE = re.compile(rb'("value"\s*:\s*)"([^"]+)"')
_NO_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_RECORD = msgspec.json.Decoder(_Record)


@dataclass
class Outcome:
    """What was read of one Results API.

    Attributes:
        record_count: Records read, unreadable ones among them.
        types: Readable records by `data.type`, landed or not.
        oldest_at: The first update_time among them; None: there was no record.
        newest_at: The last one.
    """

    record_count: int = 0
    types: Counter[str] = field(default_factory=Counter)
    oldest_at: datetime | None = None
    newest_at: datetime | None = None

    def count(self, records: Sequence[_Record]) -> None:
        """Count records that could be read."""
        self.types.update(record.data.type for record in records)
        times = [record.updated_at for record in records]
        self.oldest_at = min([*times, *([self.oldest_at] if self.oldest_at else [])], default=None)
        self.newest_at = max([*times, *([self.newest_at] if self.newest_at else [])], default=None)


def land(
    api: HttpSource,
    landing: Landing,
    parent: str = "-",
    *,
    since: datetime | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Land the objects of every record that was updated since the run before, and return what was read.

    Args:
        api: The Results API.
        landing: The run they belong to; its cluster is the one whose runs they are.
        parent: Namespace whose results are read; `-` for all.
        since: Read back to there instead, whatever the run before has read.
        progress: Called with the number of records read since the last call.

    Raises:
        SourceError: The API could not be read to the end; what was read until then is landed.
    """
    began_at = datetime.now(UTC)
    reached = cursors.reached(landing.lake, landing.origin.cluster, SYSTEM, parent)
    back_to = since or (reached - OVERLAP if reached else _FIRST)
    outcome = Outcome()
    try:
        for texts in _pages(api, parent):
            records, is_last = _fresh(landing, api, texts, back_to)
            _land_records(landing, api, records)
            outcome.count(records)
            outcome.record_count += len(texts)
            if progress:
                progress(len(texts))
            if is_last:
                break
    except SourceError:
        landing.flush()
        raise
    _cover(landing, api, outcome, max(back_to, outcome.oldest_at or began_at), began_at)
    if outcome.newest_at and (reached is None or outcome.newest_at > reached):
        cursors.note(landing, parent, outcome.newest_at)
    return outcome


def _pages(api: HttpSource, parent: str) -> Iterator[list[msgspec.Raw]]:
    path = f"/apis/results.tekton.dev/v1alpha2/parents/{quote(parent, safe='')}/results/-/records"
    query: dict[str, str | int] = {"page_size": PAGE_SIZE, "order_by": "update_time desc"}
    token: str | None = ""
    while token is not None:
        page = api.read_as(_Page, path, query | ({"page_token": token} if token else {}))
        yield page.records or []
        if page.next_page_token and page.next_page_token == token:
            raise UnreachableError(f"{api.name}: its pages do not come to an end")
        token = page.next_page_token or None


def _fresh(
    landing: Landing, api: HttpSource, texts: Sequence[msgspec.Raw], back_to: datetime
) -> tuple[list[_Record], bool]:
    """Return the readable records of a page that are not older than `back_to`, and whether all others are."""
    records = []
    for text in texts:
        try:
            records.append(_RECORD.decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _reject(landing, api.name, f"it is no record: {error}", _VALUE.sub(_decoded_within, bytes(text)))
    times = [record.updated_at for record in records]
    # An API that does not know the order has newer ones on the pages to come.
    is_ordered = times == sorted(times, reverse=True)
    fresh = [record for record in records if record.updated_at >= back_to]
    return fresh, is_ordered and len(fresh) < len(records)


def _land_records(landing: Landing, api: HttpSource, records: Sequence[_Record]) -> None:
    items: list[tuple[Item, _Record]] = []
    for record in records:
        api_version, _, kind = record.data.type.rpartition(".")
        if kind not in _LANDED_KINDS:
            continue
        try:
            value = base64.b64decode(record.data.value, validate=True).strip()
        except (binascii.Error, ValueError):
            what = "its data.value is no base64"
            _reject(landing, f"{api.name} {record.name}", what, _decoded(record.data.value.encode()))
            continue
        assume = ("v1", "Event") if kind == "EventList" else (api_version, kind)
        reading = Reading(f"{api.name} {record.name}", Limits(), assume)
        for found in envelopes.objects(value, 1, reading):
            if isinstance(found, Item):
                items.append((found, record))
            else:
                landing.reject([Refusal(found.source, None, found.reason, found.message, found.excerpt)])
    kept = [
        (item, record) for item, record in items if not is_secret(item.header.api_version, item.header.kind)
    ]
    landing.refuse_secrets(len(items) - len(kept))
    if kept:
        landing.add(_batch(kept), api.name)


def _batch(items: Sequence[tuple[Item, _Record]]) -> Batch:
    headers = [item.header for item, _ in items]
    names = [split_api_version(header.api_version) for header in headers]
    return Batch(
        api_groups=[group for group, _ in names],
        api_versions=[version for _, version in names],
        resources=[resource_of_kind(header.kind) for header in headers],
        kinds=[header.kind for header in headers],
        namespaces=[header.metadata.namespace for header in headers],
        names=[header.metadata.name for header in headers],
        uids=[header.metadata.uid for header in headers],
        resource_versions=[header.metadata.resource_version for header in headers],
        event_types=[None] * len(headers),
        # The watcher stored the object when it saw it; when we read the record says nothing about the run.
        observed_at=[record.updated_at for _, record in items],
        source_lines=[None] * len(headers),
        bodies=[item.body for item, _ in items],
    )


def _cover(landing: Landing, api: HttpSource, outcome: Outcome, since: datetime, until: datetime) -> None:
    rows = []
    for kind in ("PipelineRun", "TaskRun"):
        count = sum(n for name, n in outcome.types.items() if name.rpartition(".")[2] == kind)
        rows.append(("tekton.dev", resource_of_kind(kind), "read", count, ""))
    for name, count in sorted(outcome.types.items()):
        if name.rpartition(".")[2] not in _LANDED_KINDS:
            rows.append(("results.tekton.dev", name, "refused", count, "records of this type are not landed"))
    landing.cover(
        [
            {
                "api_group": group,
                "resource": resource,
                "state": state,
                "since": since,
                "until": until,
                "object_count": count,
                "source": api.name,
                "message": message,
            }
            for group, resource, state, count, message in rows
        ]
    )


def _decoded_within(value: re.Match[bytes]) -> bytes:
    return value[1] + _decoded(value[2])


def _decoded(value: bytes) -> bytes:
    """Return what can be decoded of `value`: base64 would hide a credential from redaction."""
    known = _NO_BASE64.sub(b"", value)
    return base64.b64decode(known[: len(known) // 4 * 4])


def _reject(landing: Landing, source: str, message: str, text: bytes) -> None:
    excerpt = text[:EXCERPT_BYTES].decode("utf-8", "backslashreplace")
    landing.reject([Refusal(source, None, "undecodable_record", message, excerpt)])
