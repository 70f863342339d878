"""The wheel, in an environment of its own, somewhere else: everything a report needs travels in it."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from gitopslab import queries

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


def test_queries_and_notebooks_are_in_it(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {f"gitopslab/_shipped/queries/{q.room}/{q.name}.sql" for q in queries.catalog().values()} <= names
    assert "gitopslab/_shipped/queries/macros.sql" in names
    assert "gitopslab/_shipped/notebooks/lead_time.ipynb" in names
    assert "gitopslab/reports/templates/report.html.j2" in names
    assert not [name for name in names if name.startswith(("tests/", "data/", "reports/"))]


@pytest.mark.slow
def test_it_runs_a_report_elsewhere(wheel, tmp_path):
    """The environment sees the packages installed here, but not this checkout."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    zipfile.ZipFile(wheel).extractall(site)
    here = next(p for p in map(Path, sys.path) if p.name == "site-packages")
    # A path file would run the .pth of this checkout too, so the packages are linked one by one.
    for package in here.iterdir():
        target = Path(site) / package.name
        if (
            "gitopslab" not in package.name
            and not package.name.startswith("__editable__")
            and not target.exists()
        ):
            target.symlink_to(package)
    where = tmp_path / "elsewhere"
    where.mkdir()
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "GITOPSLAB"))
    }

    def run(*command: str) -> str:
        done = subprocess.run(
            [python, "-m", *command], cwd=where, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("gitopslab", "world", "generate", "--weeks", "1", "--out", ".")
    for cluster in ("hub", "dev"):
        run("gitopslab", "land", "files", f"objects/{cluster}.ndjson.zst", "--cluster", cluster)
    run("gitopslab", "build")
    out = run("gitopslab", "report", "lead_time", "-p", "environment=dev", "-p", "as_of=2026-03-09")

    page = Path(out.splitlines()[-1])
    assert page.is_relative_to(where)
    assert page.stat().st_size > 100_000
