"""A real git repository that a test commits to, one minute after another."""

import os
import subprocess
from pathlib import Path

START = 1_772_431_200  # 2026-03-02T06:00:00Z


class Repository:
    """A repository with a working tree; the first commit is made at START, each later one a minute on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.minute = 0
        subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)

    def git(self, *arguments: str, given: str | None = None) -> str:
        stamp = f"{START + self.minute * 60} +0100"
        own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        for role in ("AUTHOR", "COMMITTER"):
            own |= {
                f"GIT_{role}_NAME": "Ada",
                f"GIT_{role}_EMAIL": "ada@example.com",
                f"GIT_{role}_DATE": stamp,
            }
        command = ["git", "-C", str(self.folder), *arguments]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, input=given, env=os.environ | own
        )
        return done.stdout.strip()

    def commit(self, message: str = "change", **files: str | None) -> str:
        """Commit files, `__` in a name for a slash and `_yaml` for `.yaml`; None takes one away."""
        for name, content in files.items():
            path = self.folder / name.replace("__", "/").replace("_yaml", ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        self.minute += 1
        return self.git("rev-parse", "HEAD")

    def merge(self, branch: str, message: str = "merge") -> str:
        """Merge a branch, always by a merge commit."""
        self.git("merge", "-q", "--no-ff", "-m", message, branch)
        self.minute += 1
        return self.git("rev-parse", "HEAD")
