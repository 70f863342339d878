"""How long a git history of 100,000 commits takes to land, 20,000 of which pin images; and to read again.

`.venv/bin/python tests/benchmarks/git.py [FOLDER]` prints seconds and memory. The history is made by
`git fast-import`: every fifth commit writes the release pins of a service, and the kustomization that repeats
them; the others change a file of a service. It is read as configuration, and again as source, with patch ids.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from gitopslab.datasets.git import COMMITS, PINS
from gitopslab.extract import git
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Origin
from gitopslab.lake import Lake
from gitopslab.settings import Repository, Settings
from gitopslab.warehouse import build

COMMIT_COUNT = 100_000
PINNED_EACH = 5
SERVICES = tuple(f"service-{number:02}" for number in range(12))
PINS_PATH = "packages/release-pins/images.yaml"
KUSTOMIZATION = "packages/overlays/dev/kustomization.yaml"
JANUARY = 1_577_836_800


def history() -> Iterator[bytes]:
    """Yield the history as `git fast-import` reads it."""
    pinned = dict.fromkeys(SERVICES, 0)
    for number in range(COMMIT_COUNT):
        service = SERVICES[number % len(SERVICES)]
        if number % PINNED_EACH:
            files = {f"services/{service}/src/module_{number % 40}.py": lines(number)}
            subject = f"feat({service}): change {number} (#{number})"
        else:
            service = SERVICES[number // PINNED_EACH % len(SERVICES)]
            pinned[service] = number
            files = {PINS_PATH: release_pins(pinned), KUSTOMIZATION: kustomization(pinned)}
            subject = f"chore({service}): pin image to git-{number:040x}"
        message = f"{subject}\n\nWhat it does, and why.\n\nReviewed-by: Ada <ada@example.com>\n".encode()
        who = f"Developer {number % 30} <developer{number % 30}@example.com> {JANUARY + number * 600} +0000"
        yield f"commit refs/heads/main\nauthor {who}\ncommitter {who}\n".encode() + data(message)
        for path, content in files.items():
            yield f"M 100644 inline {path}\n".encode() + data(content)
        yield b"\n"


def lines(number: int) -> bytes:
    return "".join(f"value_{at} = {number + at}\n" for at in range(20)).encode()


def release_pins(pinned: dict[str, int]) -> bytes:
    maps = {
        "images": "git-{sha}",
        "imageRefs": "ghcr.io/example/{service}:git-{sha}@sha256:{sha}{pad}",
        "digests": "sha256:{sha}{pad}",
        "sourceShas": "{sha}",
        "pipelineRuns": "outer-loop-{service}-{sha}",
    }
    told = {
        service: {"service": service, "sha": f"{at:040x}", "pad": "0" * 24} for service, at in pinned.items()
    }
    return "".join(
        f"{name}:\n" + "".join(f'  {service}: "{form.format(**parts)}"\n' for service, parts in told.items())
        for name, form in maps.items()
    ).encode()


def kustomization(pinned: dict[str, int]) -> bytes:
    images = "".join(f"- name: ghcr.io/example/{s}\n  newTag: git-{at:040x}\n" for s, at in pinned.items())
    return f"kind: Kustomization\nimages:\n{images}".encode()


def data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def generate(folder: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(folder)], check=True)
    with subprocess.Popen(["git", "fast-import", "--quiet"], cwd=folder, stdin=subprocess.PIPE) as process:
        assert process.stdin
        for part in history():
            process.stdin.write(part)


def land(lake: Lake, folder: Path, role: str) -> RowLanding:
    repository = Repository(name=role, path=str(folder), role=role)
    with RowLanding(lake, Origin("git", role, git.SYSTEM)) as landing:
        opened = git.opened(repository, folder.parent)
        git.land(opened, landing, git.Asked(repository, (), datetime.now(UTC)))
    return landing


def timed(what: str, work: object) -> None:
    begun = time.perf_counter()
    result = work()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what:<40} {time.perf_counter() - begun:6.1f} s   {memory:6.0f} MB   {result or ''}")


def main(folder: Path) -> None:
    repository = folder / "history.git"
    if not repository.exists():
        timed("history made by fast-import", lambda: generate(repository))
    lake = Lake(str(folder / f"lake-{os.getpid()}"))

    def landed(role: str) -> str:
        tally = land(lake, repository, role).tally
        counts = {dataset.name: tally.kinds[dataset.name, git.SYSTEM] for dataset in (COMMITS, PINS)}
        return f"{tally.landed_count:,} rows landed, {tally.reject_count} rejected; {counts}"

    timed("read as configuration", lambda: landed("config"))
    timed("read again", lambda: landed("config"))
    timed("read as source, with patch ids", lambda: landed("source"))
    warehouse = Settings().warehouse.model_copy(update={"path": folder / f"warehouse-{os.getpid()}.duckdb"})
    settings = Settings().model_copy(
        update={"lake": Settings().lake.model_copy(update={"path": lake.url}), "warehouse": warehouse}
    )
    timed("built", lambda: build(settings))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
