"""git: commits, branches, pins, hydrations and promotions, from a clone or a mirror.

Source: the `git` command, on a clone or bare mirror in place, or on a mirror that is kept of a URL.
Needs:  git 2.31 or newer; for a URL, that it can be fetched without asking (a token, an ssh agent).
Limits: What was force-pushed away before the first reading is gone, if nothing refers to it. A shallow clone,
        and `since`, have a boundary: what is in force there is marked as first seen, not as a change.
"""

from gitopslab.extract.git.mirror import opened
from gitopslab.extract.git.reading import SYSTEM, Asked, land

__all__ = ("SYSTEM", "Asked", "land", "opened")
