"""What git repositories hold: commits, where they stand on branches, what they changed, pinned and promoted.

`observed_at` is when a row was first read; git has no such time of its own. Times of commits are their
clocks' own, NULL where a commit says none that can be. Shas are whole and in hexadecimal digits.
"""

import pyarrow as pa

from gitopslab.datasets.dataset import (
    Dataset,
    count,
    optional_count,
    optional_text,
    optional_time,
    text,
    time,
)


def _flag(name: str) -> pa.Field:
    return pa.field(name, pa.bool_(), nullable=False)


def _dataset(  # noqa: PLR0913 - a dataset has these parts
    name: str,
    doc: str,
    grain: tuple[str, ...],
    columns: list[pa.Field],
    *,
    table: str = "",
    free_text: tuple[str, ...] = (),
    json: tuple[str, ...] = (),
) -> Dataset:
    return Dataset(
        name,
        table=table or name.removesuffix("s"),
        doc=doc,
        grain=("repository", *grain),
        schema=pa.schema([text("repository"), *columns, time("observed_at")]),
        dated_by="observed_at",
        partitioned_by="repository",
        free_text_columns=free_text,
        json_columns=json,
    )


COMMITS = _dataset(
    "git_commits",
    "Commits: one row a commit that a branch, or what was force-pushed away from one, leads to.",
    ("sha",),
    [
        text("sha"),
        text("tree_sha"),
        text("parent_shas"),
        count("parent_count"),
        _flag("is_merge"),
        _flag("is_boundary"),
        text("author_name"),
        text("author_email_hash"),
        optional_time("authored_at"),
        optional_count("author_utc_offset_seconds"),
        text("committer_name"),
        text("committer_email_hash"),
        optional_time("committed_at"),
        optional_count("committer_utc_offset_seconds"),
        text("subject"),
        text("body"),
        optional_text("trailers"),
    ],
    free_text=("author_name", "committer_name", "subject", "body"),
    json=("trailers",),
)
"""Commits: `parent_shas` stand with blanks between; of a boundary (a shallow clone's end) nobody knows them.

`trailers` is JSON, each key with the list of its values; NULL where there are none.
"""

PATCH_IDS = _dataset(
    "git_patch_ids",
    "Patch ids: one row a commit of a source repository that is no merge; the same change has the same id.",
    ("sha",),
    [text("sha"), text("patch_id")],
)
"""Patch ids: `git patch-id --stable`, by which a squashed or cherry-picked change is found again."""

BRANCH_COMMITS = _dataset(
    "git_branch_commits",
    "Commits of a branch: one row a commit and where it came into the branch, again when that was rewritten.",
    ("branch", "rewrite_number", "sha"),
    [
        text("branch"),
        count("rewrite_number"),
        text("sha"),
        count("position"),
        _flag("is_on_line"),
        _flag("is_boundary"),
    ],
)
"""Branch commits: `position` counts along the first-parent line, from 1 at the first commit that is known.

A commit that came by a merge has the merge's position, so that a commit of the line contains just those up
to its own position. A forced push opens the next `rewrite_number`, and lands what is new from where the line
parts; from there on the numbers before do not hold. See queries/facts/branch_commits.sql.
"""

CHANGED_PATHS = _dataset(
    "git_changed_paths",
    "Changed paths: one row a file that a commit changed, beside its first parent.",
    ("sha", "path"),
    [
        text("sha"),
        text("path"),
        optional_text("old_path"),
        text("change_kind"),
        optional_text("old_blob_sha"),
        optional_text("new_blob_sha"),
    ],
    free_text=("path", "old_path"),
)
"""Changed paths: `change_kind` is added, modified, deleted, renamed or type_changed; a boundary has none."""

REFS = _dataset(
    "git_refs",
    "Refs: one row each time that a branch, tag or notes ref was seen to point elsewhere than before.",
    ("ref", "observed_at"),
    [
        text("ref"),
        optional_text("sha"),
        optional_text("previous_sha"),
        _flag("is_forced"),
        count("rewrite_number"),
        count("position"),
        text("reading"),
    ],
)
"""Refs: `sha` is NULL from when a ref was gone. `is_forced`: the tip before is not in what the ref holds now.

`position` is that of a followed branch's tip on its first-parent line, else 0. `reading` names what was
asked for: another `since`, other branches or pins are another reading, which begins anew.
"""

TAGS = _dataset(
    "git_tags",
    "Tags: one row a tag and the commit it names, again when it was moved.",
    ("tag", "target_sha"),
    [
        text("tag"),
        text("target_sha"),
        text("commit_sha"),
        _flag("is_annotated"),
        optional_text("tagger_name"),
        optional_time("tagged_at"),
        optional_text("subject"),
    ],
    free_text=("tagger_name", "subject"),
)

NOTES = _dataset(
    "git_notes",
    "Notes: one row each time that the note of an object was written or removed.",
    ("notes_ref", "object_sha", "note_commit_sha"),
    [
        text("notes_ref"),
        text("object_sha"),
        text("note_commit_sha"),
        optional_time("noted_at"),
        _flag("is_removed"),
        optional_text("note"),
    ],
    free_text=("note",),
)
"""Notes: `noted_at` is the committer time of the notes ref's commit. `note` is NULL where it was not read."""

PIN_FILES = _dataset(
    "git_pin_files",
    "Pin files: one row each time that a commit on a branch's first-parent line touched one.",
    ("branch", "sha", "path"),
    [
        text("branch"),
        text("sha"),
        optional_time("committed_at"),
        text("path"),
        optional_text("old_path"),
        optional_text("pin_format"),
        text("state"),
        count("pin_count"),
    ],
    free_text=("path", "old_path"),
)
"""Pin files: `state` is read, no_pins, removed, or unreadable: what was pinned before is in force."""

PINS = _dataset(
    "git_pins",
    "Pins: one row each time that a commit on a branch's line changed what a pin file says of one image.",
    ("branch", "sha", "path", "pin_key"),
    [
        text("branch"),
        text("sha"),
        count("position"),
        optional_time("committed_at"),
        text("path"),
        optional_text("old_path"),
        optional_text("pin_format"),
        text("pin_key"),
        text("change_kind"),
        optional_text("image_name"),
        optional_text("tag"),
        optional_text("digest"),
        optional_text("source_sha"),
        optional_text("pipeline_run"),
        optional_time("written_at"),
        optional_text("previous_image_name"),
        optional_text("previous_tag"),
        optional_text("previous_digest"),
        optional_text("previous_source_sha"),
        _flag("is_first_seen"),
        _flag("is_after_unreadable"),
    ],
    free_text=(
        "path",
        "old_path",
        "image_name",
        "tag",
        "pipeline_run",
        "previous_image_name",
        "previous_tag",
    ),
)
"""Pins: `pin_key` is the service in release pins, the image in a kustomization, the place in Helm values.

`change_kind` is added, changed, removed, moved (the file has another path, the pin the same value),
moved_away (of the path that the file had) or first_seen: it was in force where what is read begins, and
nobody knows since when (`is_first_seen`).
`written_at` is what release pins say of it; a build's clock. `is_after_unreadable`: versions of the file in
between could not be read, so the change may be older than its commit.
"""

HYDRATIONS = _dataset(
    "git_hydrations",
    "Hydrations: one row each time that something says which dry commit a hydrated commit was made from.",
    ("sha", "path", "said_by", "said_in_sha"),
    [
        text("sha"),
        text("path"),
        text("said_by"),
        text("said_in_sha"),
        optional_time("said_at"),
        text("dry_sha"),
        optional_text("dry_repository_url"),
        optional_text("dry_author"),
        optional_time("dry_authored_at"),
        optional_text("dry_subject"),
    ],
    free_text=("path", "dry_repository_url", "dry_author", "dry_subject"),
)
"""Hydrations: said by the `metadata` in the tree (`path` is its folder), or by a `note`.

A hydration that changes no manifest leaves a note and no commit: the note then names a newer dry commit.
"""

REFERENCES = _dataset(
    "git_references",
    "References: one row a commit of other code that a dry commit says it was made from.",
    ("sha", "said_by", "said_in_sha", "reference_sha"),
    [
        text("sha"),
        text("said_by"),
        text("said_in_sha"),
        text("reference_sha"),
        optional_text("reference_repository_url"),
        optional_text("reference_author"),
        optional_time("reference_authored_at"),
        optional_text("reference_subject"),
    ],
    free_text=("reference_repository_url", "reference_author", "reference_subject"),
)
"""References: of the dry commit `sha`, by its own `trailer` or by the hydrator's `metadata`."""

PROMOTIONS = _dataset(
    "git_promotions",
    "Promotions in git: one row a merge commit that GitOps Promoter wrote of, by trailers or by a note.",
    ("sha", "said_by"),
    [
        text("sha"),
        text("said_by"),
        optional_text("pull_request_id"),
        optional_text("pull_request_url"),
        optional_time("pull_request_created_at"),
        optional_time("pull_request_merged_at"),
        optional_text("source_branch"),
        optional_text("target_branch"),
        optional_text("active_dry_sha"),
        optional_text("proposed_dry_sha"),
        optional_text("active_hydrated_sha"),
        optional_text("proposed_hydrated_sha"),
    ],
    table="git_promotion",
    free_text=("pull_request_url",),
)
"""Promotions: `active_…` is what the environment ran before, `proposed_…` what it was to run."""

PROMOTION_GATES = _dataset(
    "git_promotion_gates",
    "Gates of promotions in git: one row a commit status that a promotion's merge commit tells of.",
    ("sha", "said_by", "side", "gate_key"),
    [
        text("sha"),
        text("said_by"),
        text("side"),
        text("gate_key"),
        optional_text("phase"),
        optional_text("gate_url"),
        optional_text("description"),
    ],
    free_text=("gate_url", "description"),
)

GIT = (
    COMMITS,
    PATCH_IDS,
    BRANCH_COMMITS,
    CHANGED_PATHS,
    REFS,
    TAGS,
    NOTES,
    PIN_FILES,
    PINS,
    HYDRATIONS,
    REFERENCES,
    PROMOTIONS,
    PROMOTION_GATES,
)
