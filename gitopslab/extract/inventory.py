"""Deployment inventory: the hub's document of what every environment should run and runs.

Source: the JSON at a configured URL, generated again and again; or a file of such documents, one a line, as
        `{"fetchedAt": …, "body": …}` or `{"fetchedAt": …, "error": …}`.
Needs:  a token that may read it, where it wants one.
Limits: it holds no time of a deployment, only the first snapshot that shows one; so what it says is as exact
        as snapshots are close. Only `source: hub-inventory` is real: a hub without one serves a fixture.

An application lands when it changed since the snapshot before. A snapshot older than one that is landed
already is kept, but no longer taken apart: its place between the others is past.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from gitopslab.datasets import Dataset
from gitopslab.datasets.inventory import INVENTORY_APPLICATIONS, INVENTORY_LIVE_IMAGES, INVENTORY_SNAPSHOTS
from gitopslab.errors import SourceError, UnreachableError
from gitopslab.extract.byte_stream import ByteStream
from gitopslab.extract.pages import EXCERPT_BYTES, Limits
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Refusal
from gitopslab.http import HttpSource
from gitopslab.redaction import redact_text

SYSTEM = "inventory"
REAL_SOURCE = "hub-inventory"
STALE_AFTER = timedelta(minutes=5)
"""How old an inventory may be when it is fetched; its generator runs every quarter of a minute."""

_LINES_BYTES = 4 << 20
_LONGEST_NAME = 60


class _Desired(msgspec.Struct, rename="camel"):
    image: str | None = None
    tag: str | None = None
    digest: str | None = None
    commit_sha: str | None = None


class _Live(msgspec.Struct, rename="camel"):
    images: list[str] | None = None
    sync_status: str | None = None
    health_status: str | None = None


class _Promotion(msgspec.Struct, rename="camel"):
    dry_sha: str | None = None
    hydrated_sha: str | None = None
    health_phase: str | None = None


class _Build(msgspec.Struct, rename="camel"):
    pipeline_run: str | None = None
    status: str | None = None
    reason: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class _Drift(msgspec.Struct):
    status: str | None = None


class _Application(msgspec.Struct):
    name: str
    component: str | None = None
    desired: _Desired | None = None
    live: _Live | None = None
    promotion: _Promotion | None = None
    build: _Build | None = None
    provenance: dict[str, Any] | None = None
    drift: _Drift | None = None


class _Environment(msgspec.Struct):
    name: str
    applications: list[msgspec.Raw] | None = None


class _Pins(msgspec.Struct):
    error: str | None = None


class _Document(msgspec.Struct, rename="camel"):
    generated_at: datetime
    environments: list[_Environment]
    source: str | None = None
    release_pins: _Pins | None = None


class _Line(msgspec.Struct, rename="camel"):
    fetched_at: datetime
    body: msgspec.Raw = msgspec.Raw(b"null")
    error: str | None = None


Key = tuple[str, str]
"""Environment and application."""

State = Mapping[str, Any]


class InventoryExtraction:
    """Lands inventories of one hub, each compared with the one before.

    Args:
        landing: The run they belong to; its source is the inventory's name.
    """

    def __init__(self, landing: RowLanding) -> None:
        self.landing = landing
        self.name = landing.origin.cluster
        self._states = dict(self._landed_states())
        self._newest_at = max(
            (at for rows in self._read(["generated_at"]) for at in rows["generated_at"].to_pylist() if at),
            default=None,
        )
        self._snapshots = {name for rows in self._read(["snapshot"]) for name in rows["snapshot"].to_pylist()}

    def fetch(self, source: HttpSource, now: datetime) -> None:
        """Land the inventory that is served now.

        Raises:
            SourceError: None is, or not one of a hub; that it failed is landed.
        """
        try:
            self.add(source.read(), now, source.name)
        except SourceError as error:
            self.fail(str(error), now)
            self.landing.flush()
            raise

    def read(self, path: Path) -> None:
        """Land the inventories in a file, one a line, in order of time; a line that is none is a reject.

        Raises:
            UsageError: There is no such file.
        """
        source = path.as_posix()
        with ByteStream(path, Limits()) as stream:
            number = 0
            while text := stream.read_lines(_LINES_BYTES, Limits().max_document_bytes):
                for line in text.splitlines():
                    number += 1
                    if line.strip():
                        self._add_line(line, source, number)
            if stream.failure:
                self.landing.reject([Refusal(source, None, *stream.failure, "")])

    def add(self, body: bytes, fetched_at: datetime, source: str) -> None:
        """Land one inventory, once.

        Raises:
            UnreachableError: It is no inventory of a hub.
        """
        document = _document(body, source)
        generated_at = document.generated_at
        snapshot = generated_at.isoformat()
        age = fetched_at - generated_at
        stale = f"generated {age.total_seconds():.0f} s before it was fetched" if age > STALE_AFTER else ""
        if snapshot in self._snapshots:
            self._cover(generated_at, stale, source)
            return
        is_late = self._newest_at is not None and generated_at < self._newest_at
        states = self._states_in(document, source)
        self._snapshots.add(snapshot)
        row = {
            "snapshot": snapshot,
            "fetched_at": fetched_at,
            "generated_at": generated_at,
            "application_count": len(states),
            "error": document.release_pins and document.release_pins.error,
            "body": body.decode("utf-8", "replace"),
        }
        self._add_rows(INVENTORY_SNAPSHOTS, [row])
        late = "older than one that is landed: kept, and not taken apart" if is_late else ""
        self._cover(generated_at, "; ".join(filter(None, (stale, late))), source)
        if not is_late:
            self._newest_at = generated_at
            self._compare(states, generated_at)

    def fail(self, error: str, at: datetime) -> None:
        """Land that no inventory could be fetched, and why."""
        row = {
            "snapshot": f"error {at.astimezone(UTC).isoformat()}",
            "fetched_at": at,
            "generated_at": None,
            "application_count": 0,
            "error": error,
            "body": None,
        }
        self._add_rows(INVENTORY_SNAPSHOTS, [row])
        self.landing.saw(SYSTEM, at, at, state="gap", source=self.name, message="no inventory was served")

    def _add_line(self, line: bytes, source: str, number: int) -> None:
        try:
            fetched = msgspec.json.decode(line, type=_Line)
            fetched_at = _utc(fetched.fetched_at)
            body = bytes(fetched.body)
            if body == b"null":
                self.fail(fetched.error or "no inventory, and no word why", fetched_at)
            else:
                self.add(body, fetched_at, source)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnreachableError) as error:
            excerpt = line[:EXCERPT_BYTES].decode("utf-8", "backslashreplace")
            self.landing.reject([Refusal(source, number, "no_inventory", str(error), excerpt)])

    def _states_in(self, document: _Document, source: str) -> dict[Key, State]:
        """Return the state of each application; beside one that cannot be read, the unseen stay as is."""
        states: dict[Key, State] = {}
        unclear = set()
        for environment in document.environments:
            for text in environment.applications or []:
                try:
                    application = msgspec.json.decode(text, type=_Application)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    excerpt = bytes(text)[:EXCERPT_BYTES].decode("utf-8", "backslashreplace")
                    message = f"an application cannot be read: {error}"
                    self.landing.reject([Refusal(source, None, "no_application", message, excerpt)])
                    unclear.add(environment.name)
                else:
                    states[environment.name, application.name] = _state(application)
        return {key: state for key, state in self._states.items() if key[0] in unclear} | states

    def _compare(self, states: dict[Key, State], generated_at: datetime) -> None:
        """Land what differs from the snapshot before."""
        gone = dict.fromkeys(self._states.keys() - states.keys(), _GONE)
        changed = {key: state for key, state in (states | gone).items() if self._states.get(key) != state}
        rows = [
            {"environment": environment, "application": application, "generated_at": generated_at, **state}
            for (environment, application), state in sorted(changed.items(), key=lambda item: item[0])
        ]
        self._add_rows(INVENTORY_APPLICATIONS, rows)
        shared = ("environment", "application", "generated_at")
        self._add_rows(
            INVENTORY_LIVE_IMAGES,
            [
                {name: row[name] for name in shared} | _parts(image)
                for row in rows
                for image in json.loads(row["live_images"] or "[]")
            ],
        )
        self._states |= changed

    def _cover(self, generated_at: datetime, message: str, source: str) -> None:
        self.landing.saw(SYSTEM, generated_at, generated_at, source=source, message=message)

    def _landed_states(self) -> Iterator[tuple[Key, State]]:
        columns = [name for name in INVENTORY_APPLICATIONS.schema.names if name != "inventory"]
        tables = self.landing.lake.read(INVENTORY_APPLICATIONS, columns, self.name)
        rows = sorted(
            (row for table in tables for row in table.to_pylist()), key=lambda row: row["generated_at"]
        )
        for row in rows:
            del row["generated_at"]
            yield (row.pop("environment"), row.pop("application")), row

    def _read(self, columns: list[str]) -> Iterator[pa.Table]:
        return self.landing.lake.read(INVENTORY_SNAPSHOTS, columns, self.name)

    def _add_rows(self, dataset: Dataset, rows: list[dict[str, Any]]) -> None:
        if rows:
            named = [{"inventory": self.name, **row} for row in rows]
            self.landing.add(dataset, pa.Table.from_pylist(named, schema=dataset.schema))


def _document(body: bytes, source: str) -> _Document:
    try:
        document = msgspec.json.decode(body, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreachableError(f"{source}: no inventory: {error}") from error
    if document.source != REAL_SOURCE:
        named = redact_text(document.source or "")[:_LONGEST_NAME]
        raise UnreachableError(
            f"{source}: its source is {named!r}, and only {REAL_SOURCE} is a hub's own inventory"
        )
    document.generated_at = _utc(document.generated_at)
    return document


@lru_cache(maxsize=8192)
def _image(text: str) -> str:
    """Return an image as it lands: what is compared and told apart holds no credential either."""
    return redact_text(text)


def _state(application: _Application) -> State:
    desired, live = application.desired or _Desired(), application.live or _Live()
    promotion, build = application.promotion or _Promotion(), application.build or _Build()
    return {
        "is_listed": True,
        "component": application.component,
        "desired_image": desired.image and _image(desired.image),
        "desired_tag": desired.tag,
        "desired_digest": desired.digest,
        "desired_commit_sha": desired.commit_sha,
        "live_images": json.dumps(sorted(set(map(_image, live.images or ())))),
        "sync_status": live.sync_status,
        "health_status": live.health_status,
        "promotion_dry_sha": promotion.dry_sha,
        "promotion_hydrated_sha": promotion.hydrated_sha,
        "promotion_health_phase": promotion.health_phase,
        "build_pipeline_run": build.pipeline_run,
        "build_status": build.status,
        "build_reason": build.reason,
        "build_started_at": build.started_at and _utc(build.started_at),
        "build_finished_at": build.finished_at and _utc(build.finished_at),
        "provenance": application.provenance and json.dumps(application.provenance, sort_keys=True),
        "drift_status": application.drift and application.drift.status,
    }


_GONE: State = dict.fromkeys(_state(_Application(""))) | {"is_listed": False}


def _parts(image: str) -> dict[str, str | None]:
    """Return an image told apart, as the typed table of Argo CD's images tells it."""
    name, _, digest = image.partition("@")
    path, colon, tag = name.rpartition(":")
    is_tagged = bool(colon) and "/" not in tag
    return {
        "image": image,
        "image_name": path if is_tagged else name,
        "image_tag": (tag or None) if is_tagged else None,
        "digest": digest or None,
    }


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
