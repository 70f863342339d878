"""A simulated world in a folder, read again by the tests that look at it."""

import hashlib
import io
import subprocess
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import zstandard

CLUSTERS = ("hub", "dev", "ryzen", "staging")


class Header(msgspec.Struct):
    """What tells an object's kind; the object itself stays text until it is asked for."""

    kind: str


class Event(msgspec.Struct):
    """One line of a cluster's file."""

    type: str
    observed_at: str = msgspec.field(name="observedAt")
    body: msgspec.Raw = msgspec.field(name="object")

    @property
    def kind(self) -> str:
        return msgspec.json.decode(self.body, type=Header).kind

    @property
    def object(self) -> dict:
        return msgspec.json.decode(self.body)


class World:
    """A generated world, read again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def events(self, *clusters: str, kind: str = "") -> list[Event]:
        found = []
        for name in clusters or CLUSTERS:
            with zstandard.open(self.folder / "objects" / f"{name}.ndjson.zst", "rb") as lines:
                found += [msgspec.json.decode(line, type=Event) for line in io.BufferedReader(lines)]
        return [event for event in found if not kind or event.kind == kind]

    def objects(self, kind: str, *clusters: str) -> list[dict]:
        return [event.object for event in self.events(*clusters, kind=kind)]

    def truth(self, table: str) -> list[dict]:
        return pq.read_table(self.folder / "truth" / f"{table}.parquet").to_pylist()

    def rows(self, table: str) -> list[dict[str, str]]:
        """Return the rows of one table of the database, as text."""
        _, _, after = (self.folder / "postgres.sql").read_text().partition(f"COPY {table} (")
        header, *lines = after.split("\n")
        names = header.partition(")")[0].split(", ")
        return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[: lines.index("\\.")]]

    def git(self, repository: str, *arguments: str) -> str:
        command = ["git", f"--git-dir={self.folder / 'git' / repository}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def digest(self) -> dict[str, str]:
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
        }


class Stricken(World):
    """A world with incidents, and what was seen of them while they lasted."""

    @cached_property
    def seen(self) -> dict[str, list[Event]]:
        return {cluster: self.events(cluster) for cluster in CLUSTERS}

    @cached_property
    def incidents(self) -> list[dict]:
        return self.truth("incident")

    @cached_property
    def effects(self) -> list[dict]:
        return self.truth("incident_effect")

    @cached_property
    def dump(self) -> list[str]:
        return (self.folder / "postgres.sql").read_text().splitlines()

    def objects_of(self, incident: dict) -> list[dict]:
        """Return the versions of what an incident affects that were seen while it lasted."""
        uids = [row["uid"].encode() for row in self.effects_of(incident) if row["uid"]]
        return [item for item in self._during(incident, uids) if item["metadata"]["uid"].encode() in uids]

    def messages_of(self, incident: dict) -> list[str]:
        """Return what Events said while an incident lasted."""
        return [item["message"] for item in self._during(incident, [b'"kind":"Event"'])]

    def rows_of(self, incident: dict) -> list[str]:
        """Return the rows of the database that name the benchmark run of an incident."""
        (effect,) = self.effects_of(incident)
        return [row for row in self.dump if effect["name"] in row]

    def last_of(self, incident: dict, kind: str) -> dict:
        """Return what an object of `kind` that an incident affects was when the incident ended."""
        (uid,) = (row["uid"].encode() for row in self.effects_of(incident) if row["kind"] == kind)
        until = _stamp(incident["ended_at"])
        seen = [event for event in self.seen[incident["cluster"]] if event.observed_at < until]
        found = (event for event in reversed(seen) if uid in bytes(event.body) and event.kind == kind)
        return next(item for item in (event.object for event in found) if _uid(item) == uid.decode())

    def effects_of(self, incident: dict) -> list[dict]:
        return [row for row in self.effects if row["incident_id"] == incident["incident_id"]]

    def _during(self, incident: dict, marks: list[bytes]) -> list[dict]:
        since = _stamp(incident["started_at"] - timedelta(seconds=3))
        until = _stamp(incident["ended_at"])
        return [
            event.object
            for event in self.seen[incident["cluster"]]
            if since <= event.observed_at < until and any(mark in bytes(event.body) for mark in marks)
        ]


def _uid(item: dict) -> str:
    return item["metadata"]["uid"]


def _stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S")
