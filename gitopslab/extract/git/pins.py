"""What a file pins: image, tag and digest, in one of three formats.

Source: release pins, maps keyed by service (`images`, `imageRefs`, `digests`, `sourceShas`, `pipelineRuns`,
        `updatedAts`); kustomize `images` (name, newName, newTag, digest); Helm values (a map with
        `repository` and `tag` or `digest`, or a text under `image`).
Limits: YAML only, read as kustomize and Helm read it: a tag that is written as the number 1.10 is 1.1.
"""

import fnmatch
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from gitopslab.errors import SettingsError
from gitopslab.extract import yaml_stream
from gitopslab.extract.pages import Limits

Format = Literal["release_pins", "kustomize", "helm_values"]
FORMATS: tuple[Format, ...] = get_args(Format)

MAX_BYTES = 4 << 20
"""Larger files pin nothing that a person or a build wrote."""

_LIMITS = Limits(max_document_bytes=MAX_BYTES, max_depth=60, max_alias_nodes=1000)
_REFERENCE = re.compile(
    r"(?P<name>(?:[\w.-]+(?::\d+)?/)?[\w./-]+)(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>\w+:[0-9a-fA-F]+))?"
)
_SOURCE_TAG = re.compile(r"git-([0-9a-f]{7,40})")
_RELEASE_MAPS = frozenset({"images", "imageRefs", "digests", "sourceShas", "pipelineRuns", "updatedAts"})
_KUSTOMIZATION = re.compile(r"(?:.*/)?kustomization(?:\.ya?ml)?")


class Pin(NamedTuple):
    """One image that a file pins; None is what the file does not say.

    Attributes:
        key: The service in release pins, the image in a kustomization, the place in Helm values.
        image_name: Without tag and digest.
        tag: Its tag.
        digest: Its digest, with the algorithm.
        source_sha: Source commit it was built from, said outright or by a tag `git-<sha>`; may be short.
        pipeline_run: PipelineRun that built it.
        written_at: When it was pinned, as the file says it.
    """

    key: str
    image_name: str | None = None
    tag: str | None = None
    digest: str | None = None
    source_sha: str | None = None
    pipeline_run: str | None = None
    written_at: str | None = None


class Pinned(NamedTuple):
    """What a file pins, by key; its format is None where it pins nothing in any."""

    format: Format | None
    pins: Mapping[str, Pin]


class Unreadable(NamedTuple):
    """A file that cannot be read: why, in a word and in a sentence."""

    reason: str
    message: str


NOTHING = Pinned(None, {})


class PinPaths:
    """Which files pin images, and in what format, as settings say it.

    Args:
        repository: Named in messages.
        globs: Globs of paths, `*` for slashes too; a format and a colon may stand before each.

    Raises:
        SettingsError: A glob names a format that there is not.
    """

    def __init__(self, repository: str, globs: Sequence[str]) -> None:
        self._formats: list[tuple[Callable[[str], object], Format | None]] = []
        for text in globs:
            name, sign, glob = text.partition(":")
            wanted = next((form for form in FORMATS if form == name), None)
            if sign and wanted is None:
                known = ", ".join(FORMATS)
                raise SettingsError(
                    f"repository {repository}: pins: {text!r}: no format {name!r}; there are: {known}"
                )
            self._formats.append((re.compile(fnmatch.translate(glob if sign else text)).match, wanted))

    def __contains__(self, path: str) -> bool:
        return any(matches(path) for matches, _ in self._formats)

    def format(self, path: str) -> Format | None:
        """Return the format of the file at `path`, where settings say it."""
        return next((form for matches, form in self._formats if form and matches(path)), None)


def parse(content: bytes, path: str, form: Format | None = None) -> Pinned | Unreadable:
    """Return what a file pins, in `form` or in the one that its content shows."""
    pins: dict[str, Pin] = {}
    found = form
    for document in yaml_stream.documents(io.BytesIO(content), _LIMITS):
        if isinstance(document, yaml_stream.Problem):
            return Unreadable(document.reason, f"line {document.line}: {document.message}")
        tree = msgspec.json.decode(document.text)
        shown = form or _shown(tree, path)
        for pin in _READERS[shown](tree) if shown else ():
            pins.setdefault(pin.key, pin)
            found = found or shown
    return Pinned(found, pins)


def _shown(tree: Any, path: str) -> Format | None:
    if not isinstance(tree, dict):
        return None
    images = tree.get("images")
    is_flat = isinstance(images, dict) and not any(
        isinstance(value, dict | list) for value in images.values()
    )
    if _KUSTOMIZATION.fullmatch(path) or tree.get("kind") in {"Kustomization", "Component"}:
        return "kustomize"
    if is_flat and _RELEASE_MAPS.issuperset(tree):
        return "release_pins"
    return "helm_values" if "apiVersion" not in tree or "kind" not in tree else None


def _release_pins(tree: Any) -> Iterator[Pin]:
    maps = {name: _map(tree.get(name)) for name in _RELEASE_MAPS} if isinstance(tree, dict) else {}
    for service in sorted({service for values in maps.values() for service in values}):
        told = {name: _text(values.get(service)) for name, values in maps.items()}
        reference = _reference(told["imageRefs"])
        short = told["images"]
        if short and any(sign in short for sign in "/:@"):
            reference = reference.over(_reference(short))
            short = None
        tag = short or reference.tag
        yield Pin(
            service,
            reference.name,
            tag,
            told["digests"] or reference.digest,
            told["sourceShas"] or _source_sha(tag),
            told["pipelineRuns"],
            told["updatedAts"],
        )


def _kustomize(tree: Any) -> Iterator[Pin]:
    images = tree.get("images") if isinstance(tree, dict) else None
    for entry in images if isinstance(images, list) else ():
        name = _text(_map(entry).get("name"))
        if name:
            tag, digest = _text(entry.get("newTag")), _text(entry.get("digest"))
            yield Pin(name, _text(entry.get("newName")) or name, tag, digest, _source_sha(tag))


def _helm_values(tree: Any, place: tuple[str, ...] = ()) -> Iterator[Pin]:
    if isinstance(tree, list):
        tree = {str(number): value for number, value in enumerate(tree)}
    for key, value in _map(tree).items():
        here = (*place, key)
        if isinstance(value, dict | list):
            yield from _helm_values(value, here)
        elif key == "image" and isinstance(value, str) and value:
            reference = _reference(value)
            if reference.tag or reference.digest:
                yield _pin(here, reference)
    repository, tag, digest = (_text(_map(tree).get(key)) for key in ("repository", "tag", "digest"))
    if repository and (tag or digest):
        registry = _text(tree.get("registry"))
        yield _pin(place, Reference(f"{registry}/{repository}" if registry else repository, tag, digest))


def _pin(place: tuple[str, ...], reference: "Reference") -> Pin:
    return Pin(".".join(place) or ".", *reference, _source_sha(reference.tag))


class Reference(NamedTuple):
    """An image, as one text names it."""

    name: str | None
    tag: str | None
    digest: str | None

    def over(self, other: "Reference") -> "Reference":
        """Return this, with the other's parts where this lacks them."""
        return Reference(*(mine or theirs for mine, theirs in zip(self, other, strict=True)))


def _reference(text: str | None) -> Reference:
    found = _REFERENCE.fullmatch(text or "")
    return Reference(found["name"], found["tag"], found["digest"]) if found else Reference(None, None, None)


def _source_sha(tag: str | None) -> str | None:
    found = _SOURCE_TAG.fullmatch(tag or "")
    return found[1] if found else None


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, dict | list):
        return None
    return str(value) or None


_READERS: dict[Format, Callable[[Any], Iterator[Pin]]] = {
    "release_pins": _release_pins,
    "kustomize": _kustomize,
    "helm_values": _helm_values,
}
