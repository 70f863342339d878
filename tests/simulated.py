"""A simulated world in a folder, read again by the tests that look at it."""

import hashlib
import io
import subprocess
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

    def git(self, repository: str, *arguments: str) -> str:
        command = ["git", f"--git-dir={self.folder / 'git' / repository}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def digest(self) -> dict[str, str]:
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
        }
