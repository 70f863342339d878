"""Patch ids: which commits make the same change, wherever they stand."""

from collections.abc import Sequence

from gitopslab.extract.git.command import Git


def read(git: Git, chosen: Sequence[str]) -> dict[str, str]:
    """Return the patch id of each of `chosen` commits that changes a text.

    Raises:
        SourceError: The repository cannot be read.
    """
    found = git.piped(
        (
            "diff-tree",
            "--stdin",
            "-p",
            "--root",
            "--no-ext-diff",
            "--no-textconv",
            "--no-relative",
            "--no-renames",
        ),
        ("patch-id", "--stable"),
        lines=chosen,
    )
    pairs = [line.split() for line in found.decode("ascii").splitlines()]
    return {sha: patch_id for patch_id, sha in pairs}
